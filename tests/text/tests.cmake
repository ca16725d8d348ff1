llmap_test(text/utf8_test llmap::text)
llmap_test(text/text_set_test llmap::text)
llmap_test(text/chunk_test llmap::text)
llmap_test(text/golden_test llmap::text)
