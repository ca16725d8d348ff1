#include "llmap/weights/safetensors.hpp"
#include "llmap/weights/safetensors_writer.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {
std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string out(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(out.data(), &length, 8);
  return out + header + std::string(data_bytes, 'x');
}
struct hostile {
  const char* header;
  std::size_t data;
  const char* message;
};
} // namespace

TEST(safetensors, round_trip) {
  golden::scratch dir;
  memory_tensors tensors;
  const std::vector<float> a{1, 2, 3, 4, 5, 6};
  const std::vector<double> b{0.5};
  const std::vector<std::uint8_t> c{7, 8, 9};
  tensors.add<float>("a", {2, 3}, a);
  tensors.add<double>("b", {}, b);
  tensors.add<std::uint8_t>("c", {3}, c);
  tensors.add<float>("empty", {0, 4}, {});
  write_safetensors(dir.path / "m.safetensors", tensors, {{"format", "pt"}});
  const safetensors_file file(dir.path / "m.safetensors");
  EXPECT_EQ(file.names(), (std::vector<std::string>{"a", "b", "c", "empty"}));
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.find("a")->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.find("b")->elements(), 1);
  EXPECT_FALSE(file.find("d"));
  const tensor_data data = file.read("a");
  EXPECT_EQ(std::memcmp(data.bytes.data(), a.data(), 24), 0);
  EXPECT_EQ(file.read("empty").bytes.size(), 0u);
  EXPECT_MESSAGE(file.read("d"), "tensor d: missing");
}

TEST(safetensors, every_rule_of_the_format) {
  const hostile table[] = {
      {"", 0, "header: not valid JSON"},
      {"[]", 0, "header: expected a JSON object, got array"},
      {"null", 0, "header: expected a JSON object, got null"},
      {"{\"a\":", 0, "not valid JSON"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       4, "appears twice"},
      {R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4, "unknown type F33"},
      {R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4, "dtype: expected a string"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "non-negative"},
      {R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "non-negative"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904],"data_offsets":[0,4]}})", 4,
       "overflows"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", 4, "overflows"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904,0],"data_offsets":[0,0]}})", 0,
       "overflows"},
      {R"({"a":{"dtype":"F32","shape":[9223372036854775809],"data_offsets":[0,4]}})", 4,
       "non-negative integers, got 9223372036854775808"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "takes 8 bytes"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, "truncated"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "data_offsets"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, "two non-negative"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
       6, "overlap"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[5,9]}})",
       9, "holes"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5, "cover 4 of 5"},
      {R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1, "whole number of bytes"},
      {R"({"__metadata__":{"x":1}})", 0, "__metadata__.x"},
      {R"({"__metadata__":[]})", 0, "__metadata__: expected an object"},
      {R"({"__metadata__":{"x":null}})", 0, "__metadata__.x: expected a string"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":NaN}})", 4, "not valid JSON"},
      {"{\"\xff\":{}}", 0, "expected UTF-8, got an invalid sequence at byte 2"},
  };
  golden::scratch dir;
  for (const hostile& h : table) {
    const auto path = dir.write("h.safetensors", file_of(h.header, h.data));
    EXPECT_MESSAGE(safetensors_file{path}, h.message) << h.header;
    EXPECT_MESSAGE(safetensors_file{path}, "h.safetensors");
  }
  std::string deep = "{\"a\":";
  for (int i = 0; i < 100000; ++i) deep += '[';
  EXPECT_MESSAGE(safetensors_file{dir.write("deep.safetensors", file_of(deep, 0))}, "nested at most 127 deep");
}

// What safetensors 0.8 reads.
TEST(safetensors, accepts_what_the_library_accepts) {
  golden::scratch dir;
  const auto read = [&](const std::string& header, std::size_t data) {
    return safetensors_file(dir.write("a.safetensors", file_of(header, data)));
  };
  const std::string one = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  EXPECT_TRUE(read("  \n\t{" + one + "}  \n ", 4).find("a"));
  EXPECT_TRUE(read(R"({"__metadata__":null,)" + one + "}", 4).find("a"));
  EXPECT_TRUE(read(R"({"a":{"dtype":"F32","extra":{"b":[null]},"shape":[1],"data_offsets":[0,4]}})", 4).find("a"));
  EXPECT_TRUE(read(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":)" + std::string(100, '[') +
                       std::string(100, ']') + "}}",
                   4)
                  .find("a"));
  for (const char* shape :
       {"[0,4611686018427387904]", "[4611686018427387904,0]", "[0,9223372036854775807,9223372036854775807]"})
    EXPECT_EQ(read(std::string(R"({"a":{"dtype":"U8","shape":)") + shape + R"(,"data_offsets":[0,0]}})", 0)
                  .find("a")
                  ->elements(),
              0)
        << shape;
  const std::pair<const char*, int> types[] = {
      {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
      {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
      {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
      {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}};
  for (const auto& [name, bits] : types) {
    const safetensors_file file = read(std::string(R"({"a":{"dtype":")") + name +
                                           R"(","shape":[8],"data_offsets":[0,)" + std::to_string(bits) + "]}}",
                                       static_cast<std::size_t>(bits));
    EXPECT_EQ(name_of(file.find("a")->type), name);
  }
}

TEST(safetensors, every_truncation_is_refused) {
  golden::scratch dir;
  std::ifstream in(golden::folder("models") / "gpt2_bare" / "model.safetensors", std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  ASSERT_GT(whole.size(), 1000u);
  for (std::size_t size = 0; size < whole.size(); size += size < 64 ? 1 : 997) {
    const auto path = dir.write("t.safetensors", whole.substr(0, size));
    EXPECT_NE(golden::message_of([&] { safetensors_file{path}; }), "");
  }
}

TEST(safetensors, only_regular_files) {
  golden::scratch dir;
  EXPECT_MESSAGE(safetensors_file{dir.path}, "expected a regular file");
  EXPECT_MESSAGE(safetensors_file{dir.path / "none"}, "cannot open");
  EXPECT_MESSAGE(safetensors_file{"/dev/null"}, "regular file");
  const auto real = dir.write("real.safetensors", file_of("{}", 0));
  std::filesystem::create_symlink(real, dir.path / "link.safetensors");
  EXPECT_TRUE(safetensors_file(dir.path / "link.safetensors").names().empty());
}

TEST(safetensors, a_file_that_changes_is_noticed) {
  golden::scratch dir;
  const std::string text = file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  const safetensors_file file(dir.write("c.safetensors", text));
  file.file().check_unchanged();
  dir.write("c.safetensors", text + "y");
  EXPECT_MESSAGE(file.file().check_unchanged(), "changed while it was in use");
}
