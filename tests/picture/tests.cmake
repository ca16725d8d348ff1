llmap_test(picture/page_test llmap::picture)
llmap_test(picture/figure_test llmap::picture)
