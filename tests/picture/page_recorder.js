// Runs in a page before its own script, and keeps what that does: calls of the pen, the last drawing of the stage, saved files.
"use strict";
(() => {
  const seen = window.seen = { calls: {}, texts: [], circles: [], images: [], saved: [], atStart: null };
  const pens = CanvasRenderingContext2D.prototype, onStage = pen => pen.canvas.id === "map";
  const around = (object, name, f) => {
    const own = object[name];
    object[name] = function (...args) {
      if (f) f(this, args);
      return own.apply(this, args);
    };
  };
  const counted = name => { seen.calls[name] = (seen.calls[name] || 0) + 1; };
  for (const name of ["drawImage", "createImageData", "fillText", "arc", "clearRect"])
    around(pens, name, (pen, args) => {
      counted(name);
      if (!onStage(pen)) return;
      if (name === "clearRect") seen.texts = [], seen.circles = [], seen.images = [];
      if (name === "arc") seen.circles.push({ x: args[0], y: args[1], r: args[2] });
      if (name === "drawImage") seen.images.push({ x: args[1], y: args[2], w: args[3], h: args[4], cells: args[0].width });
      if (name === "fillText") {
        const w = pen.measureText(args[0]).width, h = parseFloat(/([\d.]+)px/.exec(pen.font)[1]) * 0.7;
        const left = args[1] - (pen.textAlign === "center" ? w / 2 : pen.textAlign === "right" ? w : 0);
        const middle = pen.textBaseline === "middle" ? args[2] : args[2] - h / 2;
        seen.texts.push({ text: args[0], box: [left, middle - h / 2, left + w, middle + h / 2] });
      }
    });
  around(URL, "createObjectURL", (url, [blob]) => { seen.saved.push(blob); });
  around(HTMLAnchorElement.prototype, "click", a => { seen.download = a.download; a.removeAttribute("href"); });
  document.addEventListener("DOMContentLoaded", () => {  // the page's script has run, and nothing has been painted yet
    seen.atStart = { nodes: document.querySelectorAll("*").length, calls: { ...seen.calls } };
  });
  // Pairs of boxes, of texts and of points, that lie over each other on the stage.
  seen.overlaps = () => {
    const over = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3], found = [];
    seen.texts.forEach((t, n) => {
      for (const c of seen.circles) if (over(t.box, [c.x - c.r, c.y - c.r, c.x + c.r, c.y + c.r])) found.push(t.text + " over a point");
      for (const o of seen.texts.slice(n + 1)) if (over(t.box, o.box)) found.push(`${t.text} over ${o.text}`);
    });
    return found;
  };
})();
