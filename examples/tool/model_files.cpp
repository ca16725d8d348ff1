#include "model_files.hpp"
#include "llmap/architectures/all.hpp"
#include "llmap/text/tokenizer.hpp"

llmap::decoder_plan load_plan(const std::filesystem::path& folder) { return plan_of(llmap::config::load(folder)); }

model_tokenizer::model_tokenizer(const std::filesystem::path& folder)
    : tokenizer_(std::make_shared<const llmap::tokenizer>(llmap::tokenizer::load(folder))) {}
std::vector<std::int32_t> model_tokenizer::encode(std::string_view text, bool add_special) const { return tokenizer_->encode(text, add_special); }
std::int32_t model_tokenizer::vocab_size() const { return tokenizer_->vocab_size(); }
std::optional<std::int32_t> model_tokenizer::bos_id() const { return tokenizer_->bos_id(); }
std::optional<std::int32_t> model_tokenizer::eos_id() const { return tokenizer_->eos_id(); }
bool model_tokenizer::adds_bos() const { return tokenizer_->adds_bos(); }
const std::string& model_tokenizer::canonical() const { return tokenizer_->canonical(); }
std::string tokenizer_canonical(const std::filesystem::path& folder) { return llmap::read_tokenizer_files(folder).canonical; }
