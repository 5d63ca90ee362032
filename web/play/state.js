// SPDX-License-Identifier: MIT
// What the playground shows, as one flat object that lives in the address: #n=1&kind=layer. A link restores everything,
// so that a lesson can be linked. Members at their default are left out of the address.

import { LANGUAGES } from "../shared/words.js";

export const KINDS = ["batch", "layer", "instance", "group", "rms"];

/** The data there are, with the sizes that suit them, and the largest where they have no more. */
export const PRESETS = {
	noise: { suits: { n: 3, c: 4, l: 5 } },
	sentence: { suits: { n: 2, c: 6, l: 4, over: "token" } },
	padded: { suits: { n: 2, c: 6, l: 4, over: "token" } },
	pets: { suits: { n: 4, c: 4, l: 3 } },
	penguins: { suits: { n: 6, c: 4, l: 1 }, most: { c: 4, l: 1 } },
};

/** A rule has a default, and makes a valid value of any text or value; undefined where it cannot. */
function choice(standard, names) {
	return { standard, names, read: text => names.includes(text) ? text : undefined };
}

function integer(standard, min, max) {
	return { standard, min, max, read: text => real(min, max, text, Math.round) };
}

function number(standard, min, max) {
	return { standard, min, max, read: text => real(min, max, text, x => x) };
}

function text(pattern) {
	return { standard: "", read: value => pattern.test(value) ? String(value) : undefined };
}

function real(min, max, value, round) {
	const x = value === "" || value === null ? NaN : Number(value);
	return Number.isNaN(x) ? undefined : Math.min(max, Math.max(min, round(x)));
}

export const RULES = {
	view: choice("kinds", ["kinds", "steps", "serving", "own"]),
	step: integer(0, 0, 99), // of the tour; 0: the tour is closed
	lang: choice("", ["", ...Object.keys(LANGUAGES)]), // "": as words.js finds
	kind: choice("batch", KINDS), // that is lit
	over: choice("sample", ["sample", "token"]), // what layer and RMS norm normalize: (C, L) or C
	show: choice("before", ["before", "after"]), // the numbers in the grids
	n: integer(3, 1, 8),
	c: integer(4, 1, 16),
	l: integer(5, 1, 12),
	groups: integer(2, 1, 16),
	eps: number(1e-5, 1e-12, 1),
	weight: number(1, -4, 4),
	bias: number(0, -4, 4),
	momentum: number(0.1, 0, 1),
	half_life: number(64, 1, 4096),
	batch: integer(8, 1, 64), // samples of a batch, of those tabs that train
	deviation: number(2, 0.25, 4), // the deviation of the values in the batches
	shift: number(0, -10, 10), // of the batches, in deviations
	at: integer(40, 1, 100), // the step from which on batches are shifted
	from: choice("Adelie", ["Adelie", "all"]), // what a layer of penguins is trained on
	seed: integer(1, 0, 9999),
	preset: choice("noise", Object.keys(PRESETS)),
	cell: text(/^(\d+\.\d+\.\d+)?$/), // "n.c.l", from 0
	model: text(/^[^\0]{0,255}$/),
	layer: text(/^[^\0]{0,255}$/),
};

const DEFAULTS = Object.freeze(
	Object.fromEntries(Object.entries(RULES).map(([name, rule]) => [name, rule.standard])));

/** The largest size along an axis, "n", "c" or "l", that the data of a state have. */
export function most(values, axis) {
	return PRESETS[values.preset].most?.[axis] ?? RULES[axis].max;
}

/** Members that depend on one another: data have their sizes, a group has whole channels, and the cell is there. */
function agree(values) {
	for (const axis of ["n", "c", "l"])
		values[axis] = Math.min(values[axis], most(values, axis));
	while (values.c % values.groups !== 0)
		values.groups--;
	if (values.cell !== "") {
		const [n, c, l] = values.cell.split(".").map(Number);
		if (n >= values.n || c >= values.c || l >= values.l)
			values.cell = "";
	}
	return Object.freeze(values);
}

/** A valid state of any values: what is missing or nonsense is as `base` has it. */
export function clean(wish, base = DEFAULTS) {
	const values = {};
	for (const [name, rule] of Object.entries(RULES))
		values[name] = (name in wish ? rule.read(wish[name]) : undefined) ?? base[name];
	return agree(values);
}

/** The state that an address has behind its #. */
export function parse(hash) {
	return clean(Object.fromEntries(new URLSearchParams(hash.replace(/^#/, ""))));
}

/** What stands behind the # for a state. */
export function format(values) {
	const query = new URLSearchParams();
	for (const name of Object.keys(RULES))
		if (values[name] !== DEFAULTS[name])
			query.set(name, values[name]);
	return query.toString();
}

const WRITE_MS = 150; // browsers refuse to change the address much more often
const listeners = new Set();
let current = parse(location.hash);
let writing = null;

function write() {
	clearTimeout(writing);
	writing = null;
	history.replaceState(history.state, "", `#${format(current)}`);
}

function take(next) {
	if (format(next) === format(current))
		return false;
	current = next;
	for (const listener of [...listeners])
		listener(current);
	return true;
}

/** The state. Frozen. */
export function state() {
	return current;
}

/** Changes members of the state, and tells all who listen. Nonsense is clamped or ignored. */
export function change(wish) {
	if (take(clean(wish, current)))
		writing ??= setTimeout(write, WRITE_MS);
}

/** All members at their defaults, except those given. */
export function restart(wish = {}) {
	change({ ...DEFAULTS, ...wish });
}

/** The address of this page for the state with some members changed: a link to a lesson. */
export function linkTo(wish) {
	return `#${format(clean(wish, current))}`;
}

/** Calls `listener(state)` at each change. Returns a function that ends that. */
export function onState(listener) {
	listeners.add(listener);
	return () => listeners.delete(listener);
}

addEventListener("hashchange", () => {
	clearTimeout(writing);
	writing = null;
	take(parse(location.hash));
});
addEventListener("pagehide", () => writing !== null && write());
