// LLMAP_HD marks what runs on the host and, where nvcc compiles it, on the device.
#pragma once

#ifdef __CUDACC__
#define LLMAP_HD __host__ __device__
#else
#define LLMAP_HD
#endif
