// The page in a real browser, at the widths of a desk, a small window and a phone, used as a reader would use it.
// Usage: node page_browser.cjs CHROMIUM ZOO.html ZOO.json MANY.html MANY.json
"use strict";
const fs = require("fs"), path = require("path"), { pathToFileURL } = require("url"), { Browser } = require("./browser.cjs");
const [program, zooPage, zooJson, manyPage, manyJson] = process.argv.slice(2);
const zoo = JSON.parse(fs.readFileSync(zooJson, "utf8")), many = JSON.parse(fs.readFileSync(manyJson, "utf8"));
const address = file => pathToFileURL(path.resolve(file)).href;
const before = fs.readFileSync(path.join(__dirname, "page_recorder.js"), "utf8");

let checks = 0, at = "the start";
const expect = (what, ok, got) => {
  ++checks;
  if (!ok) { console.log(`FAILED: ${at}: ${what}${got === undefined ? "" : ", got " + JSON.stringify(got)}`); process.exitCode = 1; }
};
const near = (a, b, share) => Math.abs(a - b) <= share * Math.abs(b);

const text = (page, selector) => page.value(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? null`);
const view = (page, name) => page.press(`#views [data-view=${name}]`);
const hash = async page => new URLSearchParams((await page.value("location.hash")).slice(1));
const stage = page => page.value("(() => { const r = document.getElementById('map').getBoundingClientRect(); return { x: r.x, y: r.y, w: r.width, h: r.height }; })()");
const tile = page => page.value("seen.images.filter(i => i.cells === " + zoo.models.length + ").pop()");
const choose = async (page, selector, name) => {
  await page.value(`(() => { const s = document.querySelector("${selector}"); s.value = [...s.options].find(o => o.textContent === ${JSON.stringify(name)}).value; s.onchange(); })()`);
  await page.settle();
};

async function fits(page, width) {
  await page.value("document.getElementById('map').focus()");
  await page.key("Escape");  // the names of selected models are written wherever they are
  for (const name of ["tsne", "pca", "matrix", "tree"]) {
    await view(page, name);
    const wide = await page.value("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)");
    expect(`${name}: no horizontal scroll`, wide <= width, wide);
    const out = await page.value(`[...document.querySelectorAll("header *, #legend, #axis, #panel")].filter(e => { const r = e.getBoundingClientRect();
      return r.width && (r.left < -1 || r.right > innerWidth + 1); }).map(e => e.id || e.textContent)`);
    expect(`${name}: nothing beside the window`, out.length === 0, out);
    const beyond = await page.value("seen.texts.filter(t => t.box[0] < -1 || t.box[2] > document.getElementById('map').clientWidth + 1)");
    expect(`${name}: the names on the stage are inside`, beyond.length === 0, beyond);
    if (name === "tsne" || name === "pca") {
      const over = await page.value("seen.overlaps()");
      expect(`${name}: names lie over nothing`, over.length === 0, over.slice(0, 3));
      expect(`${name}: a fifth of the models has a name`, (await page.value("seen.texts.length")) >= zoo.models.length / 5);
    }
  }
}

async function heatMap(page) {
  const made = () => page.value("seen.calls.createImageData || 0");
  expect("the heat map is not made before it is shown", await made() === 0);
  await view(page, "matrix");
  expect("the heat map is made once", await made() === 1);
  await view(page, "tree");
  await view(page, "matrix");
  expect("and kept", await made() === 1);
  const bar = await page.value("seen.texts.filter(t => /^[0-9.e−]+$/.test(t.text)).map(t => t.text)");
  expect("a color bar has numbers", bar.length >= 2, bar);
  if (zoo.models.length >= 20) expect("blocks have names", await page.value(`seen.texts.some(t => ${JSON.stringify([...new Set(Object.values(zoo.groups)[0])])}.includes(t.text))`));
}

// Where models come together by average linkage, by its definition.
function meetings(kl) {
  const met = kl.map(r => r.map(() => 0));
  let sets = kl.map((r, i) => [i]);
  const mean = (a, b) => a.reduce((sum, i) => sum + b.reduce((s, j) => s + kl[i][j], 0), 0) / (a.length * b.length);
  while (sets.length > 1) {
    let best = [Infinity];
    sets.forEach((a, n) => sets.slice(0, n).forEach(b => { const d = mean(a, b); if (d < best[0]) best = [d, a, b]; }));
    const [d, a, b] = best;
    for (const i of a) for (const j of b) met[i][j] = met[j][i] = d;
    sets = sets.filter(s => s !== a && s !== b).concat([[...a, ...b]]);
  }
  return met;
}

async function pairPanel(page) {
  const { x, y } = await stage(page), cells = await tile(page), side = cells.w / zoo.models.length;
  const [r, s] = [2, 7], [i, j] = [zoo.order[r], zoo.order[s]];
  await page.click(x + cells.x + (s + 0.5) * side, y + cells.y + (r + 0.5) * side);
  expect("a cell opens its pair", await text(page, "#panel h2") === "A pair", await text(page, "#panel h2"));
  const both = await page.value("[...document.querySelectorAll('#panel .rows span')].map(s => s.textContent)");
  expect("the pair of the cell", both[0] === zoo.models[i] && both[1] === zoo.models[j], both);
  const said = await text(page, "#panel .amount"), [, kl, error] = /^KL ([\d.e−-]+) ± ([\d.e−-]+) bits\/byte/.exec(said) || [];
  expect("its KL", near(Number(kl?.replace("−", "-")), zoo.kl_bits_per_byte[i][j], 0.006), said);
  expect("its error", near(Number(error?.replace("−", "-")), zoo.kl_standard_error[i][j], 0.06), said);
  const words = await text(page, "#panel"), [, there, back, height] = /second is the (.*) to the first, and the first the (.*) to the second.*together at ([\d.]+)/.exec(words) || [];
  const place = word => word === "nearest" ? 1 : parseInt(word), others = m => zoo.kl_bits_per_byte[m].filter((v, n) => n !== m).sort((a, b) => a - b);
  expect("its places", near(others(i)[place(there) - 1], zoo.kl_bits_per_byte[i][j], 0.001) && near(others(j)[place(back) - 1], zoo.kl_bits_per_byte[i][j], 0.001), words);
  expect("where it meets in the tree", near(Number(height), meetings(zoo.kl_bits_per_byte)[i][j], 0.006), height);
  expect("its mark", said?.endsWith("bits/byte" + (zoo.kl_marks[i][j] && ` (${zoo.kl_marks[i][j]})`)), said);
  const link = await hash(page);
  expect("the address has the pair", String(link.getAll("pair")) === String([zoo.models[i], zoo.models[j]]) && link.get("view") === "matrix", String(link));
  return said;
}

async function zoomIsClamped(page) {
  const { x, y, w, h } = await stage(page), start = await tile(page);
  for (let n = 0; n < 20; ++n) await page.wheel(x + w / 2, y + h / 2, -800);
  await page.settle();
  const large = await tile(page);
  expect("zoomed in", large.w > 1.3 * start.w && large.w <= 120 * zoo.models.length, large);
  for (let n = 0; n < 30; ++n) await page.wheel(x + w / 2, y + h / 2, 800);
  await page.settle();
  const small = await tile(page);
  expect("zoomed out, by half at most", small.w < start.w && small.w >= 0.49 * start.w, small);
  await page.value("document.getElementById('map').focus()");
  for (let n = 0; n < 60; ++n) await page.key("ArrowRight", 8);  // 8: Shift
  await page.settle();
  const moved = await tile(page);
  expect("moved away, but in sight", moved.x + moved.w > 0.2 * w && moved.x < small.x, moved);
  expect("the address has the place", (await hash(page)).has("at"));
  await page.key("0");
  await page.settle();
  expect("0 shows everything again", near((await tile(page)).w, start.w, 1e-6) && !(await hash(page)).has("at"));
}

async function keyboard(page) {
  await page.value("document.activeElement.blur()");
  const stops = [];
  for (let n = 0; n < 30 && stops[stops.length - 1] !== "map"; ++n) { await page.key("Tab"); stops.push(await page.value("document.activeElement.id")); }
  expect("Tab comes to the map", stops[stops.length - 1] === "map", stops);
  expect("and by the controls", ["coloring", "search", "fit", "png", "svg", "theme"].every(id => stops.includes(id)), stops);
  await view(page, "tree");
  await page.value("document.getElementById('map').focus()");
  await page.key("Escape");
  const visited = [];
  for (let n = 0; n < zoo.models.length; ++n) { await page.key("ArrowDown"); visited.push(await text(page, "#panel h2")); }
  expect("arrows visit every model of the tree", visited.join() === zoo.order.map(i => zoo.models[i]).join(), visited);
  await view(page, "tsne");
  await page.value("document.getElementById('map').focus()");
  await page.key("Escape");
  await page.key("ArrowRight");
  const one = await text(page, "#panel h2");
  expect("arrows reach a point", zoo.models.includes(one), one);
  expect("and it is said", (await text(page, "#said")).startsWith(one), await text(page, "#said"));
  await page.key("ArrowLeft");
  expect("and the next", zoo.models.includes(await text(page, "#panel h2")) && await text(page, "#panel h2") !== one);
}

async function table(page) {
  const cells = await page.value("[...document.querySelectorAll('#table tr')].map(r => [...r.children].map(c => c.textContent))");
  expect("the table has a row a model", cells.length === zoo.models.length + 1, cells.length);
  const column = cells[0].indexOf("nearest model");
  zoo.models.forEach((m, i) => {
    const least = Math.min(...zoo.kl_bits_per_byte[i].filter((v, j) => j !== i)), named = zoo.models.indexOf(cells[i + 1][column]);
    expect(`${m}: nearest in the table`, cells[i + 1][0] === m && named >= 0 && zoo.kl_bits_per_byte[i][named] <= 1.001 * least, cells[i + 1]);
  });
  const box = await page.value("(() => { const r = document.getElementById('table').getBoundingClientRect(); return [r.width, r.height]; })()");
  expect("the table is not seen", box[0] <= 1 && box[1] <= 1, box);
  const tree = (await page.send("Accessibility.getFullAXTree")).nodes.filter(n => !n.ignored);
  const count = role => tree.filter(n => n.role?.value === role).length;
  expect("but read aloud", count("rowheader") === zoo.models.length && count("columnheader") === cells[0].length, [count("rowheader"), count("columnheader")]);
}

async function figures(page) {
  await view(page, "tree");
  await view(page, "tsne");
  await page.press("#svg");
  const drawing = await page.value("seen.saved.pop().text()");
  const found = await page.value(`(() => { const d = new DOMParser().parseFromString(${JSON.stringify(drawing)}, "image/svg+xml");
    return { bad: d.querySelectorAll("parsererror, script, img").length, texts: [...d.querySelectorAll("text")].map(t => t.textContent), paths: d.querySelectorAll("path").length }; })()`);
  expect("the drawing is sound", found.bad === 0 && found.paths >= zoo.models.length, found.bad);
  expect("with the names as text", (await page.value("seen.texts.map(t => t.text)")).every(t => found.texts.includes(t)), found.texts);
  expect("and the title", found.texts.includes("A <b>map</b> & more"), found.texts);
  expect("named by title and view", /^A-b-map-b-more-tsne\.svg$/.test(await page.value("seen.download")), await page.value("seen.download"));
  await page.press("#png");
  const image = await page.value(`(async () => { for (let n = 0; n < 50 && !seen.saved.length; ++n) await new Promise(f => setTimeout(f, 20));
    const b = seen.saved.pop(), i = await createImageBitmap(b); return [b.type, i.width, i.height]; })()`);
  const { w } = await stage(page);
  expect("the image is one, twice as fine", image[0] === "image/png" && image[1] >= 2 * w, image);
}

async function colors(page) {
  await choose(page, "#coloring", "size");
  const numbers = await page.value("seen.texts.map(t => t.text)");
  expect("a value has a color bar", numbers.includes("size") && numbers.filter(t => /^[0-9.]+$/.test(t)).length >= 2, numbers);
  expect("and no legend", await page.value("document.getElementById('legend').hidden"));
  expect("the address has it", (await hash(page)).get("color") === "size");
  const options = await page.value("[...document.querySelectorAll('#coloring option')].map(o => o.textContent)");
  expect("groups and values to choose from", ["kind", "size", "bits per byte", "KL to the nearest model"].every(o => options.includes(o)), options);
  await choose(page, "#coloring", "kind");
}

async function atWidth(browser, width, height) {
  at = `${width} pixels`;
  const page = await browser.open(address(zooPage), { width, height, before, dark: width === 900 });
  expect("the title", await text(page, "h1") === "A <b>map</b> & more" && await page.value("document.title") === "A <b>map</b> & more", await text(page, "h1"));
  expect("the color of the paper", await page.value("getComputedStyle(document.body).backgroundColor") === (width === 900 ? "rgb(18, 20, 26)" : "rgb(251, 250, 247)"));
  const closed = await page.value("document.getElementById('entries').hidden");
  expect("the legend is folded on a phone only", closed === width < 500, closed);
  await page.press("#fold");
  expect("and folds", await page.value("document.getElementById('entries').hidden") === !closed);
  await page.press("#fold");
  await heatMap(page);
  const said = await pairPanel(page), link = await page.value("location.href");
  await zoomIsClamped(page);
  await fits(page, width);
  if (width === 1600) {
    await keyboard(page);
    await table(page);
    await figures(page);
  }
  await colors(page);
  await page.go("about:blank");
  await page.go(link);
  expect("the address opens what it was written for", await text(page, "#panel .amount") === said && await page.value("document.querySelector('#views .on').dataset.view") === "matrix");
  expect("no complaint of the browser", page.problems.length === 0, page.problems);
  await page.close();
}

async function manyModels(browser) {
  at = `${many.models.length} models`;
  const page = await browser.open(address(manyPage), { width: 1600, height: 900, before });
  const { nodes, calls } = await page.value("seen.atStart");
  expect("few nodes before the first painting", nodes < 400, nodes);
  expect("one drawing, no heat map", (calls.clearRect || 0) <= 1 && !calls.createImageData, calls);
  const over = await page.value("seen.overlaps()");
  expect("names lie over nothing", over.length === 0, over.slice(0, 3));
  expect("every point is drawn", await page.value("seen.circles.length") === many.models.length);
  const groups = new Set(many.groups.family), named = await page.value(`seen.texts.filter(t => ${JSON.stringify([...groups])}.includes(t.text)).length`);
  expect("most groups are named", named >= groups.size / 2, named);
  expect("the table is there", await page.value("document.querySelectorAll('#table tr').length") === many.models.length + 1);
  await view(page, "tree");
  await view(page, "matrix");
  expect("the heat map is made once", await page.value("seen.calls.createImageData") === 1);
  expect("no complaint of the browser", page.problems.length === 0, page.problems);
  await page.close();
}

(async () => {
  const browser = new Browser(program);
  const late = setTimeout(() => { console.log(`FAILED: ${at}: the browser did not answer in time: ${browser.said}`); process.exitCode = 1; browser.close(); }, 200000);
  try {
    for (const [width, height] of [[1600, 900], [900, 800], [390, 844]]) await atWidth(browser, width, height);
    await manyModels(browser);
  } catch (problem) {
    console.log(`FAILED: ${at}: ${problem.stack}`);
    process.exitCode = 1;
  }
  clearTimeout(late);
  await browser.close();
  console.log(`${checks} checks`);
})();
