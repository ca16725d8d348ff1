llmap_test(text/golden_test llmap::text)
