// SPDX-License-Identifier: MIT
// Reads tables of numbers: comma, semicolon or tab between cells, a header or none, quotes. Empty cells are NaN and are
// counted; columns of words are left out. It is fed piece by piece, so that a page stays responsive. No DOM.

import { Broken } from "./broken.js";

const OTHER_BASE = /^\s*0[xob]/i; // which Number() takes
const INFINITE = /^([+-]?)inf(?:inity)?$/i;
const MISSING = /^(?:|nan|na|n\/a|null|none)$/i;
const COMMA = /^[+-]?\d+,\d+$/;
const LONGEST = 2 ** 20; // of a line

/** The number of a cell, NaN for an empty one; undefined: it is no number. */
function numberOf(cell) {
	const x = Number(cell);
	if (Number.isFinite(x) && !OTHER_BASE.test(cell) && (x !== 0 || cell.trim() !== "")) // Number("") is 0
		return x;
	const text = cell.trim();
	if (MISSING.test(text))
		return NaN;
	const infinite = INFINITE.exec(text);
	return infinite === null ? undefined : infinite[1] === "-" ? -Infinity : Infinity;
}

function cellsOf(line, separator) {
	if (!line.includes('"'))
		return line.split(separator);
	const cell = new RegExp(`(?:^|${separator})(?:\\s*"((?:[^"]|"")*)"\\s*|([^${separator}]*))`, "g");
	return Array.from(line.matchAll(cell), ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain);
}

function separatorOf(line) {
	const plain = line.replace(/"(?:[^"]|"")*"/g, "");
	return [";", "\t"].find(sign => plain.includes(sign)) ?? ",";
}

/** Numbers in a row that grows. */
function growing() {
	let all = new Float64Array(1024), count = 0;
	return {
		push(x) {
			if (count === all.length) {
				const more = new Float64Array(2 * count);
				more.set(all);
				all = more;
			}
			all[count++] = x;
		},
		get all() {
			return all.subarray(0, count);
		},
	};
}

/**
 * A reader: `feed(text)` takes the next piece, `end()` gives { names, leftOut, rows, numbers, missing }: the columns of
 * numbers, those of words, the number of rows, the numbers row by row, and how many of each column are missing.
 */
export function csvReader() {
	const values = growing();
	let rest = "", line = 0, separator = null, header = null, width = 0, columns = null, missing = [], rows = 0;

	/** The first row of numbers says which columns are numbers. */
	function begin(cells) {
		width = cells.length;
		const isNumber = cell => COMMA.test(cell.trim()) || numberOf(cell) !== undefined;
		columns = cells.map((cell, i) => i).filter(i => isNumber(cells[i]));
		if (columns.length === 0)
			throw new Broken("no numbers", { line });
		missing = columns.map(() => 0);
	}

	function add(cells) {
		if (columns === null)
			begin(cells);
		if (cells.length !== width)
			throw new Broken("ragged line", { line, has: cells.length, needs: width });
		columns.forEach((i, k) => {
			const x = numberOf(cells[i]);
			if (x === undefined)
				throw new Broken(COMMA.test(cells[i].trim()) ? "comma" : "no number there",
					{ line, column: i + 1, cell: cells[i].slice(0, 40) });
			missing[k] += Number.isNaN(x) ? 1 : 0;
			values.push(x);
		});
		rows++;
	}

	function take(whole) {
		const text = whole.endsWith("\r") ? whole.slice(0, -1) : whole;
		line++;
		if (text.trim() === "" && width !== 1)
			return;
		separator ??= separatorOf(text);
		const cells = cellsOf(text, separator);
		if (header === null && columns === null && !cells.some(cell => numberOf(cell) || numberOf(cell) === 0))
			header = cells.map(cell => cell.trim());
		else
			add(cells);
	}

	function feed(text) {
		let from = 0, to = 0;
		rest += text;
		while ((to = rest.indexOf("\n", to)) >= 0) {
			const one = rest.slice(from, to++);
			if (one.includes('"') && one.split('"').length % 2 === 0)
				continue; // a line break within quotes
			take(one);
			from = to;
		}
		rest = rest.slice(from);
		if (rest.length > LONGEST)
			throw new Broken("long line", { line: line + 1 });
	}

	function end() {
		if (rest !== "")
			take(rest);
		if (rows === 0)
			throw new Broken("no rows");
		const name = i => header?.[i] || String(i + 1);
		return { names: columns.map(name), rows, numbers: values.all, missing,
			leftOut: Array.from({ length: width }, (none, i) => i).filter(i => !columns.includes(i)).map(name) };
	}

	return { feed, end };
}

/** The same of a whole text. */
export function parseCsv(text) {
	const reader = csvReader();
	for (let at = 0; at < text.length; at += LONGEST)
		reader.feed(text.slice(at, at + LONGEST));
	return reader.end();
}
