// Any bytes are a GGUF file or an llmap::error; every byte of every tensor of a file that opens can be read.
#include "as_file.hpp"
#include "llmap/weights/gguf/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const as_file input(data, size);
  unsigned sum = 0;
  try {
    const llmap::gguf::file file(input.path());
    for (const auto& [name, tensor] : file.tensors())
      for (const std::byte b : tensor.bytes) sum += std::to_integer<unsigned>(b);
  } catch (const llmap::error&) {
  }
  return sum == 0xffffffff;
}
