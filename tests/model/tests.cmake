llmap_test(model/score_into_test llmap::kernels llmap::store)
llmap_test(model/model_folders_test llmap::kernels llmap::store)
llmap_test(model/gguf_test llmap::kernels llmap::model)
llmap_test(model/read_ahead_test llmap::model)
