#define LLMAP_KERNELS
#include "llmap/model.hpp"

LLMAP_INSTANTIATE_MODELS(, float)
LLMAP_INSTANTIATE_MODELS(, double)
