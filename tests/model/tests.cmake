llmap_test(model/score_into_test llmap::kernels llmap::store)
