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

  # Tests and benchmarks for a GPU are compiled for the one that is here. Where there is none they show that everything
  # compiles, and hold PTX that any GPU can run; machine code of every architecture is the business of cuda_budget.
  find_program(LLMAP_NVIDIA_SMI nvidia-smi)
  set(LLMAP_GPU_HERE 1)
  if(LLMAP_NVIDIA_SMI)
    execute_process(COMMAND ${LLMAP_NVIDIA_SMI} -L RESULT_VARIABLE LLMAP_GPU_HERE OUTPUT_QUIET ERROR_QUIET)
  endif()
  set(LLMAP_TWIN_ARCHITECTURES 80-virtual)
  if(LLMAP_GPU_HERE EQUAL 0)
    set(LLMAP_TWIN_ARCHITECTURES native)
  endif()
endif()

# For a project that compiles CUDA itself: the headers in core/cuda and likelihood/cuda need CCCL, which comes with nvcc.
llmap_target(cuda llmap::llmap)
if(PROJECT_IS_TOP_LEVEL) # whose own units say -std=c++20; CMake 3.25 has no feature of that name for nvcc 13
  target_compile_options(llmap_cuda INTERFACE $<INSTALL_INTERFACE:$<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>>)
else()
  target_compile_options(llmap_cuda INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>)
endif()
