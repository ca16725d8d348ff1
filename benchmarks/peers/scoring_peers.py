"""Log-probabilities of the tokens of texts, in float32: llmap beside other programs.

usage: scoring_peers.py LLMAP FOLDER [PEER...]      peers: transformers, onnxruntime, openvino, ctranslate2, llama.cpp, llmap

FOLDER is written by make_model.py. Each program runs in a process of its own on all processors: from start to the first
text's scores, then all texts of 512 tokens and all of 60 to 400 tokens, and the most memory it ever held. Errors are
against a forward pass in float64 by NumPy, of all texts. Peers get one text at a time, which is how they are fastest; llmap
gets all at once, as a user would. A peer that cannot be imported is left out with a line.

Every peer returns the log-probability of each token that follows, from its own float32 log-softmax (llama.cpp from
NumPy's: it has none). ONNX Runtime and OpenVINO get the same graph of plain operators, written here; CTranslate2 gets the
weights through its model specification, llama.cpp as a GGUF file.
"""
import json, os, subprocess, sys, time
import numpy as np

REPEATS = 3


def read_model(folder):
    """The configuration and the BF16 tensors, widened to float32."""
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    data = np.fromfile(os.path.join(folder, "model.safetensors"), np.uint8)
    start = 8 + int(data[:8].view("<u8")[0])
    tensors = {}
    for name, tensor in json.loads(data[8:start].tobytes()).items():
        if name != "__metadata__":
            begin, end = (start + offset for offset in tensor["data_offsets"])
            tensors[name] = (data[begin:end].view("<u2").astype(np.uint32) << 16).view(np.float32).reshape(tensor["shape"])
    return config, tensors


def peak_memory():
    """MB at most, of the program that runs now: the resource usage of a process counts what it was forked from."""
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def read_texts(folder, name):
    with open(os.path.join(folder, name + ".json")) as f:
        return json.load(f)["sequences"]


def rotary(config, length, dtype):
    """Cosines and sines (T, D) of the half-split rotary positions."""
    d = config["hidden_size"] // config["num_attention_heads"]
    angle = np.arange(length)[:, None] * config["rope_theta"] ** (-np.arange(0, d, 2) / d)
    return np.concatenate([np.cos(angle)] * 2, 1).astype(dtype), np.concatenate([np.sin(angle)] * 2, 1).astype(dtype)


# The oracle: a llama in float64, as it is written down.
def float64_scores(config, weights, ids):
    heads, kv_heads, eps = config["num_attention_heads"], config["num_key_value_heads"], config["rms_norm_eps"]
    T, d = len(ids), config["hidden_size"] // heads
    cos, sin = rotary(config, T, np.float64)
    w = lambda name: weights[name].astype(np.float64)
    norm = lambda x, name: x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w(name)
    turn = lambda x: x * cos + np.concatenate([-x[..., d // 2:], x[..., :d // 2]], -1) * sin
    split = lambda x, n: x.reshape(T, n, d).transpose(1, 0, 2)
    x = w("model.embed_tokens.weight")[ids]
    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        h = norm(x, p + "input_layernorm.weight")
        q, k, v = (split(h @ w(f"{p}self_attn.{n}_proj.weight").T, m) for n, m in [("q", heads), ("k", kv_heads), ("v", kv_heads)])
        k, v = (np.repeat(a, heads // kv_heads, 0) for a in (turn(k), v))
        s = turn(q) @ k.transpose(0, 2, 1) / d**0.5
        s[:, np.triu_indices(T, 1)[0], np.triu_indices(T, 1)[1]] = -np.inf
        s = np.exp(s - s.max(-1, keepdims=True))
        a = (s / s.sum(-1, keepdims=True)) @ v
        x = x + a.transpose(1, 0, 2).reshape(T, -1) @ w(p + "self_attn.o_proj.weight").T
        h = norm(x, p + "post_attention_layernorm.weight")
        g = h @ w(p + "mlp.gate_proj.weight").T
        x = x + (g / (1 + np.exp(-g)) * (h @ w(p + "mlp.up_proj.weight").T)) @ w(p + "mlp.down_proj.weight").T
    z = norm(x, "model.norm.weight")[:-1] @ w("model.embed_tokens.weight").T
    m = z.max(-1)
    return z[np.arange(T - 1), ids[1:]] - m - np.log(np.exp(z - m[:, None]).sum(-1))


def all_texts(folder):
    return read_texts(folder, "fixed") + read_texts(folder, "ragged")


def exact_scores(folder):
    """Of every text; computed once."""
    path = os.path.join(folder, "exact_scores.npz")
    if not os.path.exists(path):
        config, weights = read_model(folder)
        np.savez(path, *(float64_scores(config, weights, ids) for ids in all_texts(folder)))
    return list(np.load(path).values())


def onnx_file(folder):
    """The model as a graph of plain ONNX operators, ids (T) -> log-softmax (T - 1, V); written once."""
    path = os.path.join(folder, "model.onnx")
    if os.path.exists(path):
        return path
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    config, weights = read_model(folder)
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    d = config["hidden_size"] // heads
    nodes, constants = [], {}

    def constant(name, value):
        constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(kind, *inputs, **attributes):
        name = f"t{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    ints = lambda *v: constant("i" + "_".join(map(str, v)), np.array(v, np.int64))
    real = lambda v: constant(f"f{v}", np.float32(v))
    linear = lambda x, name: op("MatMul", x, constant(name + ".T", weights[name].T))
    part = lambda x, begin, end, axis: op("Slice", x, ints(begin), ints(end), ints(axis))
    end = 2**31 - 1

    def norm(x, name):
        mean = op("ReduceMean", op("Mul", x, x), ints(-1), keepdims=1)
        return op("Mul", op("Div", x, op("Sqrt", op("Add", mean, real(config["rms_norm_eps"])))), constant(name, weights[name]))

    cos, sin = rotary(config, config["max_position_embeddings"], np.float32)
    length = op("Shape", "ids")
    cos, sin = (op("Slice", constant(n, v), ints(0), length, ints(0)) for n, v in (("cos", cos), ("sin", sin)))
    square = op("Concat", length, length, axis=0)
    mask = op("Trilu", op("Expand", real(-3e38), square), constant("one", np.int64(1)), upper=1)

    def turn(x):
        half = op("Concat", op("Neg", part(x, d // 2, end, 2)), part(x, 0, d // 2, 2), axis=2)
        return op("Add", op("Mul", x, cos), op("Mul", half, sin))

    def split(x, n):
        return op("Transpose", op("Reshape", x, ints(-1, n, d)), perm=[1, 0, 2])

    def repeat(x):  # (Hkv, T, D) -> (H, T, D), each head for its group
        four = op("Unsqueeze", x, ints(1))
        shape = op("Concat", ints(kv_heads), ints(heads // kv_heads), length, ints(d), axis=0)
        return op("Reshape", op("Expand", four, shape), op("Concat", ints(heads), length, ints(d), axis=0))

    embedding = constant("embedding", weights["model.embed_tokens.weight"])
    x = op("Gather", embedding, "ids")
    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        h = norm(x, p + "input_layernorm.weight")
        q, k, v = (split(linear(h, f"{p}self_attn.{n}_proj.weight"), m) for n, m in [("q", heads), ("k", kv_heads), ("v", kv_heads)])
        k, v = repeat(turn(k)), repeat(v)
        s = op("Mul", op("MatMul", turn(q), op("Transpose", k, perm=[0, 2, 1])), real(d**-0.5))
        a = op("MatMul", op("Softmax", op("Add", s, mask), axis=-1), v)
        a = op("Reshape", op("Transpose", a, perm=[1, 0, 2]), ints(-1, heads * d))
        x = op("Add", x, linear(a, p + "self_attn.o_proj.weight"))
        h = norm(x, p + "post_attention_layernorm.weight")
        g = linear(h, p + "mlp.gate_proj.weight")
        g = op("Mul", op("Mul", g, op("Sigmoid", g)), linear(h, p + "mlp.up_proj.weight"))
        x = op("Add", x, linear(g, p + "mlp.down_proj.weight"))
    x = part(norm(x, "model.norm.weight"), 0, -1, 0)
    nodes.append(helper.make_node("LogSoftmax", [op("Gemm", x, embedding, transB=1)], ["scores"], axis=-1))
    graph = helper.make_graph(nodes, "llama", [helper.make_tensor_value_info("ids", TensorProto.INT64, ["T"])],
                              [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["S", config["vocab_size"]])], list(constants.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


def pick(log_softmax, ids):
    return np.asarray(log_softmax)[np.arange(len(ids) - 1), ids[1:]]


# A peer: folder -> (version, function of a text's ids that gives the log-probabilities of all but the first).
def use_transformers(folder):
    import torch, transformers
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()

    def score(ids):
        with torch.inference_mode():
            t = torch.tensor([ids])
            p = torch.log_softmax(model(t, use_cache=False).logits[0, :-1], -1)
            return p.gather(1, t[0, 1:, None])[:, 0].numpy()

    return f"{transformers.__version__}, torch {torch.__version__}", score


def use_onnxruntime(folder):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    session = onnxruntime.InferenceSession(onnx_file(folder), options, providers=["CPUExecutionProvider"])
    return onnxruntime.__version__, lambda ids: pick(session.run(None, {"ids": np.array(ids)})[0], ids)


def use_openvino(folder):
    import openvino
    model = openvino.Core().compile_model(onnx_file(folder), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"})
    return openvino.__version__.split("-")[0], lambda ids: pick(model({"ids": np.array(ids)})[0], ids)


def ctranslate2_folder(folder):
    out = os.path.join(folder, "ctranslate2")
    if os.path.exists(os.path.join(out, "model.bin")):
        return out
    from ctranslate2.converters import utils
    from ctranslate2.specs import common_spec, transformer_spec
    config, weights = read_model(folder)
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        config["num_hidden_layers"], config["num_attention_heads"], activation=common_spec.Activation.SWISH, pre_norm=True, ffn_glu=True,
        rms_norm=True, rotary_dim=0, rotary_interleave=False, rotary_base=config["rope_theta"], num_heads_kv=config["num_key_value_heads"])
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = decoder.projection.weight = weights["model.embed_tokens.weight"]
    decoder.layer_norm.gamma = weights["model.norm.weight"]
    for i, layer in enumerate(decoder.layer):
        w = lambda name: weights[f"model.layers.{i}.{name}.weight"]
        layer.self_attention.layer_norm.gamma, layer.ffn.layer_norm.gamma = w("input_layernorm"), w("post_attention_layernorm")
        parts = [common_spec.LinearSpec() for _ in range(3)]
        for part, name in zip(parts, "qkv"):
            part.weight = w(f"self_attn.{name}_proj")
        utils.fuse_linear(layer.self_attention.linear[0], parts)
        layer.self_attention.linear[1].weight = w("self_attn.o_proj")
        layer.ffn.linear_0.weight, layer.ffn.linear_0_noact.weight = w("mlp.gate_proj"), w("mlp.up_proj")
        layer.ffn.linear_1.weight = w("mlp.down_proj")
    spec.register_vocabulary([f"t{i}" for i in range(config["vocab_size"])])
    spec.config.layer_norm_epsilon = config["rms_norm_eps"]
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = "t0"
    spec.validate()
    spec.optimize(quantization="float32")
    os.makedirs(out, exist_ok=True)
    spec.save(out)
    return out


def use_ctranslate2(folder):
    import ctranslate2
    generator = ctranslate2.Generator(ctranslate2_folder(folder), compute_type="float32", intra_threads=os.cpu_count())
    score = lambda ids: np.array(generator.score_batch([[f"t{i}" for i in ids]])[0].log_probs)
    return ctranslate2.__version__, score


def gguf_file(folder):
    path = os.path.join(folder, "model.gguf")
    if os.path.exists(path):
        return path
    import gguf
    config, weights = read_model(folder)
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    out = gguf.GGUFWriter(path + ".part", "llama")
    out.add_block_count(config["num_hidden_layers"])
    out.add_context_length(config["max_position_embeddings"])
    out.add_embedding_length(config["hidden_size"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_head_count(heads)
    out.add_head_count_kv(kv_heads)
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])
    out.add_rope_dimension_count(config["hidden_size"] // heads)
    out.add_rope_freq_base(config["rope_theta"])
    out.add_vocab_size(config["vocab_size"])
    out.add_tokenizer_model("none")
    out.add_file_type(gguf.LlamaFileType.ALL_F32)

    def interleaved(w, n):  # rotary pairs side by side
        return w.reshape(n, 2, w.shape[0] // n // 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)

    out.add_tensor("token_embd.weight", weights["model.embed_tokens.weight"])
    out.add_tensor("output_norm.weight", weights["model.norm.weight"])
    for i in range(config["num_hidden_layers"]):
        w = lambda name: weights[f"model.layers.{i}.{name}.weight"]
        for name, value in [("attn_norm", w("input_layernorm")), ("attn_q", interleaved(w("self_attn.q_proj"), heads)),
                            ("attn_k", interleaved(w("self_attn.k_proj"), kv_heads)), ("attn_v", w("self_attn.v_proj")),
                            ("attn_output", w("self_attn.o_proj")), ("ffn_norm", w("post_attention_layernorm")), ("ffn_gate", w("mlp.gate_proj")),
                            ("ffn_up", w("mlp.up_proj")), ("ffn_down", w("mlp.down_proj"))]:
            out.add_tensor(f"blk.{i}.{name}.weight", np.ascontiguousarray(value))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    os.rename(path + ".part", path)
    return path


def use_llama_cpp(folder):
    import llama_cpp
    model = llama_cpp.Llama(gguf_file(folder), n_ctx=512, n_batch=512, n_ubatch=512, n_threads=os.cpu_count(), n_threads_batch=os.cpu_count(),
                            logits_all=True, verbose=False)

    def score(ids):
        model.reset()
        model.eval(ids)
        logits = model.scores[: len(ids) - 1]  # it has no log-softmax of its own
        top = logits.max(-1)
        return pick(logits, ids) - top - np.log(np.exp(logits - top[:, None]).sum(-1))

    return llama_cpp.__version__, score


CONVERTERS = {"onnxruntime": onnx_file, "openvino": onnx_file, "ctranslate2": ctranslate2_folder, "llama.cpp": gguf_file}
PEERS = {"transformers": use_transformers, "onnxruntime": use_onnxruntime, "openvino": use_openvino, "ctranslate2": use_ctranslate2, "llama.cpp": use_llama_cpp}


def rates(score, texts):
    """Tokens a second, the best of a few passes, and the share of all processors that it had then."""
    best = (0, 0)
    for _ in range(REPEATS):
        start, used = time.perf_counter(), time.process_time()
        for ids in texts:
            score(ids)
        seconds = time.perf_counter() - start
        best = max(best, (sum(map(len, texts)) / seconds, (time.process_time() - used) / seconds / os.cpu_count()))
    return best


def run_peer(name, folder, out, started):
    fixed, ragged = read_texts(folder, "fixed"), read_texts(folder, "ragged")
    version, score = PEERS[name](folder)
    first = score(fixed[0])
    seconds = time.time() - started
    np.savez(out, first, *(score(ids) for ids in all_texts(folder)[1:]))
    speed = rates(score, fixed) + rates(score, ragged)
    print(json.dumps([version, *speed, seconds, peak_memory()]))


def run_llmap(program, folder, out):
    """`llmap logprobs` on one text and on more: the difference is the price of the others."""
    texts = {name: read_texts(folder, name) for name in ("fixed", "ragged")}

    def run(sequences):
        path = os.path.join(folder, "llmap_ids.json")
        with open(path, "w") as f:
            json.dump({"sequences": sequences}, f)
        start = time.perf_counter()
        process = subprocess.Popen([program, "logprobs", folder, "--ids", path], stdout=subprocess.PIPE)
        scores = json.loads(process.stdout.read())["sequences"]
        _, status, used = os.wait4(process.pid, 0)
        if status:
            sys.exit("llmap failed")
        return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, [np.array(s["logprob"][-(len(s["ids"]) - 1):]) for s in scores]

    best = lambda sequences: min((run(sequences) for _ in range(REPEATS)), key=lambda r: r[0])
    one, one_used, _, scores = best(texts["fixed"][:1])
    speed = []
    for name in texts:
        seconds, used, memory, more = best(texts["fixed"][:1] + texts[name])
        speed += [sum(map(len, texts[name])) / (seconds - one), (used - one_used) / (seconds - one) / os.cpu_count()]
        scores += more[2 if name == "fixed" else 1:]  # the first of all is there once already
    np.savez(out, *scores)
    print(json.dumps(["logprobs", *speed, one, memory]))


def main():
    if sys.argv[1] == "--run":
        name, program, folder, out, started = sys.argv[2:]
        return run_llmap(program, folder, out) if name == "llmap" else run_peer(name, folder, out, float(started))
    program, folder, names = sys.argv[1], sys.argv[2], sys.argv[3:] or ["llmap", *PEERS]
    exact = exact_scores(folder)
    print(f"float32, {os.cpu_count()} processors; {len(exact)} texts, mean log-probability {np.concatenate(exact).mean():.3f} nats")
    print("tokens/s with the share of all processors that the program had meanwhile; errors in nats: of a token, root mean square and mean,")
    print("and of the sum of a text, root mean square")
    print(f"{'program':<14}{'T = 512':>13}{'T = 60 to 400':>15}{'s to first':>12}{'peak MB':>9}{'token':>10}{'mean':>10}{'sum':>10}  version")
    for name in names:
        out = os.path.join(folder, "scores.npz")
        try:
            CONVERTERS.get(name, lambda folder: None)(folder)
        except ImportError as problem:
            print(f"{name:<14}left out: {problem}")
            continue
        run = subprocess.run([sys.executable, __file__, "--run", name, program, folder, out, str(time.time())], capture_output=True, text=True)
        if run.returncode:
            print(f"{name:<14}left out: {(run.stderr.strip().splitlines() or ['failed'])[-1][:120]}")
            continue
        version, fixed, fixed_share, ragged, ragged_share, seconds, memory = json.loads(run.stdout.splitlines()[-1])
        errors = [got.astype(np.float64) - want for got, want in zip(np.load(out).values(), exact, strict=True)]
        tokens = np.concatenate(errors)
        rms = lambda e: np.sqrt(np.mean(np.square(e)))
        print(f"{name:<14}{fixed:>7.0f} {fixed_share:>4.0%}{ragged:>10.0f} {ragged_share:>4.0%}{seconds:>12.2f}{memory:>9.0f}"
              f"{rms(tokens):>10.1e}{tokens.mean():>+10.1e}{rms([e.sum() for e in errors]):>10.1e}  {version}", flush=True)


main()
