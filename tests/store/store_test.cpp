#include "llmap/geometry/select_models.hpp"
#include "llmap/store/export_forms.hpp"
#include "llmap/store/merge.hpp"
#include "llmap/store/store.hpp"
#include "llmap/store/store_models.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {
text_set three() { return {{{"a", "text a", "d", "q"}, {"b", "text b", "d", "q"}, {"c", "text c", "e", "r"}}}; }
model_record record(const std::string& name, const std::string& print = "f") {
  return {name, print, "gpt2", "precision f32"};
}
const std::vector<std::size_t> first_two{0, 1};
const std::vector<text_score> two_scores{{-1.5, 3, 0}, {std::numeric_limits<double>::quiet_NaN(), 4, flag_nan}};
} // namespace

TEST(store, resumes_text_by_text) {
  golden::scratch dir;
  const auto path = dir.path / "s.sqlite";
  {
    score_store store(path, three());
    auto id = store.open_model(record("m"));
    store.save(id, first_two, two_scores);
  }
  text_set shuffled = three();
  std::swap(shuffled.items[0], shuffled.items[2]);
  score_store store(path, shuffled);
  const auto scores = store.scores(store.open_model(record("m")));
  EXPECT_FALSE(scores[0]);
  EXPECT_TRUE(std::isnan(scores[1]->log_likelihood));
  EXPECT_EQ(scores[1]->flags, flag_nan);
  EXPECT_EQ(scores[2]->log_likelihood, -1.5);
  EXPECT_EQ(scores[2]->tokens_scored, 3);
}
TEST(store, never_mixes) {
  golden::scratch dir;
  const auto path = dir.path / "s.sqlite";
  score_store store(path, three());
  {
    auto m = store.open_model(record("m"));
    store.save(m, first_two, two_scores);
  }
  EXPECT_MESSAGE(store.open_model(record("m", "other")), "model m is already there with other weights");
  text_set fewer = three(), other = three(), renamed = three();
  fewer.items.pop_back();
  other.items[1].text += "!";
  renamed.items[1].id = "z";
  EXPECT_MESSAGE(score_store(path, fewer), "another text set: 3 texts, got 2");
  EXPECT_MESSAGE(score_store(path, other), "text b has other content");
  EXPECT_MESSAGE(score_store(path, renamed), "text z is not in it");
}
TEST(store, records_a_model_with_its_first_scores) {
  golden::scratch dir;
  const auto path = dir.path / "s.sqlite";
  {
    score_store store(path, three());
    store.open_model(record("failed"));
    auto m = store.open_model(record("m"));
    store.save(m, {}, {});
    EXPECT_FALSE(m.id);
    store.save(m, first_two, two_scores);
  }
  EXPECT_EQ(read_store(path).matrix.models, std::vector<std::string>{"m"});
  { // an older version left a model behind
    sqlite_database db(path, sqlite_database::access::write);
    db.execute("INSERT INTO models (name, fingerprint, family, policy) VALUES ('old', 'f0', 'gpt2', 'p')");
  }
  const selected_models selected = select_models(read_store(path).matrix, {}, "store");
  EXPECT_EQ(selected.rows, std::vector<std::size_t>{0});
  EXPECT_EQ(selected.without_scores, std::vector<std::string>{"old"});
  EXPECT_MESSAGE(select_models(read_store(path).matrix, {.only = {"x"}}, "store"),
                 "store: no model named x; there are m, old");
  EXPECT_MESSAGE(select_models(read_store(path).matrix, {.exclude = {"m"}}, "store"),
                 "store: no model is left: 2 there, 1 of them without scores");
  score_store store(path, three());
  auto old = store.open_model(record("old", "f1")); // it has no scores that could be mixed
  store.save(old, first_two, two_scores);
  EXPECT_EQ(read_store(path).matrix.models, (std::vector<std::string>{"m", "old"}));
  EXPECT_MESSAGE(store.open_model(record("old", "f0")), "is already there with other weights");
}
TEST(store, lists_and_removes_models) {
  golden::scratch dir;
  const auto path = dir.path / "s.sqlite";
  {
    score_store store(path, three());
    model_record gpu = record("g");
    gpu.device = "cuda";
    for (const model_record& r : {record("m"), gpu}) {
      auto model = store.open_model(r);
      store.save(model, first_two, two_scores);
    }
    auto whole = store.open_model(record("m"));
    store.save(whole, std::vector<std::size_t>{2}, std::vector<text_score>{{-1, 2, 0}});
  }
  const store_entries there = list_models(path);
  ASSERT_EQ(there.models.size(), 2u);
  EXPECT_EQ(there.texts, 3u);
  const model_entry &g = there.models[0], &m = there.models[1];
  EXPECT_EQ(g.device, "cuda");
  EXPECT_EQ(m.device, "cpu");
  EXPECT_FALSE(there.complete(g));
  EXPECT_TRUE(there.complete(m));
  EXPECT_EQ(m.flagged, 1u);
  EXPECT_EQ(m.policy, "precision f32");
  EXPECT_EQ(m.saved.size(), std::string("YYYY-MM-DDTHH:MM:SSZ").size());
  EXPECT_MESSAGE(remove_models(path, std::vector<std::string>{"m", "x"}), "no model named x; there are g, m");
  EXPECT_EQ(list_models(path).models.size(), 2u);
  remove_models(path, std::vector<std::string>{"m"});
  EXPECT_EQ(read_store(path).matrix.models, std::vector<std::string>{"g"});
}
TEST(store, of_an_older_version_has_no_dates) {
  golden::scratch dir;
  const auto path = dir.path / "s.sqlite";
  {
    score_store store(path, three());
    auto model = store.open_model(record("m"));
    store.save(model, first_two, two_scores);
    sqlite_database(path, sqlite_database::access::write).execute("DROP TABLE runs");
  }
  EXPECT_EQ(list_models(path).models[0].saved, "");
  score_store store(path, three());
  auto model = store.open_model(record("m"));
  store.save(model, std::vector<std::size_t>{2}, std::vector<text_score>{{-1, 2, 0}});
  EXPECT_NE(list_models(path).models[0].saved, "");
}
TEST(store, merges) {
  golden::scratch dir;
  const auto store = [&](const char* name, const text_set& texts, const model_record& of, std::vector<std::size_t> at,
                         std::vector<text_score> scores) {
    score_store s(dir.path / name, texts);
    auto model = s.open_model(of);
    s.save(model, at, scores);
    return dir.path / name;
  };
  text_set other = three(), turned = three();
  other.items[1].text += "!";
  std::swap(turned.items[0], turned.items[2]);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto a = store("a", three(), record("m"), {0, 1}, {{-1.5, 3, 0}, {nan, 4, flag_nan}});
  const auto b = store("b", turned, record("m"), {0, 1}, {{-3.5, 2, 0}, {nan, 4, flag_nan}});
  const auto same_name = store("c", three(), record("m", "other"), {0}, {{-1.5, 3, 0}});
  const auto last_bit = store("d", three(), record("m"), {0}, {{std::nextafter(-1.5, 0), 3, 0}});
  const auto texts = store("e", other, record("m"), {0}, {{-1.5, 3, 0}});
  const merge_report merged = merge_stores(dir.path / "out", {a, b});
  EXPECT_EQ(merged.scores, 3u);
  EXPECT_EQ(merged.repeated, 1u);
  const scored_matrix m = read_store(dir.path / "out");
  EXPECT_EQ(m.matrix.texts, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(m.matrix.log_likelihood(0, 0), -1.5);
  EXPECT_EQ(m.matrix.flags(0, 1), flag_nan);
  EXPECT_EQ(m.matrix.log_likelihood(0, 2), -3.5);
  EXPECT_EQ(m.tokens_scored[2], 2);
  for (const auto& [with, says] : {std::pair{same_name, "model m: the fingerprint is f in "},
                                   {last_bit, "model m, text a: -1.5 nats over 3 tokens in "}}) {
    const merge_report refused = merge_stores(dir.path / "none", {a, with});
    ASSERT_EQ(refused.conflicts.size(), 1u);
    EXPECT_EQ(refused.conflicts[0].rfind(says, 0), 0u) << refused.conflicts[0];
    EXPECT_FALSE(std::filesystem::exists(dir.path / "none"));
  }
  EXPECT_MESSAGE((void)merge_stores(dir.path / "none", {a, texts}), "text b has other content");
}
TEST(store, refuses_what_is_not_one) {
  golden::scratch dir;
  EXPECT_MESSAGE(score_store(dir.write("text", std::string(5000, 'x')), three()), "not a database");
  EXPECT_MESSAGE(score_store(dir.path / "none" / "s.sqlite", three()), "cannot open");
  for (const char* kept_nowhere : {"", ":memory:"})
    EXPECT_MESSAGE(score_store(kept_nowhere, three()),
                   std::string("\"") + kept_nowhere + "\": expected the name of a file, got a database in memory");
  {
    sqlite_database other(dir.path / "other.sqlite", sqlite_database::access::write);
    other.execute("CREATE TABLE x (y)");
  }
  EXPECT_MESSAGE(score_store(dir.path / "other.sqlite", three()), "another SQLite database");
  EXPECT_MESSAGE(read_store(dir.path / "other.sqlite"), "expected a store of llmap");
  EXPECT_MESSAGE(read_store(dir.path / "absent.sqlite"), "no such store");
}
TEST(store, sets_what_its_promise_rests_on) {
  golden::scratch dir;
  const auto path = dir.path / "s.sqlite";
  const auto setting = [](const sqlite_database& db, const char* pragma) {
    auto row = db.prepare(pragma);
    return row.step() ? row.text(0) : std::string();
  };
  {
    sqlite_database other(path, sqlite_database::access::write);
    EXPECT_EQ(setting(other, "PRAGMA journal_mode = WAL"), "wal"); // kept in the file, where another program set it
  }
  const sqlite_database db(path, sqlite_database::access::write);
  EXPECT_EQ(setting(db, "PRAGMA journal_mode"), "delete");
  EXPECT_EQ(setting(db, "PRAGMA synchronous"), "3"); // EXTRA
  EXPECT_EQ(setting(db, "PRAGMA foreign_keys"), "1");
}
TEST(store, keeps_no_score_without_its_model) {
  golden::scratch dir;
  score_store store(dir.path / "s.sqlite", three());
  score_store::stored_model unknown{record("x"), 7};
  EXPECT_MESSAGE(store.save(unknown, first_two, two_scores), "s.sqlite: FOREIGN KEY constraint failed");
}
TEST(store, export_and_back) {
  golden::scratch dir;
  const auto path = dir.path / "s.sqlite";
  {
    score_store store(path, three());
    {
      auto m = store.open_model(record("m"));
      store.save(m, first_two, two_scores);
    }
    const std::vector<std::size_t> all{0, 1, 2};
    const std::vector<text_score> whole{{-1, 1, 0}, {-2, 2, 0}, {-0.1, 3, flag_truncated}};
    {
      auto l = store.open_model(record("l"));
      store.save(l, all, whole);
    }
  }
  const scored_matrix m = read_store(path);
  EXPECT_EQ(m.matrix.models, (std::vector<std::string>{"l", "m"}));
  EXPECT_EQ(m.matrix.flags(1, 2), flag_missing);
  EXPECT_TRUE(std::isnan(m.matrix.log_likelihood(1, 2)));
  EXPECT_EQ(m.matrix.groups.at("family")[0], "gpt2");
  write_matrix(dir.path / "m.safetensors", m);
  const score_matrix back = load_score_matrix(dir.path / "m.safetensors");
  EXPECT_EQ(back.models, m.matrix.models);
  EXPECT_EQ(back.texts, m.matrix.texts);
  EXPECT_EQ(back.domains, m.matrix.domains);
  EXPECT_EQ(back.bytes, m.matrix.bytes);
  EXPECT_EQ(back.log_likelihood(0, 2), -0.1);
  EXPECT_EQ(back.flags, m.matrix.flags);
  std::filesystem::remove(dir.path / "m.json");
  EXPECT_EQ(load_score_matrix(dir.path / "m.safetensors").models[1], "model 1");
  dir.write("m.json", R"({"models": ["x"]})");
  EXPECT_MESSAGE(load_score_matrix(dir.path / "m.safetensors"), "models: expected 2 names");
}
TEST(export, the_name_says_the_form) {
  golden::scratch dir;
  scored_matrix m;
  m.matrix.models = {"é", "long name"};
  m.matrix.texts = {"a\tb", "c"};
  m.matrix.bytes = {3, 7};
  m.matrix.log_likelihood = matrix<double>(2, 2, -0.1);
  m.matrix.log_likelihood(1, 0) = std::numeric_limits<double>::quiet_NaN();
  m.matrix.flags = matrix<std::uint8_t>(2, 2, std::uint8_t{0});
  m.tokens_scored = {1, 2, 3, 4};
  for (const char* form : {".npy", ".npz", ".tsv", ".safetensors"})
    write_matrix_as(dir.path / ("m" + std::string(form)), m);
  EXPECT_EQ(read_file(dir.path / "m.tsv"), "text\tbytes\tdomain\té\tlong name\na b\t3\t\t-0.1\t\nc\t7\t\t-0.1\t-0.1\n");
  // The bytes that numpy.save writes: magic, version, a header that ends at a multiple of 64, the numbers.
  const std::string npy = read_file(dir.path / "m.npy");
  ASSERT_EQ(npy.size(), 128u + 4 * sizeof(double));
  EXPECT_EQ(npy.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_EQ(npy.substr(10, 59), "{'descr': '<f8', 'fortran_order': False, 'shape': (2,2,), }");
  EXPECT_EQ(npy[127], '\n');
  EXPECT_EQ(std::memcmp(npy.data() + 128, m.matrix.log_likelihood.data(), 32), 0);
  const std::string npz = read_file(dir.path / "m.npz");
  EXPECT_NE(npz.find(npy), std::string::npos);
  EXPECT_NE(npz.find(std::string("\xe9\0\0\0\0\0\0\0", 8)), std::string::npos); // é, padded
  EXPECT_EQ(npz.substr(npz.size() - 22, 4), "PK\x05\x06");
  EXPECT_TRUE(std::filesystem::exists(dir.path / "m.json"));
  for (const char* none : {"m", "m.csv", "m.json"})
    EXPECT_MESSAGE(write_matrix_as(dir.path / none, m),
                   "expected a name that ends in .safetensors, .npy, .npz or .tsv");
}
TEST(export, a_plain_matrix_has_no_bytes) {
  golden::scratch dir;
  const matrix<double> l(2, 3, -1.5);
  scored_matrix m;
  m.matrix.log_likelihood = l;
  m.matrix.models = {"a", "b"}, m.matrix.texts = {"x", "y", "z"};
  write_matrix_as(dir.path / "m.npy", m);
  const score_matrix back = load_score_matrix(dir.path / "m.npy");
  EXPECT_EQ(back.log_likelihood, l);
  EXPECT_TRUE(back.bytes.empty());
  EXPECT_EQ(back.models, m.matrix.models);
  const std::string doubles = read_file(dir.path / "m.npy");
  std::string floats = doubles.substr(0, 128);
  floats[floats.find("<f8") + 2] = '4';
  const std::vector<float> narrow(6, -1.5f);
  floats.append(reinterpret_cast<const char*>(narrow.data()), 6 * sizeof(float));
  dir.write("f.npy", floats);
  EXPECT_EQ(load_score_matrix(dir.path / "f.npy").log_likelihood, l);
  memory_tensors alone;
  alone.add<float>("log_likelihood", {2, 3}, narrow);
  write_safetensors(dir.path / "f.safetensors", alone);
  EXPECT_EQ(load_score_matrix(dir.path / "f.safetensors").log_likelihood, l);
  EXPECT_EQ(load_score_matrix(dir.path / "f.safetensors").texts[2], "text 2");
}
TEST(export, another_array_of_numpy_is_refused) {
  golden::scratch dir;
  scored_matrix m;
  m.matrix.log_likelihood = matrix<double>(2, 3, -1.5);
  write_matrix_as(dir.path / "m.npy", m);
  const std::string good = read_file(dir.path / "m.npy");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    dir.write("m.npy", bad);
    return dir.path / "m.npy";
  };
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"<f8", ">f8", "m.npy: expected little-endian float32 or float64 ('<f4' or '<f8'), got {'descr': '>f8'"},
      {"False", "True ", "m.npy: expected the order of C (fortran_order False), got"},
      {"(2,3,)", "(2,)  ", "m.npy: expected two dimensions, models by texts, got"},
      {"(2,3,)", "(9,9,)", "m.npy: expected 9 x 9 numbers of 8 bytes, got 48 bytes"},
      {"(2,3,)", "(0,0,)", "m.npy: expected 0 x 0 numbers of 8 bytes, got 48 bytes"},
      {"\x76", "\xff", "m.npy: expected a header of 255 bytes, got the end of the file"}};
  for (const auto& [from, to, message] : cases) EXPECT_MESSAGE(load_score_matrix(with(from, to)), message);
  dir.write("m.npy", good.substr(0, 9));
  EXPECT_MESSAGE(load_score_matrix(dir.path / "m.npy"), "m.npy: expected the header of NumPy, got the end of the file");
}
TEST(export, a_huge_names_file_is_refused_unread) {
  golden::scratch dir;
  {
    score_store store(dir.path / "s.sqlite", three());
    {
      auto m = store.open_model(record("m"));
      store.save(m, first_two, two_scores);
    }
  }
  write_matrix(dir.path / "m.safetensors", read_store(dir.path / "s.sqlite"));
  std::filesystem::resize_file(dir.path / "m.json", large_file_bytes + 1);
  EXPECT_MESSAGE(load_score_matrix(dir.path / "m.safetensors"),
                 "m.json: expected at most 1073741824 bytes, got 1073741825");
}
TEST(fingerprint, pieces_do_not_run_into_one_another) {
  EXPECT_NE(fingerprint().add("ab").add("c").hex(), fingerprint().add("a").add("bc").hex());
  EXPECT_EQ(fingerprint().add("ab").hex().size(), 32u);
}
