"""Random blocks of each GGUF type with the values that the Python package gguf (0.17 or later) gives them.

    pip install gguf numpy; python make_blocks.py
"""
import json, struct
import numpy as np
from gguf import GGMLQuantizationType as Q
from gguf.quants import dequantize

random = np.random.default_rng(5)
sizes = {"Q4_0": 18, "Q4_1": 20, "Q5_0": 22, "Q5_1": 24, "Q8_0": 34, "Q2_K": 84, "Q3_K": 110, "Q4_K": 144, "Q5_K": 176, "Q6_K": 210}
halves = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
tensors = {}
for name, size in sizes.items():
    blocks = random.integers(0, 256, (6, size), dtype=np.uint8)
    for at in halves[name]:  # scales must be finite
        blocks[:, at:at + 2] = random.normal(0, 0.05, (6, 1)).astype(np.float16).view(np.uint8)
    tensors[name + ".blocks"] = blocks.reshape(-1)
    tensors[name + ".values"] = dequantize(blocks, getattr(Q, name)).astype(np.float32).reshape(-1)
header, data = {}, b""
for name in sorted(tensors, key=lambda n: n.endswith("blocks")):
    t = tensors[name]
    header[name] = {"dtype": "U8" if t.dtype == np.uint8 else "F32", "shape": [t.size], "data_offsets": [len(data), len(data) + t.nbytes]}
    data += t.tobytes()
text = json.dumps(header).encode()
open("blocks.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data)
