"""Small models in GGUF files with what transformers computes for them in float64.

    pip install gguf==0.17.1 numpy torch transformers==4.57.6; python make_models.py

Each file is written with the layout of llama.cpp's converter: its names, its order of the rows of q and k of a llama, the
factors of Llama 3 in rope_freqs.weight. The expected values come from the same weights, dequantized by the package gguf,
in a model of transformers.
"""
import json, math
from pathlib import Path
import gguf, numpy as np, torch
from gguf import GGMLQuantizationType as Q
from gguf.quants import dequantize, quantize
from transformers import AutoConfig, AutoModelForCausalLM

here = Path(__file__).parent
real_float32, real_float = torch.float32, torch.Tensor.float
vocab, layers, positions = 288, 2, 128
bytes_to_unicode = {}  # GPT-2's characters for bytes
plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
for b in range(256):
    bytes_to_unicode[b] = chr(b) if b in plain else chr(256 + sum(c not in plain for c in range(b)))
tokens = [bytes_to_unicode[b] for b in range(256)] + ["th", "he", "in", "er", "an", "the"] + [f"<unused{i}>" for i in range(24)] + ["<s>", "</s>"]
merges = ["t h", "h e", "i n", "e r", "a n", "th e"]
assert len(tokens) == vocab

def random_blocks(random, shape, name):
    """K-quants have no quantizer in the package: random bytes with small finite scales."""
    block, size = gguf.GGML_QUANT_SIZES[Q[name]]
    blocks = random.integers(0, 256, (shape[0], shape[1] // block, size), dtype=np.uint8)
    level = {"Q2_K": 0.004, "Q3_K": 0.0008, "Q4_K": 0.0002, "Q5_K": 0.0001, "Q6_K": 0.00002}[name]
    for at in {"Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}[name]:
        scale = (level * random.uniform(0.5, 1, blocks.shape[:2])).astype(np.float16)
        blocks[:, :, at:at + 2] = scale[..., None].view(np.uint8)
    return blocks.reshape(shape[0], -1)

def permute(w, heads):  # llama.cpp, convert_hf_to_gguf.py: LlamaModel.permute
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)

def unpermute(w, heads):
    return w.reshape(heads, w.shape[0] // heads // 2, 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)

cases = {
    "llama_q4_k_m": dict(arch="llama", heads=4, kv=2, types=["Q4_K", "Q6_K", "Q5_K", "Q3_K", "Q2_K"], scaled=True),
    "llama_q8_0": dict(arch="llama", heads=8, kv=8, types=["Q8_0", "Q4_0", "Q5_0"], tied=True),
    "qwen2_q5_1": dict(arch="qwen2", heads=4, kv=2, types=["Q5_1", "Q4_1"], tied=True),
    "qwen3_f16": dict(arch="qwen3", heads=4, kv=2, head_dim=32, types=["F16", "BF16", "F32"]),
}
for number, (case, o) in enumerate(cases.items()):
    random = np.random.default_rng(number)
    arch, heads, kv = o["arch"], o["heads"], o["kv"]
    width = inner = 256 if o.get("scaled") else 64  # a block of a K-quant has 256 weights
    head, tied = o.get("head_dim", width // heads), o.get("tied", False)
    fields = dict(vocab_size=vocab, hidden_size=width, intermediate_size=inner, num_hidden_layers=layers, num_attention_heads=heads,
                  num_key_value_heads=kv, max_position_embeddings=positions, rms_norm_eps=float(np.float32(1e-6)), rope_theta=50000.0, tie_word_embeddings=tied)
    if arch != "qwen2": fields["head_dim"] = head
    if o.get("scaled"):
        fields["rope_scaling"] = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
    config = AutoConfig.for_model(arch, **fields)
    torch.manual_seed(number)
    model = AutoModelForCausalLM.from_config(config).double().eval()
    out = gguf.GGUFWriter(here / f"{case}.gguf", arch)
    out.add_context_length(positions); out.add_embedding_length(width); out.add_block_count(layers); out.add_feed_forward_length(inner)
    out.add_head_count(heads); out.add_head_count_kv(kv); out.add_layer_norm_rms_eps(1e-6); out.add_rope_freq_base(50000.0)
    if arch != "qwen2": out.add_key_length(head); out.add_value_length(head)
    if arch == "llama": out.add_vocab_size(vocab); out.add_rope_dimension_count(head)
    out.add_tokenizer_model("gpt2"); out.add_tokenizer_pre("llama-bpe" if arch == "llama" else "qwen2"); out.add_token_list(tokens)
    out.add_token_types([1] * 262 + [5] * 24 + [3, 3]); out.add_token_merges(merges)
    out.add_bos_token_id(286); out.add_eos_token_id(287); out.add_add_bos_token(arch == "llama")
    factors = []
    if o.get("scaled"):
        for i in range(0, head, 2):  # convert_hf_to_gguf.py: LlamaModel.generate_extra_tensors
            wavelength = 2 * math.pi * 50000.0 ** (i / head)
            if wavelength < 64 / 4.0: factors.append(1.0)
            elif wavelength > 64 / 1.0: factors.append(8.0)
            else:
                smooth = (64 / wavelength - 1.0) / (4.0 - 1.0)
                factors.append(1 / ((1 - smooth) / 8.0 + smooth))
        out.add_tensor("rope_freqs.weight", np.array(factors, dtype=np.float32))
    names = gguf.get_tensor_name_map({"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2, "qwen3": gguf.MODEL_ARCH.QWEN3}[arch], layers)
    state, turn = model.state_dict(), 0
    for name, value in state.items():
        if tied and name == "lm_head.weight": continue
        stored = names.get_name(name, (".weight", ".bias"))
        if value.ndim == 1:
            weights = (1 + 0.1 * random.standard_normal(value.shape) if "norm" in name else 0.1 * random.standard_normal(value.shape)).astype(np.float32)
            out.add_tensor(stored, weights)
        else:
            kind = o["types"][turn % len(o["types"])]
            turn += 1
            rows = (random.standard_normal(value.shape) * 0.08).astype(np.float32)
            if kind in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"): data = quantize(rows, Q[kind])
            else: data = random_blocks(random, value.shape, kind)
            out.add_tensor(stored, data, raw_dtype=Q[kind])
            weights = dequantize(data, Q[kind])
            turns = heads if name.endswith("q_proj.weight") else kv if name.endswith("k_proj.weight") else 0
            if arch == "llama" and turns:  # what is stored has llama.cpp's order
                weights = unpermute(weights, turns)
                assert (permute(weights, turns) == dequantize(data, Q[kind])).all()
        state[name].copy_(torch.from_numpy(np.ascontiguousarray(weights, dtype=np.float64)))
    out.write_header_to_file(); out.write_kv_data_to_file(); out.write_tensors_to_file(); out.close()
    text = "the heron in an inner the" + ("  </s>" if arch == "llama" else "")
    ids = ([286] if arch == "llama" else []) + [int(i) for i in random.integers(0, 286, 40)]
    # transformers rounds norms, rotations and frequencies to float32; the file's factors are those of the exact frequencies
    model.model.rotary_emb.inv_freq = torch.from_numpy(50000.0 ** -(np.arange(0, head, 2) / head) / np.array(factors or 1, dtype=np.float32).astype(np.float64))
    torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double
    with torch.no_grad(): logits = model(torch.tensor([ids])).logits[0]
    torch.float32, torch.Tensor.float = real_float32, real_float
    logp = torch.log_softmax(logits, -1)[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    json.dump({"ids": ids, "log_probabilities": logp.tolist()}, open(here / f"{case}.json", "w"))
    print(case, float(logp.mean()), (here / f"{case}.gguf").stat().st_size)
