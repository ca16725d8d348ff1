llmap_test(architectures/plan_flip_test llmap::kernels)
llmap_test(architectures/nested_test llmap::kernels)
llmap_test(architectures/options_test llmap::kernels)
llmap_test(architectures/unread_tensors_test llmap::kernels)
