llmap_test(text/tokenizer_test llmap::text)
llmap_test(text/tokenizer_hostile_test llmap::text)
llmap_test(text/text_set_test llmap::text)
