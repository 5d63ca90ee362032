// SPDX-License-Identifier: MIT
// What a report says, and what infer has made of data.

import { el, svg } from "../shared/dom.js";
import { histogram } from "../shared/histogram.js";
import { short, whole } from "../shared/number.js";
import { path } from "../shared/request.js";
import { numbersOf, readHeader } from "./npy.js";
import { say } from "./own_words.js";

const MOST = 20000; // values of a histogram
const ROWS = 5, COLUMNS = 8; // of the first rows
const WIDE = 140, HIGH = 22, FARTHEST = 12; // deviations that a picture shows

function table(caption, head, rows) {
	return el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption }, el("table", {},
		el("caption", { class: "quiet" }, caption),
		el("thead", {}, el("tr", {}, head.map(text => el("th", { scope: "col", class: "number" }, text)))),
		el("tbody", {}, rows.map(cells => el("tr", {}, cells.map(cell =>
			el("td", { class: "number" }, cell)))))));
}

function badge(verdict) {
	return el("span", { class: "badge", "data-verdict": verdict }, say(verdict));
}

/** How far from 0 the pictures of features reach. */
function reach(features) {
	const far = features.map(each => Math.abs(each.mean_shift ?? 0) + Math.sqrt(each.variance_ratio ?? 0));
	return Math.min(FARTHEST, Math.max(2, ...far));
}

/** Mean ± deviation of the data, below those of the layer, which are 0 ± 1. The numbers stand beside it. */
function picture({ mean_shift: mean, variance_ratio: ratio }, far) {
	const x = value => (Math.max(-far, Math.min(far, value)) / far + 1) / 2 * WIDE;
	const band = (name, center, deviation, y) => [
		svg("rect", { class: name, x: x(center - deviation), y, height: 6,
			width: Math.max(1, x(center + deviation) - x(center - deviation)) }),
		svg("path", { class: name, d: `M${x(center)} ${y - 2}v10` })];
	const box = { class: "bands", viewBox: `-2 0 ${WIDE + 4} ${HIGH}`, "aria-hidden": "true" };
	return mean === null ? "–" :
		svg("svg", box, band("trained", 0, 1, 3), band("given", mean, Math.sqrt(ratio), 13));
}

const HEAD = ["feature", "verdict", "picture", "shift", "ratio", "divergence", "nan", "infinite", "min", "max",
	"beyond"];

/** A report, as elements. `names`: of the features, if they have some. */
export function reportView({ verdict, count, features, nan, infinite }, { names = [] }, { name }) {
	const far = reach(features);
	const row = each => [names[each.index] ?? each.index, badge(each.verdict), picture(each, far),
		short(each.mean_shift), short(each.variance_ratio), short(each.divergence), whole(each.nan),
		whole(each.infinite), short(each.min), short(each.max),
		each.beyond_3 === null ? "–" : `${short(100 * each.beyond_3, 3)} %`];
	return [el("h2", {}, say("report title", { name })),
		el("p", { role: "status" }, badge(verdict), " ", say("values", { n: whole(count) }),
			verdict === "too_few" && ` ${say("too few")}`),
		nan + infinite > 0 && el("p", { class: "warning" },
			say("not finite", { nan: whole(nan), infinite: whole(infinite) })),
		features.length > 0 && [table(say("features"), HEAD.map(key => say(key)), features.map(row)),
			el("p", { class: "quiet" }, say("picture says"))]];
}

/** The answer's numbers and shape. */
function answered(answer) {
	if (!(answer instanceof Uint8Array))
		return { shape: answer.shape, numbers: answer.data.flat(Infinity) };
	const header = readHeader(answer);
	return { shape: header.shape, numbers: numbersOf(answer, header) };
}

/** Some of the finite numbers, evenly spread. */
function sample(numbers) {
	const step = Math.ceil(numbers.length / MOST), some = [];
	for (let i = 0; i < numbers.length; i += step)
		if (Number.isFinite(numbers[i]))
			some.push(numbers[i]);
	return some;
}

function bars(name, numbers) {
	const one = histogram();
	one.show({ name, parts: [{ values: sample(numbers), hue: "hue-0" }] });
	return one;
}

/**
 * The first rows of some tensors of one shape: of the first dimension, with the first values of each. `all` is a list
 * of [word, numbers]. Nothing of those whose rows are not beside one another.
 */
export function firstRows({ shape: [rows, ...rest], fortran }, all, names = []) {
	const wide = rest.reduce((size, n) => size * n, 1), columns = Math.min(wide, COLUMNS);
	const more = wide > columns ? ["…"] : [];
	const head = [say("row"), ...Array.from({ length: columns }, (none, c) => names[c] ?? c), ...more];
	const cells = (numbers, r) =>
		[...Array.from(numbers.slice(r * wide, r * wide + columns), x => short(x)), ...more];
	const lines = Array.from({ length: Math.min(rows, ROWS) }, (none, r) =>
		all.map(([word, numbers]) => [`${r} ${word}`, ...cells(numbers, r)]));
	return rows !== undefined && !fortran && table(say("rows"), head, lines.flat());
}

function windowOf({ model, name, definition }) {
	return definition.track_running_stats && el("p", {}, say("added", { name }), " ",
		el("a", { href: `./#/${path`models/${model}/layers/${name}`}` }, say("see drift")));
}

/** What infer gave, as elements. `data` is of own_data.js. */
export function inferView(answer, data, layer) {
	const { shape, numbers } = answered(answer);
	const head = [el("h2", {}, say("infer title", layer)), windowOf(layer)];
	if (numbers === null || data.numbers === null)
		return [head, numbers === null ? el("p", {}, say("undrawn")) : bars(say("after"), numbers)];
	return [head,
		el("div", { class: "histograms" }, bars(say("before"), data.numbers), bars(say("after"), numbers)),
		numbers.length > MOST &&
			el("p", { class: "quiet" }, say("sample", { n: whole(sample(numbers).length) })),
		firstRows({ shape, fortran: data.fortran },
			[[say("before"), data.numbers], [say("after"), numbers]], data.names)];
}
