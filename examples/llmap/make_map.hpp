// The computation behind `llmap map`, a unit of its own because it takes long to compile.
#pragma once
#include "commands.hpp"
#include "llmap/geometry/map_data.hpp"

llmap::map_data make_map(const map_arguments& a);
