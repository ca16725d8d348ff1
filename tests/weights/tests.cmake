llmap_test(weights/safetensors_test llmap::llmap)
llmap_test(weights/checkpoint_test llmap::llmap)
llmap_test(weights/config_test llmap::kernels)
llmap_test(weights/quantized_test llmap::kernels)
