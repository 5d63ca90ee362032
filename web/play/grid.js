// SPDX-License-Identifier: MIT
// One N × C × L grid. Cells that share a mean and a variance share hue and pattern; a stronger tint is a larger value.
// The grid is one stop of the Tab key; arrow keys and PageUp, PageDown move the cell in focus.

import { fill, svg } from "../shared/dom.js";
import { numberOf } from "./groups.js";
import { hueClass, patterns } from "./patterns.js";
import { bordersPath, cellAt, cellsPath, eachCell, pathsBy } from "./sheets.js";

const LEVELS = 6; // of tint
const MOVES = {
	ArrowLeft: ["l", -1], ArrowRight: ["l", 1], ArrowUp: ["c", -1], ArrowDown: ["c", 1],
	PageUp: ["n", -1], PageDown: ["n", 1], Home: ["l", -Infinity], End: ["l", Infinity],
};

/** A number that fits a cell. */
export function brief(x) {
	const size = Math.abs(x), digits = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
	const text = size < 99999 ? x.toFixed(digits) : x.toExponential(0).replace("+", "");
	return text.replace(/^-(?=0\.00$)/, "").replace("-", "−");
}

/** Tint, by group and level: few paths, however many cells. */
function tints({ layout, groups, values }) {
	const low = Math.min(...values), range = Math.max(...values) - low;
	const level = x => range > 0 ? Math.min(LEVELS - 1, Math.floor((x - low) / range * LEVELS)) : 2;
	const paths = pathsBy(layout, i => groups.of[i] < 0 ? -1 : groups.of[i] * LEVELS + level(values[i]));
	return [...paths].map(([key, d]) => svg("path", {
		class: hueClass(Math.floor(key / LEVELS)), d, fill: "currentColor",
		"fill-opacity": 0.08 + 0.34 * (key % LEVELS) / (LEVELS - 1),
	}));
}

function patterned({ layout, groups }) {
	const pattern = patterns(groups.members.length, layout.scale);
	const paths = pathsBy(layout, i => groups.of[i]);
	return [pattern.defs,
		[...paths].map(([g, d]) => svg("path", { class: "pattern", d, fill: pattern.fill(g) }))];
}

/** In one text: a browser lays that out in less time than a text for each cell. */
function numbers({ layout, groups, values }) {
	const texts = [];
	eachCell(layout, (i, x, y) => texts.push(svg("tspan", { x: x + layout.wide / 2, y: y + layout.high / 2 },
		groups.of[i] < 0 ? "·" : brief(values[i]))));
	return svg("text", {}, texts);
}

/** A text that is about as wide as it may be. */
function cut(text, wide) {
	const most = Math.floor(wide / 6.5);
	return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** Names above the sheets, and above the columns where they are words; numbers beside the channels. */
function names({ layout, labels }) {
	const sheet = n => {
		const { x, y } = layout.origin(n);
		const isFirst = n % layout.row === 0 && layout.readable, up = layout.heads ? layout.line : 0;
		return [
			svg("text", { class: "sheet", x, y: y - up - 6 },
				cut(labels.n[n], layout.step.x / layout.scale)),
			layout.heads && labels.l[n].map((word, l) =>
				svg("text", { class: "head", x: x + (l + 0.5) * layout.wide, y: y - 6 },
					cut(word, layout.wide + 6))),
			isFirst && labels.c.map((none, c) =>
				svg("text", { class: "channel", x: x - 6, y: y + (c + 0.5) * layout.high }, c + 1)),
		];
	};
	const size = `${12.5 * layout.scale}px`;
	return svg("g", { class: "names", style: { "font-size": size } }, labels.n.map((none, n) => sheet(n)));
}

/** The cell that a key leads to, or null. */
function moved(sizes, cell, event) {
	const [axis, by] = MOVES[event.key] ?? [];
	if (axis === undefined || event.altKey || event.ctrlKey || event.metaKey)
		return null;
	return { ...cell, [axis]: Math.min(sizes[axis] - 1, Math.max(0, cell[axis] + by)) };
}

/**
 * A grid. `on.hover(cell or null)`, `on.pick(cell)` (by a click or a key) and `on.leave()` (Escape) tell what the
 * reader does. `draw(model)` draws { layout, groups, values, labels, name }, but not the numbers in the cells, which
 * take most of the time: `write()` does. values null: not known.
 * `light(cell)` lights a cell with its peers; null: none. It follows each draw().
 */
export function grid(on) {
	const peers = svg("path", { class: "peers" }), others = svg("path", { class: "others" });
	const cursor = svg("rect", { class: "cursor" }), figures = svg("g", { class: "numbers" });
	const root = svg("svg", { class: "grid", tabindex: 0, role: "application" });
	let model = null, lit = null;

	function pointed(event) {
		const inside = root.getScreenCTM().inverse();
		const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(inside);
		return cellAt(model.layout, x, y);
	}

	root.addEventListener("pointermove", event => on.hover(pointed(event)));
	root.addEventListener("pointerleave", () => on.hover(null));
	root.addEventListener("click", event => {
		const cell = pointed(event);
		if (cell !== null)
			on.pick(cell);
	});
	root.addEventListener("focus", () => root.matches(":focus-visible") && on.pick(lit ?? { n: 0, c: 0, l: 0 }));
	root.addEventListener("keydown", event => {
		const cell = moved(model.layout, lit ?? { n: 0, c: 0, l: 0 }, event);
		if (cell !== null)
			on.pick(cell);
		else if (event.key === "Escape")
			on.leave();
		else
			return;
		event.preventDefault();
	});

	function draw(shown) {
		model = shown;
		const { layout, groups } = model;
		root.setAttribute("viewBox", `0 0 ${layout.width} ${layout.height}`);
		root.setAttribute("aria-label", model.name);
		fill(root, names(model), model.values !== null && tints(model), patterned(model),
			svg("path", { class: "borders", d: bordersPath(layout, i => groups.of[i]) }),
			svg("path", { class: "padding", d: cellsPath(layout, i => groups.of[i] < 0) }),
			others, fill(figures), peers, cursor);
	}

	function write() {
		fill(figures, model.values !== null && model.layout.readable && numbers(model));
	}

	function light(cell) {
		lit = cell;
		root.classList.toggle("lit", cell !== null);
		if (cell === null)
			return;
		const { layout, groups } = model, group = groups.of[numberOf(layout, cell)];
		const isPeer = i => group >= 0 && groups.of[i] === group, from = layout.origin(cell.n);
		peers.setAttribute("d", bordersPath(layout, i => isPeer(i) ? 0 : -1));
		others.setAttribute("d", cellsPath(layout, i => !isPeer(i)));
		const place = { x: from.x + cell.l * layout.wide, y: from.y + cell.c * layout.high };
		for (const [key, value] of Object.entries({ ...place, width: layout.wide, height: layout.high }))
			cursor.setAttribute(key, value);
	}

	return { root, draw, write, light };
}
