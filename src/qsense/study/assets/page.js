"use strict";
// The page: filters, and one function per section that draws it from the runs that pass them.

const study = JSON.parse(document.getElementById("study").textContent);
const MOST_CURVES = 300; // drawn; more of them are an area
const PAGE = 50; // runs to a page of the list
const LINES = [...new Set(study.rows.map((row) => row.line))];
const orderOf = (line) => LINES.indexOf(line);

const state = { metric: 0, axis: 0, off: { dataset: new Set(), line: new Set(), bits: new Set(), seed: new Set() }, text: "", page: 0, sort: { by: 0, down: false } };

const metric = () => study.metrics[state.metric];
const value = (run) => run.scores[state.metric];
const shown = (score) => (metric().percent ? (100 * score).toFixed(2) : score.toFixed(4));
const plusMinus = (cell) => shown(cell.mean) + (cell.std == null ? "" : ` ± ${shown(cell.std)}`);
const axisLabel = () => metric().name + (metric().percent ? " (%)" : "");
const scaled = (cell) => {
  const factor = metric().percent ? 100 : 1;
  return { mean: factor * cell.mean, std: cell.std == null ? null : factor * cell.std, complete: cell.complete && cell.comparable };
};

function passes(run) {
  const row = study.rows[run.row], { off } = state;
  if (off.dataset.has(run.dataset) || off.line.has(row.line) || off.bits.has(row.bitsName) || off.seed.has(run.seed)) return false;
  const text = `${row.label} ${study.datasets[run.dataset].name} ${run.folder}`.toLowerCase();
  return state.text.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

// ------------------------------------------------------------------------------------------------------------ filters

function filters() {
  const form = document.getElementById("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  const change = () => { state.page = 0; draw(); };

  const choice = node(form, "div");
  node(choice, "label", { class: "label", for: "metric" }, "Metric");
  const select = node(choice, "select", { id: "metric" });
  study.metrics.forEach((each, place) => node(select, "option", { value: place }, each.name));
  select.addEventListener("change", () => { state.metric = Number(select.value); change(); });

  const chips = (name, title, options) => {
    if (options.length < 2) return;
    const group = node(form, "fieldset", { id: `filter-${name}` });
    node(group, "legend", {}, title);
    const box = node(group, "div", { class: "chips" });
    for (const [what, text, order] of options) {
      const chip = node(box, "label", { class: "chip" });
      const input = node(chip, "input", { type: "checkbox", "data-value": what });
      input.checked = true;
      const span = node(chip, "span");
      if (order != null) node(span, "i", { class: "dot", style: `background:${colour(order)}` });
      node(span, "b", { style: "font-weight:inherit" }, text);
      input.addEventListener("change", () => { state.off[name][input.checked ? "delete" : "add"](what); change(); });
    }
  };
  chips("dataset", "Data set", study.datasets.map((each, place) => [place, each.name]));
  chips("line", "Quantizer", LINES.map((line, order) => [line, line, order]));
  const byBits = [...study.rows].sort((a, b) => (a.bits ?? 99) - (b.bits ?? 99) || a.bitsName.localeCompare(b.bitsName));
  chips("bits", "Bits", [...new Map(byBits.map((row) => [row.bitsName, row.bitsName || "not quantized"]))]);
  chips("seed", "Seed", study.seeds.map((seed) => [seed, String(seed)]));

  const search = node(form, "div");
  node(search, "label", { class: "label", for: "text" }, "Words in names or folders");
  const input = node(search, "input", { type: "search", id: "text", size: 22 });
  input.addEventListener("input", () => { state.text = input.value; change(); });
}

// ----------------------------------------------------------------------------------------------------------- sections

function progressSection(box) {
  const named = (state) => state.replace(" ", "-");
  const grid = node(box, "div", { class: "progress" });
  for (const part of study.progress) {
    node(grid, "div", {}, part.dataset);
    const there = study.states.filter((state) => part.count[state]).map((state) => [state, `${part.count[state]} ${state}`]);
    const words = there.map(([, text]) => text).join(", ");
    const stack = node(grid, "div", { class: "stack", role: "img", "aria-label": `${part.dataset}: ${words} of ${part.total}` });
    for (const [state, title] of there) node(stack, "i", { class: named(state), style: `width:${(100 * part.count[state]) / part.total}%`, title });
    node(grid, "div", { class: "words" }, `${part.count.finished} of ${part.total}${part.left ? ` · ${part.left}` : ""}`);
  }
  const list = node(box, "ul", { class: "key" });
  for (const state of study.states) {
    const total = study.progress.reduce((sum, part) => sum + part.count[state], 0);
    const item = node(list, "li");
    node(item, "i", { class: `dot ${named(state)}` });
    node(item, "span", {}, `${total} ${state}`);
  }
  if (!study.unfinished.length) return;
  const table = node(node(box, "div", { class: "scroll", style: "margin-top:1rem;max-height:22rem;overflow-y:auto" }), "table", { id: "unfinished" });
  const head = node(node(table, "thead"), "tr");
  for (const name of ["State", "Run", "Data set", "Seed", "Fold", "Why, and where to look"]) node(head, "th", { scope: "col", class: "text" }, name);
  const body = node(table, "tbody");
  for (const run of study.unfinished) {
    const line = node(body, "tr");
    node(line, "td", { class: `text status-${run.status}` }, run.status);
    node(line, "td", { class: "text" }, run.quant);
    node(line, "td", { class: "text" }, run.dataset);
    node(line, "td", {}, run.seed);
    node(line, "td", {}, run.fold);
    node(node(line, "td", { class: "text wrap" }, run.reason), "small", {}, run.log);
  }
}

function scoresSection(box, runs, cells) {
  const datasets = present(runs, "dataset");
  const table = node(node(box, "div", { class: "scroll" }), "table", { id: "table" });
  const head = node(node(table, "thead"), "tr");
  node(head, "th", { scope: "col" }, "Quantizer");
  for (const dataset of datasets) node(head, "th", { scope: "col" }, study.datasets[dataset].name);
  for (const { heading } of study.columns) node(head, "th", { scope: "col" }, heading);
  const body = node(table, "tbody");
  const best = new Map();
  for (const cell of [...cells.values()].filter((each) => each.comparable)) {
    const place = `${study.rows[cell.row].bitsName}/${cell.dataset}`, other = best.get(place);
    if (!other || (metric().less ? cell.mean < other.mean : cell.mean > other.mean)) best.set(place, cell);
  }
  const several = grouped([...cells.values()].filter((each) => each.comparable), (cell) => `${study.rows[cell.row].bitsName}/${cell.dataset}`);
  const all = withRivals(cells);
  for (const row of present([...runs, ...all.values()], "row")) {
    const line = node(body, "tr");
    node(line, "th", { scope: "row" }, study.rows[row].label);
    for (const dataset of datasets) {
      const cell = all.get(`${row}/${dataset}`);
      const group = `${study.rows[row].bitsName}/${dataset}`;
      const bold = cell && best.get(group) === cell && several.get(group).length > 1;
      const marks = cell ? (cell.complete ? "" : "*") + (cell.comparable ? "" : "†") : "";
      const data = node(line, "td", { class: bold ? "best" : null }, cell ? plusMinus(cell) + marks : "–");
      if (!cell) continue;
      node(data, "small", {}, cell.complete ? `${cell.runs} runs` : `${cell.runs} of ${cell.expected} runs`);
      if (state.off.seed.size) continue;
      const paper = study.published.find((each) => each.metric === metric().key && each.row === row && each.dataset === dataset);
      if (paper) node(data, "small", { title: paper.differs }, paper.text);
    }
    for (const { key: what, unit } of study.columns) {
      const found = [...new Set(datasets.map((dataset) => costOf(row, dataset, what)).filter((each) => each != null))].sort((a, b) => a - b);
      const texts = [...new Set([found[0], found[found.length - 1]].filter((each) => each != null).map((each) => Number((each / unit).toPrecision(3)).toString()))];
      node(line, "td", {}, texts.join("–") || "–");
    }
  }
  node(box, "p", { class: "note", style: "margin-top:.6rem" }, legendOf(cells));
}

function legendOf(cells) {
  const all = [...cells.values()];
  const parts = ["Bold: the best at this number of bits, among comparable ones."];
  if (all.some((cell) => cell.std == null)) parts.push("Without ±: a single seed.");
  if (all.some((cell) => !cell.complete)) parts.push("* Runs are missing.");
  if (all.some((cell) => !cell.comparable)) parts.push("† Averages other folds than the rest of its column: not comparable.");
  if (study.published.some((each) => each.differs)) parts.push("‡ The paper's figure, on another protocol.");
  return [...parts, ...study.legend].join(" ");
}

const COSTS = new Map(study.costs.map((cost) => [`${cost.row}/${cost.dataset}`, cost]));
const costOf = (row, dataset, what) => COSTS.get(`${row}/${dataset}`)?.[what];

// Also the cells of rows without runs: data that is sent without loss scores as the unquantized data that it is.
function withRivals(cells) {
  const all = new Map(cells);
  study.rows.forEach(({ like, line }, row) => {
    if (like == null || state.off.line.has(line)) return;
    for (const cell of cells.values())
      if (cell.row === like && COSTS.has(`${row}/${cell.dataset}`)) all.set(`${row}/${cell.dataset}`, { ...cell, row });
  });
  return all;
}

function bitsSection(box, runs, cells) {
  const bits = [...new Set(present(runs, "row").map((row) => study.rows[row].bits).filter((each) => each != null))].sort((a, b) => a - b);
  const panels = node(box, "div", { class: "panels" });
  const used = new Set();
  for (const dataset of present(runs, "dataset")) {
    const here = [...cells.values()].filter((cell) => cell.dataset === dataset);
    if (!here.length) continue;
    const name = study.datasets[dataset].name;
    const x = { low: -0.5, high: Math.max(bits.length, 1) - 0.5, ticks: bits.map((_, place) => place), label: "bits", name: (place) => bits[place] };
    const chart = panel(panels, name, `${axisLabel()} over bits on ${name}`, x, { ...range(here.map(scaled)), label: axisLabel() });
    const lines = grouped(here, (cell) => study.rows[cell.row].line);
    const names = [...lines.keys()];
    const apart = Math.min(14, (0.7 * (chart.at.x(1) - chart.at.x(0))) / names.length); // pixels between lines at the same bits
    for (const [line, several] of lines) {
      used.add(line);
      const order = orderOf(line);
      const titled = (cell) => ({ ...scaled(cell), title: `${study.rows[cell.row].label}, ${name}: ${plusMinus(cell)}` });
      for (const cell of several.filter((each) => study.rows[each.row].bits == null)) level(chart, titled(cell), order);
      const shift = apart * (names.indexOf(line) - (names.length - 1) / 2);
      const points = several
        .filter((cell) => study.rows[cell.row].bits != null)
        .sort((a, b) => study.rows[a.row].bits - study.rows[b.row].bits)
        .map((cell) => ({ ...titled(cell), x: chart.at.x(bits.indexOf(study.rows[cell.row].bits)) + shift }));
      if (points.length) series(chart, points, order);
    }
  }
  key(box, LINES.filter((line) => used.has(line)), orderOf);
}

function costSection(box, runs, cells) {
  if (!study.axes.length) {
    node(box, "p", { class: "note" }, "None of these runs counted what a prediction or its sensor costs.");
    return;
  }
  const axis = study.axes[state.axis];
  const choice = node(box, "p");
  node(choice, "label", { class: "label", for: "axis" }, "Cost");
  const select = node(choice, "select", { id: "axis" });
  study.axes.forEach((each, place) => node(select, "option", { value: place }, each.name));
  select.value = state.axis;
  select.addEventListener("change", () => { state.axis = Number(select.value); redraw("cost"); document.getElementById("axis").focus(); });
  const panels = node(box, "div", { class: "panels" });
  const used = new Set();
  for (const dataset of present(runs, "dataset")) {
    const here = [...withRivals(cells).values()]
      .filter((cell) => cell.dataset === dataset && costOf(cell.row, dataset, axis.key) > 0)
      .map((cell) => ({ cell, cost: costOf(cell.row, dataset, axis.key) / axis.unit, mean: scaled(cell).mean }));
    if (!here.length) continue;
    const name = study.datasets[dataset].name;
    const all = here.map((each) => each.cost);
    const [low, high] = [Math.min(...all) / 1.6, Math.max(...all) * 1.6];
    const x = { low, high, log: true, ticks: logTicks(low, high), label: axis.label };
    const chart = panel(panels, name, `${axisLabel()} over ${axis.name} on ${name}`, x, { ...range(here.map(({ cell }) => scaled(cell))), label: axisLabel() });
    const ahead = front(here.filter(({ cell }) => cell.comparable), metric().less);
    steps(chart, ahead);
    for (const [line, several] of grouped(here, ({ cell }) => study.rows[cell.row].line)) {
      used.add(line);
      const points = several.sort((a, b) => a.cost - b.cost).map((point) => ({
        ...scaled(point.cell), x: chart.at.x(point.cost), faint: !ahead.includes(point),
        title: `${study.rows[point.cell.row].label}, ${name}: ${plusMinus(point.cell)} at ${point.cost.toPrecision(3)} ${axis.short}${ahead.includes(point) ? ", on the front" : ""}`,
      }));
      series(chart, points, orderOf(line), true);
    }
  }
  if (!used.size) node(box, "p", { class: "note" }, `None of these runs knows its ${axis.name}.`);
  key(box, LINES.filter((line) => used.has(line)), orderOf);
}

function curvesSection(box, runs) {
  const panels = node(box, "div", { class: "panels" });
  const used = new Set();
  let left = 0;
  for (const dataset of present(runs, "dataset")) {
    let here = distinct(runs.filter((run) => run.dataset === dataset && run.curve));
    if (!here.length) continue;
    if (here.length > MOST_CURVES) {
      left += here.length - MOST_CURVES;
      here = Array.from({ length: MOST_CURVES }, (_, i) => here[Math.floor((i * here.length) / MOST_CURVES)]);
    }
    const { name, bipolar } = study.datasets[dataset];
    const low = bipolar ? -1 : 0;
    const axis = { low, high: 1, ticks: bipolar ? [-1, -0.5, 0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1] };
    const chart = panel(panels, name, `Transfer curves on ${name}`, { ...axis, label: "signal, as a share of its range" }, { ...axis, label: "curve, before rounding" }, 385, 330);
    const opacity = Math.min(0.85, Math.max(0.15, 20 / here.length)); // many curves are a cloud, and one a line
    for (const run of here) {
      const { line } = study.rows[run.row], order = orderOf(line);
      used.add(line);
      for (let channel = 0; channel < (run.curve.gamma?.length ?? 1); channel++) {
        const curve = transfer(run.curve, channel);
        const steps = 160;
        // Denser where curves are steep: around the centre.
        const points = Array.from({ length: steps + 1 }, (_, i) => {
          const t = low + ((1 - low) * i) / steps;
          return Math.sign(t) * t * t;
        });
        const path = points.map((u, i) => `${i ? "L" : "M"}${chart.at.x(u)},${chart.at.y(curve(u))}`).join("");
        const drawn = node(chart.svg, "path", { class: "curve", d: path, stroke: colour(order), "stroke-dasharray": dash(order), style: `opacity:${run.curve.gamma ? opacity : 1}` });
        node(drawn, "title", {}, curveTitle(run, channel));
      }
    }
  }
  if (!used.size) node(box, "p", { class: "note" }, "None of these runs quantizes its sensor by a curve that this page knows.");
  if (left) node(box, "p", { class: "note" }, `${left} more curves are not drawn: every few runs one is. Filter to see others.`);
  key(box, LINES.filter((line) => used.has(line)), orderOf);
}

// Curves that are not learned are the same in every run of a line: one stands for all.
function distinct(runs) {
  const seen = new Set();
  return runs.filter((run) => {
    const { line } = study.rows[run.row];
    if (!run.curve.gamma && seen.has(line)) return false;
    seen.add(line);
    return true;
  });
}

function curveTitle(run, channel) {
  const { gamma, mu } = run.curve;
  if (!gamma) return `${study.rows[run.row].line}: the same in every run`;
  const centre = mu.length ? `, μ ${mu[channel].toPrecision(2)}` : "";
  const learned = `, γ ${gamma[channel].toPrecision(3)}${centre}${gamma.length > 1 ? `, channel ${channel}` : ""}`;
  return `${study.rows[run.row].label}, seed ${run.seed}, fold ${run.fold}${learned}`;
}

// A table of rows × columns coloured by value; `of` gives a score in [0, 1] or null.
function heat(box, caption, rows, columns, of) {
  const values = rows.map((row) => columns.map(([what]) => of(row, what)));
  const all = values.flat().filter((each) => each != null);
  if (!all.length) return;
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const table = node(node(box, "div", { class: "scroll" }), "table", { class: "heat" });
  node(table, "caption", {}, caption);
  const head = node(node(table, "thead"), "tr");
  node(head, "th", { scope: "col" }, "Quantizer");
  for (const [, text] of columns) node(head, "th", { scope: "col" }, text);
  const body = node(table, "tbody");
  rows.forEach((row, i) => {
    const line = node(body, "tr");
    node(line, "th", { scope: "row" }, study.rows[row].label);
    values[i].forEach((each) => {
      const share = each == null || high === low ? 0 : (each - low) / (high - low);
      node(line, "td", { style: `background:rgba(var(--heat),${(0.45 * share).toFixed(3)})` }, each == null ? "–" : metric().percent ? (100 * each).toFixed(1) : each.toFixed(3));
    });
  });
}

function classesSection(box, runs) {
  let drawn = false;
  for (const dataset of present(runs, "dataset")) {
    const { name, classes } = study.datasets[dataset];
    const names = classes[metric().key];
    if (!names) continue;
    drawn = true;
    const here = grouped(runs.filter((run) => run.dataset === dataset && run.classes[metric().key]), (run) => run.row);
    heat(box, name, [...here.keys()].sort((a, b) => a - b), names.map((text, place) => [place, text]), (row, place) => {
      const cell = cellOf(here.get(row), (run) => run.classes[metric().key][place], 1, 1);
      return cell && cell.mean;
    });
  }
  if (!drawn) node(box, "p", { class: "note" }, `No run recorded ${metric().name} by class.`);
}

function foldsSection(box, runs) {
  let drawn = false;
  for (const dataset of present(runs, "dataset")) {
    const { name, folds } = study.datasets[dataset];
    if (folds < 2) continue;
    drawn = true;
    const here = grouped(runs.filter((run) => run.dataset === dataset), (run) => run.row);
    const columns = Array.from({ length: folds }, (_, fold) => [fold, String(fold)]);
    const byFold = new Map([...here].map(([row, several]) => [row, grouped(several, (run) => run.fold)]));
    heat(box, name, [...here.keys()].sort((a, b) => a - b), columns, (row, fold) => {
      const several = (byFold.get(row).get(fold) ?? []).map(value).filter((each) => each != null);
      return several.length ? mean(several) : null;
    });
  }
  if (!drawn) node(box, "p", { class: "note" }, "These data sets have one fold each: their official split.");
}

function runsSection(box, runs) {
  const columns = [
    ["Quantizer", (run) => study.rows[run.row].label, "text"],
    ["Data set", (run) => study.datasets[run.dataset].name, "text"],
    ["Seed", (run) => run.seed],
    ["Fold", (run) => run.fold],
    [axisLabel(), (run) => value(run), null, (each) => (each == null ? "–" : shown(each))],
    ["γ", (run) => (run.curve?.gamma ? mean(run.curve.gamma) : null), null, (each) => (each == null ? "–" : each.toFixed(3))],
    ["Minutes", (run) => run.seconds, null, (each) => (each == null ? "–" : (each / 60).toFixed(1))],
    ["Folder", (run) => run.folder, "text wrap"],
  ];
  const { by, down } = state.sort;
  const of = columns[by][1];
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : (a ?? -Infinity) - (b ?? -Infinity));
  const sorted = [...runs].sort((a, b) => (down ? -1 : 1) * (by ? compare(of(a), of(b)) : a.row - b.row || a.dataset - b.dataset || a.seed - b.seed || a.fold - b.fold));
  const pages = Math.max(1, Math.ceil(runs.length / PAGE));
  const pager = node(box, "div", { class: "pager" });
  const move = (text, step) => {
    const button = node(pager, "button", { type: "button" }, text);
    button.disabled = state.page + step < 0 || state.page + step >= pages;
    button.addEventListener("click", () => { state.page += step; redraw("runs"); });
  };
  move("Previous", -1);
  node(pager, "span", {}, `${runs.length} runs, page ${state.page + 1} of ${pages}`);
  move("Next", 1);
  const table = node(node(box, "div", { class: "scroll" }), "table", { id: "list" });
  const head = node(node(table, "thead"), "tr");
  columns.forEach(([name, , kind], place) => {
    const th = node(head, "th", { scope: "col", class: kind, "aria-sort": place === by ? (down ? "descending" : "ascending") : "none" });
    const button = node(th, "button", { type: "button" }, `${name}${place === by ? (down ? " ↓" : " ↑") : ""}`);
    button.addEventListener("click", () => { state.sort = { by: place, down: place === by && !down }; state.page = 0; redraw("runs"); });
  });
  const body = node(table, "tbody");
  for (const run of sorted.slice(state.page * PAGE, (state.page + 1) * PAGE)) {
    const line = node(body, "tr");
    for (const [, get, kind, write] of columns) node(line, "td", { class: kind }, write ? write(get(run)) : get(run));
  }
}

function listsSection(box) {
  for (const [name, lines] of Object.entries(study.lists)) {
    const part = node(box, "details");
    part.open = lines.length <= 20;
    node(part, "summary", {}, `${name} (${lines.length})`);
    const list = node(part, "ul", { class: "lists" });
    for (const line of lines) node(list, "li", {}, line);
  }
  if (!Object.keys(study.lists).length) node(box, "p", { class: "note" }, "Nothing to mind.");
}

// --------------------------------------------------------------------------------------------------------------- page

const present = (runs, what) => [...new Set(runs.map((run) => run[what]))].sort((a, b) => a - b);

const SECTIONS = {
  progress: ["Progress", "What the study's folders tell, and the sweeps that were at work when this page was written.", progressSection, false],
  scores: ["Scores", "Mean over folds per seed, then mean ± standard deviation over seeds.", scoresSection, true],
  bits: ["Score against bits", "Error bars: ± one standard deviation over seeds. Hollow or dotted: runs are missing.", bitsSection, true],
  cost: ["Score against cost", "Logarithmic. Steps: the Pareto front, the best mean up to a cost; what another point beats in both is paler. The sensor's figures are a model's and not measured.", costSection, true],
  curves: ["Learned curves", "Every run's transfer curve, before rounding to its levels; point at one to see whose it is.", curvesSection, true],
  classes: ["By class", "Means over seeds and folds.", classesSection, true],
  folds: ["By fold", "One fold is one subject in activity recognition. Means over seeds.", foldsSection, true],
  runs: ["Runs", "Finished runs that pass the filters.", runsSection, true],
  lists: ["Missing, and to mind", "", listsSection, false],
};

function redraw(name) {
  const [title, note, drawSection] = SECTIONS[name];
  const box = document.getElementById(name);
  box.replaceChildren();
  node(box, "h2", { id: `${name}-title` }, title);
  if (note) node(box, "p", { class: "note" }, note);
  const runs = study.runs.filter(passes);
  const filtered = SECTIONS[name][3];
  if (filtered && !runs.length) node(box, "p", { class: "note" }, study.runs.length ? "No run passes the filters." : "No run has finished yet.");
  else drawSection(box, runs, filtered ? cellsOf(runs, value, study, study.seeds.length - state.off.seed.size) : null);
}

function draw() {
  for (const name of Object.keys(SECTIONS)) if (SECTIONS[name][3]) redraw(name);
}

function theme() {
  const button = document.getElementById("theme");
  const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const tell = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-pressed", String(dark())); };
  button.addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; tell(); });
  tell();
}

function start() {
  const finished = study.progress.reduce((sum, part) => sum + part.count.finished, 0);
  const total = study.progress.reduce((sum, part) => sum + part.total, 0);
  document.getElementById("made").textContent = `${finished} of ${total} runs finished · made ${study.made}`;
  const nav = document.getElementById("nav"), box = document.getElementById("sections");
  for (const [name, [title]] of Object.entries(SECTIONS)) {
    node(nav, "a", { href: `#${name}` }, title);
    node(box, "section", { id: name, "aria-labelledby": `${name}-title` });
  }
  theme();
  if (study.runs.length) filters();
  else document.getElementById("filters").hidden = true;
  for (const name of Object.keys(SECTIONS)) redraw(name);
}

start();
