#include "precision.hpp"

LLMAP_TOOL_PRECISION(, float)
