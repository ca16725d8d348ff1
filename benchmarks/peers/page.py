"""Writes the first page of results from what benchmarks/peers/page.sh ran.

    python3 page.py FOLDER PAGE       FOLDER holds scoring.txt, speed.txt, head.json, head_peer.json, tokenizer.txt, map.txt

PAGE.md is a table of five rows; PAGE.json holds the same rows and the text of every run.
"""
import json, os, re, sys

folder, page = sys.argv[1:]


def read(name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return f.read()


def scoring():
    """Two rows: tokens a second of texts of 512 tokens, and seconds from the start to the first text's scores."""
    programs = {}
    for line in read("scoring.txt").splitlines():
        f = line.split()
        if len(f) > 9 and f[2].endswith("%"):
            programs[f[0]] = {"speed": float(f[1]), "first": float(f[5]), "memory": float(f[6]), "error": f[7], "version": " ".join(f[10:])}
    ours = programs.pop("llmap")
    share = re.search(r"SmolLM2-135M, T = 512 .*?([\d.]+) % of the probe", read("speed.txt")).group(1)
    fast, quick = max(programs, key=lambda p: programs[p]["speed"]), min(programs, key=lambda p: programs[p]["first"])
    row = lambda what, unit, key, peer, ratio, share: {
        "what": what, "unit": unit, "llmap": ours[key], "peer": programs[peer][key], "name": f"{peer} {programs[peer]['version']}",
        "ratio": ratio, "share": share, "memory": f"{ours['memory']:.0f} MB, {programs[peer]['memory']:.0f} MB",
        "error": f"{ours['error']}, {programs[peer]['error']} nats a token"}
    return [row("score texts of 512 tokens, model of SmolLM2-135M's shape, f32", "tokens/s", "speed", fast, ours["speed"] / programs[fast]["speed"], f"{share} %"),
            row("from the start of the program to the first text's scores", "s", "first", quick, programs[quick]["first"] / ours["first"], "")]


def head():
    run = next(b for b in json.loads(read("head.json"))["benchmarks"] if b["name"].endswith("_median"))
    peer = json.loads(read("head_peer.json"))
    return {"what": "head: 256 rows, width 576, vocabulary 49152, f32", "unit": "ms", "llmap": run["real_time"], "peer": peer["ms"], "name": peer["version"],
            "ratio": peer["ms"] / run["real_time"], "share": f"{100 * run['share']:.1f} %", "memory": f"no logits, {peer['logits'] / 1e6:.0f} MB of logits",
            "error": f"docs/numerics.md, {peer['error']:.1e} nats"}


def tokenizer():
    rows = [line.split() for line in read("tokenizer.txt").splitlines() if line.endswith(" same")]
    name, ours, encode, batch = next((f[0], float(f[4]), float(f[7]), float(f[8])) for f in rows if f[0] == "llama-3")
    version = re.search(r"tokenizers [\d.]+", read("tokenizer.txt")).group(0)
    return {"what": "tokenize with a vocabulary of 128256, one thread", "unit": "MB/s", "llmap": ours, "peer": max(encode, batch), "name": version,
            "ratio": ours / max(encode, batch), "share": "", "memory": "", "error": "the same ids"}


def the_map():
    """The steps of a map in turn. The peers' t-SNE makes its affinities itself; their KL is the fastest product of NumPy that it needs."""
    steps = {f[0]: f[1:] for f in (line.split() for line in read("map.txt").splitlines()[1:])}
    own = sum(float(steps[s][0]) for s in ("clip_threshold", "clip_in_place", "center", "kl", "pca", "affinities", "tsne", "tree"))
    theirs = [steps[s] for s in ("clip_threshold", "clip_in_place", "center", "kl", "pca", "tsne", "tree")]
    peer = sum(float(t[1]) for t in theirs)
    return {"what": "map of 1018 models and 10000 texts: clip, center, KL, PCA, t-SNE of 1000 steps, tree", "unit": "s", "llmap": own, "peer": peer,
            "name": "of each step the fastest of " + ", ".join(sorted({t[2].split("-")[0].split(".")[0] for t in theirs})), "ratio": peer / own, "share": "",
            "memory": "", "error": "docs/numerics.md"}


def main():
    rows = [*scoring(), head(), tokenizer(), the_map()]
    number = lambda x: f"{x:.0f}" if x >= 100 else f"{x:.3g}"
    with open(page + ".md", "w", encoding="utf-8") as out:
        out.write(read("title.txt") + "\n| | llmap | best peer | | times faster | share of the probe | memory | error |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
        for r in rows:
            out.write(f"| {r['what']} | {number(r['llmap'])} {r['unit']} | {number(r['peer'])} {r['unit']} | {r['name']} | {r['ratio']:.2f} | {r['share']} | {r['memory']} | {r['error']} |\n")
        out.write("\nMemory and error: llmap, then the peer. Scoring in full:\n\n```\n" + read("scoring.txt").rstrip() + "\n```\n")
    runs = {name: read(name) for name in sorted(os.listdir(folder))}
    with open(page + ".json", "w", encoding="utf-8") as out:
        json.dump({"rows": rows, "runs": runs}, out, indent=1)
        out.write("\n")


main()
