#!/usr/bin/env python3
"""Write include/llmap/text/unicode_data.hpp: general categories of Unicode 16.0, and the sets of characters that components
of Hugging Face tokenizers 0.22.2 act on, found by asking them about every code point.

    pip install unicodedata2==16.0.0 tokenizers==0.22.2
    python make_unicode_data.py > ../../../include/llmap/text/unicode_data.hpp
"""
import sys
import unicodedata

import tokenizers
import unicodedata2
from tokenizers import normalizers, pre_tokenizers

assert unicodedata.unidata_version == "14.0.0"  # Python 3.11
assert unicodedata2.unidata_version == "16.0.0" and tokenizers.__version__ == "0.22.2"
CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn".split()


def ranges(codes):
    """Inclusive ranges; the surrogates between U+D7FF and U+E000 do not end one."""
    out = []
    for c in sorted(codes):
        if out and (out[-1][1] == c - 1 or (out[-1][1] == 0xD7FF and c == 0xE000)):
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def runs(value_of):
    """(first code point, value) where the value changes."""
    out = []
    for c in CODES:
        if not out or out[-1][1] != value_of(c):
            out.append((c, value_of(c)))
    return out


def print_list(comment, declaration, items):
    lines, line = [], ""
    for item in items:
        if len(line) + len(item) + 3 > 118:
            lines.append(line)
            line = ""
        line += (", " if line else "    ") + item
    print(f"/// {comment}\n// clang-format off\ninline constexpr {declaration}[] = {{")
    print(",\n".join(lines + [line]) + "};\n// clang-format on\n")


def print_ranges(name, comment, codes):
    print_list(comment, f"character_range {name}", [f"{{{a:#x}, {b:#x}}}" for a, b in ranges(codes)])


def scripts():
    """Numbers of the scripts that UnicodeScripts tells apart; 0 for characters that belong to any."""
    cut = lambda text: len(pre_tokenizers.UnicodeScripts().pre_tokenize_str(text)) > 1
    representatives, number_of, previous, number = [], {}, None, 0
    for c in CODES:
        if not cut("a" + chr(c)) and not cut("\u0431" + chr(c)):
            number_of[c] = 0
            previous = None
            continue
        if previous is None or cut(chr(previous) + chr(c)):
            for i, r in enumerate(representatives):
                if not cut(chr(r) + chr(c)):
                    number = i + 1
                    break
            else:
                representatives.append(c)
                number = len(representatives)
        number_of[c] = number
        previous = c
    return number_of


def changed_lower():
    """Lower case that older libraries do not know, or that is more than one character."""
    lower = normalizers.Lowercase()
    out = []
    newer = ranges(list(range(0x1C89, 0x1C8A)) + list(range(0xA7CB, 0xA7DD)) + list(range(0x10D50, 0x10D66))
                   + list(range(0x16EA0, 0x16EB9)))
    for a, b in newer:
        for c in range(a, b + 1):
            l = lower.normalize_str(chr(c))
            if len(l) == 1 and ord(l) != c:
                out.append((c, ord(l)))
    return out


pre = lambda component, c: len(component.pre_tokenize_str("a" + chr(c) + "b"))
punctuation = [c for c in CODES if pre(pre_tokenizers.Punctuation(), c) > 1]
digits = [c for c in CODES if pre(pre_tokenizers.Digits(individual_digits=True), c) > 1]
words = [c for c in CODES if pre(pre_tokenizers.Whitespace(), c) == 1]
strip = normalizers.StripAccents()
marks = [c for c in CODES if strip.normalize_str("a" + chr(c)) == "a"]
off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
bert = lambda **on: normalizers.BertNormalizer(**{**off, **on})
clean, accents, cjk = bert(clean_text=True), bert(strip_accents=True), bert(handle_chinese_chars=True)
controls = [c for c in CODES if clean.normalize_str("x" + chr(c) + "y") == "xy"]
accent_marks = [c for c in CODES if accents.normalize_str("a" + chr(c)) == "a"]
ideographs = [c for c in CODES if cjk.normalize_str("x" + chr(c) + "y") != "x" + chr(c) + "y"]
script_of = scripts()
nfd, nfkd = normalizers.NFD(), normalizers.NFKD()
decomposed = lambda c: unicodedata2.normalize("NFKD", chr(c)) != chr(c) and nfkd.normalize_str(chr(c)) == chr(c)

print("""// Unicode as the reference has it, not as the machine's libraries do: general categories of Unicode 16.0, and the
// characters that components of Hugging Face tokenizers 0.22.2 act on, which follow versions 8 to 17.
// Made by tests/golden/tokenizers/make_unicode_data.py.
#pragma once
#include <algorithm>
#include <cstdint>
#include <iterator>

namespace llmap::unicode {

inline constexpr const char* version = "16.0.0"; ///< of the general categories

/// General categories, named as Unicode abbreviates them.
enum class category : std::uint8_t {""")
print("  " + ", ".join(k.lower() for k in CATEGORIES))
print("""};

struct character_range {
  char32_t first, last;
};

/// Whether sorted ranges hold a character.
template <std::size_t N> constexpr bool holds(const character_range (&ranges)[N], char32_t c) {
  const auto it = std::lower_bound(std::begin(ranges), std::end(ranges), c,
                                   [](const character_range& r, char32_t x) { return r.last < x; });
  return it != std::end(ranges) && it->first <= c;
}
""")
print_list("First code point * 32 + category, where the category changes.", "std::uint32_t category_runs",
           [f"{a * 32 + CATEGORIES.index(k):#x}" for a, k in runs(lambda c: unicodedata2.category(chr(c)))])
print("""inline category category_of(char32_t c) {
  const auto it = std::upper_bound(std::begin(category_runs), std::end(category_runs), c * 32 + 31);
  return static_cast<category>(*(it - 1) & 31);
}
""")
print_ranges("word", r"\w of Rust's regex: alphabetic, marks, decimal digits, connectors, joiners.", words)
print_ranges("digits", "Digits: every kind of number.", digits)
print_ranges("punctuation", "Punctuation and BertPreTokenizer: ASCII and P of Unicode 8.", punctuation)
print_ranges("marks", "StripAccents: marks of Unicode 9.", marks)
print_ranges("accents", "BertNormalizer, strip_accents: nonspacing marks of Unicode 8.", accent_marks)
print_ranges("controls", "BertNormalizer, clean_text: what is deleted.", controls)
print_ranges("ideographs", "BertNormalizer, handle_chinese_chars.", ideographs)
print_ranges("kept", "NFKC and NFKD: newer than Unicode 9, so they stay as they are.", filter(decomposed, CODES))
print_ranges("newer", "Assigned after Unicode 14, which is what the oldest PCRE2 in use knows.",
             [c for c in CODES if unicodedata.category(chr(c)) == "Cn" != unicodedata2.category(chr(c))])
print_list("UnicodeScripts: first code point * 256 + number of the script, where it changes; 0: any.",
           "std::uint32_t script_runs", [f"{a * 256 + n:#x}" for a, n in runs(lambda c: script_of[c])])
print("""inline std::uint32_t script_of(char32_t c) {
  const auto it = std::upper_bound(std::begin(script_runs), std::end(script_runs), c * 256 + 255);
  return *(it - 1) & 255;
}

struct lower_case {
  char32_t upper, lower;
};
""")
print_list("Lowercase: pairs that are newer than Unicode 15.", "lower_case newer_lower_cases",
           [f"{{{a:#x}, {b:#x}}}" for a, b in changed_lower()])
print("} // namespace llmap::unicode")
print(len(punctuation), len(words), max(script_of.values()), file=sys.stderr)
