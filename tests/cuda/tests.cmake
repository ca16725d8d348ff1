# Kernels are tested twice from one source: emu_* executes the PTX that nvcc emits on the interpreter of cuda/ptx, under
# the stand-in runtime of cuda/runtime; gpu_* is the same with CUDA's own runtime, skipped without a device.
if(NOT LLMAP_CUDA)
  return()
endif()
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-march=native LLMAP_MARCH_NATIVE) # it runs where it is built

add_library(ptx_interpreter STATIC cuda/ptx/access.cpp cuda/ptx/arithmetic.cpp cuda/ptx/block.cpp cuda/ptx/control.cpp
  cuda/ptx/conversion.cpp cuda/ptx/decode.cpp cuda/ptx/launch.cpp cuda/ptx/loops.cpp cuda/ptx/matrix.cpp cuda/ptx/memory.cpp cuda/ptx/types.cpp cuda/ptx/warp.cpp)
target_compile_features(ptx_interpreter PUBLIC cxx_std_20)
target_include_directories(ptx_interpreter PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(ptx_interpreter PRIVATE -Wall -Wextra -O2 -frounding-math -ffp-contract=off
  $<$<BOOL:${LLMAP_MARCH_NATIVE}>:-march=native>)
set_target_properties(ptx_interpreter PROPERTIES POSITION_INDEPENDENT_CODE ON)

add_library(cuda_stand_in STATIC cuda/runtime/runtime.cpp)
target_link_libraries(cuda_stand_in PUBLIC ptx_interpreter)
target_include_directories(cuda_stand_in SYSTEM PRIVATE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
target_compile_options(cuda_stand_in PRIVATE -Wall -Wextra)
set_target_properties(cuda_stand_in PROPERTIES POSITION_INDEPENDENT_CODE ON)

llmap_test(cuda/ptx_test ptx_interpreter)

function(llmap_cuda_program target)
  add_executable(${target} ${ARGN})
  target_link_libraries(${target} PRIVATE llmap::cuda GTest::gtest nlohmann_json::nlohmann_json)
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>) # CMake 3.25 does not know it of nvcc 13
  target_compile_definitions(${target} PRIVATE LLMAP_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
endfunction()

function(llmap_emulated target)
  llmap_cuda_program(${target} ${ARGN})
  set_target_properties(${target} PROPERTIES CUDA_ARCHITECTURES 80-virtual CUDA_RUNTIME_LIBRARY None)
  target_compile_definitions(${target} PRIVATE LLMAP_EMULATED)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--no-compress -lineinfo>)
  target_link_libraries(${target} PRIVATE cuda_stand_in)
endfunction()

# llmap_cuda_test(name): cuda/<name>_test.cu
function(llmap_cuda_test name)
  llmap_emulated(emu_${name} cuda/${name}_test.cu)
  set_target_properties(emu_${name} PROPERTIES CUDA_ARCHITECTURES "80-virtual;90-virtual")
  foreach(order forward backward shuffled)
    add_test(NAME emu_${name}_${order} COMMAND emu_${name})
    set_tests_properties(emu_${name}_${order} PROPERTIES ENVIRONMENT LLMAP_ORDER=${order})
  endforeach()
  add_test(NAME emu_${name}_sm_90 COMMAND emu_${name} --gtest_filter=-*real_rows)
  set_tests_properties(emu_${name}_sm_90 PROPERTIES ENVIRONMENT LLMAP_PTX_TARGET=90)
  llmap_cuda_program(gpu_${name} cuda/${name}_test.cu)
  set_target_properties(gpu_${name} PROPERTIES CUDA_ARCHITECTURES ${LLMAP_TWIN_ARCHITECTURES})
  add_test(NAME gpu_${name} COMMAND gpu_${name})
  set_tests_properties(gpu_${name} PROPERTIES SKIP_RETURN_CODE 77)
endfunction()

llmap_cuda_test(core)
llmap_cuda_test(cross_entropy)
llmap_cuda_test(linear_cross_entropy)
llmap_cuda_test(rows)
llmap_cuda_test(linear)
llmap_cuda_test(attention)
llmap_cuda_test(scans)
llmap_cuda_test(geometry)
llmap_cuda_test(cublas_lt)
foreach(fault 0 1 2 3) # a stand-in for the library that is loaded: 0 is right
  add_library(cublas_lt_stand_in_${fault} MODULE cuda/runtime/cublas_lt.cpp)
  target_compile_features(cublas_lt_stand_in_${fault} PRIVATE cxx_std_20)
  target_compile_definitions(cublas_lt_stand_in_${fault} PRIVATE FAULT=${fault})
  target_compile_options(cublas_lt_stand_in_${fault} PRIVATE -Wall -Wextra -O2)
  target_include_directories(cublas_lt_stand_in_${fault} SYSTEM PRIVATE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
  set_target_properties(cublas_lt_stand_in_${fault} PROPERTIES PREFIX "")
  add_dependencies(emu_cublas_lt cublas_lt_stand_in_${fault})
endforeach()
set_target_properties(emu_cublas_lt PROPERTIES ENABLE_EXPORTS ON) # the module copies with the stand-in runtime
target_compile_definitions(emu_cublas_lt PRIVATE LLMAP_CUBLAS_LT="$<TARGET_FILE:cublas_lt_stand_in_0>"
  LLMAP_CUBLAS_LT_FAULT="${CMAKE_CURRENT_BINARY_DIR}/cublas_lt_stand_in_")
llmap_cuda_test(golden_models)
target_link_libraries(emu_golden_models PRIVATE llmap::kernels)
target_link_libraries(gpu_golden_models PRIVATE llmap::kernels)
foreach(order backward shuffled sm_90) # the ops' own tests take every order with every shape
  set_property(TEST emu_golden_models_${order} APPEND PROPERTY ENVIRONMENT LLMAP_GOLDEN=few)
endforeach()

# What ptxas says of every kernel, read by a test.
set(LLMAP_PTXAS_LOGS)
foreach(unit kernels map_kernels)
  set(log ${CMAKE_CURRENT_BINARY_DIR}/cuda_${unit}.log)
  add_custom_command(OUTPUT ${log}
    COMMAND ${CMAKE_CUDA_COMPILER} -std=c++20 -I${PROJECT_SOURCE_DIR}/include -fatbin -Xptxas -v -MD -MF ${log}.d -MT ${log}
      -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 -gencode arch=compute_100,code=sm_100
      ${CMAKE_CURRENT_SOURCE_DIR}/cuda/budget/${unit}.cu -o ${CMAKE_CURRENT_BINARY_DIR}/cuda_${unit}.fatbin > ${log} 2>&1
    DEPENDS cuda/budget/${unit}.cu DEPFILE ${log}.d VERBATIM)
  list(APPEND LLMAP_PTXAS_LOGS ${log})
endforeach()
add_custom_target(cuda_ptxas ALL DEPENDS ${LLMAP_PTXAS_LOGS})
add_test(NAME cuda_budget COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/cuda/budget/budget.sh ${CMAKE_CURRENT_SOURCE_DIR}/cuda/budget/budget.txt ${LLMAP_PTXAS_LOGS})

# On the interpreter alone: it is what they test.
foreach(name defects cub traffic)
  llmap_emulated(emu_${name} cuda/${name}_test.cu)
  foreach(order forward backward shuffled)
    if(name STREQUAL cub AND order STREQUAL backward)
      continue() # a scan waits for the blocks before
    endif()
    add_test(NAME emu_${name}_${order} COMMAND emu_${name})
    set_tests_properties(emu_${name}_${order} PROPERTIES ENVIRONMENT LLMAP_ORDER=${order})
  endforeach()
endforeach()

foreach(example 09_fused_head_cuda 10_score_one_text_cuda)
  string(SUBSTRING ${example} 0 2 number)
  llmap_emulated(emu_example_${number} ${PROJECT_SOURCE_DIR}/examples/${example}.cu)
  target_link_libraries(emu_example_${number} PRIVATE llmap::model)
  target_compile_definitions(emu_example_${number} PRIVATE LLMAP_ZOO="${PROJECT_SOURCE_DIR}/examples/zoo")
  add_test(NAME emu_example_${number} COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:emu_example_${number}>
    -DEXPECTED=${PROJECT_SOURCE_DIR}/examples/output/${example}.txt -P ${PROJECT_SOURCE_DIR}/examples/compare_output.cmake)
endforeach()
add_test(NAME cuda_headers COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/packaging/cuda_headers.sh ${CMAKE_CUDA_COMPILER} ${PROJECT_SOURCE_DIR} ${CMAKE_BINARY_DIR})

llmap_emulated(emu_head_ladder ${PROJECT_SOURCE_DIR}/benchmarks/cuda/head_ladder.cu)
add_test(NAME emu_head_ladder COMMAND emu_head_ladder)

# The tool with a module whose kernels the interpreter runs.
if(TARGET llmap_tool)
  set(LLMAP_EMULATED_TOOL ${CMAKE_CURRENT_BINARY_DIR}/emu_tool)
  add_library(emu_cuda_module MODULE ${PROJECT_SOURCE_DIR}/examples/llmap/cuda_device.cu)
  set_target_properties(emu_cuda_module PROPERTIES PREFIX "" OUTPUT_NAME llmap_cuda LIBRARY_OUTPUT_DIRECTORY ${LLMAP_EMULATED_TOOL}
    CUDA_ARCHITECTURES 80-virtual CUDA_RUNTIME_LIBRARY None)
  target_compile_options(emu_cuda_module PRIVATE -std=c++20 --no-compress)
  target_link_libraries(emu_cuda_module PRIVATE llmap::cuda llmap::kernels llmap::store cuda_stand_in)
  add_custom_command(TARGET emu_cuda_module POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:llmap_tool> ${LLMAP_EMULATED_TOOL}/llmap)
  add_dependencies(emu_cuda_module llmap_tool)
  add_test(NAME emu_tool_device COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/tool/device.sh $<TARGET_FILE:llmap_tool> ${PROJECT_SOURCE_DIR} ${LLMAP_EMULATED_TOOL})
endif()
