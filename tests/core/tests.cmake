llmap_test(core/dtype_test llmap::core)
llmap_test(core/vector_math_test llmap::core)
llmap_test(core/core_test llmap::core)
llmap_test(core/check_outputs_test llmap::core)
llmap_test(core/parallel_test llmap::core)
llmap_test(core/utf8_test llmap::core)
llmap_test(core/json_test llmap::core)
llmap_test(core/json_file_test llmap::core)
llmap_test(core/json_writer_test llmap::core) # nlohmann-json reads what was written
