"use strict";
// Small SVG charts. Text is set as text, never as markup.

const NAMESPACE = "http://www.w3.org/2000/svg";
const COLOURS = 7;
const FAINT = 0.35; // opacity of what is dominated
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];

function node(parent, tag, attributes = {}, text = null) {
  const made = parent.namespaceURI === NAMESPACE || tag === "svg" ? document.createElementNS(NAMESPACE, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) made.setAttribute(name, value);
  if (text != null) made.textContent = text;
  parent.append(made);
  return made;
}

const colour = (order) => `var(--c${order % COLOURS})`;
const dash = (order) => DASHES[Math.floor(order / COLOURS) % DASHES.length];
const round = (value) => Math.round(value * 100) / 100;

// Steps of 1, 2 or 5 × 10ⁿ.
function ticks(low, high, about) {
  const raw = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const factor of high / low < 30 ? [1, 2, 5] : [1]) {
      const value = factor * 10 ** power;
      if (value >= low && value <= high) found.push(Number(value.toPrecision(6)));
    }
  }
  return found;
}

// An empty panel with axes. x and y: {low, high, ticks, label, log, name(value)}.
function panel(parent, title, description, x, y, width = 385, height = 270) {
  const figure = node(parent, "figure");
  node(figure, "figcaption", {}, title);
  const svg = node(figure, "svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": description });
  const left = 54, right = 12, top = 10, bottom = 40;
  const scale = (axis, from, to) => {
    const place = axis.log ? Math.log : (value) => value;
    const [low, high] = [place(axis.low), place(axis.high)];
    return (value) => round(from + ((place(value) - low) / (high - low)) * (to - from));
  };
  const at = { x: scale(x, left, width - right), y: scale(y, height - bottom, top) };
  for (const value of y.ticks) {
    node(svg, "line", { class: "grid", x1: left, x2: width - right, y1: at.y(value), y2: at.y(value) });
    node(svg, "text", { class: "soft", x: left - 6, y: at.y(value) + 4, "text-anchor": "end" }, y.name ? y.name(value) : String(value));
  }
  for (const value of x.ticks) {
    node(svg, "line", { class: "axis", x1: at.x(value), x2: at.x(value), y1: height - bottom, y2: height - bottom + 4 });
    node(svg, "text", { class: "soft", x: at.x(value), y: height - bottom + 16, "text-anchor": "middle" }, x.name ? x.name(value) : String(value));
  }
  node(svg, "line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom });
  node(svg, "text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, x.label);
  const middle = (height - bottom + top) / 2;
  node(svg, "text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, y.label);
  return { svg, at, left, right: width - right };
}

// A vertical range that holds all means with their error bars.
function range(points, about = 7) {
  const lows = points.map((point) => point.mean - (point.std ?? 0)), highs = points.map((point) => point.mean + (point.std ?? 0));
  let low = Math.min(...lows), high = Math.max(...highs);
  const margin = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
  low -= margin;
  high += margin;
  return { low, high, ticks: ticks(low, high, about) };
}

// A shape per line, so that colour is not alone in telling lines apart.
function marker(svg, x, y, order, hollow, title, faint = false) {
  const shapes = [
    (r) => `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0`,
    (r) => `M${x - r},${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
    (r) => `M${x},${y - r - 1}l${r + 1},${2 * r}h${-2 * r - 2}z`,
    (r) => `M${x},${y - r - 1}l${r + 1},${r + 1}l${-r - 1},${r + 1}l${-r - 1},${-r - 1}z`,
    (r) => `M${x},${y + r + 1}l${r + 1},${-2 * r}h${-2 * r - 2}z`,
  ];
  const mark = node(svg, "path", {
    class: "mark", d: shapes[order % shapes.length](4), stroke: colour(order), "stroke-width": 1.6,
    fill: hollow ? "var(--paper)" : colour(order), opacity: faint ? FAINT : null,
  });
  node(mark, "title", {}, title);
}

// Points of one line: {x, mean, std, complete, title, faint}, x in pixels; joined (faintly, if asked), with error bars.
function series(chart, points, order, faintly = false) {
  const { svg, at } = chart;
  const path = points.map((point, i) => `${i ? "L" : "M"}${point.x},${at.y(point.mean)}`).join("");
  node(svg, "path", { d: path, fill: "none", stroke: colour(order), "stroke-width": 1.6, "stroke-dasharray": dash(order), opacity: faintly ? FAINT : null });
  for (const point of points) {
    if (point.std) {
      const [low, high] = [at.y(point.mean - point.std), at.y(point.mean + point.std)];
      const bar = `M${point.x},${low}V${high}M${point.x - 4},${low}h8M${point.x - 4},${high}h8`;
      node(svg, "path", { d: bar, stroke: colour(order), "stroke-width": 1.3, class: "errorbar", opacity: point.faint ? FAINT : null });
    }
    marker(svg, point.x, at.y(point.mean), order, !point.complete, point.title, point.faint);
  }
}

// A Pareto front, {cost, mean} from the cheapest on: steps, to the right end of the panel.
function steps(chart, ahead) {
  if (!ahead.length) return;
  const { svg, at, right } = chart;
  const path = ahead.map((point, i) => (i ? `H${at.x(point.cost)}V${at.y(point.mean)}` : `M${at.x(point.cost)},${at.y(point.mean)}`));
  node(svg, "path", { class: "front", d: `${path.join("")}H${right}` });
}

// A level across the panel, for what has no place on its horizontal axis.
function level(chart, point, order) {
  const { svg, at, left, right } = chart;
  const y = at.y(point.mean);
  if (point.std) {
    const [low, high] = [at.y(point.mean - point.std), at.y(point.mean + point.std)];
    node(svg, "rect", { x: left, width: right - left, y: high, height: low - high, fill: colour(order), opacity: 0.13 });
  }
  const dashes = point.complete ? "7 4" : "2 4";
  const line = node(svg, "path", { class: "mark", d: `M${left},${y}H${right}`, stroke: colour(order), "stroke-width": 1.6, "stroke-dasharray": dashes });
  node(line, "title", {}, point.title);
}

function key(parent, lines, orderOf) {
  const list = node(parent, "ul", { class: "key" });
  for (const line of lines) {
    const order = orderOf(line);
    const item = node(list, "li");
    const svg = node(item, "svg", { width: 26, height: 14, viewBox: "0 0 26 14", "aria-hidden": "true" });
    node(svg, "path", { d: "M0,7H26", stroke: colour(order), "stroke-width": 1.6, "stroke-dasharray": dash(order) });
    marker(svg, 13, 7, order, false, "");
    node(item, "span", {}, line);
  }
}
