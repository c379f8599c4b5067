"use strict";
// The page: filters, and one function per section that draws it from the runs that pass them.

const study = JSON.parse(document.getElementById("study").textContent);
const MOST_CURVES = 150; // of a data set; more of them are an area
const PAGE = 50; // runs to a page of the list
const LINES = [...new Set(study.rows.map((row) => row.line))];
const orderOf = (line) => LINES.indexOf(line);

const state = { metric: 0, curveBits: null, axis: study.axis, budget: { ...study.limits }, off: { dataset: new Set(), line: new Set(), bits: new Set(), seed: new Set() }, text: "", page: 0, sort: { by: 0, down: false }, division: null };

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

// A text that leads to a run's own page, where there is one.
function linked(cell, text, page) {
  if (page) node(cell, "a", { href: page }, text);
  else cell.textContent = text;
}

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
    linked(node(line, "td", { class: "text" }), run.quant, run.page);
    node(line, "td", { class: "text" }, run.dataset);
    node(line, "td", {}, run.seed);
    node(line, "td", {}, run.fold);
    node(node(line, "td", { class: "text wrap" }, run.reason), "small", {}, run.log);
  }
}

// What may be lost and spent; the sentences below it follow at each key.
function answerSection(box) {
  if (!study.contests.length) {
    node(box, "p", { class: "note" }, study.runs.length ? "Nothing to compare with yet: the same folds and seeds with quant=none tell what quantizing costs." : "No run has finished yet.");
    return;
  }
  const form = node(box, "form", { class: "budget", "aria-label": "Budget" });
  form.addEventListener("submit", (event) => event.preventDefault());
  const field = (name, before, after, step) => {
    const label = node(form, "label", { for: name }, before);
    const input = node(label, "input", { id: name, type: "number", min: 0, step, inputmode: "decimal", placeholder: "any" });
    if (state.budget[name] != null) input.value = state.budget[name];
    node(label, "span", {}, after);
    input.addEventListener("input", () => {
      state.budget[name] = input.value === "" || !(Number(input.value) >= 0) ? null : Number(input.value);
      answers();
      drawCharts(["cost"]);
    });
  };
  field("loss", "lose at most", metric().percent ? "points" : `of ${metric().name}`, "any");
  const priced = (what) => study.contests.some(({ rows }) => rows.some((row) => row[what] != null));
  if (priced("power")) field("microwatts", "take at most", "µW", "any");
  if (priced("rate")) field("bitsPerSecond", "send at most", "bits/s", "any");
  node(box, "div", { id: "answers", "aria-live": "polite" });
  answers();
}

function answers() {
  const box = document.getElementById("answers");
  if (!box) return;
  box.replaceChildren();
  const found = currentAnswers();
  for (const answer of found) {
    const line = node(box, "p", { class: answer.chosen ? "sentence" : "sentence none" });
    node(line, "b", {}, `${answer.contest.name}: `);
    node(line, "span", {}, wordsOf(answer));
  }
  if (!found.length) node(box, "p", { class: "note" }, "No row that passes the filters shares a fold with its reference.");
}

// The reference counts whatever the filters hide, but for seeds: it is what others are measured against.
function currentAnswers() {
  const seeds = study.seeds.length - state.off.seed.size;
  const references = new Set(study.contests.map(({ reference }) => reference));
  const runs = study.runs.filter((run) => passes(run) || (references.has(run.row) && !state.off.seed.has(run.seed)));
  const hidden = (row) => !study.runs.some((run) => run.row === (study.rows[row].like ?? row) && passes(run));
  return study.contests
    .filter(({ dataset }) => !state.off.dataset.has(dataset))
    .map((contest) => ({ ...contest, rows: contest.rows.filter(({ row }) => row === contest.reference || !hidden(row)) }))
    .map((contest) => answerOf(contest, runs, state.budget, seeds))
    .filter(Boolean);
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
    const gain = other && (metric().less ? other.mean - cell.mean : cell.mean - other.mean);
    if (!other || gain > 0 || (gain === 0 && cell.row < other.row)) best.set(place, cell); // of equals the first row
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

// A row's name at its point: short enough to stand beside others.
const pointLabel = (row) => { const { label } = study.rows[row]; return label.length > 34 ? `${label.slice(0, 33)}…` : label; };

function bitsSection(box, runs, cells) {
  const bits = [...new Set(present(runs, "row").map((row) => study.rows[row].bits).filter((each) => each != null))].sort((a, b) => a - b);
  const used = new Set();
  for (const dataset of present(runs, "dataset")) {
    const here = [...cells.values()].filter((cell) => cell.dataset === dataset);
    if (!here.length) continue;
    const name = study.datasets[dataset].name;
    const lines = grouped(here, (cell) => study.rows[cell.row].line);
    const titled = (cell) => ({ ...scaled(cell), text: `${study.rows[cell.row].label}, ${name}: ${plusMinus(cell)}${cell.complete ? "" : ", runs are missing"}` });
    const dodged = [...lines.keys()].filter((line) => lines.get(line).some((cell) => study.rows[cell.row].bits != null));
    const apart = Math.min(0.03, 0.15 / Math.max(1, dodged.length - 1)); // of a step, between lines at the same bits
    const all = [...lines].map(([line, several]) => ({
      line, order: orderOf(line),
      levels: several.filter((cell) => study.rows[cell.row].bits == null).map((cell) => ({ ...titled(cell), name: pointLabel(cell.row) })),
      points: several.filter((cell) => study.rows[cell.row].bits != null)
        .sort((a, b) => study.rows[a.row].bits - study.rows[b.row].bits)
        .map((cell) => ({ ...titled(cell), x: bits.indexOf(study.rows[cell.row].bits) + apart * (dodged.indexOf(line) - (dodged.length - 1) / 2), side: "right" })),
    }));
    for (const { line, points } of all) {
      used.add(line);
      if (points.length) points[points.length - 1].label = line; // each line is named at its end
    }
    const y = range(here.map(scaled));
    const option = (chartOf) => {
      const series = [];
      for (const { order, levels, points } of all) {
        for (const level of levels) {
          const own = ink(`c${order % COLOURS}`);
          series.push({ ...plainLine([{ value: [-0.5, level.mean], text: level.text }, { value: [bits.length - 0.5, level.mean], text: level.text }], { color: own, type: level.complete ? [7, 4] : [2, 4], width: 1.6 }),
            endLabel: { show: true, formatter: () => level.name, color: own, align: "right", verticalAlign: "bottom", offset: [-6, -3], fontSize: 12 }, clip: false });
        }
        series.push(barSeries(points, order), lineSeries(points, order));
      }
      series.push(nameSeries(all.flatMap(({ points }) => points), chartOf));
      const ticks = bits.map((_, place) => place);
      return {
        xAxis: axisOf("bits", 30, { own: { type: "value", min: -0.5, max: Math.max(bits.length, 1) - 0.5 }, lines: false, axisLabel: { customValues: ticks, formatter: (place) => bits[place] ?? "" }, axisTick: { customValues: ticks } }),
        yAxis: valueAxis(axisLabel(), y), series,
      };
    };
    chart(box, name, `${axisLabel()} over bits on ${name}`, option, readingOrder(all.flatMap(({ levels, points }) => [...levels.map((each) => ({ ...each, level: true })), null, ...(points.length ? [points] : [[]])])));
  }
  key(box, LINES.filter((line) => used.has(line)), orderOf);
}

// Points for the keyboard, from left to right. The list has the series of a chart in their order: a level, null for one
// that is passed over, or an array of points.
function readingOrder(list) {
  return list
    .flatMap((each, series) => (!each ? [] : Array.isArray(each) ? each.map((point, index) => ({ series, index, text: point.text, x: point.x })) : [{ series, index: null, text: each.text, x: -Infinity }]))
    .sort((a, b) => a.x - b.x);
}

function costSection(box, runs, cells) {
  if (!study.axes.length) {
    node(box, "p", { class: "note" }, study.constant || "None of these runs counted what a prediction or its sensor costs.");
    return;
  }
  const axis = study.axes[state.axis];
  const choice = node(box, "p");
  node(choice, "label", { class: "label", for: "axis" }, "Cost");
  const select = node(choice, "select", { id: "axis" });
  study.axes.forEach((each, place) => node(select, "option", { value: place }, each.name));
  select.value = state.axis;
  select.addEventListener("change", () => { state.axis = Number(select.value); redraw("cost"); document.getElementById("axis").focus(); });
  const answered = currentAnswers();
  const used = new Set();
  const all = withRivals(cells);
  const without = new Set();
  for (const dataset of present(runs, "dataset")) {
    const cellsHere = [...all.values()].filter((cell) => cell.dataset === dataset);
    const here = cellsHere
      .filter((cell) => costOf(cell.row, dataset, axis.key) > 0)
      .map((cell) => ({ cell, cost: costOf(cell.row, dataset, axis.key) / axis.unit, mean: scaled(cell).mean }));
    for (const cell of cellsHere) if (!(costOf(cell.row, dataset, axis.key) > 0)) without.add(study.rows[cell.row].label);
    if (!here.length) continue;
    const name = study.datasets[dataset].name;
    const costs = here.map((each) => each.cost);
    const [low, high] = [Math.min(...costs) / 1.5, Math.max(...costs) * 1.7];
    const ahead = front(here.filter(({ cell }) => cell.comparable), metric().less);
    const chosen = new Set(answered.filter(({ contest, chosen }) => contest.dataset === dataset && chosen).map(({ chosen }) => chosen.row));
    const lines = [...grouped(here, ({ cell }) => study.rows[cell.row].line)].map(([line, several]) => ({
      order: orderOf(line), line,
      points: several.sort((a, b) => a.cost - b.cost).map((point) => {
        const { row } = point.cell, on = ahead.includes(point);
        return {
          ...scaled(point.cell), x: point.cost, faint: !on && !chosen.has(row), bold: on, label: `${chosen.has(row) ? "✓ " : ""}${pointLabel(row)}`,
          text: `${study.rows[row].label}, ${name}: ${plusMinus(point.cell)} at ${point.cost.toPrecision(3)} ${axis.short}${on ? ", on the front" : ""}${chosen.has(row) ? ", what the budget asks for" : ""}`,
        };
      }),
    }));
    for (const { line } of lines) used.add(line);
    const limits = limitsOf(dataset, axis, answered, all);
    const y = range([...here.map(({ cell }) => scaled(cell)), ...limits.y.map((mean) => ({ mean }))]);
    const option = (chartOf) => ({
      xAxis: logAxis(axis.label, low, high), yAxis: valueAxis(axisLabel(), y),
      series: [
        ...lines.flatMap(({ order, points }) => [barSeries(points, order), lineSeries(points, order, true)]),
        nameSeries(lines.flatMap(({ points }) => points).map((point) => ({ ...point, bold: point.bold || point.label.startsWith("✓") })), chartOf),
        plainLine([...ahead.map(({ cost, mean }) => [cost, mean]), ...(ahead.length ? [[high, ahead[ahead.length - 1].mean]] : [])], { opacity: 0.8 }, { step: "end", id: "front" }),
        ...limits.y.map((mean) => plainLine([[low, mean], [high, mean]], { type: [3, 3], color: ink("accent") })),
        ...limits.x.map((cost) => plainLine([[cost, y.min], [cost, y.max]], { type: [3, 3], color: ink("accent") })),
      ],
    });
    chart(box, name, `${axisLabel()} over ${axis.name} on ${name}`, option, readingOrder(lines.flatMap(({ points }) => [null, points])));
  }
  if (!used.size) node(box, "p", { class: "note" }, `None of these runs knows its ${axis.name}.`);
  else if (without.size) node(box, "p", { class: "note" }, `Not drawn, as their runs do not agree on one figure or have none: ${[...without].join(", ")}.`);
  if (study.constant) node(box, "p", { class: "note" }, study.constant);
  key(box, LINES.filter((line) => used.has(line)), orderOf);
}

// Where a budget ends, on the axes of a data set's chart.
function limitsOf(dataset, axis, answered, cells) {
  const { loss, microwatts, bitsPerSecond } = state.budget;
  const references = answered.filter(({ contest }) => contest.dataset === dataset).map(({ contest }) => cells.get(`${contest.reference}/${dataset}`)).filter(Boolean);
  const x = (axis.key === "kbit_s" ? bitsPerSecond && bitsPerSecond / 1000 : axis.key === "uj_s" ? microwatts : null) / axis.unit;
  return {
    y: loss == null || references.length !== 1 ? [] : [scaled(references[0]).mean + (metric().less ? loss : -loss)],
    x: x ? [x] : [],
  };
}

// Transfer curves, before rounding; of levels that were fitted, the staircase itself.
function curvesSection(box, runs) {
  const used = new Set();
  let left = 0;
  const every = runs.filter((run) => run.curve && run.curve.kind !== "memory");
  const bits = curveBits(box, every);
  for (const dataset of present(every, "dataset")) {
    let here = distinct(every.filter((run) => run.dataset === dataset && (bits == null || study.rows[run.row].bits === bits)));
    if (!here.length) continue;
    const room = Math.max(1, Math.floor(MOST_CURVES / Math.max(...here.map((run) => channelsOf(run.curve)))));
    const [own, fixed] = [here.filter(isOwn), here.filter((run) => !isOwn(run))]; // one of each fixed curve stays
    if (own.length > room) {
      left += own.length - room;
      here = [...fixed, ...Array.from({ length: room }, (_, i) => own[Math.floor((i * own.length) / room)])];
    }
    const { name, bipolar, unit } = study.datasets[dataset];
    const bottom = bipolar ? -1 : 0;
    const opacity = Math.min(0.85, Math.max(0.15, 20 / here.length)); // many curves are a cloud, and one a line
    const ranged = here.every((run) => run.curve.range);
    const place = (run, channel) => {
      if (!ranged) return (u) => u;
      const [low, high] = run.curve.range[Math.min(channel, run.curve.range.length - 1)];
      return (u) => low + ((u - bottom) / (1 - bottom)) * (high - low);
    };
    const drawn = [];
    for (const run of here) {
      const { line } = study.rows[run.row];
      used.add(line);
      for (let channel = 0; channel < channelsOf(run.curve); channel++) {
        const at = place(run, channel), cuts = run.curve.cuts?.[channel];
        const values = cuts ? staircase(cuts, bottom).map(([u, z]) => [at(u), z]) : samples(bottom).map((u) => [at(u), transfer(run.curve, channel)(u)]);
        drawn.push({ values, order: orderOf(line), text: curveTitle(run, channel), opacity: isOwn(run) ? opacity : 1 });
      }
    }
    const ends = drawn.flatMap(({ values }) => [values[0][0], values[values.length - 1][0]]);
    const x = ranged ? { min: Math.min(...ends), max: Math.max(...ends) } : { min: bottom, max: 1 };
    const label = ranged ? `signal (${unit || "in the sensor's unit"})` : "signal, as a share of its range";
    const option = () => ({
      xAxis: axisOf(label, 30, { own: { type: "value", ...x }, lines: false, axisLabel: { formatter: (tick) => String(Number(tick.toPrecision(3))) } }),
      yAxis: valueAxis("curve, before rounding", { min: bottom, max: 1, ticks: bipolar ? [-1, -0.5, 0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1] }),
      series: drawn.map(({ values, order, opacity }) => ({
        type: "line", symbol: "none", triggerLineEvent: true, data: values, tooltip: { show: false },
        lineStyle: { color: ink(`c${order % COLOURS}`), width: 1.4, type: dash(order), opacity }, emphasis: { lineStyle: { width: 4, opacity: 1 } },
      })),
    });
    chart(box, name, `Transfer curves on ${name}`, option, drawn.map(({ text }, series) => ({ series, index: null, text })), 480);
  }
  if (!used.size) node(box, "p", { class: "note" }, "None of these runs quantizes its sensor by a curve that this page knows.");
  for (const line of notDrawn(runs)) node(box, "p", { class: "note" }, line);
  if (left) node(box, "p", { class: "note" }, `The curves of ${left} more runs are not drawn: every few runs one is. Filter to see others.`);
  key(box, LINES.filter((line) => used.has(line)), orderOf);
}

// Which bits' curves are drawn, of those that are there: staircases of all would hide each other. Null: all.
function curveBits(box, runs) {
  const there = [...new Set(runs.map((run) => study.rows[run.row].bits))].sort((a, b) => a - b);
  if (there.length < 2) return null;
  const asked = study.rows[currentAnswers().find(({ chosen }) => chosen)?.chosen.row]?.bits;
  const usual = there.includes(asked) ? asked : there.find((each) => each > 1);
  const shown = state.curveBits === "all" || there.includes(state.curveBits) ? state.curveBits : usual;
  const choice = node(box, "p");
  node(choice, "label", { class: "label", for: "curve-bits" }, "Curves of");
  const select = node(choice, "select", { id: "curve-bits" });
  for (const each of [...there, "all"]) node(select, "option", { value: each }, each === "all" ? "all bits" : `${each} bit`);
  select.value = shown;
  select.addEventListener("change", () => {
    state.curveBits = select.value === "all" ? "all" : Number(select.value);
    redraw("curves");
    document.getElementById("curve-bits").focus();
  });
  return shown === "all" ? null : shown;
}

// Why a converter has no curve here.
function notDrawn(runs) {
  const names = (several) => [...new Set(several.map((run) => study.rows[run.row].line))].join(", ");
  const memory = runs.filter((run) => run.curve?.kind === "memory");
  const unknown = runs.filter((run) => !run.curve && study.rows[run.row].bits != null && !study.rows[run.row].bitsName.startsWith("network"));
  return [
    memory.length && `${names(memory)}: a converter with memory has no curve, since what a sample becomes depends on those before it; figures/stream.png in a run's folder shows its signal and codes.`,
    unknown.length && `${names(unknown)}: these runs did not record their levels; figures/transfer.png in a run's folder shows them, and so does qsense export.`,
  ].filter(Boolean);
}

const channelsOf = (curve) => curve.cuts?.length ?? curve.gamma?.length ?? 1;

// Where a curve is looked at: denser where curves are steep, around the centre.
const samples = (bottom, steps = 100) => Array.from({ length: steps + 1 }, (_, i) => {
  const t = bottom + ((1 - bottom) * i) / steps;
  return Math.sign(t) * t * t;
});

// The corners of a staircase, from decision levels in unit coordinates.
function staircase(cuts, bottom) {
  const corners = [[bottom, bottom]];
  cuts.forEach((cut, code) => {
    const at = Math.min(1, Math.max(bottom, cut));
    corners.push([at, bottom + ((1 - bottom) * code) / cuts.length], [at, bottom + ((1 - bottom) * (code + 1)) / cuts.length]);
  });
  return [...corners, [1, 1]];
}

const isOwn = (run) => run.curve.gamma != null || run.curve.cuts != null; // learned or fitted

// Curves that are not learned are the same in every run of a line: one stands for all.
function distinct(runs) {
  const seen = new Set();
  return runs.filter((run) => {
    const { line } = study.rows[run.row];
    if (!isOwn(run) && seen.has(line)) return false;
    seen.add(line);
    return true;
  });
}

function curveTitle(run, channel) {
  const { gamma, mu, cuts } = run.curve;
  if (cuts) return `${study.rows[run.row].label}, seed ${run.seed}, fold ${run.fold}${cuts.length > 1 ? `, channel ${channel}` : ""}`;
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
  for (const [, text, below] of columns) {
    const cell = node(head, "th", { scope: "col" }, text);
    for (const line of below ?? []) node(cell, "small", {}, line);
  }
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

// Parts of a detection test: a chart over the groups of a division, and its numbers below.
function groupsSection(box, runs) {
  const there = study.divisions.filter((name) => study.datasets.some(({ groups }) => name in groups));
  const division = state.division ?? there[0];
  const choice = node(box, "p");
  node(choice, "label", { class: "label", for: "division" }, "Divided by");
  const select = node(choice, "select", { id: "division" });
  for (const name of there) node(select, "option", { value: name }, name);
  select.value = division;
  select.addEventListener("change", () => { state.division = select.value; redraw("groups"); document.getElementById("division").focus(); });
  const used = new Set();
  const seeds = study.seeds.length - state.off.seed.size;
  for (const dataset of present(runs, "dataset")) {
    const { name, folds, groups } = study.datasets[dataset];
    if (!groups[division]) continue;
    const { names, frames, boxes, note } = groups[division];
    const here = grouped(runs.filter((run) => run.dataset === dataset && run.groups?.[division]?.[metric().key]), (run) => run.row);
    if (!here.size) continue;
    const cells = new Map([...here].map(([row, several]) => {
      const scoreAt = (place) => (run) => run.groups[division][metric().key][place];
      return [row, names.map((_, place) => cellOf(several, scoreAt(place), folds, seedsOf(several, study, seeds)))];
    }));
    const rows = [...cells.keys()].sort((a, b) => a - b);
    const apart = Math.min(0.05, 0.3 / Math.max(1, rows.length - 1)); // of a step, between rows in the same group
    const lines = rows.map((row, order) => ({
      order: orderOf(study.rows[row].line),
      points: cells.get(row).flatMap((cell, place) => (cell ? [{
        ...scaled({ ...cell, comparable: true }), x: place + apart * (order - (rows.length - 1) / 2), side: "right",
        text: `${study.rows[row].label}, ${names[place]}: ${plusMinus(cell)} (${frames[place]} frames, ${boxes[place]} boxes)${cell.complete ? "" : ", runs are missing"}`,
      }] : [])),
      row,
    })).filter(({ points }) => points.length);
    if (!lines.length) continue;
    for (const { row, points } of lines) {
      used.add(study.rows[row].line);
      points[points.length - 1].label = pointLabel(row); // each is named at its end
    }
    const ticks = names.map((_, place) => place);
    const option = (chartOf) => ({
      xAxis: axisOf(division, 30, { own: { type: "value", min: -0.5, max: names.length - 0.5 }, lines: false, axisLabel: { customValues: ticks, hideOverlap: true, formatter: (place) => names[place] ?? "" }, axisTick: { customValues: ticks } }),
      yAxis: valueAxis(axisLabel(), range(lines.flatMap(({ points }) => points))),
      series: [...lines.flatMap(({ order, points }) => [barSeries(points, order), lineSeries(points, order, division === "condition")]), nameSeries(lines.flatMap(({ points }) => points), chartOf)],
    });
    chart(box, name, `${axisLabel()} by ${division} on ${name}`, option, readingOrder(lines.flatMap(({ points }) => [null, points])));
    heat(box, name, rows, names.map((text, place) => [place, text, [`${frames[place]} frames`, `${boxes[place]} boxes`]]), (row, place) => cells.get(row)[place]?.mean);
    node(box, "p", { class: "note", style: "margin-top:.6rem" }, note);
  }
  if (!used.size) node(box, "p", { class: "note" }, `No run that passes the filters recorded ${metric().name} by ${division}.`);
  key(box, LINES.filter((line) => used.has(line)), orderOf);
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
    for (const [name, get, kind, write] of columns) {
      linked(node(line, "td", { class: kind }), write ? write(get(run)) : get(run), name === "Folder" ? run.page : null);
    }
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
  answer: ["Which to take", "The cheapest row that loses no more than this against unquantized data, paired over folds; with a limit on power or rate alone, the best within it. In brackets: 95 % of what the difference may be.", answerSection, false],
  cost: ["Score against cost", "Logarithmic. Steps and bold names: the Pareto front, the best mean up to a cost; what another point beats in both is paler. ✓: what the budget asks for; blue: its limits. The sensor's figures are a model's and not measured.", costSection, true],
  scores: ["Scores", "Mean over folds per seed, then mean ± standard deviation over seeds.", scoresSection, true],
  bits: ["Score against bits", "Error bars: ± one standard deviation over seeds. Hollow or dotted: runs are missing, or other folds are averaged. Points beside each other have the same bits.", bitsSection, true],
  curves: ["Converters' curves", "Every run's transfer curve, before rounding to its levels; of fitted levels the staircase. Point at one to see whose it is. One curve for all axes is drawn over the range of the first.", curvesSection, true],
  groups: ["By light and size", "Parts of a detection test: frames by their condition or exposure, each group as if it were tested alone, and objects by their size. Error bars: ± one standard deviation over seeds.", groupsSection, true],
  classes: ["By class", "Means over seeds and folds.", classesSection, true],
  folds: ["By fold", "One fold is one subject in activity recognition. Means over seeds.", foldsSection, true],
  progress: ["Progress", "What the study's folders tell, and the sweeps that were at work when this page was written.", progressSection, false],
  runs: ["Runs", "Finished runs that pass the filters.", runsSection, true],
  lists: ["Missing, and to mind", "", listsSection, false],
};

if (!study.datasets.some(({ groups }) => Object.keys(groups).length)) delete SECTIONS.groups; // no run of detection

function redraw(name) {
  const [title, note, drawSection] = SECTIONS[name];
  const box = document.getElementById(name);
  clearCharts(box);
  box.replaceChildren();
  node(box, "h2", { id: `${name}-title` }, title);
  if (note) node(box, "p", { class: "note" }, note);
  const runs = study.runs.filter(passes);
  const filtered = SECTIONS[name][3];
  if (filtered && !runs.length) node(box, "p", { class: "note" }, study.runs.length ? "No run passes the filters." : "No run has finished yet.");
  else drawSection(box, runs, filtered ? cellsOf(runs, value, study, study.seeds.length - state.off.seed.size) : null);
}

const CHARTED = ["cost", "bits", "curves", "groups"].filter((name) => name in SECTIONS);

function draw() {
  for (const name of ["answer", ...Object.keys(SECTIONS).filter((each) => SECTIONS[each][3])]) if (!CHARTED.includes(name)) redraw(name);
  drawCharts(CHARTED);
}

// Charts follow when nothing has been typed for a moment: of a thousand runs they take longer than a key.
const waiting = new Set();
let timer = null;
function drawCharts(names) {
  for (const name of names) waiting.add(name);
  document.documentElement.dataset.drawn = "tables";
  clearTimeout(timer);
  timer = setTimeout(() => {
    for (const name of waiting) redraw(name);
    waiting.clear();
    document.documentElement.dataset.drawn = "all";
  }, 80);
}

function theme() {
  const button = document.getElementById("theme");
  const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const tell = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-pressed", String(dark())); };
  button.addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; tell(); repaint(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { tell(); repaint(); });
  tell();
}

async function start() {
  const finished = study.progress.reduce((sum, part) => sum + part.count.finished, 0);
  const total = study.progress.reduce((sum, part) => sum + part.total, 0);
  document.getElementById("made").textContent = `${finished} of ${total} runs finished · made ${study.made}`;
  const packed = document.getElementById("library").textContent.length;
  document.getElementById("about").textContent = `One file without a network. Charts: Apache ECharts 6.1.0 (Apache License 2.0), ${(packed / 1e6).toFixed(2)} MB of it.`;
  const nav = document.getElementById("nav"), box = document.getElementById("sections");
  for (const [name, [title]] of Object.entries(SECTIONS)) {
    node(nav, "a", { href: `#${name}` }, title);
    node(box, "section", { id: name, "aria-labelledby": `${name}-title` });
  }
  theme();
  if (study.runs.length) filters();
  else document.getElementById("filters").hidden = true;
  const unpacked = unpackLibrary(); // tables need not wait for it
  for (const name of Object.keys(SECTIONS)) if (!CHARTED.includes(name)) redraw(name);
  await unpacked;
  drawCharts(CHARTED);
}

start();
