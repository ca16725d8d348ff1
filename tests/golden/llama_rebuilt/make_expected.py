#!/usr/bin/env python3
"""Ids of a Llama tokenizer saved with tokenizer.json and tokenizer.model, for every legacy and add_prefix_space.
    pip install transformers==4.57.6 sentencepiece protobuf; python make_expected.py"""
import json
import os
import shutil
import tempfile

from transformers import AutoTokenizer

TEXTS = ["Hello world", " leading", "a<s>b</s> c", "naïve 東京 🙂 1234", "", "two  blanks\nand a line ", "<s> x"]
here = os.path.dirname(os.path.abspath(__file__))
base = json.load(open(os.path.join(here, "tokenizer_config.json")))
cases = []
for legacy in (None, False, True):
    for prefix in (None, False, True):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("tokenizer.json", "tokenizer.model", "special_tokens_map.json"):
                shutil.copy(os.path.join(here, name), folder)
            config = dict(base, legacy=legacy, add_prefix_space=prefix)
            config = {k: v for k, v in config.items() if v is not None}
            json.dump(config, open(os.path.join(folder, "tokenizer_config.json"), "w"))
            t = AutoTokenizer.from_pretrained(folder)
            cases.append({"legacy": legacy, "add_prefix_space": prefix,
                          "samples": [{"text": x, "ids": t(x)["input_ids"]} for x in TEXTS]})
json.dump(cases, open(os.path.join(here, "expected.json"), "w"))
