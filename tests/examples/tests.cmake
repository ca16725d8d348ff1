llmap_test(examples/gguf_test llmap::text)
target_include_directories(examples_gguf_test PRIVATE ${PROJECT_SOURCE_DIR}/examples)
