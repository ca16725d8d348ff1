llmap_test(store/store_test llmap::store)
