#include "llmap/weights/model_weights.hpp"

template llmap::json llmap::parse_json(std::string_view, const std::string&, const llmap::json_rules&);
template std::unique_ptr<llmap::quantized::scheme> llmap::scheme_of(const llmap::config&);
template llmap::any_tensors llmap::model_weights::base_tensors(llmap::dtype) const;
template llmap::any_tensors llmap::model_weights::tensors(llmap::dtype, bool) const;
