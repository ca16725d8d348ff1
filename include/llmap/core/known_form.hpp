// What lies where another file was expected, as people come to have it, told by how it begins.
#pragma once
#include <algorithm>
#include <string_view>

namespace llmap {

/// What a file that begins so is, and what to do; "" where it is nothing of this kind.
inline std::string_view known_form(std::string_view head) {
  const std::string_view text = head.substr(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  const auto starts = [&](std::string_view with) {
    return text.size() >= with.size() && std::equal(with.begin(), with.end(), text.begin(), [](char a, char b) {
             return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
           });
  };
  if (starts("version https://git-lfs"))
    return "a pointer of Git LFS: the file itself was not downloaded; perhaps: git lfs pull, or hf download ORG/NAME";
  if (starts("<!doctype html") || starts("<html"))
    return "a page of HTML; perhaps the download asked for a login: hf auth login, then hf download ORG/NAME";
  if (head.starts_with("GGUF")) return "a GGUF file; perhaps give it a name that ends in .gguf";
  if (head.starts_with("PK\x03\x04") || head.starts_with("\x80\x02"))
    return "a file of PyTorch (.bin, .pt); perhaps save the model again in transformers with save_pretrained, which "
           "writes safetensors";
  return "";
}

} // namespace llmap
