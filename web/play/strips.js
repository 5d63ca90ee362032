// SPDX-License-Identifier: MIT
// Points along a line per feature: those of a first list above it, those of a second below, so that hue is not the only
// sign; with the mean of each. As SVG.

import { el, fill, newId, svg } from "../shared/dom.js";
import { short } from "../shared/number.js";

const WIDE = 360, LANE = 58, TOP = 4, BELOW = 24, DEEP = 14; // DEEP: how far points stray from their line
const STRAY = 0.618034; // spreads neighbours evenly

/** Whole numbers with a mark: about six. */
function marksOf([low, high]) {
	const step = Math.max(1, Math.ceil((high - low) / 7)), first = Math.ceil(low / step) * step;
	return Array.from({ length: Math.floor((high - first) / step) + 1 }, (none, i) => first + i * step);
}

function points(rows, c, x, y, side) {
	const far = i => 3 + i * STRAY % 1 * DEEP;
	return rows.map((row, i) =>
		svg("circle", { cx: x(row[c]).toFixed(1), cy: (y + side * far(i)).toFixed(1), r: 2.2 }));
}

/** The mean of a column; null without rows. */
export function meanOf(rows, c) {
	return rows.length === 0 ? null : rows.reduce((sum, row) => sum + row[c], 0) / rows.length;
}

/** A tick at the mean of the points of one side. */
function tick(rows, c, x, y, side) {
	const at = meanOf(rows, c);
	return at !== null && svg("path", { class: "mean", d: `M${x(at)} ${y}v${side * (DEEP + 6)}` });
}

/**
 * A plot. `show({ name, words, features, above, below, range })`: `above` and `below` are lists of rows, a column per
 * feature; `range` [low, high] is that of the axis; `words` say what to see.
 */
export function strips() {
	const title = el("h3", { id: newId("strips") }), plot = svg("svg", { role: "img" }), text = el("p");
	const element = el("figure", { class: "strips", "aria-labelledby": title.id }, title, plot, text);

	element.show = ({ name, words, features, above, below, range }) => {
		const [low, high] = range, x = value => (value - low) / (high - low) * WIDE;
		const bottom = TOP + features.length * LANE;
		const lane = (feature, c) => {
			const y = TOP + c * LANE + LANE - 21;
			return svg("g", {}, svg("path", { class: "line", d: `M0 ${y}H${WIDE}` }),
				svg("g", { class: "above" }, points(above, c, x, y, -1), tick(above, c, x, y, -1)),
				svg("g", { class: "below" }, points(below, c, x, y, 1), tick(below, c, x, y, 1)),
				svg("text", { x: 0, y: y - DEEP - 8 }, feature));
		};
		fill(title, name);
		fill(text, words);
		plot.setAttribute("viewBox", `-14 0 ${WIDE + 28} ${bottom + BELOW}`);
		plot.setAttribute("aria-label", `${name}: ${words}`);
		fill(plot, marksOf(range).map(at => svg("g", { class: "axis" },
			svg("path", { class: at === 0 ? "zero" : null, d: `M${x(at)} ${TOP}V${bottom + 4}` }),
			svg("text", { x: x(at), y: bottom + 17 }, short(at)))), features.map(lane));
	};
	return element;
}
