// Writes log-likelihoods of models that form families, as input of `llmap map --matrix`. Usage: node many_models.cjs FILE.safetensors MODELS
"use strict";
const fs = require("fs"), [file, count] = [process.argv[2], Number(process.argv[3])], texts = 60;
let state = 1;
const uniform = () => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) / 2 ** 32;
const families = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"];
const ofText = Array.from({ length: texts }, uniform), ofFamily = families.map(() => ofText.map(uniform));
const nats = new Float64Array(count * texts), models = [], names = [];
for (let i = 0; i < count; ++i) {
  const f = Math.floor(families.length * uniform() ** 2), own = 5 + 25 * uniform();
  names.push(families[f]);
  models.push(`organization-${f}/${families[f]}-model-${i}`);
  for (let s = 0; s < texts; ++s) nats[i * texts + s] = -300 - 200 * ofText[s] - 60 * ofFamily[f][s] - own * uniform();
}
const bytes = new Int32Array(texts).fill(1000);
const header = Buffer.from(JSON.stringify({ log_likelihood: { dtype: "F64", shape: [count, texts], data_offsets: [0, nats.byteLength] },
  bytes: { dtype: "I32", shape: [texts], data_offsets: [nats.byteLength, nats.byteLength + bytes.byteLength] } }));
const length = Buffer.alloc(8);
length.writeUInt32LE(header.length);
fs.writeFileSync(file, Buffer.concat([length, header, Buffer.from(nats.buffer), Buffer.from(bytes.buffer)]));
fs.writeFileSync(file.replace(/safetensors$/, "json"), JSON.stringify({ models, texts: ofText.map((t, s) => "text" + s), families: names }));
