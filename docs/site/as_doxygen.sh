#!/usr/bin/env bash
# What Doxygen is shown of FILE. A header's first comment documents the file, the comment behind a member documents the
# member, behind several members each of them, and comments hold plain text: their signs are not commands. A function that
# has its sentence elsewhere gets it here: the plan of a family from the head of its file, an op of an executor from
# forward/ops.hpp, a mixer from forward/mixers/slab_pass.hpp. So does a member that many types have for one reason.
cd "$(dirname "$0")/../.."
exec awk -v file="$1" -v ops="$(sed -n 's/^[^/]*[ *&]\([a-z_]*\)(.*/\1/p' include/llmap/forward/ops.hpp | sort -u | tr '\n' ' ')" '
  BEGIN { split(ops, names, " "); for (i in names) is_op[names[i]] = 1 }
  # What documents the function that begins on this line, where that stands elsewhere.
  function sentence(line,   name) {
    if (line !~ /^(template|inline|void|[a-z_:<>]+) .*[a-z_]\(/) return ""
    name = line
    sub(/\(.*/, "", name)
    sub(/.*[ *&]/, "", name)
    if (file ~ /\/architectures\// && line ~ /^inline decoder_plan [a-z0-9_]+\(const config& c\)/) return family
    if (file ~ /\/mixers\// && (name == "mix" || name == "room_of")) return "As forward/mixers/slab_pass.hpp says of every mixer."
    if (file ~ /\/forward\/(cpu|cuda)\// && name in is_op) return "As forward/ops.hpp says of this op."
    if (file ~ /\/cuda\// && line ~ /const cuda_executor&/) return "As the function of this name that takes a cpu_executor."
    return ""
  }
  # The same of a member without a comment of its own.
  function of_member(line) {
    if (line !~ /^  [A-Za-z]/ || line ~ /\/\//) return ""
    if (line ~ /operator==\(.*= default/) return "Member by member."
    if (file ~ /forward\/decoder.hpp/ && line ~ /^  [a-z_:]+( template)?[ <].*[a-z_]( = .*)?;$/) return "As the plan member of this name."
    if (line ~ /^  (std::vector<std::string>|std::optional<tensor_info>|tensor_data|coded_rows|std::optional<[a-z_]+>) (names|find|read|read_slice|coding_of|read_coded|rounding_of)\(/)
      return "As weights/tensor_source.hpp says of every source."
    if (file ~ /\/text\// && line ~ /operator\(\)\(std::string_view text\) const/) return "The text as it becomes."
    if (file ~ /\/text\// && line ~ /operator\(\)\(text_pieces& t\) const/) return "Cuts or rewrites the pieces."
    if (line ~ /^  [a-z_]+(& operator=)?\([a-z_]+&& other\) noexcept/) return "Moves."
    if (line ~ /^  decltype\(&::[A-Za-z]+\) [a-z_]+;/) return "The function of this type."
    if (line ~ /^  (template <class T> )?using (matrix|vector|rows|buffer|host_buffer|keys_values|routing|head_room|scratch|weights_room) = [a-z]/ && file ~ /executor/)
      return "As forward/executor.hpp says of every executor."
    if (line ~ /^  (std::size_t|std::int64_t) (size|rows|cols)\(\) const/) return "How many there are."
    if (line ~ /^  (const )?[A-Za-z]+\*? data\(\)/) return "The memory, from its first element on."
    return ""
  }
  function plain(text,   parts, n, i, out) { # what is between backquotes is code already
    n = split(text, parts, "`")
    for (i = 1; i <= n; ++i) {
      if (i % 2) gsub(/[\\@<>&#%]/, "\\\\&", parts[i])
      out = out (i > 1 ? "`" : "") parts[i]
    }
    return out
  }
  # "T a = 1, b;" as "T a = 1; /**< text */ T b; /**< text */": Doxygen takes a comment behind both for that of b.
  # Without `first` the first has its comment already.
  function each_member(code, text, first,   i, c, depth, n, parts, type, out) {
    n = 1
    for (i = 1; i <= length(code); ++i) {
      c = substr(code, i, 1)
      if (c ~ /[<({[]/) ++depth
      if (c ~ /[])}>]/) --depth
      if (c == "," && depth == 0 && substr(code, i + 1, 1) == " ") ++n
      else parts[n] = parts[n] c
    }
    if (n == 1 || depth != 0 || !match(parts[1], /[A-Za-z_]+( = .*|[{].*)?$/)) return ""
    type = substr(parts[1], 1, RSTART - 1)
    sub(/^ +/, " ", type)
    for (i = 1; i <= n; ++i) {
      if (i > 1 && parts[i] !~ /^ [A-Za-z_]/) return "" # "T *a, *b"
      if (i > 1) parts[i] = type substr(parts[i], 2)
      out = out parts[i] (i > 1 || first ? "; /**< " plain(text) " */" : ";")
    }
    return out
  }
  NR == 1 && /^\/\/ / { print "/// \\file"; head = 1 }
  head && /^\/\// { print "///" plain(substr($0, 3)); family = (family ? family "\n///" : "") plain(substr($0, 4)); next }
  { head = 0 }
  /^template <.*>$/ && !documented { held = $0; next }
  { line = (held ? held " " : "") $0 }
  !documented && sentence(line) { print "/// " sentence(line) }
  !documented && (own = of_member($0)) {
    several = /[a-z_];$/ ? each_member(substr($0, 1, length($0) - 1), own, 1) : ""
    if (several) { print several; next }
    print "  /// " own
  }
  held { print held; held = "" }
  documented && /^  [A-Za-z].*, .*;$/ && (several = each_member(substr($0, 1, length($0) - 1), above)) { print several; next }
  { documented = /^ *\/\/\// || (documented && /^template <.*>$/) }
  !documented { above = "" }
  /^ *\/\/\// { at = index($0, "///"); above = above substr($0, at + 3); print substr($0, 1, at + 2) plain(substr($0, at + 3)); next }
  match($0, /[;,] +\/\/(\/<)? /) && (/^ ? ?[A-Za-z]/ || /^    [A-Za-z].*\/\/\/< /) {
    code = substr($0, 1, RSTART)
    text = substr($0, RSTART + RLENGTH)
    several = code ~ /;$/ && text !~ /[*]\// ? each_member(substr(code, 1, length(code) - 1), text, 1) : ""
    print (several ? several : code " ///< " plain(text))
    next
  }
  { print }' "$1"
