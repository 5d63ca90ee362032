// SPDX-License-Identifier: MIT
// Reads JSON with a tensor in it, as the daemon does: NaN and Infinity are numbers too. Unlike JSON.parse, it says
// where the text breaks, and which row has another length. No DOM.

import { Broken } from "./broken.js";

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:Infinity|(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|NaN/y;
const WORD = /true|false|null/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\.)*"/y;
const DEEPEST = 64;

function finite(text, at) {
	const x = Number(text);
	if (Math.abs(x) === Infinity && !text.endsWith("Infinity"))
		throw new Broken("huge", { cell: text.slice(0, 40) }, at);
	return x;
}

/** A cursor in a text: `take(pattern)` gives what matches there and goes behind it, or null. */
function cursor(text) {
	const self = {
		at: 0,
		take(pattern) {
			pattern.lastIndex = self.at;
			const found = pattern.exec(text)?.[0] ?? null;
			self.at += found?.length ?? 0;
			return found;
		},
		/** Whether the next sign is this one, which is then behind. */
		is(sign) {
			self.take(SPACE);
			const found = text[self.at] === sign;
			self.at += found ? 1 : 0;
			return found;
		},
		fail(key) {
			const found = text.codePointAt(self.at);
			throw found === undefined ? new Broken("ends", {}, text.length) :
				new Broken(key, { found: String.fromCodePoint(found) }, self.at);
		},
	};
	return self;
}

/** The value of a text, and `from`: where each list begins and its elements do. */
function parse(text) {
	const here = cursor(text), from = new Map();

	function list(start, deep) {
		const values = [], places = [];
		if (!here.is("]"))
			do {
				here.take(SPACE);
				places.push(here.at);
				values.push(value(deep + 1));
			} while (here.is(",") || (!here.is("]") && here.fail("separator")));
		from.set(values, { start, places });
		return values;
	}

	function object(deep) {
		const members = new Map();
		if (!here.is("}"))
			do {
				here.take(SPACE);
				const name = here.take(STRING) ?? here.fail("name");
				if (!here.is(":"))
					here.fail("separator");
				members.set(name.slice(1, -1), value(deep + 1));
			} while (here.is(",") || (!here.is("}") && here.fail("separator")));
		return members;
	}

	function value(deep) {
		here.take(SPACE);
		const start = here.at;
		if (deep > DEEPEST)
			here.fail("deep");
		if (here.is("["))
			return list(start, deep);
		if (here.is("{"))
			return object(deep);
		const number = here.take(NUMBER);
		if (number !== null)
			return finite(number, start);
		return here.take(STRING) ?? here.take(WORD) ?? here.fail("value");
	}

	const root = value(0);
	here.take(SPACE);
	if (here.at < text.length)
		here.fail("rest");
	return { root, from };
}

/** The shape of nested lists; all numbers go to `numbers`, in order. `from` says where they are in the text. */
function shapeOf(list, from, numbers) {
	const fail = (key, i, values = {}) => {
		throw new Broken(key, { row: i + 1, ...values }, from.get(list)?.places[i]);
	};
	let inner = null;
	list.forEach((each, i) => {
		if (!Array.isArray(each) && typeof each !== "number")
			fail("no number", i);
		const shape = Array.isArray(each) ? shapeOf(each, from, numbers) : [];
		if (inner !== null && inner.length !== shape.length)
			fail("mixed", i);
		if (inner !== null && String(inner) !== String(shape))
			fail("ragged", i, { has: shape[0], needs: inner[0] });
		inner = shape;
		if (typeof each === "number")
			numbers.push(each);
	});
	return [list.length, ...inner ?? []];
}

function tensorOf(data, given, from) {
	if (!Array.isArray(data))
		throw new Broken("no list", {}, 0);
	const numbers = [], shape = shapeOf(data, from, numbers);
	return { shape: Array.isArray(given) ? given : shape, numbers: Float64Array.from(numbers) };
}

/** The browser's own parser is fast, but does not say where a fault is, and knows no NaN. */
function quickly(text) {
	try {
		const root = JSON.parse(text), tensor = tensorOf(root.data ?? root, root.shape, new Map());
		return tensor.numbers.every(Number.isFinite) ? tensor : null; // one that is too large became Infinity
	} catch {
		return null;
	}
}

function slowly(text) {
	const { root, from } = parse(text), isObject = root instanceof Map;
	return tensorOf(isObject ? root.get("data") : root, isObject ? root.get("shape") : undefined, from);
}

/** The tensor of a text: nested lists, or an object with `data`. Gives its shape and its numbers. Throws Broken. */
export function parseJson(text) {
	return quickly(text) ?? slowly(text);
}
