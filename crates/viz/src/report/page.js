"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const runs = data.runs, several = runs.length > 1;
const live = data.again !== null;
const KEPT = "ganlet " + runs.map(run => run.name).join(" ");

// Elements. Text goes in as text, whatever is in it.
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children.flat().filter(child => child !== null));
  return element;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const clock = time => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const whole = n => Math.round(n).toLocaleString("en");
function short(n) {
  if (n === null || n === undefined) return "–";
  const size = Math.abs(n);
  if (size >= 1000) return whole(n);
  return size !== 0 && size < 0.001 ? n.toExponential(1) : n.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 3);
}

// What a page that is loaded again looks at: the same.
let before = {};
try { before = JSON.parse(sessionStorage.getItem(KEPT)) || {}; } catch { /* nothing is kept then */ }

// --- The head: how it stands, what to know first, the numbers it came to.

document.title = runs.map(run => run.name).join(", ") + " – Ganlet";
const news = el("p", { role: "status" });
const swatch = run => el("i", { class: "swatch", style: `background: var(--c${run % 6})` });

const head = el("header", {}, el("h1", {}, several ? `${runs.length} runs beside each other` : runs[0].name));
for (const [at, run] of runs.entries()) {
  head.append(el("p", {}, several ? [swatch(at), run.name + ": "] : null, run.status));
  if (run.state !== "finished") {
    head.append(el("progress", { value: run.done, max: 1, "aria-label": "share of the training that is done" }));
  }
}
head.append(news);
for (const run of runs) for (const warning of run.warnings) {
  const name = several ? run.name + ": " : "";
  head.append(el("div", { class: "warning" }, el("p", {}, `Warning: ${name}${warning.text}`),
    warning.remedy ? el("p", {}, `To try: ${warning.remedy}`) : null));
}
document.body.append(head);

// Names in the order in which they first come.
const names = lists => [...new Set(lists.flat())];

function compared(title, name, rows, best) {
  const body = el("tbody");
  for (const [key, values] of rows) {
    const same = values.every(value => value === values[0]);
    const ranks = (best && best(key)) || [];
    const least = Math.min(...ranks.filter(rank => rank !== null));
    body.append(el("tr", same ? { class: "same" } : {}, el("th", { scope: "row" }, key), values.map((value, at) =>
      el("td", {}, typeof ranks[at] === "number" && ranks[at] === least && !same ? el("b", {}, value) : value))));
  }
  const heads = runs.map((run, at) => el("th", { scope: "col" }, swatch(at), run.name));
  return el("section", { class: "compare" }, el("h2", {}, title), el("div", { class: "wide" },
    el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, name), heads)), body)));
}

if (several) {
  const find = (run, name) => run.figures.find(figure => figure.name === name);
  const keys = names(runs.map(run => run.figures.map(figure => figure.name)));
  const rows = keys.map(key => [key, runs.map(run => (find(run, key) || { value: "–" }).value)]);
  document.body.append(compared("Numbers", "the best in bold", rows,
    key => runs.map(run => (find(run, key) || { rank: null }).rank)));
} else {
  document.body.append(el("div", { class: "figures" }, runs[0].figures.map(({ name, value }) =>
    el("div", {}, el("small", {}, name), el("b", {}, value)))));
}

// --- Pictures, with one slider for all.

const epochs = names(runs.map(run => run.sheets.map(sheet => sheet.epoch))).sort((a, b) => a - b);
let shown = null, playing = null, onShow = () => {}, showEpoch = () => {};

if (epochs.length > 0 || runs.some(run => run.real)) {
  const slider = el("input", { type: "range", min: 0, max: Math.max(epochs.length - 1, 0), id: "slider",
    "aria-label": "epoch of the pictures" });
  const label = el("output", { for: "slider" });
  const button = el("button", { type: "button" }, "Play");
  const all = Math.max(...runs.map(run => run.epochs));
  const figures = runs.filter(run => run.sheets.length > 0).map(run => {
    const image = el("img", { alt: "" });
    const caption = el("figcaption");
    return { run, image, caption, figure: el("figure", {}, image, caption) };
  });
  const show = at => {
    shown = epochs[at];
    slider.value = at;
    label.textContent = `epoch ${whole(shown)} of ${whole(all)}`;
    slider.setAttribute("aria-valuetext", label.textContent);
    for (const { run, image, caption } of figures) {
      // A shorter run stays at its last sheet, a sparser one at the one before.
      const sheet = run.sheets.filter(sheet => sheet.epoch <= shown).pop() || run.sheets[0];
      image.src = sheet.picture;
      image.alt = `Pictures that the generator drew after epoch ${sheet.epoch}`;
      caption.textContent = `${several ? run.name + ", " : "drawn "}after epoch ${whole(sheet.epoch)}`;
    }
    onShow();
  };
  const stop = () => { clearInterval(playing); playing = null; button.textContent = "Play"; };
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  button.addEventListener("click", () => {
    if (playing !== null) return stop();
    let at = Number(slider.value) + 1 >= epochs.length ? 0 : Number(slider.value);
    show(at);
    button.textContent = "Stop";
    playing = setInterval(() => { at += 1; at < epochs.length ? show(at) : stop(); }, 120);
  });
  const reals = names(runs.map(run => run.real ? [run.real] : []));
  const real = reals.map(picture => el("figure", {},
    el("img", { src: picture, alt: "As many images of the training set" }),
    el("figcaption", {}, reals.length > 1 ? `real, of ${runs.find(run => run.real === picture).name}` : "real")));
  document.body.append(el("h2", {}, "Pictures"),
    epochs.length > 1 ? el("div", { class: "slider" }, button, slider, label) : "",
    el("div", { class: figures.length + real.length <= 2 ? "sheets two" : "sheets many" },
      figures.map(({ figure }) => figure), real),
    el("p", { class: "quiet" }, "The generator draws from the same random numbers each time, so a picture keeps its place. " +
      "Shown in 16 shades of grey; the folder samples of a run has them as they are, after every epoch."));
  if (epochs.length > 0) {
    const kept = typeof before.epoch === "number" ? epochs.findIndex(epoch => epoch >= before.epoch) : -1;
    show(kept >= 0 ? kept : epochs.length - 1);
  }
  onShow = () => marks();
  showEpoch = epoch => {
    if (epochs.length === 0) return;
    const after = epochs.findIndex(other => other >= epoch);
    stop();
    show(after >= 0 ? after : epochs.length - 1);
  };
}

// --- Curves. All frames share one cross hair, and their legends are the read-out.

const HEIGHT = 220, LEFT = 46, RIGHT = 8, TOP = 8, BOTTOM = 22;
const DASHES = ["none", "6 4", "2 3", "9 3 2 3"];
const frames = [];
let cross = typeof before.cross === "number" ? before.cross : null;
const last = Math.max(1, ...runs.flatMap(run => run.charts.map(chart => chart.steps[chart.steps.length - 1] || 0)));
const epochOf = (run, step) => run.steps_per_epoch > 0 ? Math.ceil(step / run.steps_per_epoch) : null;

// The mean of each number and those near it: at the beginning, where much happens, of fewer.
function smooth(values, reach) {
  return values.map((value, at) => {
    const side = Math.min(reach, at);
    const near = values.slice(at - side, at + side + 1).filter(other => other !== null);
    return value === null || near.length === 0 ? null : near.reduce((a, b) => a + b, 0) / near.length;
  });
}

// Round numbers between two others: about `count` of them.
function ticks(low, high, count, log) {
  const found = [];
  if (log && high / low > 10) {
    for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++)
      for (const digit of high / low > 300 ? [1] : [1, 2, 5]) {
        const tick = digit * 10 ** power;
        if (tick >= low && tick <= high) found.push(tick);
      }
    return found;
  }
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(digit => digit * power).find(step => step >= rough);
  for (let tick = Math.ceil(low / step); tick * step <= high * (1 + 1e-9); tick++) found.push(tick * step);
  return found;
}
const tick = n => n >= 1e4 ? `${n / 1e3}k` : String(Number(n.toPrecision(3)));

class Frame {
  constructor(title) {
    this.curves = [];
    for (const [at, run] of runs.entries()) {
      const chart = run.charts.find(chart => chart.title === title);
      if (!chart) continue;
      for (const [place, curve] of chart.curves.entries()) {
        const reach = chart.steps.length > 80 ? Math.ceil(chart.steps.length / 80) : 0;
        this.curves.push({
          run, steps: chart.steps, values: curve.values, errors: curve.errors, reach,
          smooth: reach > 0 ? smooth(curve.values, reach) : curve.values,
          name: several ? (chart.curves.length > 1 ? `${run.name}, ${curve.name}` : run.name) : curve.name,
          color: `var(--c${(several ? at : place) % 6})`,
          // Runs have colours, and the curves of one run dashes; a run alone needs none.
          dash: several ? DASHES[(place + 2 * Math.floor(at / 6)) % DASHES.length] : "none",
        });
      }
    }
    const numbers = this.curves.flatMap(curve => curve.values.filter(value => value !== null));
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
    const all = runs.map(run => run.charts.find(chart => chart.title === title)).filter(chart => chart);
    const common = field => all.every(chart => chart[field] === all[0][field]) ? all[0][field] : null;
    const scale = common("scale") || "linear";
    this.log = scale === "log" && low > 0;
    [this.low, this.high] = scale === "unit" ? [0, 1]
      : this.log ? [low / 1.1, high * 1.1] : [Math.min(0, low), high + (high - Math.min(0, low)) * .05];
    if (!(this.high > this.low)) this.high = this.low + 1;
    this.canvas = svg("svg", { tabindex: 0, role: "img", id: "chart-" + title,
      "aria-label": `${title}: curves over the steps; the arrow keys move along them` });
    this.legend = el("div", { class: "legend" });
    this.where = el("small");
    const smoothed = this.curves.some(curve => curve.reach > 0) ? "bold: moving mean" : "";
    const note = [common("note"), smoothed].filter(part => part).join("; ");
    this.section = el("section", { class: "chart" }, el("h3", {}, title), el("small", {}, note), this.legend,
      this.canvas, this.where);
    this.listen();
  }

  x(step) { return LEFT + step / last * (this.width - LEFT - RIGHT); }

  y(value) {
    const unit = this.log ? Math.log(value / this.low) / Math.log(this.high / this.low)
      : (value - this.low) / (this.high - this.low);
    return HEIGHT - BOTTOM - unit * (HEIGHT - TOP - BOTTOM);
  }

  path(steps, values) {
    let d = "", pen = "M";
    for (const [at, value] of values.entries()) {
      if (value === null) { pen = "M"; continue; }
      d += `${pen}${this.x(steps[at]).toFixed(1)} ${this.y(value).toFixed(1)}`;
      pen = "L";
    }
    return d;
  }

  draw() {
    this.width = this.canvas.clientWidth || 400;
    const right = this.width - RIGHT, parts = [];
    for (const value of ticks(this.low, this.high, 4, this.log)) {
      const y = this.y(value);
      parts.push(svg("line", { class: "axis", x1: LEFT, x2: right, y1: y, y2: y }),
        svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, tick(value)));
    }
    for (const value of ticks(0, last, Math.max(2, this.width / 110), false)) {
      const anchor = this.x(value) > right - 20 ? "end" : "middle";
      parts.push(svg("text", { x: this.x(value), y: HEIGHT - 6, "text-anchor": anchor }, tick(value)));
    }
    for (const { steps, values, smooth, errors, color, dash, reach } of this.curves) {
      if (errors.length === values.length && values.length > 1 && values.every(value => value !== null)) {
        const edge = sign => values.map((value, at) => Math.max(value + sign * errors[at], this.low));
        const back = this.path([...steps].reverse(), edge(-1).reverse()).replace("M", "L");
        parts.push(svg("path", { d: `${this.path(steps, edge(1))}${back}Z`, fill: color, opacity: .18 }));
      }
      if (reach > 0 && !several) {
        parts.push(svg("path", { d: this.path(steps, values), fill: "none", stroke: color, opacity: .3 }));
      }
      parts.push(svg("path", { d: this.path(steps, smooth), fill: "none", stroke: color, "stroke-width": 2,
        "stroke-dasharray": dash, "stroke-linejoin": "round" }));
      if (values.length < 40) {
        for (const [at, value] of values.entries()) if (value !== null) {
          parts.push(svg("circle", { cx: this.x(steps[at]), cy: this.y(value), r: 2.5, fill: color }));
        }
      }
    }
    this.marks = svg("g", { class: "marks" });
    this.canvas.replaceChildren(...parts, this.marks);
    this.mark();
  }

  // The place in `steps` that is nearest to the cross hair, or the last.
  static near(steps) {
    if (cross === null) return steps.length - 1;
    let best = 0;
    for (const [at, step] of steps.entries()) if (Math.abs(step - cross) < Math.abs(steps[best] - cross)) best = at;
    return best;
  }

  mark() {
    const parts = [], bottom = HEIGHT - BOTTOM;
    const line = (at, kind) => parts.push(svg("line", { class: kind, x1: at, x2: at, y1: TOP, y2: bottom }));
    if (shown !== null && !several && runs[0].steps_per_epoch > 0) {
      line(this.x(Math.min(shown * runs[0].steps_per_epoch, last)), "shown");
    }
    if (cross !== null) line(this.x(cross), "cross");
    this.legend.replaceChildren(...this.curves.map(({ steps, values, errors, name, color, dash }) => {
      const at = Frame.near(steps), value = values[at];
      if (cross !== null && typeof value === "number") {
        parts.push(svg("circle", { cx: this.x(steps[at]), cy: this.y(value), r: 4, fill: color }));
      }
      const error = errors.length > at && at >= 0 ? ` ± ${short(errors[at])}` : "";
      const key = svg("svg", { viewBox: "0 0 22 8", "aria-hidden": "true" }, svg("line", { x1: 0, x2: 22, y1: 4, y2: 4,
        stroke: color, "stroke-width": 3, "stroke-dasharray": dash }));
      return el("span", { title: name }, key, el("b", {}, short(value) + error), " " + name);
    }));
    const { run, steps } = this.curves[0];
    const step = cross === null ? steps[steps.length - 1] : steps[Frame.near(steps)];
    const epoch = epochOf(run, step);
    this.where.textContent = `${cross === null ? "last, " : ""}at step ${whole(step)}` +
      (epoch === null ? "" : `, epoch ${whole(epoch)}`);
    this.marks.replaceChildren(...parts);
  }

  listen() {
    const steps = this.curves[0].steps;
    const at = event => {
      const box = this.canvas.getBoundingClientRect();
      const unit = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
      cross = Math.max(0, Math.min(1, unit)) * last;
      cross = steps[Frame.near(steps)];
      marks();
    };
    this.canvas.addEventListener("pointermove", at);
    this.canvas.addEventListener("pointerdown", at);
    this.canvas.addEventListener("click", () => {
      const epoch = cross === null ? null : epochOf(this.curves[0].run, cross);
      if (epoch !== null) showEpoch(epoch);
    });
    const leave = () => { cross = null; marks(); };
    this.canvas.addEventListener("pointerleave", event => { if (event.pointerType === "mouse") leave(); });
    this.canvas.addEventListener("blur", leave);
    this.canvas.addEventListener("keydown", event => {
      const far = Math.max(1, Math.round(steps.length / 20));
      const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -far, PageDown: far, Home: -Infinity, End: Infinity }[event.key];
      if (event.key === "Escape") return leave();
      if (by === undefined) return;
      event.preventDefault();
      cross = steps[Math.max(0, Math.min(steps.length - 1, Frame.near(steps) + by))];
      this.where.setAttribute("aria-live", "polite");
      marks();
    });
  }
}
const marks = () => frames.forEach(frame => frame.mark());

const titles = names(runs.map(run => run.charts.filter(chart => chart.steps.length > 0).map(chart => chart.title)));
document.body.append(el("h2", {}, "Curves"));
if (titles.length === 0) {
  document.body.append(el("p", { class: "quiet" }, "There are no numbers yet."));
} else {
  const charts = el("div", { class: "charts" });
  for (const title of titles) {
    const frame = new Frame(title);
    frames.push(frame);
    charts.append(frame.section);
  }
  document.body.append(el("p", { class: "quiet" }, "Over the steps of the training. Point at a curve, touch it, or use the arrow keys " +
    "to read its numbers; a click shows the pictures of that time."), charts);
  new ResizeObserver(() => frames.forEach(frame => frame.draw())).observe(charts);
  frames.forEach(frame => frame.draw());
}

// --- What it was made of and with.

const tables = names(runs.map(run => run.tables.map(table => table.title)));
const rowsOf = (run, title) => (run.tables.find(table => table.title === title) || { rows: [] }).rows;
if (several) {
  for (const title of tables) {
    const keys = names(runs.map(run => rowsOf(run, title).map(([key]) => key)));
    const value = (run, key) => (rowsOf(run, title).find(row => row[0] === key) || ["", "–"])[1];
    document.body.append(compared(title, "", keys.map(key => [key, runs.map(run => value(run, key))])));
  }
} else {
  document.body.append(el("div", { class: "tables" }, tables.map(title => el("section", {}, el("h2", {}, title),
    el("table", {}, el("tbody", {}, rowsOf(runs[0], title).map(([key, value]) =>
      el("tr", {}, el("th", { scope: "row" }, key), el("td", {}, value)))))))));
}
document.body.append(el("footer", {}, `Written ${new Date(data.written).toLocaleString()} by ${data.maker}.`));

// --- Back to where the reader was, and on to the next version of this page.

if (before.focus) document.getElementById(before.focus)?.focus({ preventScroll: true });
if (before.scroll) window.scrollTo(...before.scroll);

if (live) {
  // Whoever is reading, dragging or watching is not interrupted.
  let busy = 0;
  for (const kind of ["pointermove", "pointerdown", "keydown", "wheel", "touchmove", "input"]) {
    window.addEventListener(kind, () => { busy = Date.now(); }, { passive: true });
  }
  const silence = Math.max(60, 10 * data.again) * 1000;
  const again = () => {
    if (document.hidden || playing !== null || Date.now() - busy < 3000) return setTimeout(again, 1000);
    const following = shown === null || shown === epochs[epochs.length - 1];
    const active = document.activeElement;
    const kept = { epoch: following ? null : shown, cross, focus: active && active.id,
      scroll: [window.scrollX, window.scrollY] };
    try { sessionStorage.setItem(KEPT, JSON.stringify(kept)); } catch { /* then it begins at the top */ }
    location.reload();
  };
  if (Date.now() - data.written > silence) {
    news.textContent = `No news since ${clock(data.written)}: it may have been stopped. Load the page again to look.`;
  } else {
    news.textContent = `As of ${clock(data.written)}; this page loads itself again while the training goes on.`;
    setTimeout(again, data.again * 1000);
  }
}
})();
