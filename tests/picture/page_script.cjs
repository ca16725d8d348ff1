// Runs the script of a page with a document that only keeps what it is told, and uses it as a reader would: every view,
// zoom, search, legend, and a click on each model. What the page then shows is compared with the tables in its data.
// Usage: node page_script.cjs PAGE.html MAP.json
"use strict";
const fs = require("fs");
const page = fs.readFileSync(process.argv[2], "utf8"), map = JSON.parse(fs.readFileSync(process.argv[3], "utf8"));
const between = (from, to) => page.slice(page.indexOf(from) + from.length, page.indexOf(to, page.indexOf(from)));
const dataText = between('id="data">', "</script>"), script = between("<script>", "</script>");
const fail = what => { console.log("FAILED: " + what); process.exitCode = 1; };
let checks = 0;
const expect = (what, ok) => { ++checks; if (!ok) fail(what); };

// --- a document
let calls = 0;
const pen = new Proxy({}, {
  get: (o, key) => key in o ? o[key] : (...args) => {
    ++calls;
    for (const a of args) if (typeof a === "number" && !Number.isFinite(a)) fail(`pen.${String(key)}(${args}): not a finite number`);
    if (key === "measureText") return { width: 7 * String(args[0]).length };
    if (key === "createRadialGradient") return { addColorStop() {} };
    if (key === "createImageData") return { data: new Uint8ClampedArray(4 * args[0] * args[1]) };
  },
  set: (o, key, value) => { o[key] = value; return true; },
});
class Node {
  constructor(tag) { this.tag = tag; this.children = []; this.dataset = {}; this.style = { setProperty() {} }; this.text = ""; this.value = "";
    this.classes = new Set(); this.classList = { toggle: (c, on) => on ? this.classes.add(c) : this.classes.delete(c) };
    Object.assign(this, { offsetWidth: 10, offsetHeight: 10, offsetLeft: 0, offsetTop: 0, width: 0, height: 0 }); }
  append(...nodes) { for (const n of nodes) this.children.push(n instanceof Node ? n : Object.assign(new Node("#text"), { text: String(n) })); }
  replaceChildren(...nodes) { this.children = []; this.append(...nodes); }
  get textContent() { return this.text + this.children.map(c => c.textContent).join(""); }
  set textContent(t) { this.text = String(t); this.children = []; }
  getContext() { return pen; }
  getBoundingClientRect() { return { left: 0, top: 0, width: 900, height: 600 }; }
  addEventListener(type, f) { this["on" + type] = f; }
  setAttribute() {}
  setPointerCapture() {}
  find(tag) { return this.children.flatMap(c => c.tag === tag ? [c] : c.find(tag)); }
}
const nodes = {}, byId = id => nodes[id] ||= new Node(id);
for (const [, id] of page.matchAll(/ id="([a-z]+)"/g)) byId(id);
byId("data").textContent = dataText;
const views = ["tsne", "pca", "matrix", "tree"].map(v => Object.assign(new Node("button"), { dataset: { view: v } }));
const root = new Node("html");
let frames = [];
const settle = () => { while (frames.length) frames.splice(0).forEach(f => f()); };
const globals = {
  document: { getElementById: id => nodes[id] || null, createElement: t => new Node(t), querySelectorAll: () => views, documentElement: root },
  getComputedStyle: () => ({ getPropertyValue: () => "#111" }), requestAnimationFrame: f => frames.push(f), devicePixelRatio: 2,
  matchMedia: () => ({ matches: false }), ResizeObserver: class { observe() {} }, location: { hash: "" },
  history: { replaceState() {} }, addEventListener() {}, URLSearchParams, atob,
};
new Function(...Object.keys(globals), script)(...Object.values(globals));
settle();
expect("the first view is drawn", calls > 0);

// --- what a reader does
const K = map.models.length, canvas = byId("map"), panel = byId("panel");
const at = (x, y) => ({ clientX: x, clientY: y, pointerId: 1, preventDefault() {} });
for (const view of views) {
  calls = 0;
  view.onclick();
  settle();
  expect(`view ${view.dataset.view} is drawn`, calls > K);
  for (let x = 5; x < 900; x += 55)
    for (let y = 5; y < 600; y += 45) canvas.onpointermove(at(x, y));
  canvas.onwheel({ ...at(300, 200), deltaY: -200, deltaMode: 0 });
  canvas.onkeydown({ key: "ArrowLeft", preventDefault() {} });
  settle();
  byId("fit").onclick();
  settle();
}
for (const button of byId("entries").children) button.onclick(), settle(), button.onclick(), settle();
byId("theme").onclick();
settle();

// --- what it shows: the nearest models of each, in the order of the map's own table
const kl = map.kl_bits_per_byte;
for (let i = 0; i < K; ++i) {
  byId("search").value = map.models[i];
  byId("search").oninput();
  settle();
  expect(`${map.models[i]} is shown`, panel.find("h2")[0].textContent === map.models[i]);
  const shown = panel.find("div")[0].find("button").map(b => b.find("span")[0].textContent);
  expect(`${map.models[i]}: it lists the others`, shown.length === Math.min(15, K - 1) && !shown.includes(map.models[i]));
  const index = shown.map(name => map.models.indexOf(name));
  // The page rounds a KL to a step of its scale: neighbors in the list may change places within it.
  for (let n = 1; n < index.length; ++n)
    expect(`${map.models[i]}: ${shown[n - 1]} before ${shown[n]}`, kl[i][index[n - 1]] <= kl[i][index[n]] * 1.001);
  for (let n = 0; n < index.length; ++n) {
    const said = panel.find("div")[0].find("button")[n].find("em")[0].textContent, mark = map.kl_marks[i][index[n]];
    expect(`${map.models[i]}: ${shown[n]} is marked "${mark}", shown ${said}`, mark ? said.endsWith(` (${mark})`) : !said.includes("("));
  }
  const text = panel.find("div")[0].find("button")[0].find("em")[0].textContent;
  const value = Number(text.split("±")[0].replace("−", "-")), want = kl[i][index[0]];
  expect(`${map.models[i]}: KL of the nearest is ${want}, shown ${text}`, Math.abs(value - want) <= 0.006 * want);
}
console.log(`${checks} checks`);
