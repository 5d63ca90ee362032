// SPDX-License-Identifier: MIT
// Where the cells of an N × C × L grid are drawn: a sheet per sample, with a row per channel and a column per position.
// The sheets lie beside and below one another, so that every cell can be seen. Pure functions, in units of the SVG.

const WIDE = 40, HIGH = 28; // of a cell
const GAP = 14;
const LEFT = 22; // for the numbers of the channels
const LINE = 16; // of text above a sheet
const TALLEST = 3.3; // height by width
const LEAST = 200; // width, so that few cells do not grow huge
const READABLE = 300; // width: numbers can be read where a grid has a fifth of the page

/** How many sheets stand beside one another: those whose numbers can be read, more if the stack would be too tall. */
function sheetsInRow({ n, c, l }) {
	let row = Math.max(1, Math.min(n, Math.floor(READABLE / (l * WIDE + GAP))));
	const ratio = () => Math.ceil(n / row) * (c * HIGH + LINE) / (row * (l * WIDE + GAP));
	while (row < n && ratio() > TALLEST)
		row++;
	return Math.ceil(n / Math.ceil(n / row)); // rows of one length
}

/**
 * The layout of a grid of these sizes. `heads`: whether each column has a word above it. `scale`: how much larger texts
 * and patterns are, to make up for a drawing that is shown small.
 */
export function layoutOf({ n, c, l }, heads) {
	const row = sheetsInRow({ n, c, l }), wide = row * (l * WIDE + GAP), readable = wide <= READABLE;
	const scale = Math.max(1, wide / READABLE), line = LINE * scale;
	const top = line * (heads && readable ? 2 : 1) + 4, step = { x: l * WIDE + GAP, y: c * HIGH + top + GAP };
	const left = readable ? LEFT : 2 * scale;
	const origin = i => ({ x: left + i % row * step.x, y: top + Math.floor(i / row) * step.y });
	return {
		n, c, l, row, step, wide: WIDE, high: HIGH, line, scale, origin, readable, heads: heads && readable,
		width: Math.max(LEAST, left + row * step.x - GAP + 2 * scale),
		height: Math.ceil(n / row) * step.y - GAP + 2 * scale,
	};
}

/** Calls `visit(i, x, y, n, c, l)` for each cell: its number, its corner, its place. */
export function eachCell(layout, visit) {
	let i = 0;
	for (let n = 0; n < layout.n; n++) {
		const { x, y } = layout.origin(n);
		for (let c = 0; c < layout.c; c++)
			for (let l = 0; l < layout.l; l++)
				visit(i++, x + l * layout.wide, y + c * layout.high, n, c, l);
	}
}

/** The place { n, c, l } of the cell at a point, or null. */
export function cellAt(layout, x, y) {
	for (let n = 0; n < layout.n; n++) {
		const from = layout.origin(n);
		const c = Math.floor((y - from.y) / layout.high), l = Math.floor((x - from.x) / layout.wide);
		if (c >= 0 && c < layout.c && l >= 0 && l < layout.l)
			return { n, c, l };
	}
	return null;
}

/** The paths of cells by `key(i)`, as a Map; cells with a key below 0 are left out. */
export function pathsBy(layout, key) {
	const paths = new Map();
	eachCell(layout, (i, x, y) => {
		const k = key(i);
		if (k >= 0)
			paths.set(k, `${paths.get(k) ?? ""}M${x} ${y}h${layout.wide}v${layout.high}h${-layout.wide}z`);
	});
	return paths;
}

/** The path of the cells for which `test(i)` holds. */
export function cellsPath(layout, test) {
	return pathsBy(layout, i => test(i) ? 0 : -1).get(0) ?? "";
}

/** The path of the borders between cells whose keys differ, around those with a key of 0 or more. */
export function bordersPath(layout, key) {
	const { c: C, l: L, wide, high } = layout;
	let d = "";
	eachCell(layout, (i, x, y, n, c, l) => {
		if (key(i) < 0)
			return;
		const differs = (inside, j) => !inside || key(j) !== key(i);
		d += differs(c > 0, i - L) ? `M${x} ${y}h${wide}` : "";
		d += differs(c < C - 1, i + L) ? `M${x} ${y + high}h${wide}` : "";
		d += differs(l > 0, i - 1) ? `M${x} ${y}v${high}` : "";
		d += differs(l < L - 1, i + 1) ? `M${x + wide} ${y}v${high}` : "";
	});
	return d;
}
