"use strict";
// Charts by ECharts, which lies packed in this page. Names reach it as text alone; what a tooltip shows is a node.

const NAMESPACE = "http://www.w3.org/2000/svg";
const COLOURS = 7;
const FAINT = 0.4; // opacity of what is dominated
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "path://M0,0L10,0L5,9Z", "roundRect", "path://M3,0H7V3H10V7H7V10H3V7H0V3H3Z"];
const PATHS = [
  "M1,7a6,6 0 1,0 12,0a6,6 0 1,0 -12,0", "M2,2h10v10h-10z", "M7,1l6,12h-12z", "M7,0l7,7l-7,7l-7,-7z", "M1,2h12l-6,11z",
  "M4,1h6q3,0 3,3v6q0,3 -3,3h-6q-3,0 -3,-3v-6q0,-3 3,-3z", "M5,1h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
];
const DASHES = ["solid", [6, 3], [2, 3], [8, 3, 2, 3]];

function node(parent, tag, attributes = {}, text = null) {
  const made = parent.namespaceURI === NAMESPACE || tag === "svg" ? document.createElementNS(NAMESPACE, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) made.setAttribute(name, value);
  if (text != null) made.textContent = text;
  parent.append(made);
  return made;
}

const colour = (order) => `var(--c${order % COLOURS})`;
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(); // for the library
const shape = (order) => (order + Math.floor(order / COLOURS)) % COLOURS; // another one where colours come again
const dash = (order) => DASHES[Math.floor(order / COLOURS) % DASHES.length];

// Puts the packed library into the page; false where the browser cannot unpack it.
async function unpackLibrary() {
  try {
    const packed = Uint8Array.from(atob(document.getElementById("library").textContent), (letter) => letter.charCodeAt(0));
    const source = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    node(document.head, "script", {}, source);
  } catch (error) {
    console.warn(error);
  }
  return typeof echarts !== "undefined";
}

// Ticks of a logarithmic axis: 1, 2, 5 × 10ⁿ; of a long one the powers alone.
function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const factor of high / low < 60 ? [1, 2, 5] : [1]) {
      const tick = Number((factor * 10 ** power).toPrecision(6));
      if (tick >= low && tick <= high) found.push(tick);
    }
  }
  return found;
}

// A range that holds all means with their error bars, with ticks in steps of 1, 2 or 5 × 10ⁿ.
function range(points, about = 6) {
  const lows = points.map((point) => point.mean - (point.std ?? 0)), highs = points.map((point) => point.mean + (point.std ?? 0));
  let low = Math.min(...lows), high = Math.max(...highs);
  const margin = (high - low) * 0.07 || Math.abs(high) * 0.05 || 1;
  low -= margin;
  high += margin;
  const power = 10 ** Math.floor(Math.log10((high - low) / about));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= (high - low) / about);
  const ticks = [];
  for (let tick = Math.ceil(low / step); tick * step <= high; tick++) ticks.push(Number((tick * step).toPrecision(10)));
  return { min: low, max: high, ticks };
}

const axisOf = (name, gap, more) => ({
  name, nameLocation: "middle", nameGap: gap, nameTextStyle: { color: ink("ink"), fontSize: 13 }, axisLabel: { color: ink("soft"), fontSize: 12, ...more.axisLabel },
  axisLine: { show: true, onZero: false, lineStyle: { color: ink("soft") } }, axisTick: { show: true, ...more.axisTick }, splitLine: { show: more.lines ?? true, lineStyle: { color: ink("line") } }, ...more.own,
});

const logAxis = (name, low, high) => {
  const ticks = logTicks(low, high);
  return axisOf(name, 30, { own: { type: "log", min: low, max: high }, lines: false, axisLabel: { customValues: ticks, hideOverlap: true, formatter: (tick) => String(Number(tick.toPrecision(3))) }, axisTick: { customValues: ticks } });
};
const valueAxis = (name, { min, max, ticks }) => axisOf(name, 46, { own: { type: "value", min, max }, axisLabel: { customValues: ticks }, axisTick: { customValues: ticks } });

const GRID = { left: 62, right: 24, top: 18, bottom: 50 }; // pixels around what is drawn
const drawnCharts = new Map(); // figure → how it is painted again, and what ends it

// A chart at full width with its buttons. `option` is a function (of one that gives the chart), as colours follow the
// theme; `points` are
// {series, index, text} from left to right, for the keyboard and for what is read aloud.
function chart(parent, title, description, option, points, height = 430) {
  const figure = node(parent, "figure", { class: "chart" });
  const head = node(figure, "figcaption", {}, title);
  if (typeof echarts === "undefined") {
    node(figure, "p", { class: "note" }, "Charts need a browser that can unpack their library; the tables have the same numbers.");
    return;
  }
  const box = node(figure, "div", { class: "canvas", tabindex: 0, role: "group", "aria-label": `${description}. Arrow keys go from point to point, + and − zoom, 0 shows all.`, style: `height:${height}px` });
  const reading = node(figure, "p", { class: "reading", "aria-live": "polite" });
  const drawn = echarts.init(box, null, { renderer: "svg" });
  const part = { x: {}, y: {} }; // what is zoomed to, which a new theme leaves
  const full = () => ({
    animation: false, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily }, aria: { enabled: false },
    grid: GRID,
    toolbox: { itemSize: 0, feature: { dataZoom: { title: { zoom: "", back: "" }, icon: { zoom: "path://M0,0", back: "path://M0,0" } } } },
    dataZoom: ["x", "y"].map((name) => ({ type: "inside", id: name, [`${name}AxisIndex`]: 0, filterMode: "none", disabled: true, ...part[name] })),
    tooltip: { trigger: "item", confine: true, backgroundColor: ink("paper"), borderColor: ink("line"), textStyle: { color: ink("ink"), fontSize: 13 },
      formatter: ({ data }) => { const text = document.createElement("span"); text.textContent = data?.text ?? ""; return text; } },
    ...option(() => drawn),
  });
  const paint = () => {
    drawn.setOption(full(), true);
    if (!matchMedia("(pointer: coarse)").matches) drawn.dispatchAction({ type: "takeGlobalCursor", key: "dataZoomSelect", dataZoomSelectActive: true });
  };
  const zoomTo = (factor) => { // of the part that is shown; 0: all
    const spans = { x: [GRID.left, drawn.getWidth() - GRID.right], y: [drawn.getHeight() - GRID.bottom, GRID.top] };
    for (const [name, [from, to]] of Object.entries(spans)) {
      const axis = drawn.getOption()[`${name}Axis`][0];
      const value = (share) => drawn.convertFromPixel({ [`${name}AxisIndex`]: 0 }, from + (to - from) * share); // in a logarithm's own terms
      const [startValue, endValue] = factor ? [Math.max(axis.min, value((1 - factor) / 2)), Math.min(axis.max, value((1 + factor) / 2))] : [axis.min, axis.max];
      drawn.dispatchAction({ type: "dataZoom", dataZoomId: name, startValue, endValue });
    }
  };
  drawn.on("datazoom", () => {
    for (const { id, startValue, endValue } of drawn.getOption().dataZoom) if (part[id]) part[id] = { startValue, endValue };
  });
  box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // the page scrolls
    event.preventDefault();
    zoomTo(event.deltaY < 0 ? 0.8 : 1.25);
  }, { passive: false });
  let at = -1;
  const show = (place) => {
    if (!points.length) return;
    drawn.dispatchAction({ type: "downplay" });
    at = (place + points.length) % points.length;
    const { series, index, text } = points[at];
    drawn.dispatchAction({ type: "highlight", seriesIndex: series, dataIndex: index ?? undefined });
    if (index != null) drawn.dispatchAction({ type: "showTip", seriesIndex: series, dataIndex: index });
    reading.textContent = text;
  };
  const keys = { ArrowRight: () => show(at + 1), ArrowDown: () => show(at + 1), ArrowLeft: () => show(Math.max(at, 0) - 1), ArrowUp: () => show(Math.max(at, 0) - 1), Home: () => show(0), End: () => show(-1), "+": () => zoomTo(0.6), "=": () => zoomTo(0.6), "-": () => zoomTo(1 / 0.6), 0: () => zoomTo(0), Escape: () => { drawn.dispatchAction({ type: "hideTip" }); drawn.dispatchAction({ type: "downplay" }); reading.textContent = ""; } };
  box.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  drawn.on("mouseover", ({ seriesIndex, dataIndex, data }) => {
    const point = points.find((each) => each.series === seriesIndex && (each.index == null || each.index === dataIndex));
    reading.textContent = data?.text ?? point?.text ?? "";
  });
  drawn.getZr().on("dblclick", () => zoomTo(0));
  const buttons = node(head, "span", { class: "zoom" });
  for (const [text, name, factor] of [["+", "Zoom in", 0.6], ["−", "Zoom out", 1 / 0.6], ["All", "Show all", 0]]) {
    node(buttons, "button", { type: "button", "aria-label": `${name}: ${title}`, title: `${name}${factor === 0.6 ? " (or drag over a part, or Ctrl and the wheel)" : ""}` }, text).addEventListener("click", () => zoomTo(factor));
  }
  paint();
  const watch = new ResizeObserver(() => drawn.resize());
  watch.observe(box);
  drawnCharts.set(figure, { paint, stop: () => { watch.disconnect(); drawn.dispose(); } });
}

// Ends the charts within a part of the page that is about to be drawn anew.
function clearCharts(box) {
  for (const [figure, { stop }] of drawnCharts) {
    if (!box.contains(figure)) continue;
    stop();
    drawnCharts.delete(figure);
  }
}

const repaint = () => { for (const { paint } of drawnCharts.values()) paint(); };

// A line of points {x, mean, std, complete, text, label, faint, bold}; joined (faintly, if asked).
function lineSeries(points, order, faintly = false) {
  const own = ink(`c${order % COLOURS}`);
  return {
    type: "line", symbol: SYMBOLS[shape(order)], color: own, lineStyle: { width: 1.6, type: dash(order), opacity: faintly ? 0.25 : 1 }, emphasis: { scale: 1.5, lineStyle: { width: 2.2 } },
    data: points.map((point) => ({
      value: [point.x, point.mean], text: point.text, symbolSize: point.bold ? 13 : 10,
      itemStyle: { color: point.complete ? own : ink("paper"), borderColor: own, borderWidth: 1.8, opacity: point.faint ? FAINT : 1 },
    })),
  };
}

// The names of points, each beside its own where it covers neither a point nor another name, the important ones first;
// one that finds no room is left out, and can still be pointed at. `side`: where it is tried first.
function nameSeries(points, chartOf) {
  const named = points.filter((point) => point.label != null).sort((a, b) => Number(b.bold ?? false) - Number(a.bold ?? false));
  let taken = [];
  const free = (box) => !taken.some((other) => box.x < other.x + other.width && other.x < box.x + box.width && box.y < other.y + other.height && other.y < box.y + box.height);
  return {
    type: "scatter", silent: true, symbolSize: 0.1, z: 5, tooltip: { show: false }, itemStyle: { color: "transparent", opacity: 1 },
    data: named.map((point) => ({
      value: [point.x, point.mean],
      label: { show: true, formatter: () => point.label, position: "top", distance: 0, color: point.bold ? ink("ink") : ink("soft"), backgroundColor: ink("paper"), padding: [0, 2], borderRadius: 2, fontSize: 12, fontWeight: point.bold ? 700 : 400 },
    })),
    labelLayout: ({ dataIndex, labelRect: { width, height } }) => {
      const drawn = chartOf(), places = (point) => drawn.convertToPixel({ gridIndex: 0 }, [point.x, point.mean]);
      if (dataIndex === 0) taken = points.map(places).map(([x, y]) => ({ x: x - 7, y: y - 7, width: 14, height: 14 }));
      const point = named[dataIndex], [x, y] = places(point);
      const sides = { top: [x - width / 2, y - 9 - height], right: [x + 11, y - height / 2], bottom: [x - width / 2, y + 9], left: [x - 11 - width, y - height / 2] };
      const order = [point.side ?? "top", "top", "right", "bottom", "left"];
      const inside = ([left]) => left > 0 && left + width < drawn.getWidth();
      for (const side of order) {
        const [left, top] = sides[side], box = { x: left - 2, y: top - 2, width: width + 4, height: height + 4 };
        if (!inside(sides[side]) || !free(box)) continue;
        taken.push(box);
        return { x: left, y: top, align: "left", verticalAlign: "top" };
      }
      return { x: -9999, y: -9999 };
    },
  };
}

// Error bars of such points: ± one standard deviation.
function barSeries(points, order) {
  const own = ink(`c${order % COLOURS}`);
  return {
    type: "custom", silent: true, z: 1, tooltip: { show: false }, encode: { x: 0, y: [1, 2] },
    data: points.filter((point) => point.std).map((point) => ({ value: [point.x, point.mean - point.std, point.mean + point.std], faint: point.faint })),
    renderItem: (_, api) => {
      const [x, low] = api.coord([api.value(0), api.value(1)]), [, high] = api.coord([api.value(0), api.value(2)]);
      return { type: "path", shape: { pathData: `M${x},${low}V${high}M${x - 4},${low}h8M${x - 4},${high}h8` }, style: { stroke: own, fill: "none", lineWidth: 1.3, opacity: 0.75 } };
    },
  };
}

// Lines that are no data: a Pareto front, a limit, a level across the chart.
const plainLine = (places, style, more = {}) => ({ type: "line", silent: true, symbol: "none", tooltip: { show: false }, z: 1, lineStyle: { width: 1.2, color: ink("ink"), ...style }, data: places, ...more });

function key(parent, lines, orderOf) {
  const list = node(parent, "ul", { class: "key" });
  for (const line of lines) {
    const order = orderOf(line);
    const item = node(list, "li");
    const svg = node(item, "svg", { width: 14, height: 14, viewBox: "0 0 14 14", "aria-hidden": "true" });
    node(svg, "path", { d: PATHS[shape(order)], fill: colour(order) });
    node(item, "span", {}, line);
  }
}
