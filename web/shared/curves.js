// SPDX-License-Identifier: MIT
// Normal curves over one another, as SVG of its own, with their figures as a table.

import { sample } from "./chart.js";
import { el, fill, newId, svg } from "./dom.js";
import { axis, binsFor } from "./histogram.js";
import { short } from "./number.js";

const WIDE = 360, HIGH = 130;
const REACH = 4, POINTS = 100; // deviations to each side, and the points that draw them

/** The density of a normal distribution. */
export function density(x, { mean, variance }) {
	return Math.exp(-((x - mean) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance);
}

/** Points (x, density) of a curve, as far as it can be told from 0; none of a variance of 0. */
export function pointsOf(curve) {
	const step = 2 * REACH * Math.sqrt(curve.variance) / POINTS;
	const x = Array.from({ length: step > 0 ? POINTS + 1 : 0 }, (_, i) => curve.mean + (i - POINTS / 2) * step);
	return x.map(at => [at, density(at, curve)]);
}

function pathOf(curve, points, bins, most) {
	const x = value => ((value - bins.from) / bins.step / bins.count * WIDE).toFixed(2);
	if (points.length === 0) // all of it is at one value
		return `M${x(curve.mean)} ${HIGH}V0`;
	return `M0 ${HIGH}L${points.map(([at, y]) => `${x(at)} ${(HIGH * (1 - y / most)).toFixed(2)}`).join("L")}` +
		`L${WIDE} ${HIGH}`;
}

function figures(curves) {
	const heads = ["mean", "deviation", "variance"].map(text => el("th", { scope: "col", class: "number" }, text));
	const rows = curves.map(({ name, mean, variance, ...look }) => el("tr", {},
		el("th", { scope: "row" }, sample(look), ` ${name}`),
		[mean, Math.sqrt(variance), variance].map(x => el("td", { class: "number" }, short(x, 5)))));
	return el("table", {}, el("thead", {}, el("tr", {}, el("td"), heads)), el("tbody", {}, rows));
}

/** An element; `show(title, curves)` draws curves { name, mean, variance, color, dash }, as series of chart.js. */
export function normalCurves() {
	const title = el("h3", { id: newId("curves") });
	const inside = el("div", { class: "scroll", tabindex: 0, role: "group", "aria-labelledby": title.id });
	const plot = svg("svg", { viewBox: `-16 -4 ${WIDE + 32} ${HIGH + 26}`, role: "img" });
	const element = el("figure", { class: "histogram curves", "aria-labelledby": title.id }, title, plot, inside);

	element.show = (name, curves) => {
		const points = curves.map(pointsOf), all = points.flat();
		const x = [...curves.map(({ mean }) => mean), ...all.map(([at]) => at)];
		const bins = binsFor(Math.min(...x), Math.max(...x)), most = Math.max(...all.map(([, y]) => y));
		const said = curves.map(({ mean, variance, ...one }) =>
			`${one.name}: mean ${short(mean)}, deviation ${short(Math.sqrt(variance))}`);
		fill(title, name);
		plot.setAttribute("aria-label", `${name}. ${said.join("; ")}.`);
		fill(plot, curves.map((one, i) => svg("path", { d: pathOf(one, points[i], bins, most),
			"stroke-dasharray": one.dash?.join(" "), style: { color: `var(${one.color})` } })), axis(bins));
		fill(inside, figures(curves));
	};
	return element;
}
