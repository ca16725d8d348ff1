"""The steps of the map in NumPy, SciPy, scikit-learn and openTSNE, for benchmarks/peers/map.sh.

    python3 map_peers.py MODELS TEXTS [STEP...]

prints one line a step and library: step, library, seconds (the best of a few runs). What a library lacks is left out.
"""
import sys
import time
import numpy as np


def normal(seed, stream, counter):
    """llmap::counter_random{seed}.normal(stream, counter)"""
    golden = np.uint64(0x9E3779B97F4A7C15)

    def mix(z):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

    def uniform(c):
        bits = mix(mix(mix(np.uint64(seed) + golden) ^ (stream * golden + np.uint64(1))) + c * golden)
        return ((bits >> np.uint64(12)).astype(float) + 0.5) * 2.0**-52

    even = counter * np.uint64(2)
    return np.sqrt(-2 * np.log(uniform(even))) * np.cos(2 * np.pi * uniform(even + np.uint64(1)))


def matrix(models, texts):
    """The matrix of benchmarks/map_bench.cpp."""
    i, s = np.arange(models, dtype=np.uint64)[:, None], np.arange(texts, dtype=np.uint64)[None, :]
    families = normal(1, i[:7], s)
    with np.errstate(over="ignore"):
        return np.vstack([-600 + 30 * families[k % 7] + 10 * normal(2, i[k : k + 1], s)[0] for k in range(models)])


def timed(step, library, call, runs=3):
    best = np.inf
    for _ in range(runs):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    print(f"{step} {library} {best:.6f}", flush=True)


def center(l):
    x = l - l.mean(axis=1, keepdims=True)
    return x - x.mean(axis=0)


def squared_distances(q):
    gram = q @ q.T
    norms = np.diag(gram)
    return norms[:, None] + norms[None, :] - 2 * gram


def main():
    models, texts, wanted = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    has = lambda step: not wanted or step in wanted
    with np.errstate(over="ignore"):
        l = matrix(models, texts)
    q = center(l)
    if has("clip_threshold"):
        timed("clip_threshold", "numpy.quantile", lambda: np.quantile(l, 0.02))
    if has("clip"):
        timed("clip", "numpy.maximum", lambda: np.maximum(l, -650.0))
    if has("clip_in_place"):
        copies = [l.copy() for _ in range(3)]
        rest = iter(copies)
        timed("clip_in_place", "numpy.maximum", lambda: np.maximum(copy := next(rest), -650.0, out=copy))
        del copies
    if has("center"):
        timed("center", "numpy", lambda: center(l))
    if has("gram"):
        timed("gram", "numpy.matmul", lambda: q @ q.T)
    if has("kl"):
        from scipy.spatial.distance import pdist
        from sklearn.metrics import pairwise_distances

        timed("kl", "numpy-gram-alone", lambda: q @ q.T)
        timed("kl", "numpy", lambda: squared_distances(center(l)) / (2 * texts))
        timed("kl", "sklearn.pairwise_distances", lambda: pairwise_distances(center(l), metric="sqeuclidean"))
        timed("kl", "scipy.pdist", lambda: pdist(q, "sqeuclidean"), 1)
    for step, count in (("pca", 2), ("pca_ten", 10)):
        if has(step):
            from scipy.linalg import eigh
            from scipy.sparse.linalg import eigsh, svds
            from sklearn.decomposition import PCA

            def from_gram(solve):
                values, vectors = solve(q @ q.T)
                return vectors * np.sqrt(values), (vectors / np.sqrt(values)).T @ q

            timed(step, "scipy.eigh", lambda: from_gram(lambda g: eigh(g, subset_by_index=[models - count, models - 1])))
            timed(step, "scipy.eigsh", lambda: from_gram(lambda g: eigsh(g, count)))
            timed(step, "scipy.svds", lambda: svds(q, count), 1)
            timed(step, "sklearn.PCA", lambda: PCA(count).fit_transform(q))
    if has("tree"):
        from scipy.cluster.hierarchy import average
        from scipy.spatial.distance import squareform

        bits = squared_distances(q)
        np.fill_diagonal(bits, 0)
        bits = (bits + bits.T) / 2
        timed("tree", "scipy.average", lambda: average(squareform(bits, checks=False)), 5)
    if has("affinities"):
        from sklearn.manifold import _t_sne

        distances = np.maximum(squared_distances(q), 0).astype(np.float32)
        np.fill_diagonal(distances, 0)
        timed("affinities", "sklearn", lambda: _t_sne._joint_probabilities(distances, 30, 0))
    if has("tsne"):
        from openTSNE import TSNE as OpenTSNE
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE

        few = PCA(50).fit_transform(q)
        timed("tsne", "openTSNE", lambda: OpenTSNE(n_iter=750, n_jobs=-1, initialization="pca", random_state=0).fit(few), 1)
        timed("tsne", "sklearn-barnes-hut", lambda: TSNE(init="pca", random_state=0, n_jobs=-1, max_iter=1000).fit(few), 1)
        if "fast" not in wanted:
            timed("tsne", "sklearn-exact", lambda: TSNE(init="pca", random_state=0, method="exact", max_iter=1000).fit(few), 1)


main()
