"use strict";
// Which row a budget asks for: the rule of `budget.py` and the sentences of `answers.py`, by the runs that pass the filters.

const SURELY = "surely", BY_MEAN = "by its mean", NO = "no";
const ROUNDING = 1e-9; // two sums of the same scores may differ by it

// Mean and 95 % interval (Student) of a row's differences to the reference, in points, turned so that more is better.
function offerOf(row, points, price, power, rate) {
  const middle = mean(points), count = points.length;
  if (count < 2) return { row, price, power, rate, count, difference: middle, low: null, high: null };
  const spread = Math.sqrt(points.reduce((sum, each) => sum + (each - middle) ** 2, 0) / (count - 1));
  const half = (study.student[count] * spread) / Math.sqrt(count);
  return { row, price, power, rate, count, difference: middle, low: middle - half, high: middle + half };
}

function holds(offer, loss) {
  const least = -loss - ROUNDING;
  return offer.difference < least ? NO : offer.low != null && offer.low >= least ? SURELY : BY_MEAN;
}

const bestOf = (offers) => offers.reduce((best, each) => (best && best.difference >= each.difference ? best : each), null);

function cheapestOf(offers) {
  const least = Math.min(...offers.map((each) => each.price));
  return bestOf(offers.filter((each) => each.price * (1 - study.samePrice) <= least));
}

const lossless = (offer) => study.rows[offer.row]?.like != null;

// Those of converters; all where there are none: the lossless rival is a bound.
function built(offers) {
  const converters = offers.filter((each) => !lossless(each));
  return converters.length ? converters : offers;
}

function choice(offers, { loss, microwatts, bitsPerSecond }) {
  const within = (limit, spent) => limit == null || (spent != null && spent <= limit + ROUNDING);
  const affordable = offers.filter((each) => within(microwatts, each.power) && within(bitsPerSecond, each.rate));
  const holding = loss == null ? offers : offers.filter((each) => holds(each, loss) !== NO);
  const kept = built(affordable.filter((each) => holding.includes(each)));
  const chosen = loss == null ? bestOf(kept) : cheapestOf(kept);
  if (!chosen) return { nearest: bestOf(built(affordable)) ?? cheapestOf(built(offers)), dearer: loss == null ? null : cheapestOf(built(holding)) };
  const surely = loss == null ? null : cheapestOf(kept.filter((each) => holds(each, loss) === SURELY));
  const below = offers.filter((each) => each.price < chosen.price * (1 - study.samePrice));
  const dearest = Math.max(...below.map((each) => each.price));
  return {
    chosen,
    surely: surely === chosen ? null : surely,
    cheaper: bestOf(below.filter((each) => each.price >= dearest * (1 - study.samePrice))),
  };
}

// Score − the reference's, by fold (or seed, where there is a single fold), over the seeds that both have there.
function differencesOf(runs, reference, unit) {
  const scores = (several) => new Map([...grouped(several, (run) => `${run.seed}/${run.fold}`)].map(([at, same]) => [at, mean(same.map(value))]));
  const ours = scores(runs), theirs = scores(reference), units = new Map();
  for (const at of [...ours.keys()].filter((each) => theirs.has(each))) {
    const place = at.split("/")[unit === "seeds" ? 0 : 1];
    units.set(place, [...(units.get(place) ?? []), ours.get(at) - theirs.get(at)]);
  }
  return [...units.values()].map(mean);
}

// The answer of one contest; null where no row shares a fold with the reference.
function answerOf(contest, runs, budget, seeds) {
  const { folds } = study.datasets[contest.dataset];
  const unit = folds === 1 ? "seeds" : "folds";
  const scored = grouped(runs.filter((run) => run.dataset === contest.dataset && value(run) != null), (run) => run.row);
  const reference = scored.get(contest.reference) ?? [];
  const tried = contest.rows
    .filter(({ row }) => row !== contest.reference)
    .map((each) => ({ ...each, points: differencesOf(scored.get(study.rows[each.row].like ?? each.row) ?? [], reference, unit) }))
    .filter(({ row, points }) => points.length || scored.has(row));
  const enough = Math.min(study.few, Math.max(0, ...tried.map(({ points }) => points.length)));
  if (!enough) return null;
  const scale = (metric().less ? -1 : 1) * (metric().percent ? 100 : 1);
  const offers = tried
    .filter(({ points }) => points.length >= enough)
    .map(({ row, price, power, rate, points }) => offerOf(row, points.map((each) => scale * each), price ?? Infinity, power, rate));
  return {
    contest, budget, unit, whole: unit === "folds" ? folds : seeds, offers,
    early: tried.filter(({ points }) => points.length < enough).map(({ row }) => row),
    ...choice(offers, budget),
  };
}

// ------------------------------------------------------------------------------------------------------------- words

// Three digits, or all before the point.
const rounded = (number) => (number > 0 && number < 1000 ? number.toFixed(Math.max(0, 2 - Math.floor(Math.log10(number)))) : number.toFixed(0));
const plain = (number) => String(Number(number.toPrecision(6)));
const some = (texts) => texts.slice(0, 3).join(", ") + (texts.length > 3 ? ` … and ${texts.length - 3} more` : "");

function wordsOf(answer) {
  const { contest, budget, unit, whole, chosen, surely, cheaper, nearest, dearer, early } = answer;
  const points = metric().percent ? "points" : metric().key;
  const label = (offer) => study.rows[offer.row].label;
  const raw = study.rows[contest.reference].bits == null;
  const reference = raw ? "unquantized" : study.rows[contest.reference].label;
  const number = (each) => each.toFixed(points === "points" ? 1 : 3);
  const signed = (each) => (Number(number(Math.abs(each))) === 0 ? number(0) : `${each > 0 ? "+" : "−"}${number(Math.abs(each))}`);
  const loss = budget.loss == null ? "" : `${plain(budget.loss)} ${budget.loss === 1 && points === "points" ? "point" : points}`;
  const distance = ({ difference }) => {
    const text = number(Math.abs(difference));
    return Number(text) === 0 ? "level with" : `${text} ${points} ${difference > 0 ? "above" : "below"}`;
  };
  const interval = ({ count, low, high }) => {
    if (low == null) return `one ${unit.slice(0, -1)}, so nobody knows the spread`;
    const over = count === whole ? `${count} ${unit}` : `${count} of ${whole} ${unit}`;
    return `95 %: ${signed(low)} … ${signed(high)}, ${over}${count < study.few ? ", which are few" : ""}`;
  };
  const described = (offer) =>
    lossless(offer)
      ? `no converter that was tried, but ${label(offer)}: native samples by an ideal coder (a bound: none is built)`
      : `${label(offer)}, ${distance(offer)} ${reference} (${interval(offer)})`;
  const figure = (each) => rounded(each / contest.unit.size);
  const paid = contest.rows.find(({ row }) => row === contest.reference).price;
  const price = (offer, before) => (contest.unit.key ? `${before}${contest.unit.name} ${figure(offer.price)} instead of ${figure(paid)} ${contest.unit.unit}` : "");
  const at = (offer) => (contest.unit.key ? ` at ${figure(offer.price)} ${contest.unit.unit}` : "");
  const parts = [];
  if (!chosen) {
    const limits = [loss && `${loss} of ${reference}`, budget.microwatts != null && `${plain(budget.microwatts)} µW`, budget.bitsPerSecond != null && `${plain(budget.bitsPerSecond)} bits/s`].filter(Boolean);
    parts.push(`no row is ${limits.length ? `within ${limits.join(" and ")}` : "without limits"}`);
    if (nearest) parts.push(`nearest: ${described(nearest)}${price(nearest, ", ")}`);
    if (dearer) parts.push(`within ${loss}: ${label(dearer)}${at(dearer)}`);
  } else {
    parts.push(described(chosen));
    if (loss && !lossless(chosen)) {
      if (holds(chosen, budget.loss) === SURELY) parts.push(`surely within ${loss}`);
      else {
        const wide = chosen.low != null && (chosen.high - chosen.low) / 2 > budget.loss;
        parts.push(`within ${loss} by its mean, not surely${wide ? ` (more ${unit} or seeds would tell)` : ""}`);
        if (surely) parts.push(`surely: ${label(surely)}${at(surely)}`);
      }
    }
    if (contest.unit.key) parts.push(price(chosen, ""));
    const level = (offer) => (Number(number(Math.abs(offer.difference))) === 0 ? ` ${reference}` : "");
    parts.push(cheaper ? `next cheaper: ${label(cheaper)}${lossless(cheaper) ? " (a bound)" : ""}, ${distance(cheaper)}${level(cheaper)}` : "nothing cheaper was tried");
  }
  if (early.length) parts.push(`too few ${unit} yet to judge ${some(early.map((row) => study.rows[row].label))}`);
  return parts.join("; ");
}
