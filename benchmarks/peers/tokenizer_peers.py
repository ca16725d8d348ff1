"""Hugging Face tokenizers on the texts that bench_text tokenizes: MB/s of one thread, and the same digest of all ids.

usage: tokenizer_peers.py BENCH_TEXT TEXTS FOLDER...

Runs BENCH_TEXT and the peer on each folder's tokenizer.json in turn, in one run on one machine, and prints both and
their ratio. The peer is measured by encode, text by text, and by encode_batch with all texts; the better one counts.
"""
import json, os, subprocess, sys, time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer, __version__


def digest(all_ids):
    h = 0xCBF29CE484222325  # FNV-1a, a step an id
    for ids in all_ids:
        for i in ids:
            h = ((h ^ i) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main():
    program, texts_file, folders = sys.argv[1], sys.argv[2], sys.argv[3:]
    with open(texts_file, encoding="utf-8") as f:
        texts = [json.loads(line)["text"] for line in f if line.strip()]
    mega = sum(len(t.encode()) for t in texts) / 1e6
    print(f"{len(texts)} texts, {mega:.2f} MB; tokenizers {__version__}, one thread each; first: nothing cached yet")
    print(f"{'tokenizer':<16}{'ids':>8}  {'llmap: load ms':>14}{'first':>7}{'MB/s':>7}   {'peer: load ms':>13}{'first':>7}{'encode':>8}{'batch':>7}"
          f"   {'ratio':>6}{'first':>7}  ids")
    worst = float("inf")
    for folder in folders:
        out = subprocess.run([program, "--texts", texts_file, folder], check=True, capture_output=True, text=True).stdout
        name, vocabulary, load, first, rate, _, _, ours = out.splitlines()[-1].split()
        start = time.perf_counter()
        peer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        peer_load = time.perf_counter() - start
        one_by_one = lambda: [peer.encode(t) for t in texts]
        peer_first = mega / seconds(one_by_one)
        encode = mega / min(seconds(one_by_one) for _ in range(3))
        batch = mega / min(seconds(lambda: peer.encode_batch(texts)) for _ in range(3))
        same = digest(e.ids for e in peer.encode_batch(texts)) == ours
        ratio = float(rate) / max(encode, batch)
        worst = min(worst, ratio)
        print(f"{name:<16}{vocabulary:>8}  {load:>14}{first:>7}{rate:>7}   {1e3 * peer_load:>13.0f}{peer_first:>7.2f}{encode:>8.2f}{batch:>7.2f}"
              f"   {ratio:>6.1f}{float(first) / peer_first:>7.1f}  {'same' if same else 'DIFFERENT'}")
        if not same:
            sys.exit(f"{folder}: the ids differ")
    print(f"worst ratio {worst:.1f}")


main()
