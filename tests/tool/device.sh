# --device: names that are none, a machine without a device, a build without CUDA; and scoring itself where the kernels
# run on the interpreter (argument 3: a folder with a tool and its module).
source "$(dirname "$0")/common.sh"
head_texts 2 t.jsonl
on() { echo "$zoo/models/neox --texts t.jsonl --on-overlong truncate --store $1 --device $2"; }
form="expected cpu, cuda, cuda:NUMBER[,NUMBER...] or cuda:all, got"
refused 2 "$form gpu" "$llmap" score $(on none.sqlite gpu)
for name in cuda: cuda:0, cuda:,1 cuda:0,all cuda:1,x; do
  refused 2 "$form $name" "$llmap" score $(on none.sqlite $name)
done
refused 2 "expected a device once, got cuda:1,0,1" "$llmap" score $(on none.sqlite cuda:1,0,1)
module=$(dirname "$llmap")/llmap_cuda.so none="this build of llmap has no CUDA"
[ -e "$module" ] && none="no CUDA device of compute capability 8.0 or later, or no driver, on this machine"
CUDA_VISIBLE_DEVICES= refused 1 "$none" "$llmap" score $(on none.sqlite cuda)
check "nothing is made for a device that is not there" test ! -e none.sqlite
mkdir alone && cp "$llmap" alone/llmap
refused 1 "--device cuda:1: this build of llmap has no CUDA" alone/llmap score $(on none.sqlite cuda:1)
"$llmap" score $(on cpu.sqlite cpu) >cpu.txt 2>&1
check "the CPU has a name" test $? = 0
[ -n "${3:-}" ] || finish

llmap=$3/llmap
"$llmap" score $(on cuda.sqlite cuda) >cuda.txt 2>&1
check "a device scores" test $? = 0
check "as many tokens, the same bits per byte" diff <(awk '!/sqlite/ {print $1, $2, $3, $4, $6, $7}' cpu.txt) <(awk '!/sqlite|^llmap:/ {print $1, $2, $3, $4, $6, $7}' cuda.txt)
check "it says that it multiplies without cuBLASLt" grep -q "^llmap: --device cuda:0: products by llmap's own kernels, not cuBLASLt: " cuda.txt
"$llmap" score $(on cuda.sqlite cuda:0) >again.txt 2>&1
check "nothing is scored again" grep -q '^neox  *2  *0 ' again.txt
other="other weights, tokenizer, policy or precision (precision f32, bos as_tokenizer, overlong truncate"
refused 1 "$other; now precision f32, bos as_tokenizer, overlong truncate, device " "$llmap" score $(on cpu.sqlite cuda)
refused 1 "$other, device " "$llmap" score $(on cuda.sqlite cpu)
check "the store says which device" grep -q 'truncate, device .* (compute capability 8.0), CUDA [0-9.]*, driver [0-9.]*, own kernels [0-9]*, own products; now' err.txt
refused 1 "--device cuda:7: no such device; there are 0 (" "$llmap" score $(on none.sqlite cuda:7)

# Several devices: the bits of one, whichever scored which text; a run ended on one goes on with two.
head_texts 3 t.jsonl
scores() { "$llmap" export "$1" --out "$1.npz" --force >/dev/null && cat "$1.npz"; }
"$llmap" score $(on one.sqlite cuda:0) >/dev/null 2>&1
LLMAP_DEVICES=8,8 "$llmap" score $(on two.sqlite cuda:0,1) >two.txt 2>&1
check "two devices score" grep -q '^neox  *3  *3 ' two.txt
check "two devices give the bits of one" cmp <(scores one.sqlite) <(scores two.sqlite)
LLMAP_DEVICES=8,8 "$llmap" score $(on one.sqlite cuda:all) >again.txt 2>&1
check "scores of one device are taken for those of two like it" grep -q '^neox  *3  *0 ' again.txt
LLMAP_DEVICES=8,9 refused 1 "--device cuda:all: expected devices of one kind, whose scores may be mixed, got 0 (PTX interpreter (compute capability 8.0)" "$llmap" score $(on none.sqlite cuda:all)
finish
