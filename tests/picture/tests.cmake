llmap_test(picture/map_data_test llmap::picture)
llmap_test(picture/page_test llmap::picture)
llmap_test(picture/figure_test llmap::picture)
