#include "llmap/model.hpp"
#include "llmap/kernels.hpp"

LLMAP_INSTANTIATE_MODELS(, float)
LLMAP_INSTANTIATE_MODELS(, double)
