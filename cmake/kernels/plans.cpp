#include "llmap/architectures/all.hpp"

template llmap::decoder_plan llmap::plan_of(const llmap::config&);
