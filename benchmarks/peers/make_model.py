"""Writes a model of SmolLM2-135M's shape with seeded random weights, and the ids of texts to score with it.

usage: make_model.py FOLDER

FOLDER gets config.json, model.safetensors (BF16, as such models are published), fixed.json (4 texts of 512 ids) and ragged.json (8 texts of 60 to 400).
The scales are such that activations keep their size through the layers and logits have a standard deviation of about 2.
"""
import json, os, sys
import numpy as np

CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 576, "intermediate_size": 1536,
          "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152,
          "tie_word_embeddings": True, "rms_norm_eps": 1e-5, "rope_theta": 100000.0, "max_position_embeddings": 8192,
          "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "torch_dtype": "bfloat16", "bos_token_id": 0, "eos_token_id": 0}


def save_bf16(tensors, path):
    """A safetensors file: the length of the header in 8 bytes, the header in JSON, the data."""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "BF16", "shape": value.shape, "data_offsets": [end, end + 2 * value.size]}
        end += 2 * value.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for value in tensors.values():
            bits = value.view(np.uint32)
            ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16).tofile(f)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    random = np.random.default_rng(7)
    width, inner, vocab = CONFIG["hidden_size"], CONFIG["intermediate_size"], CONFIG["vocab_size"]
    kv = width * CONFIG["num_key_value_heads"] // CONFIG["num_attention_heads"]

    def normal(rows, cols, scale):
        return random.standard_normal((rows, cols), dtype=np.float32) * np.float32(scale)

    def gain():
        return (1 + 0.1 * random.standard_normal(width)).astype(np.float32)

    tensors = {"model.embed_tokens.weight": normal(vocab, width, 2 / width**0.5), "model.norm.weight": gain()}
    for i in range(CONFIG["num_hidden_layers"]):
        p = f"model.layers.{i}."
        for name, rows, cols, scale in [("self_attn.q_proj", width, width, 1.5), ("self_attn.k_proj", kv, width, 1.5), ("self_attn.v_proj", kv, width, 1),
                                        ("self_attn.o_proj", width, width, 0.3), ("mlp.gate_proj", inner, width, 1), ("mlp.up_proj", inner, width, 1),
                                        ("mlp.down_proj", width, inner, 0.3)]:
            tensors[f"{p}{name}.weight"] = normal(rows, cols, scale / cols**0.5)
        tensors[p + "input_layernorm.weight"] = gain()
        tensors[p + "post_attention_layernorm.weight"] = gain()
    save_bf16(tensors, os.path.join(folder, "model.safetensors"))
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(CONFIG, f, indent=1)
    for name, lengths in [("fixed", [512] * 4), ("ragged", random.integers(60, 401, 8))]:
        with open(os.path.join(folder, name + ".json"), "w") as f:
            json.dump({"sequences": [random.integers(0, vocab, n).tolist() for n in lengths]}, f)


main(sys.argv[1])
