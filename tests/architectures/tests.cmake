llmap_test(architectures/plan_flip_test llmap::llmap)
