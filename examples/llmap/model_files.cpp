#include "model_files.hpp"
#include "llmap/architectures/all.hpp"
#include "llmap/architectures/settle_plan.hpp"
#include "llmap/model/model_tokenizer.hpp"
#include "llmap/model/planned_tensors.hpp"

llmap::decoder_plan load_plan(const llmap::model_weights& weights) {
  return settle_plan(plan_of(weights.read_config()), weights.base_tensors(llmap::dtype::f32), weights.base().string());
}

llmap::decoder_plan load_plan_of_config(const std::filesystem::path& folder) {
  const llmap::config c = llmap::config::load(folder);
  return settle_plan_without_weights(plan_of(c), c);
}

model_tokenizer_files::model_tokenizer_files(const std::filesystem::path& path)
    : files_(std::make_shared<const llmap::tokenizer_files>(llmap::tokenizer_files_at(path))) {}
model_tokenizer_files::model_tokenizer_files(const llmap::model_weights& weights)
    : files_(std::make_shared<const llmap::tokenizer_files>(llmap::tokenizer_files_of(weights))) {}
const std::string& model_tokenizer_files::canonical() const { return files_->canonical; }

model_tokenizer::model_tokenizer(const model_tokenizer_files& files)
    : tokenizer_(std::make_shared<const llmap::tokenizer>(llmap::tokenizer::from_files(*files.files_))) {}
std::vector<std::int32_t> model_tokenizer::encode(std::string_view text, bool add_special) const {
  return tokenizer_->encode(text, add_special);
}
std::int32_t model_tokenizer::vocab_size() const { return tokenizer_->vocab_size(); }
std::optional<std::int32_t> model_tokenizer::bos_id() const { return tokenizer_->bos_id(); }
std::optional<std::int32_t> model_tokenizer::eos_id() const { return tokenizer_->eos_id(); }
bool model_tokenizer::adds_bos() const { return tokenizer_->adds_bos(); }
