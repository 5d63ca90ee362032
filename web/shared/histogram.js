// SPDX-License-Identifier: MIT
// A histogram as SVG of its own: bars stacked by part, the mean and one deviation to each side of it, the same in
// words, and the bars as a table.

import { el, fill, newId, svg } from "./dom.js";
import { short, whole } from "./number.js";
import { words } from "./words.js";

const say = words({
	en: {
		summary: "{n} values from {low} to {high}, mean {mean}, deviation {deviation}.", none: "no values",
		part: " Lit: {n} values, mean {mean}, deviation {deviation}.",
		table: "The bars as a table", from: "from", to: "to", count: "values",
	},
	ko: {
		summary: "값 {n}개, {low}부터 {high}까지, 평균 {mean}, 표준편차 {deviation}.", none: "값이 없습니다",
		part: " 강조된 묶음: 값 {n}개, 평균 {mean}, 표준편차 {deviation}.",
		table: "막대를 표로 보기", from: "이상", to: "미만", count: "값의 수",
	},
});

const WIDE = 360, HIGH = 130, BELOW = 34;

/** Count, range, mean and biased deviation of numbers; null of none. Large lists are fine. */
export function summarize(values) {
	if (values.length === 0)
		return null;
	let low = Infinity, high = -Infinity, sum = 0, squares = 0;
	for (const x of values) {
		low = Math.min(low, x);
		high = Math.max(high, x);
		sum += x;
	}
	const mean = sum / values.length;
	for (const x of values)
		squares += (x - mean) ** 2;
	return { n: values.length, low, high, mean, deviation: Math.sqrt(squares / values.length) };
}

/** A step of 1, 2 or 5 times a power of ten, so that about `count` steps make the range. */
function niceStep(range, count) {
	const step = 10 ** Math.floor(Math.log10(range / count)), most = range / count / step;
	return step * (most > 5 ? 10 : most > 2 ? 5 : most > 1 ? 2 : 1);
}

/** Bins of equal width that begin at a round number and cover `low` to `high`. */
export function binsFor(low, high, count = 24) {
	const range = high > low ? high - low : Math.abs(low) || 1, step = niceStep(range, count);
	const from = Math.floor(low / step), to = Math.floor(high / step) + 1;
	return { from: from * step, step, count: to - from, edge: i => Number(((from + i) * step).toPrecision(12)) };
}

/** How many values are in each bin. */
export function countIn(bins, values) {
	const counts = Array(bins.count).fill(0);
	for (const x of values)
		counts[Math.min(bins.count - 1, Math.max(0, Math.floor((x - bins.from) / bins.step)))]++;
	return counts;
}

function bars(bins, parts, most) {
	const wide = WIDE / bins.count, up = Array(bins.count).fill(0);
	return parts.map(({ hue, pattern, counts }) => {
		let d = "";
		counts.forEach((count, i) => {
			const high = count / most * HIGH;
			up[i] += high;
			if (count > 0)
				d += `M${i * wide + 0.5} ${HIGH - up[i]}h${wide - 1}v${high}h${1 - wide}z`;
		});
		return svg("g", { class: hue },
			svg("path", { d, class: "bar", fill: "currentColor" }),
			pattern && svg("path", { d, fill: pattern }));
	});
}

/** The axis below bins. */
export function axis(bins) {
	const every = Math.ceil(bins.count / 6), at = i => i / bins.count * WIDE;
	const first = (every - Math.round(bins.from / bins.step) % every) % every; // so that 0 has a mark
	const marks = [];
	for (let i = first; i <= bins.count; i += every)
		marks.push(svg("path", { class: "mark", d: `M${at(i)} ${HIGH}v4` }),
			svg("text", { x: at(i), y: HIGH + 16 }, short(bins.edge(i))));
	return svg("g", { class: "axis" }, svg("path", { class: "mark", d: `M0 ${HIGH}H${WIDE}` }), marks);
}

/** The mean, and one deviation to each side, below the axis. */
function spread(bins, { mean, deviation }) {
	const x = value => (value - bins.from) / bins.step / bins.count * WIDE, y = HIGH + 26;
	return svg("g", { class: "spread" },
		svg("path", { d: `M${x(mean - deviation)} ${y - 4}v8m0-4H${x(mean + deviation)}m0-4v8` }),
		svg("path", { class: "mean", d: `M${x(mean)} 0V${HIGH}M${x(mean)} ${y - 5}v10` }));
}

function table(name, bins, counts) {
	const row = (count, i) => el("tr", {}, el("td", { class: "number" }, short(bins.edge(i))),
		el("td", { class: "number" }, short(bins.edge(i + 1))), el("td", { class: "number" }, whole(count)));
	return el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": say("table") }, el("table", {},
		el("caption", { class: "quiet" }, name),
		el("thead", {}, el("tr", {}, ["from", "to", "count"].map(key =>
			el("th", { scope: "col", class: "number" }, say(key))))),
		el("tbody", {}, counts.map(row))));
}

/** A summary as texts. A mean that is 0 but for rounding is 0. */
function wordsOf({ n, low, high, mean, deviation }) {
	const isZero = Math.abs(mean) < 1e-12 * Math.max(Math.abs(low), Math.abs(high));
	return { n: whole(n), low: short(low), high: short(high), mean: short(isZero ? 0 : mean),
		deviation: short(deviation) };
}

/**
 * A histogram. `show({ name, parts, defs, range, count })` draws it: a part has `values` and, to tell it from others, a
 * class `hue` that sets `color` and a `pattern` to fill with, from the SVG `defs`. `range` [low, high] holds the axis
 * still; without it, the values' own. `count`: about how many bins. `none`: what to say where there are no values.
 * `light(i)` makes part i stand out; −1: none.
 */
export function histogram() {
	const title = el("h3", { id: newId("histogram") }), all = el("span"), part = el("span");
	const plot = svg("svg", { viewBox: `-16 -4 ${WIDE + 32} ${HIGH + BELOW + 4}`, role: "img" });
	const inside = el("div");
	const element = el("figure", { class: "histogram", "aria-labelledby": title.id }, title, plot,
		el("p", { class: "quiet" }, all, part), el("details", {}, el("summary", {}, say("table")), inside));
	let shown = [], groups = [];

	element.show = ({ name, parts, defs = null, range = null, count = 24, none = say("none") }) => {
		const values = parts.flatMap(({ values }) => values), sum = summarize(values);
		shown = parts;
		groups = [];
		fill(title, name);
		fill(all, sum === null ? none : say("summary", wordsOf(sum)));
		fill(part);
		plot.setAttribute("aria-label", `${name}: ${all.textContent}`);
		if (sum === null) {
			fill(plot);
			fill(inside);
			return;
		}
		const own = [Math.min(sum.low, sum.mean - sum.deviation), Math.max(sum.high, sum.mean + sum.deviation)];
		const bins = binsFor(...range ?? own, count), counts = countIn(bins, values);
		const counted = parts.map(one => ({ ...one, counts: countIn(bins, one.values) }));
		groups = bars(bins, counted, Math.max(...counts));
		fill(plot, defs, groups, axis(bins), spread(bins, sum));
		fill(inside, table(name, bins, counts));
	};
	element.light = i => {
		const sum = summarize(shown[i]?.values ?? []);
		groups.forEach((group, j) => group.classList.toggle("faded", sum !== null && j !== i));
		fill(part, sum !== null && say("part", wordsOf(sum)));
	};
	return element;
}
