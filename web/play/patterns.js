// SPDX-License-Identifier: MIT
// Hue and pattern of a group. 8 hues and 16 patterns give each of the 128 groups there can be a pair of its own, and
// groups that follow one another differ in both.

import { newId, svg } from "../shared/dom.js";

const HUES = 8;
const ROUND = { "stroke-linecap": "round" };
const MOTIFS = [ // on a tile of 8 × 8
	{ d: "M-2 2 2-2M0 8 8 0M6 10 10 6" },
	{ d: "M2 2h0M6 6h0", "stroke-width": 2.6, ...ROUND },
	{ d: "M0 2H8M0 6H8" },
	{ d: "M-2 6 2 10M0 0 8 8M6-2 10 2" },
	{ d: "M2 0V8M6 0V8" },
	{ d: "M4 1V7M1 4H7" },
	{ d: "M0 6 4 2 8 6" },
	{ d: "M0 4H8M4 0V8" },
	{ d: "M-2 2 2-2M0 8 8 0M6 10 10 6", "stroke-width": 3 },
	{ d: "M4 4h0", "stroke-width": 5, ...ROUND },
	{ d: "M0 4H8", "stroke-width": 3 },
	{ d: "M-2 6 2 10M0 0 8 8M6-2 10 2", "stroke-width": 3 },
	{ d: "M4 0V8", "stroke-width": 3 },
	{ d: "M2 2 6 6M6 2 2 6" },
	{ d: "M0 0 8 8M8 0 0 8" },
	{ d: "M4 1.5a2.5 2.5 0 1 0 .01 0z" },
];

/** The numbers of hue and motif of group g. */
export function look(g) {
	return { hue: g % HUES, motif: (g + Math.floor(g / HUES)) % MOTIFS.length };
}

/** The class that sets `color` to the hue of group g. */
export function hueClass(g) {
	return `hue-${look(g).hue}`;
}

/** Patterns for the first `count` groups: `defs` goes into the SVG, `fill(g)` is a value of `fill`. */
export function patterns(count, scale = 1) {
	const id = newId("pattern");
	const one = (none, g) => svg("pattern", {
		id: `${id}-${g}`, class: hueClass(g), width: 8, height: 8, patternUnits: "userSpaceOnUse",
		patternTransform: `scale(${scale})`,
	}, svg("path", { fill: "none", stroke: "currentColor", "stroke-width": 1.2, ...MOTIFS[look(g).motif] }));
	return { defs: svg("defs", {}, Array.from({ length: count }, one)), fill: g => `url(#${id}-${g})` };
}
