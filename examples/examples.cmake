# The numbered examples, each linked to what it needs and nothing else. With LLMAP_TESTS, each is run as the test
# example_NN, and what it prints is compared with the file kept in output/.
if(LLMAP_TESTS)
  enable_testing()
endif()

# llmap_example(<name without .cpp> <llmap targets>...)
function(llmap_example name)
  add_executable(example_${name} ${name}.cpp)
  set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name})
  target_link_libraries(example_${name} PRIVATE ${ARGN})
  target_compile_options(example_${name} PRIVATE -Wall -Wextra)
  target_compile_definitions(example_${name} PRIVATE LLMAP_ZOO="${CMAKE_CURRENT_SOURCE_DIR}/zoo")
  if(LLMAP_TESTS AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/output/${name}.txt)
    add_test(NAME example_${name} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
      COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:example_${name}>
        -DEXPECTED=${CMAKE_CURRENT_SOURCE_DIR}/output/${name}.txt -P ${CMAKE_CURRENT_SOURCE_DIR}/compare_output.cmake)
  endif()
endfunction()

llmap_example(01_read_safetensors llmap::llmap)
llmap_example(02_log_sum_exp llmap::core)
llmap_example(03_score_one_text llmap::kernels)
llmap_example(04_own_loader_gguf llmap::model)
llmap_example(05_own_text_source llmap::model)
llmap_example(06_fused_head llmap::llmap)
llmap_example(07_matrix_to_map llmap::picture)
llmap_example(08_models_to_map llmap::kernels llmap::picture)
target_compile_options(example_08_models_to_map PRIVATE -Wpedantic -Wconversion -Werror)

# For a GPU. The tests run them without one too (tests/cuda).
if(LLMAP_CUDA)
  add_executable(example_10_score_one_text_cuda 10_score_one_text_cuda.cu)
  set_target_properties(example_10_score_one_text_cuda PROPERTIES OUTPUT_NAME 10_score_one_text_cuda)
  target_compile_options(example_10_score_one_text_cuda PRIVATE -std=c++20)
  target_compile_definitions(example_10_score_one_text_cuda PRIVATE LLMAP_ZOO="${CMAKE_CURRENT_SOURCE_DIR}/zoo")
  target_link_libraries(example_10_score_one_text_cuda PRIVATE llmap::cuda llmap::kernels)
  add_executable(example_09_fused_head_cuda 09_fused_head_cuda.cu)
  set_target_properties(example_09_fused_head_cuda PROPERTIES OUTPUT_NAME 09_fused_head_cuda)
  target_compile_options(example_09_fused_head_cuda PRIVATE -std=c++20)
  target_link_libraries(example_09_fused_head_cuda PRIVATE llmap::cuda)
endif()
