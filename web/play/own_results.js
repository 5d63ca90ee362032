// SPDX-License-Identifier: MIT
// What a report says, and what infer has made of data.

import { el } from "../shared/dom.js";
import { histogram } from "../shared/histogram.js";
import { short, whole } from "../shared/number.js";
import { numbersOf, readHeader } from "./npy.js";
import { say } from "./own_words.js";

const MOST = 20000; // values of a histogram
const ROWS = 5, COLUMNS = 8; // of the first rows

function table(caption, head, rows) {
	return el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption }, el("table", {},
		el("caption", { class: "quiet" }, caption),
		el("thead", {}, el("tr", {}, head.map(text => el("th", { scope: "col", class: "number" }, text)))),
		el("tbody", {}, rows.map(cells => el("tr", {}, cells.map(cell => el("td", { class: "number" }, cell)))))));
}

function badge(verdict) {
	return el("span", { class: "badge", "data-verdict": verdict }, say(verdict));
}

const HEAD = ["feature", "verdict", "shift", "ratio", "divergence", "nan", "infinite", "min", "max", "beyond"];

/** A report, as elements. `names`: of the features, if they have some. */
export function reportView(report, names = []) {
	const { verdict, count, features, nan, infinite } = report;
	const row = each => [names[each.index] ?? each.index, badge(each.verdict), short(each.mean_shift),
		short(each.variance_ratio), short(each.divergence), whole(each.nan), whole(each.infinite), short(each.min),
		short(each.max), each.beyond_3 === null ? "–" : `${short(100 * each.beyond_3, 3)} %`];
	return [el("h2", {}, say("report title")),
		el("p", {}, badge(verdict), " ", say("values", { n: whole(count) }),
			verdict === "too_few" && ` ${say("too few")}`),
		nan + infinite > 0 && el("p", { class: "warning" },
			say("not finite", { nan: whole(nan), infinite: whole(infinite) })),
		features.length > 0 && table(say("features"), HEAD.map(key => say(key)), features.map(row))];
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

/** The first rows, before and after: of the first dimension, with the first values of each. */
function firstRows(before, after, [rows, ...rest]) {
	const wide = rest.reduce((size, n) => size * n, 1), columns = Math.min(wide, COLUMNS);
	const more = wide > columns ? ["…"] : [];
	const head = [say("row"), "", ...Array.from({ length: columns }, (none, c) => c), ...more];
	const cells = (numbers, r) =>
		[...Array.from(numbers.slice(r * wide, r * wide + columns), x => short(x)), ...more];
	const pairs = Array.from({ length: Math.min(rows, ROWS) }, (none, r) => [
		[r, say("before"), ...cells(before, r)], ["", say("after"), ...cells(after, r)]]);
	return table(say("rows"), head, pairs.flat());
}

/** What infer gave, as elements. `data` is of own_data.js. */
export function inferView(answer, data) {
	const { shape, numbers } = answered(answer), title = el("h2", {}, say("infer title"));
	if (numbers === null || data.numbers === null)
		return [title, numbers === null ? el("p", {}, say("undrawn")) : bars(say("after"), numbers)];
	return [title, el("div", { class: "histograms" }, bars(say("before"), data.numbers), bars(say("after"), numbers)),
		numbers.length > MOST && el("p", { class: "quiet" }, say("sample", { n: whole(sample(numbers).length) })),
		!data.fortran && shape.length > 0 && firstRows(data.numbers, numbers, shape)];
}
