#define LLMAP_BUILDING_KERNELS
#include "llmap/kernels.hpp"

LLMAP_INSTANTIATE_KERNELS(, double)
