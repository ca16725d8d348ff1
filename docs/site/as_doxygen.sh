#!/usr/bin/env bash
# What Doxygen is shown of FILE. A header's first comment documents the file, the comment behind a member documents the
# member, behind several members each of them, and comments hold plain text: their signs are not commands.
exec awk '
  function plain(text,   parts, n, i, out) { # what is between backquotes is code already
    n = split(text, parts, "`")
    for (i = 1; i <= n; ++i) {
      if (i % 2) gsub(/[\\@<>&#%]/, "\\\\&", parts[i])
      out = out (i > 1 ? "`" : "") parts[i]
    }
    return out
  }
  # "T a = 1, b;" as "T a = 1; /**< text */ T b; /**< text */": Doxygen takes a comment behind both for that of b.
  function each_member(code, text,   i, c, depth, n, parts, type, out) {
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
      out = out parts[i] "; /**< " plain(text) " */"
    }
    return out
  }
  NR == 1 && /^\/\/ / { print "/// \\file"; head = 1 }
  head && /^\/\// { print "///" plain(substr($0, 3)); next }
  { head = 0 }
  /^ *\/\/\// { at = index($0, "///"); print substr($0, 1, at + 2) plain(substr($0, at + 3)); next }
  match($0, /[;,] +\/\/(\/<)? /) && /^  ?[A-Za-z]/ {
    code = substr($0, 1, RSTART)
    text = substr($0, RSTART + RLENGTH)
    several = code ~ /;$/ && text !~ /[*]\// ? each_member(substr(code, 1, length(code) - 1), text) : ""
    print (several ? several : code " ///< " plain(text))
    next
  }
  { print }' "$1"
