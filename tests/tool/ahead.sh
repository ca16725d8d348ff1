# The next model's weights are read while one is scored: which files the tool asks for (argument 3 is preloaded and writes
# them down), and that a model that is not there is reported at its own turn.
source "$(dirname "$0")/common.sh"
head_texts 2 t.jsonl
mkdir models
cp -r "$zoo/models/neox" models/a
cp -r "$zoo/models/neox" models/b
ahead() { : >asked.txt; LLMAP_ASKED_AHEAD=asked.txt LD_PRELOAD=$preload "$llmap" score "$@" --texts t.jsonl --on-overlong truncate >out.txt 2>err.txt; }
preload=$3
ahead models --store two.sqlite
check "two models are scored" test $? = 0
check "the second is asked for, the first is not" test "$(sed "s|^$PWD/||" asked.txt)" = "$(ls models/b/*.safetensors)"
ahead models --store two.sqlite
check "nothing is asked for where nothing is scored" test ! -s asked.txt
rm models/b/*.safetensors
ahead models --store one.sqlite
check "a model without weights fails" test $? = 1
check "at its own turn" grep -q '^llmap: b: ' err.txt
check "the other is scored" grep -q '^a  *2  *2 ' out.txt
check "nothing is asked for that is not there" test ! -s asked.txt
finish
