// The executor of the CPU, which geometry has in common with the forward pass.
#pragma once
#include "llmap/core/cpu_executor.hpp"
