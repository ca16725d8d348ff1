// Weights as they lie in a file: lists the tensors of a safetensors file, with mean and root mean square of one.
// The file is mapped, not loaded: only the bytes of the tensor that is summed up are ever touched.
// A stored type becomes a C++ type once, in visit_weight_dtype; below it there are only types.
// Usage: 01_read_safetensors [FILE [TENSOR]]
#include "llmap/weights/safetensors.hpp"
#include <cmath>
#include <cstdio>

namespace {

struct summary {
  double mean = 0, rms = 0;
};

summary summarize(const llmap::tensor_data& data) {
  summary s;
  llmap::visit_weight_dtype(data.info.type, [&]<class Stored>() {
    for (std::size_t at = 0; at < data.bytes.size(); at += sizeof(Stored)) {
      Stored stored;
      std::memcpy(&stored, data.bytes.data() + at, sizeof(Stored)); // tensors in a file may lie at any address
      double x = 0;
      if constexpr (std::is_same_v<Stored, double>) x = stored;
      else x = static_cast<float>(stored);
      s.mean += x;
      s.rms += x * x;
    }
  });
  const auto n = static_cast<double>(data.info.elements());
  return {s.mean / n, std::sqrt(s.rms / n)};
}

void run(const std::string& path, const std::string& chosen) {
  const llmap::safetensors_file file(path);
  for (const std::string& name : file.names()) {
    const auto info = file.find(name);
    std::printf("%-34s %-4s %s\n", name.c_str(), std::string(name_of(info->type)).c_str(),
                llmap::shape_text(info->shape).c_str());
  }
  const summary s = summarize(file.read(chosen));
  std::printf("\n%s: mean %.3e, root mean square %.4f\n", chosen.c_str(), s.mean, s.rms);
}

} // namespace

int main(int count, char** values) {
  try {
    run(count > 1 ? values[1] : LLMAP_ZOO "/models/gpt2/model.safetensors",
        count > 2 ? values[2] : "transformer.wte.weight");
  } catch (const llmap::error& problem) {
    std::fprintf(stderr, "01_read_safetensors: %s\n", problem.what());
    return 1;
  }
}
