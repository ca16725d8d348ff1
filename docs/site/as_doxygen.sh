#!/usr/bin/env bash
# What Doxygen is shown of FILE. A header's first comment documents the file, the comment behind a member documents the
# member, and comments hold plain text: their signs are not commands.
exec awk '
  function plain(text,   parts, n, i, out) { # what is between backquotes is code already
    n = split(text, parts, "`")
    for (i = 1; i <= n; ++i) {
      if (i % 2) gsub(/[\\@<>&#%]/, "\\\\&", parts[i])
      out = out (i > 1 ? "`" : "") parts[i]
    }
    return out
  }
  NR == 1 && /^\/\/ / { print "/// \\file"; head = 1 }
  head && /^\/\// { print "///" plain(substr($0, 3)); next }
  { head = 0 }
  /^ *\/\/\// { at = index($0, "///"); print substr($0, 1, at + 2) plain(substr($0, at + 3)); next }
  /^  ?[A-Za-z].*[;,] +\/\/ / { at = index($0, " // "); print substr($0, 1, at) "///<" plain(substr($0, at + 3)); next }
  { print }' "$1"
