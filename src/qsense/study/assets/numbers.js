"use strict";
// Mean over folds per seed, then mean ± std (ddof 0) over seeds: the rule of the tables in Python.

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

const grouped = (items, key) => {
  const groups = new Map();
  for (const item of items) {
    const name = key(item);
    if (groups.has(name)) groups.get(name).push(item);
    else groups.set(name, [item]);
  }
  return groups;
};

// What stands behind one number; null without a run. `value` takes a run and gives its score or null.
function cellOf(runs, value, folds, seeds) {
  const scored = runs.filter((run) => value(run) != null);
  if (!scored.length) return null;
  const bySeed = [...grouped(scored, (run) => run.seed).values()].map((several) =>
    [...grouped(several, (run) => run.fold).entries()].map(([fold, same]) => [fold, mean(same.map(value))])
  );
  const means = bySeed.map((each) => mean(each.map(([, score]) => score)));
  const whole = mean(means);
  const there = bySeed.reduce((sum, each) => sum + each.length, 0);
  return {
    mean: whole,
    std: means.length > 1 ? Math.sqrt(mean(means.map((one) => (one - whole) ** 2))) : null,
    runs: there,
    expected: folds * seeds,
    complete: there === folds * seeds,
    foldsOfSeeds: bySeed.map((each) => each.map(([fold]) => fold).sort((a, b) => a - b).join()),
  };
}

// How many seeds a cell should have: all that are shown, or its runs' where cells have seeds of their own.
const seedsOf = (runs, study, seeds) => (study.ownSeeds ? new Set(runs.map((run) => run.seed)).size : seeds);

// All cells by "row/dataset", with whether each averages the same folds as the rest of its column.
function cellsOf(runs, value, study, seeds) {
  const cells = new Map();
  for (const [place, several] of grouped(runs, (run) => `${run.row}/${run.dataset}`)) {
    const cell = cellOf(several, value, study.datasets[several[0].dataset].folds, seedsOf(several, study, seeds));
    if (cell) cells.set(place, Object.assign(cell, { row: several[0].row, dataset: several[0].dataset }));
  }
  for (const column of grouped(cells.values(), (cell) => cell.dataset).values()) {
    const widest = new Set(column.flatMap((cell) => cell.foldsOfSeeds.flatMap((text) => text.split(",")))).size;
    for (const cell of column) cell.comparable = cell.foldsOfSeeds.every((text) => text.split(",").length === widest);
  }
  return cells;
}

// The points {cost, mean} that no other dominates, from the cheapest on; of equal ones each.
function front(points, less) {
  const better = (a, b) => (less ? a.mean < b.mean : a.mean > b.mean);
  const found = [];
  for (const point of [...points].sort((a, b) => a.cost - b.cost || (less ? a.mean - b.mean : b.mean - a.mean))) {
    const last = found[found.length - 1];
    if (!last || better(point, last) || (point.cost === last.cost && point.mean === last.mean)) found.push(point);
  }
  return found;
}

// The transfer curve of a run in unit coordinates, of one of its channels: u → z, or null where it is beyond the range.
function transfer(curve, channel, bipolar) {
  if (curve.kind === "power") {
    const gamma = curve.gamma[channel];
    if (!curve.mu.length) return (u) => Math.max(u, 0) ** gamma;
    const mu = curve.mu[channel];
    return (u) => {
      const z = (Math.abs(u - mu) + curve.epsilon) ** gamma;
      return Math.min(1, Math.max(-1, u >= mu ? z : -z));
    };
  }
  if (curve.kind === "log") {
    return (u) => (Math.sign(u) * Math.log1p(Math.abs(u) / curve.epsilon)) / Math.log1p(1 / curve.epsilon);
  }
  return (u) => u;
}
