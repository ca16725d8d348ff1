"""Makes the cases of tiktoken's vocabularies: `python make_ranked.py` writes tekken_file, tekken_file_v3 and tiktoken_file.

The ranks are the bytes, then the tokens of a byte-level case in the order of its merges.
tekken_file*: the ids are those of mistral_common 1.8.5; tiktoken_file: of AutoTokenizer, checked against tiktoken 0.12.
Needs transformers 4.57.6, mistral_common 1.8.5 and tiktoken 0.12.0.
"""
import base64
import json
import os
import shutil

import make_tokenizers as m
import tricky
from build import byte_alphabet

HERE = os.path.dirname(os.path.abspath(__file__))


def ranked(case):
    with open(os.path.join(HERE, case, "tokenizer.json"), encoding="utf-8") as f:
        doc = json.load(f)
    letters = byte_alphabet()
    of_letter = {c: b for b, c in (enumerate(letters) if isinstance(letters, list) else letters.items())}
    special = {t["content"] for t in doc["added_tokens"]}
    vocab = sorted(doc["model"]["vocab"], key=doc["model"]["vocab"].get)
    tokens = [bytes([b]) for b in range(256)]
    tokens += [bytes(of_letter[c] for c in t) for t in vocab if len(t) > 1 and t not in special]
    assert len(set(tokens)) == len(tokens)
    pattern = doc["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    return tokens, pattern


def shown(token):
    try:
        return token.decode("utf-8")
    except UnicodeDecodeError:
        return None


def tekken(tokens, pattern, version, unused):
    """`unused` ranks at the end lie beyond default_vocab_size."""
    names = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
    special = 20 if version == "v3" else 8
    doc = {"config": {"pattern": pattern, "num_vocab_tokens": len(tokens), "default_vocab_size": len(tokens) + special - unused,
                      "default_num_special_tokens": special, "version": version},
           "vocab": [{"rank": i, "token_bytes": base64.b64encode(t).decode(), "token_str": shown(t)} for i, t in enumerate(tokens)]}
    if version != "v3":
        doc["special_tokens"] = [{"rank": i, "token_str": n, "is_control": True} for i, n in enumerate(names)]
    return doc


def samples(encode, prefix, texts):
    rows = []
    for index, text in texts:
        row = {"text": text if index is None else index}
        m.put(row, "ids", encode(text))
        rows.append(row)
    return {"special_prefix": prefix, "special_suffix": [], "samples": rows}


def write(name, files, mirrors, policy, versions, answers):
    where = os.path.join(HERE, name)
    head = {"case": name, "mirrors": mirrors, "policy": policy, "versions": versions}
    m.write_expected(os.path.join(where, "expected.json"), head | answers)


def fresh(name, files):
    where = os.path.join(HERE, name)
    shutil.rmtree(where, ignore_errors=True)
    m.write_files(where, files)
    return where


def main():
    import mistral_common
    import tiktoken
    import transformers
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    texts = [(i, t) for i, (_, t) in enumerate(tricky.shared_texts())]
    texts += [(None, t) for t in ["<s>[INST] hi [/INST]</s>", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "thethethe the the"]]
    tokens, pattern = ranked("mistral_tekken")
    for name, version, unused in [("tekken_file", "v11", 40), ("tekken_file_v3", "v3", 0)]:
        where = fresh(name, {"tekken.json": tekken(tokens, pattern, version, unused)})
        t = Tekkenizer.from_file(os.path.join(where, "tekken.json"))
        write(name, where, "Mistral's models that bring tekken.json alone", "<s> in front; special tokens in a text are text",
              {"mistral_common": mistral_common.__version__, "tiktoken": tiktoken.__version__},
              samples(lambda text: t.encode(text, bos=False, eos=False), t.encode("", bos=True, eos=False), texts))

    tokens, pattern = ranked("llama3")
    lines = "".join("%s %d\n" % (base64.b64encode(t).decode(), i) for i, t in enumerate(tokens))
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"]
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": names[0], "eos_token": names[1],
              "added_tokens_decoder": {str(len(tokens) + i): {"content": n} | flags for i, n in enumerate(names)}}
    where = fresh("tiktoken_file", {"tokenizer.model": lines, "tokenizer_config.json": config})
    auto = transformers.AutoTokenizer.from_pretrained(where)
    plain = tiktoken.Encoding("case", pat_str=pattern, mergeable_ranks={t: i for i, t in enumerate(tokens)},
                              special_tokens={n: len(tokens) + i for i, n in enumerate(names)})
    encode = lambda text: auto(text, add_special_tokens=False)["input_ids"]  # noqa: E731
    differ = [t for _, t in texts if encode(t) != plain.encode(t, allowed_special="all")]
    print("tiktoken_file: AutoTokenizer and tiktoken differ on %d of %d texts" % (len(differ), len(texts)), differ[:5])
    write("tiktoken_file", where, "Llama 3's tokenizer.model without tokenizer.json", "nothing around a text",
          {"transformers": transformers.__version__, "tiktoken": tiktoken.__version__}, samples(encode, [], texts))


if __name__ == "__main__":
    main()
