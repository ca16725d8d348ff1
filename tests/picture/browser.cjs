// A headless Chromium, driven through its DevTools protocol over two pipes: nothing beside Node and the browser is needed.
"use strict";
const { spawn } = require("child_process"), fs = require("fs"), os = require("os"), path = require("path");

const keys = { Tab: 9, Enter: 13, Escape: 27, ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39, ArrowDown: 40 };

class Browser {
  constructor(program) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "llmap-browser-"));
    this.child = spawn(program, ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
      "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
      `--user-data-dir=${this.folder}/profile`, "--remote-debugging-pipe", "about:blank"],
      { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"], env: { ...process.env, HOME: this.folder, XDG_CONFIG_HOME: this.folder, XDG_CACHE_HOME: this.folder } });
    this.said = "";
    this.child.stderr.on("data", text => { this.said = (this.said + text).slice(-2000); });
    this.waiting = new Map();
    this.number = 0;
    this.listeners = new Set();
    let rest = Buffer.alloc(0);
    this.child.stdio[4].on("data", part => {
      rest = Buffer.concat([rest, part]);
      for (let end; (end = rest.indexOf(0)) >= 0; rest = rest.subarray(end + 1)) this.take(JSON.parse(rest.subarray(0, end).toString()));
    });
    this.ended = new Promise(done => this.child.on("close", done));
    this.child.on("error", problem => { this.said += problem.message; });
    this.ended.then(() => this.waiting.forEach(({ no }) => no(new Error("the browser ended: " + this.said))));
  }
  take(message) {
    const waiting = this.waiting.get(message.id);
    if (!waiting) { this.listeners.forEach(f => f(message)); return; }
    this.waiting.delete(message.id);
    message.error ? waiting.no(new Error(`${waiting.method}: ${message.error.message}`)) : waiting.yes(message.result);
  }
  send(method, params = {}, sessionId) {
    const id = ++this.number;
    return new Promise((yes, no) => {
      this.waiting.set(id, { yes, no, method });
      this.child.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
    });
  }
  /// A page of its own: width and height in pixels, dark or light. `before` runs in it before its own script.
  async open(address, { width, height, dark = false, before = "" }) {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, targetId, sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Network", "Accessibility"]) await page.send(domain + ".enable");
    await page.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 500 });
    await page.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }] });
    await page.send("Page.addScriptToEvaluateOnNewDocument", { source: before });
    await page.go(address);
    return page;
  }
  async close() {
    this.child.kill("SIGKILL");
    await this.ended;
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Page {
  constructor(browser, targetId, sessionId) {
    Object.assign(this, { browser, targetId, sessionId, problems: [], loaded: () => {} });
    browser.listeners.add(this.listener = message => {
      if (message.sessionId !== sessionId) return;
      const p = message.params;
      if (message.method === "Page.loadEventFired") this.loaded();
      if (message.method === "Runtime.exceptionThrown") this.problems.push(p.exceptionDetails.exception?.description || p.exceptionDetails.text);
      if (message.method === "Runtime.consoleAPICalled" && p.type !== "log") this.problems.push(p.type + ": " + p.args.map(a => a.value).join(" "));
      if (message.method === "Log.entryAdded" && p.entry.level !== "verbose" && p.entry.level !== "info") this.problems.push(p.entry.text);
      if (message.method === "Network.requestWillBeSent" && !/^(file|blob|data):/.test(p.request.url)) this.problems.push("fetches " + p.request.url);
    });
  }
  send(method, params) { return this.browser.send(method, params, this.sessionId); }
  async go(address) {
    const loaded = new Promise(done => { this.loaded = done; });
    await this.send("Page.navigate", { url: address });
    await loaded;
    await this.settle();
  }
  /// What an expression is in the page, also of a promise.
  async value(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description || exceptionDetails.text}`);
    return result.value;
  }
  /// Until all that was asked for is drawn, and the timers of the page have run.
  settle() { return this.value("new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(() => done(0))), 260))"); }
  async key(key, modifiers = 0) {
    const event = { key, code: key, windowsVirtualKeyCode: keys[key] || key.charCodeAt(0), modifiers, ...(key.length === 1 ? { text: key } : {}) };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...event });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }
  async click(x, y, modifiers = 0) {
    const event = { x, y, button: "left", clickCount: 1, modifiers };
    await this.send("Input.dispatchMouseEvent", { type: "mouseMoved", x, y });
    await this.send("Input.dispatchMouseEvent", { type: "mousePressed", ...event });
    await this.send("Input.dispatchMouseEvent", { type: "mouseReleased", ...event });
    await this.settle();
  }
  /// Clicks in the middle of what a selector finds.
  async press(selector) {
    await this.click(...await this.value(`(() => { const e = document.querySelector(${JSON.stringify(selector)}); e.scrollIntoView({ block: "nearest" });
      const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`));
  }
  async wheel(x, y, deltaY) { await this.send("Input.dispatchMouseEvent", { type: "mouseWheel", x, y, deltaX: 0, deltaY }); }
  async picture(file) {
    fs.writeFileSync(file, Buffer.from((await this.send("Page.captureScreenshot", { format: "png" })).data, "base64"));
  }
  async close() {
    this.browser.listeners.delete(this.listener);
    await this.browser.send("Target.closeTarget", { targetId: this.targetId });
  }
}

module.exports = { Browser };
