// Tests build and change JSON with nlohmann-json, which also reads the goldens; this converts it.
#pragma once
#include "llmap/core/json.hpp"
#include <nlohmann/json.hpp>

namespace golden {

inline llmap::json own(const nlohmann::json& value) { return llmap::parse_json(value.dump(), "test"); }

} // namespace golden
