# What ptxas says of every kernel (-Xptxas -v), against budget.txt: registers and shared memory for each architecture; no
# stack, no spills; no kernel that the table does not name. C75xx would mean wgmma that has lost its overlap.
set -euo pipefail
table=$1
cat "${@:2}" | c++filt | awk -v table="$table" '
  BEGIN {
    while ((getline line < table) > 0) {
      if (line ~ /^#/ || line == "") continue
      split(line, field, /  +/)
      most["sm_80", field[1]] = field[2]; most["sm_90", field[1]] = field[3]; most["sm_100", field[1]] = field[4]
      shared[field[1]] = field[5]
      named[field[1]] = 1
    }
  }
  function bad(text) { print "FAILED: " text; failed = 1 }
  /C75[0-9][0-9]/ { bad($0) }
  /Compiling entry function/ {
    split($0, quoted, "\x27")
    architecture = quoted[4]; name = quoted[2]
    sub(/^void /, "", name); gsub(/llmap::/, "", name); while (gsub(/> >/, ">>", name)) continue; sub(/>\(.*/, ">", name)
    if (!(name in named)) bad(name " is not in the table")
  }
  /bytes stack frame/ { if ($0 !~ / 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads/) bad(name " on " architecture ":" $0) }
  /Used [0-9]+ registers/ {
    match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5) + 0
    bytes = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART, RLENGTH) + 0 : 0
    # A step of 8 is left: the same source takes 24 registers in one folder and 28 in another.
    if (registers > most[architecture, name] + 8) bad(name " on " architecture ": " registers " registers, the table has " most[architecture, name])
    if (bytes > shared[name]) bad(name " on " architecture ": " bytes " bytes of shared memory, the table has " shared[name])
    seen[name]++; count++
  }
  END {
    for (name in named) if (seen[name] != 3) bad(name " was compiled for " seen[name] + 0 " architectures of 3")
    print count + 0 " kernels within their budget"
    exit failed
  }'
