#include "cuda/ptx/memory.hpp"
#include "cuda/ptx/module.hpp"
#include <algorithm>
#include <cctype>
#include <unordered_map>

namespace ptx {

namespace {

struct token {
  std::string_view text;
  std::uint32_t line;
};

bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.';
}

std::vector<token> tokens_of(std::string_view text) {
  std::vector<token> out;
  std::uint32_t line = 1;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    std::size_t end = i + 1;
    if (c == '\n' || std::isspace(static_cast<unsigned char>(c))) {
      line += c == '\n';
    } else if (c == '/' && i + 1 < text.size() && text[i + 1] == '/') {
      end = std::min(text.find('\n', i), text.size());
    } else if (c == '/' && i + 1 < text.size() && text[i + 1] == '*') {
      end = std::min(text.find("*/", i + 2), text.size() - 2) + 2;
      line += static_cast<std::uint32_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(i),
                                                    text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    } else if (c == '"') {
      end = std::min(text.find('"', i + 1), text.size() - 1) + 1;
      out.push_back({text.substr(i, end - i), line});
    } else if (in_word(c)) {
      while (end < text.size() && (in_word(text[end]) || (text.substr(end, 2) == "::" && in_word(text[end + 2]))))
        end += text[end] == ':' ? 2 : 1;
      out.push_back({text.substr(i, end - i), line});
    } else {
      out.push_back({text.substr(i, 1), line});
    }
    i = end;
  }
  return out;
}

std::vector<std::string_view> parts(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (std::size_t i = 0; i <= text.size();) {
    const std::size_t end = std::min(text.find(separator, i), text.size());
    out.push_back(text.substr(i, end - i));
    i = end + 1;
  }
  return out;
}

const std::unordered_map<std::string_view, std::vector<const form*>>& forms() {
  static const auto all = [] {
    std::unordered_map<std::string_view, std::vector<const form*>> by_opcode;
    for (const auto part : {arithmetic_forms(), conversion_forms(), memory_forms(), control_forms(), matrix_forms()})
      for (const form& f : part) by_opcode[f.pattern.substr(0, f.pattern.find(' '))].push_back(&f);
    return by_opcode;
  }();
  return all;
}

/// Matches the words after the opcode with a pattern. How many fit; -1: all of them, and the pattern asks for no more.
int match(const form& f, std::span<const std::string_view> words, instruction& in) {
  in.modifiers.reset();
  in.types = {};
  std::size_t taken = 0, types = 0;
  const auto slots = parts(f.pattern, ' ');
  for (std::size_t s = 1; s < slots.size(); ++s) {
    std::string_view slot = slots[s];
    const bool is_type = slot[0] == ':', optional = slot[0] == '?';
    if (is_type || optional) slot.remove_prefix(1);
    const auto choices = parts(slot, '|');
    if (taken == words.size() || std::find(choices.begin(), choices.end(), words[taken]) == choices.end()) {
      if (optional) continue;
      return static_cast<int>(taken);
    }
    if (is_type) {
      in.types[types++] = type_from(words[taken]);
    } else {
      const auto m = std::find(modifier_names.begin(), modifier_names.end(), words[taken]);
      if (m == modifier_names.end()) throw error("a form has a modifier without a name: " + std::string(f.pattern));
      in.modifiers.set(static_cast<std::size_t>(m - modifier_names.begin()));
    }
    ++taken;
  }
  return taken == words.size() ? -1 : static_cast<int>(taken);
}

class decoder {
  struct symbol {
    enum kind_of : std::uint8_t { reg, var } kind;
    type of;
    std::uint32_t slot;
    variable where;
  };
  using scope = std::unordered_map<std::string, symbol>;
  struct fixup {
    std::size_t instruction, operand;
    std::string label;
    std::uint32_t line;
  };

  module& m_;
  device_memory& memory_;
  std::vector<token> tokens_;
  std::size_t at_ = 0;
  std::vector<scope> scopes_;
  function* in_ = nullptr;
  std::unordered_map<std::string, std::uint32_t> labels_;
  std::vector<fixup> fixups_;
  std::vector<std::pair<std::size_t, std::string>> table_labels_;
  std::unordered_map<std::uint64_t, std::uint32_t> constants_;
  std::unordered_map<std::string, std::uint32_t> special_slots_;
  std::uint32_t file_ = 0, source_line_ = 0, called_file_ = 0, called_line_ = 0;
  std::map<std::array<std::uint32_t, 3>, std::array<std::uint32_t, 3>> callers_;
  bool dynamic_used_ = false;
  std::map<std::string, variable> shared_of_module_; // that the function names so far

  std::string_view now() const { return at_ < tokens_.size() ? tokens_[at_].text : std::string_view(); }
  std::uint32_t line() const { return at_ < tokens_.size() ? tokens_[at_].line : 0; }
  [[noreturn]] void wrong(const std::string& what) const { wrong_at(line(), what); }
  [[noreturn]] void wrong_at(std::uint32_t line, const std::string& what) const {
    throw error("PTX line " + std::to_string(line) + ": " + what +
                (line > 0 && line <= m_.lines.size() ? ": " + m_.lines[line - 1] : ""));
  }
  bool eat(std::string_view text) {
    if (now() != text) return false;
    ++at_;
    return true;
  }
  void need(std::string_view text) {
    if (!eat(text)) wrong("expected " + std::string(text) + " before '" + std::string(now()) + "'");
  }
  std::string_view take() {
    if (at_ >= tokens_.size()) wrong_at(tokens_.empty() ? 0 : tokens_.back().line, "unexpected end");
    return tokens_[at_++].text;
  }

  std::int64_t integer(std::string_view word) const {
    if (!word.empty() && (word.back() == 'U' || word.back() == 'u')) word.remove_suffix(1);
    int base = 10;
    if (word.starts_with("0x") || word.starts_with("0X")) base = 16, word.remove_prefix(2);
    else if (word.starts_with("0b")) base = 2, word.remove_prefix(2);
    else if (word.size() > 1 && word[0] == '0') base = 8;
    std::uint64_t value = 0;
    for (const char c : word) {
      const int digit = std::isdigit(static_cast<unsigned char>(c))    ? c - '0'
                        : std::isxdigit(static_cast<unsigned char>(c)) ? std::tolower(c) - 'a' + 10
                                                                       : 99;
      if (digit >= base) wrong("not a number: '" + std::string(word) + "'");
      value = value * static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(digit);
    }
    return static_cast<std::int64_t>(value);
  }
  std::int64_t signed_integer() {
    const bool negative = eat("-");
    const std::int64_t value = integer(take());
    return negative ? -value : value;
  }

  static bool is_number(std::string_view word) {
    return !word.empty() && std::isdigit(static_cast<unsigned char>(word[0]));
  }
  /// The bits of a literal, as an operand of this type has them.
  std::uint64_t literal(std::string_view word, bool negative, type of) const {
    const bool as_double = of == type::f64;
    if (word.size() == 10 && (word.starts_with("0f") || word.starts_with("0F"))) {
      const auto raw = static_cast<std::uint32_t>(integer("0x" + std::string(word.substr(2))));
      return as_double ? bits<std::uint64_t>(static_cast<double>(bits<float>(raw))) : raw;
    }
    if (word.size() == 18 && (word.starts_with("0d") || word.starts_with("0D"))) {
      const auto raw = static_cast<std::uint64_t>(integer("0x" + std::string(word.substr(2))));
      return of == type::f32 ? bits<std::uint32_t>(static_cast<float>(bits<double>(raw))) : raw;
    }
    if (word.find('.') != std::string_view::npos) {
      const double value = (negative ? -1 : 1) * std::stod(std::string(word));
      return as_double ? bits<std::uint64_t>(value) : bits<std::uint32_t>(static_cast<float>(value));
    }
    const std::int64_t value = integer(word);
    return static_cast<std::uint64_t>(negative ? -value : value);
  }

  std::uint32_t constant(std::uint64_t value) {
    const auto [found, added] = constants_.try_emplace(value, static_cast<std::uint32_t>(m_.constants.size()));
    if (added) {
      constant_value lanes;
      lanes.wide.fill(value);
      lanes.narrow.fill(static_cast<std::uint32_t>(value));
      m_.constants.push_back(lanes);
    }
    return found->second;
  }

  const symbol* look_up(const std::string& name) const {
    for (std::size_t s = scopes_.size(); s-- > 0;)
      if (const auto found = scopes_[s].find(name); found != scopes_[s].end()) return &found->second;
    return nullptr;
  }

  // -- declarations

  std::string declare(variable& v) { // after the state space: .align 4 .b8 name[16]
    bool aligned = false;
    std::uint64_t count = 1;
    while (now().starts_with(".")) {
      const std::string_view word = take();
      if (word == ".align") v.align = static_cast<std::uint64_t>(integer(take())), aligned = true;
      else if (word == ".ptr") {
        while (now() == ".global" || now() == ".shared" || now() == ".const" || now() == ".local") ++at_;
        if (eat(".align")) ++at_;
      } else if (word == ".v2") count = 2;
      else if (word == ".v4") count = 4;
      else if (type_from(word.substr(1)) != type::none) v.of = type_from(word.substr(1));
      else wrong("unknown word of a declaration: " + std::string(word));
    }
    if (!aligned) v.align = bytes_of(v.of) * count;
    std::string name(take());
    bool open = false;
    while (eat("[")) {
      if (now() == "]") open = true;
      else count *= static_cast<std::uint64_t>(integer(take()));
      need("]");
    }
    v.size = open ? 0 : count * bytes_of(v.of);
    return name;
  }
  static void place(variable& v, std::uint64_t& end) {
    v.offset = end = (end + v.align - 1) / v.align * v.align;
    end += v.size;
  }

  void initialize(const variable& v, std::uint64_t& position) {
    if (eat("{")) {
      while (!eat("}")) {
        initialize(v, position);
        eat(",");
      }
      return;
    }
    const bool negative = eat("-"), generic = eat("generic");
    if (generic) need("(");
    const std::string word(take());
    if (generic) need(")");
    std::uint64_t raw;
    if (is_number(word)) {
      raw = literal(word, negative, v.of);
    } else {
      const auto found = m_.variables.find(word);
      if (found == m_.variables.end()) wrong("initializer names an unknown variable: " + word);
      raw = found->second.offset;
      if (eat("+")) raw += static_cast<std::uint64_t>(integer(take()));
    }
    const std::uint64_t n = bytes_of(v.of);
    if (position + n > v.size) wrong("more initial values than the variable has room for");
    std::memcpy(memory_.for_host(v.offset + position, n, true), &raw, n);
    position += n;
  }

  void module_variable(space where, bool external) {
    variable v;
    v.where = where;
    const std::string name = declare(v);
    if (where == space::shared) {
      v.dynamic = external || v.size == 0; // others are placed in each kernel that names them
    } else {
      v.offset = memory_.allocate(std::max<std::uint64_t>(v.size, 1), name);
      std::memset(memory_.for_host(v.offset, v.size, true), 0, v.size); // zero where nothing else is said
      std::uint64_t position = 0;
      if (eat("=")) initialize(v, position);
    }
    m_.variables[name] = v;
    need(";");
  }

  void parameters(std::vector<std::pair<std::string, variable>>& list, bool entry, std::uint64_t& bytes) {
    need("(");
    while (!eat(")")) {
      if (!eat(".param")) wrong("only .param parameters are implemented");
      variable v;
      v.where = space::param;
      std::string name = declare(v);
      if (entry) {
        place(v, bytes);
      } else {
        place(v, m_.call_params);
        v.offset += call_params_begin;
      }
      list.emplace_back(std::move(name), v);
      eat(",");
    }
  }

  void define_function(bool entry) {
    std::vector<std::pair<std::string, variable>> results;
    std::uint64_t none = 0;
    if (!entry && now() == "(") parameters(results, false, none);
    const std::string name(take());
    const auto [found, added] = m_.by_name.try_emplace(name, m_.functions.size());
    if (added) m_.functions.emplace_back();
    function& f = m_.functions[found->second];
    if (f.defined) wrong("defined twice: " + name);
    f = {};
    f.name = name, f.entry = entry, f.results = std::move(results);
    if (now() == "(") parameters(f.params, entry, f.param_bytes);
    if (f.param_bytes > call_params_begin) wrong("parameters above 4096 bytes are not implemented");
    while (now().starts_with(".")) {
      const std::string_view word = take();
      std::uint64_t product = 1;
      while (is_number(now())) {
        product *= static_cast<std::uint64_t>(integer(take()));
        eat(",");
      }
      if (word == ".maxntid" || word == ".reqntid") f.max_threads = static_cast<std::uint32_t>(product);
      else if (word != ".minnctapersm" && word != ".maxnreg" && word != ".noreturn")
        wrong("unknown directive of a function: " + std::string(word));
    }
    if (eat(";")) return;
    if (!eat("{")) wrong("expected the body of " + name);
    f.defined = true;
    in_ = &f;
    scopes_.assign(1, {});
    labels_.clear(), fixups_.clear(), table_labels_.clear();
    dynamic_used_ = false;
    shared_of_module_.clear();
    file_ = source_line_ = called_line_ = 0;
    callers_.clear();
    f.begin = static_cast<std::uint32_t>(m_.code.size());
    for (const auto& list : {f.params, f.results})
      for (const auto& [n, v] : list) scopes_[0][n] = {symbol::var, v.of, 0, v};
    body();
    instruction end;
    end.way = flow::leave, end.opcode = "ret", end.name = "ret", end.line = line();
    m_.code.push_back(std::move(end));
    f.end = static_cast<std::uint32_t>(m_.code.size());
    if (!dynamic_used_) f.dynamic_offset = (f.shared_bytes + 15) / 16 * 16;
    for (const fixup& fix : fixups_) {
      const auto label = labels_.find(fix.label);
      if (label == labels_.end()) wrong_at(fix.line, "unknown name: " + fix.label);
      m_.code[fix.instruction].operands[fix.operand].slot = label->second;
    }
    for (const auto& [table, label] : table_labels_) {
      if (!labels_.count(label)) wrong("unknown label: " + label);
      m_.branch_tables[table].push_back(labels_.at(label));
    }
    in_ = nullptr;
  }

  void declare_registers() {
    const type of = type_from(now().substr(1));
    if (of == type::none || of == type::b128) wrong("registers of this type are not implemented");
    ++at_;
    do {
      const std::string name(take());
      std::uint32_t count = 1;
      const bool range = eat("<");
      if (range) {
        count = static_cast<std::uint32_t>(integer(take()));
        need(">");
      }
      std::uint32_t& end = of == type::pred ? m_.predicates : bytes_of(of) == 8 ? m_.registers64 : m_.registers32;
      for (std::uint32_t i = 0; i < count; ++i)
        scopes_.back()[range ? name + std::to_string(i) : name] = {symbol::reg, of, end + i, {}};
      end += count;
    } while (eat(","));
    need(";");
  }

  void place_shared(variable& v) {
    if (!in_->entry) wrong("shared variables of functions that are not kernels are not implemented");
    if (dynamic_used_) wrong("a shared variable after a use of dynamic shared memory is not implemented");
    place(v, in_->shared_bytes);
  }

  void local_variable(space where) {
    variable v;
    v.where = where;
    const std::string name = declare(v);
    need(";");
    if (where == space::shared) {
      place_shared(v);
    } else if (where == space::local) {
      place(v, m_.local_bytes);
      in_->local_bytes += v.size;
    } else {
      place(v, m_.call_params);
      v.offset += call_params_begin;
    }
    scopes_.back()[name] = {symbol::var, v.of, 0, v};
  }

  void skip_line() {
    const std::uint32_t here = line();
    while (at_ < tokens_.size() && line() == here) ++at_;
  }

  /// .loc file line column [, function_name label, inlined_at file line column]: where that is inlined in turn stands
  /// in a .loc of its own.
  void location() {
    const std::uint32_t here = line();
    const auto triple = [&] {
      std::array<std::uint32_t, 3> numbers;
      for (std::uint32_t& n : numbers) n = static_cast<std::uint32_t>(integer(take()));
      return numbers;
    };
    const auto at = triple();
    file_ = at[0], source_line_ = at[1];
    callers_.erase(at);
    while (at_ < tokens_.size() && line() == here)
      if (take() == "inlined_at") callers_[at] = triple();
    auto root = at;
    for (int depth = 0; depth < 64 && callers_.count(root); ++depth) root = callers_.at(root);
    called_file_ = root[0];
    called_line_ = root == at ? 0 : root[1];
  }

  void body() {
    scopes_.emplace_back();
    while (!eat("}")) {
      if (at_ >= tokens_.size()) wrong("unexpected end of a function");
      if (eat("{")) body();
      else if (eat(";")) continue;
      else if (eat(".reg")) declare_registers();
      else if (eat(".shared")) local_variable(space::shared);
      else if (eat(".local")) local_variable(space::local);
      else if (eat(".param")) local_variable(space::param);
      else if (eat(".loc")) location();
      else if (eat(".pragma")) {
        while (!eat(";")) ++at_;
      } else if (at_ + 1 < tokens_.size() && tokens_[at_ + 1].text == ":") label();
      else statement();
    }
    scopes_.pop_back();
  }

  void label() {
    const std::string name(take());
    need(":");
    labels_[name] = static_cast<std::uint32_t>(m_.code.size());
    if (eat(".branchtargets")) {
      labels_[name] = static_cast<std::uint32_t>(m_.branch_tables.size());
      m_.branch_tables.emplace_back();
      while (!eat(";"))
        if (!eat(",")) table_labels_.emplace_back(m_.branch_tables.size() - 1, std::string(take()));
    } else if (eat(".callprototype")) {
      while (!eat(";")) ++at_;
    }
  }

  // -- operands

  std::int32_t special_slot(const std::string& word) {
    static const std::array<std::string_view, 23> names{"%tid.x",       "%tid.y",       "%tid.z",
                                                        "%ntid.x",      "%ntid.y",      "%ntid.z",
                                                        "%ctaid.x",     "%ctaid.y",     "%ctaid.z",
                                                        "%nctaid.x",    "%nctaid.y",    "%nctaid.z",
                                                        "%laneid",      "%warpid",      "%nwarpid",
                                                        "%lanemask_eq", "%lanemask_lt", "%lanemask_le",
                                                        "%lanemask_gt", "%lanemask_ge", "%dynamic_smem_size",
                                                        "%smid",        "%nsmid"};
    const auto found = std::find(names.begin(), names.end(), word);
    if (found == names.end()) return -1;
    const auto [slot, added] = special_slots_.try_emplace(word, m_.registers32);
    if (added) m_.specials.emplace_back(static_cast<special>(found - names.begin()), m_.registers32++);
    return static_cast<std::int32_t>(slot->second);
  }

  operand from_register(const symbol& s) const {
    operand o;
    o.kind = s.of == type::pred ? operand::predicate : bytes_of(s.of) == 8 ? operand::reg64 : operand::reg32;
    o.slot = s.slot;
    return o;
  }
  operand of_constant(std::uint64_t value) {
    operand o;
    o.kind = operand::constant;
    o.slot = constant(value);
    return o;
  }
  /// Where a shared variable of the module lies in the function that is read.
  const variable& shared_of_function(const std::string& name) {
    const auto [own, added] = shared_of_module_.try_emplace(name, m_.variables.at(name));
    if (added) place_shared(own->second);
    return own->second;
  }
  std::uint64_t address_of(const variable& v) {
    if (!v.dynamic) return v.offset;
    if (!dynamic_used_) // it lies behind all others, those that the function names later too
      for (std::size_t i = at_; i < tokens_.size() && tokens_[i].text != ".entry" && tokens_[i].text != ".func"; ++i)
        if (const auto other = m_.variables.find(tokens_[i].text); other != m_.variables.end())
          if (other->second.where == space::shared && !other->second.dynamic) shared_of_function(other->first);
    dynamic_used_ = true;
    const std::uint64_t align = std::max<std::uint64_t>(16, v.align);
    in_->dynamic_offset = (in_->shared_bytes + align - 1) / align * align;
    return in_->dynamic_offset;
  }

  operand parse_operand(instruction& in, std::size_t index, type of) {
    if (eat("{")) {
      operand o;
      o.kind = operand::vector;
      std::vector<operand> elements;
      while (!eat("}")) {
        elements.push_back(parse_operand(in, 99, of));
        eat(",");
      }
      o.slot = static_cast<std::uint32_t>(in.elements.size());
      o.count = static_cast<std::uint32_t>(elements.size());
      in.elements.insert(in.elements.end(), elements.begin(), elements.end());
      return o;
    }
    if (eat("[")) {
      const operand base = parse_operand(in, 99, type::u64);
      operand o = base;
      o.kind = operand::address, o.base = base.kind;
      if (base.kind != operand::reg32 && base.kind != operand::reg64 && base.kind != operand::constant)
        wrong("an address must be a register, a variable or a number");
      if (now() == "+" || now() == "-") {
        const bool minus = take() == "-";
        const std::int64_t by = signed_integer();
        o.offset = minus ? -by : by;
      }
      need("]");
      return o;
    }
    if (eat("!")) {
      operand o = parse_operand(in, index, of);
      o.negated = true;
      return o;
    }
    const bool negative = eat("-");
    const std::string word(take());
    if (negative && !is_number(word)) wrong("expected a number after -");
    if (is_number(word)) return of_constant(literal(word, negative, of));
    if (word == "_") {
      operand o;
      o.kind = operand::sink;
      return o;
    }
    if (word == "WARP_SZ") return of_constant(32);
    if (const symbol* s = look_up(word)) {
      if (s->kind == symbol::var) return of_constant(address_of(s->where));
      operand o = from_register(*s);
      if (eat("|")) {
        const symbol* second = look_up(std::string(take()));
        if (!second || second->of != type::pred) wrong("expected a predicate after |");
        o.second = static_cast<std::int32_t>(second->slot);
      }
      return o;
    }
    if (const std::int32_t slot = special_slot(word); slot >= 0) {
      operand o;
      o.kind = operand::reg32;
      o.slot = static_cast<std::uint32_t>(slot);
      return o;
    }
    if (const auto v = m_.variables.find(word); v != m_.variables.end()) {
      if (v->second.where != space::shared || v->second.dynamic) return of_constant(address_of(v->second));
      return of_constant(shared_of_function(word).offset);
    }
    if (const auto f = m_.by_name.find(word); f != m_.by_name.end()) {
      operand o;
      o.kind = operand::function;
      o.slot = static_cast<std::uint32_t>(f->second);
      return o;
    }
    if (word[0] == '%' || index == 99) wrong("unknown name: " + word);
    operand o;
    o.kind = operand::label;
    fixups_.push_back({m_.code.size(), index, word, line()});
    return o;
  }

  void statement() {
    instruction in;
    in.line = line();
    in.file = file_, in.source_line = source_line_, in.called_file = called_file_, in.called_line = called_line_;
    if (eat("@")) {
      in.guard_negated = eat("!");
      const symbol* s = look_up(std::string(take()));
      if (!s || s->of != type::pred) wrong("a guard must be a predicate");
      in.guard = static_cast<std::int32_t>(s->slot);
    }
    in.name = std::string(take());
    const auto words = parts(in.name, '.');
    const auto known = forms().find(words[0]);
    if (known == forms().end()) wrong_at(in.line, "unknown opcode " + std::string(words[0]));
    in.opcode = known->first;
    const std::span<const std::string_view> rest(words.data() + 1, words.size() - 1);
    const form* fits = nullptr;
    int farthest = 0;
    for (const form* f : known->second) {
      const int taken = match(*f, rest, in);
      if (taken < 0) {
        fits = f;
        break;
      }
      farthest = std::max(farthest, taken);
    }
    if (!fits) {
      const auto at = static_cast<std::size_t>(farthest);
      wrong_at(in.line, at >= rest.size() ? in.name + " lacks a modifier or type"
                                          : "'." + std::string(rest[at]) + "' is no modifier or type of " +
                                                std::string(words[0]) + " there");
    }
    describe(in);
    in.shape = fits;
    in.way = fits->way;
    if (in.way == flow::call) {
      call(in);
    } else {
      while (!eat(";")) {
        const std::size_t index = in.operands.size();
        in.operands.push_back(parse_operand(in, index, literal_type(*fits, in, index)));
        if (now() != ";") need(",");
      }
      check_operands(*fits, in);
    }
    in.run = fits->pick ? fits->pick(in) : nullptr;
    if (!in.run &&
        (in.way == flow::straight || in.way == flow::collective || in.way == flow::together || in.way == flow::call))
      wrong_at(in.line, in.name + " is not implemented for these types and operands");
    m_.code.push_back(std::move(in));
  }

  static void describe(instruction& in) {
    if (in.has(modifier("rz"))) in.rounds = rounding::zero;
    else if (in.has(modifier("rm"))) in.rounds = rounding::down;
    else if (in.has(modifier("rp"))) in.rounds = rounding::up;
    else if (in.has(modifier("rna"))) in.rounds = rounding::away;
    if (in.has(modifier("global"))) in.where = space::global;
    else if (in.has(modifier("shared")) || in.has(modifier("shared::cta"))) in.where = space::shared;
    else if (in.has(modifier("local"))) in.where = space::local;
    else if (in.has(modifier("const"))) in.where = space::constant;
    else if (in.has(modifier("param"))) in.where = space::param;
  }

  static type type_of(char letter, const instruction& in) {
    switch (letter) {
    case '0':
    case '1':
    case '2':
    case '3':
      return in.types[static_cast<std::size_t>(letter - '0')];
    case 'W':
      return bytes_of(in.types[0]) == 4 ? type::u64 : type::u32;
    case 'l':
      return type::u64;
    default:
      return type::u32;
    }
  }
  static type literal_type(const form& f, const instruction& in, std::size_t index) {
    const auto wanted = parts(f.operands, ' ');
    if (index >= wanted.size() || wanted[index].size() < 2) return type::u64;
    return type_of(wanted[index][1] == 'x' ? wanted[index][2] : wanted[index][1], in);
  }

  void check_operands(const form& f, const instruction& in) const {
    if (f.operands == "*") return;
    const auto wanted = f.operands.empty() ? std::vector<std::string_view>{} : parts(f.operands, ' ');
    const auto bad = [&](std::size_t i, const std::string& what) {
      wrong_at(in.line, "operand " + std::to_string(i + 1) + " of " + in.name + ": " + what);
    };
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      std::string_view want = wanted[i];
      const bool optional = want.back() == '?';
      if (i >= in.operands.size()) {
        if (optional) break;
        wrong_at(in.line, in.name + " has too few operands");
      }
      if (optional) want.remove_suffix(1);
      const operand& o = in.operands[i];
      if (want == "a") {
        if (o.kind != operand::address) bad(i, "expected an address");
      } else if (want == "m") {
        if (o.kind != operand::reg32 && o.kind != operand::constant) bad(i, "expected a member mask of 32 bits");
      } else if (want == "t") {
        if (o.kind != operand::label) bad(i, "expected a label");
      } else {
        const bool to = want[0] == 'd', beside = want.back() == '|';
        if (beside) want.remove_suffix(1);
        if (o.second >= 0 && !beside) bad(i, "no predicate may stand beside it");
        if (o.negated && (to || want[1] != 'p')) bad(i, "only a predicate that is read may be negated");
        if (want[1] == 'p') {
          if (o.kind != operand::predicate && !(o.kind == operand::sink && to) && !(o.kind == operand::constant && !to))
            bad(i, "expected a predicate");
          continue;
        }
        const bool wider = want[1] == 'x';
        const unsigned bytes = bytes_of(type_of(wider ? want[2] : want[1], in));
        const unsigned count = in.has(modifier("v2")) ? 2 : in.has(modifier("v4")) ? 4 : 1;
        if (o.kind == operand::vector) {
          if (!wider || o.count != count) bad(i, "expected " + std::to_string(count) + " registers");
          for (std::uint32_t e = 0; e < o.count; ++e)
            check_width(in.elements[o.slot + e], bytes, wider, to, [&](const std::string& what) { bad(i, what); });
        } else {
          if (count > 1 && wider) bad(i, "expected " + std::to_string(count) + " registers in braces");
          check_width(o, bytes, wider, to, [&](const std::string& what) { bad(i, what); });
        }
      }
    }
    if (in.operands.size() > wanted.size()) wrong_at(in.line, in.name + " has too many operands");
  }
  template <class Bad> static void check_width(const operand& o, unsigned bytes, bool wider, bool to, const Bad& bad) {
    if (o.kind == operand::sink && to) return;
    if (o.kind == operand::constant) {
      if (to) bad("a constant cannot be written");
      return;
    }
    if (o.kind != operand::reg32 && o.kind != operand::reg64) bad("expected a register");
    if ((o.kind == operand::reg64) != (bytes == 8) && !(wider && bytes < 8))
      bad("expected a register of " + std::to_string(bytes * 8) + " bits");
  }

  void call(instruction& in) { // call (results), name, (arguments)
    const auto list = [&](std::vector<operand>& to) {
      need("(");
      while (!eat(")")) {
        to.push_back(parse_operand(in, 98, type::u64));
        eat(",");
      }
    };
    std::vector<operand> results, arguments;
    if (now() == "(") {
      list(results);
      need(",");
    }
    const std::string name(take());
    const auto callee = m_.by_name.find(name);
    if (callee == m_.by_name.end())
      wrong("call of an unknown function (calls by pointer are not implemented): " + name);
    if (eat(",")) {
      if (now() == "(") list(arguments);
      while (now() != ";") ++at_;
    }
    need(";");
    operand target;
    target.kind = operand::function, target.slot = static_cast<std::uint32_t>(callee->second);
    in.operands.push_back(target);
    in.results = static_cast<std::uint32_t>(results.size());
    in.operands.insert(in.operands.end(), results.begin(), results.end());
    in.operands.insert(in.operands.end(), arguments.begin(), arguments.end());
  }

  void top() {
    if (eat(".version")) m_.version = std::string(take());
    else if (eat(".target")) {
      m_.target = std::string(take());
      while (eat(",")) ++at_;
    } else if (eat(".address_size")) {
      if (take() != "64") wrong("only 64-bit addresses");
    } else if (eat(".file")) {
      const auto number = static_cast<std::size_t>(integer(take()));
      if (m_.files.size() <= number) m_.files.resize(number + 1);
      const std::string_view quoted = take();
      m_.files[number] = std::string(quoted.substr(1, quoted.size() - 2));
      while (eat(",")) ++at_;
    } else if (now() == ".section") {
      while (!eat("{")) ++at_;
      while (!eat("}")) ++at_;
    } else if (eat(";")) {
    } else {
      bool external = false;
      while (now() == ".visible" || now() == ".extern" || now() == ".weak" || now() == ".common")
        external = take() == ".extern" || external;
      if (eat(".entry")) define_function(true);
      else if (eat(".func")) define_function(false);
      else if (eat(".global")) module_variable(space::global, external);
      else if (eat(".const")) module_variable(space::constant, external);
      else if (eat(".shared")) module_variable(space::shared, external);
      else if (eat(".alias") || eat(".pragma")) {
        while (!eat(";")) ++at_;
      } else wrong("unknown directive " + std::string(now()));
    }
  }

  /// How finely shared memory must be watched: by the narrowest access of a kernel and of the functions it may call.
  void find_cells() {
    const auto narrowest = [&](const function& f) {
      unsigned least = 4;
      for (std::uint32_t i = f.begin; i < f.end; ++i) {
        const instruction& in = m_.code[i];
        const bool touches = in.opcode == "ld" || in.opcode == "st" || in.opcode == "atom" || in.opcode == "red";
        if (touches && (in.where == space::shared || in.where == space::generic))
          least = std::min(least, bytes_of(in.types[0]));
      }
      return least;
    };
    unsigned of_functions = 4;
    for (const function& f : m_.functions)
      if (!f.entry && f.defined) of_functions = std::min(of_functions, narrowest(f));
    for (function& f : m_.functions)
      if (f.entry) f.shared_cell = std::min(of_functions, narrowest(f));
  }

public:
  decoder(module& m, device_memory& memory) : m_(m), memory_(memory), tokens_(tokens_of(m.text)) {}

  void run() {
    while (at_ < tokens_.size()) top();
    find_cells();
  }
};

} // namespace

const function& module::entry(std::string_view name) const {
  const auto found = by_name.find(name);
  if (found == by_name.end() || !functions[found->second].entry) throw error("no kernel " + std::string(name));
  return functions[found->second];
}

std::unique_ptr<module> decode(std::string text, device_memory& memory) {
  auto m = std::make_unique<module>();
  m->text = std::move(text);
  for (const std::string_view line : parts(m->text, '\n')) {
    const std::size_t first = line.find_first_not_of(" \t");
    m->lines.emplace_back(first == std::string_view::npos ? std::string_view() : line.substr(first));
  }
  decoder(*m, memory).run();
  return m;
}

} // namespace ptx
