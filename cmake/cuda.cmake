# What needs nvcc: the .cuh headers' target and their tests. Where nvcc is not found, nothing of it is built or needed.
find_program(LLMAP_NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
if(LLMAP_NVCC AND PROJECT_IS_TOP_LEVEL AND (LLMAP_TESTS OR LLMAP_EXAMPLES OR LLMAP_BENCHMARKS))
  set(llmap_cuda_found ON)
else()
  set(llmap_cuda_found OFF)
endif()
option(LLMAP_CUDA "Build what needs nvcc" ${llmap_cuda_found})
if(LLMAP_CUDA)
  set(CMAKE_CUDA_COMPILER ${LLMAP_NVCC} CACHE FILEPATH "nvcc")
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100-real 100-virtual)
  endif()
  enable_language(CUDA)
endif()

# For a project that compiles CUDA itself: the headers in core/cuda and likelihood/cuda need CCCL, which comes with nvcc.
llmap_target(cuda llmap::llmap)
