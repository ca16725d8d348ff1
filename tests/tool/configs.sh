# info of folders with only a config.json: the published sizes of published models, without their weights.
source "$(dirname "$0")/common.sh"
configs=$source/tests/tool/configs
field() { # field MODEL NAME: a number of info --json
  mkdir -p "$1" && cp "$configs/$1.json" "$1/config.json" && "$llmap" info "$1" --json | sed -n "s/^ \"$2\": \([^,]*\),*$/\1/p"
}
is() { # is MODEL PARAMETERS PARAMETERS_OF_A_TOKEN
  local got
  got=$(field "$1" parameters)
  check "$1: $2 parameters, got $got" test "$got" = "$2"
  got=$(field "$1" parameters_of_a_token)
  check "$1: $3 of a token, got $got" test "${got%.0}" = "$3"
}
# Total as the publishers count them; of a token: without the table of embeddings, and of the experts only the chosen.
is llama-3.1-70b 70553706496 69503033344   # less 128256 x 8192
is mixtral-8x7b 46702792704 12748853248    # 12.9e9 with the embedding
is deepseek-v3 671026419200 36625618432    # 37e9; without the layer that predicts further tokens
is qwen3.5-35b-a3b 34660610688 2946429568  # the text part
is gpt-oss-120b 116829156672 5132849472    # 116.83e9 and 5.13e9
# Two operations a parameter of a token, and those of attention over a text of 512 tokens; the last token has no head.
check "operations of a token" bash -c 'awk -v f="$0" -v p=69503033344 "BEGIN { exit !(f > 1.99 * p && f < 2.02 * p) }"' "$(field llama-3.1-70b flop_of_a_token)"
# 16 bits a weight as they are stored, and the norms in 32.
check "memory" bash -c 'awk -v b="$0" "BEGIN { exit !(b > 2 * 70553706496 && b < 2.01 * 70553706496) }"' "$(field llama-3.1-70b memory_bytes_f32)"
check "info in words" bash -c '"$0" info llama-3.1-70b | grep -q "^weights        70553706496 parameters in 723 tensors; only the config is here$"' "$llmap"
check "no weights, no tokenizer" bash -c '"$0" info gpt-oss-120b --json | tr -d "\n" | grep -q "\"weights\": null, *\"tokenizer\": null"' "$llmap"
refused 1 "found neither" "$llmap" score llama-3.1-70b --texts "$zoo/texts.jsonl" --store s.sqlite
touch llama-3.1-70b/pytorch_model.bin
refused 1 "found neither but pytorch_model.bin: perhaps save the model again in transformers with save_pretrained" "$llmap" info llama-3.1-70b
finish
