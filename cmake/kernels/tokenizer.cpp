#include "llmap/text/tokenizer.hpp"

template llmap::tokenizer llmap::tokenizer::from_files(const llmap::tokenizer_files&);
