// SPDX-License-Identifier: MIT
// Reads tables of numbers: comma, semicolon, tab or spaces between cells, a header or none, quotes. Empty cells are NaN
// and are counted; columns of words are left out. It is fed piece by piece, as large files are read. No DOM.

import { Broken } from "./broken.js";

const OTHER_BASE = /^\s*0[xob]/i; // which Number() takes
const INFINITE = /^([+-]?)inf(?:inity)?$/i;
const MISSING = /^(?:|nan|#?n\/?a|null|none|\?|-)$/i;
const COMMA = /^[+-]?\d+,\d+$/;
const HUGE = /^\s*[+-]?\d[\d.]*(?:e\+?\d+)?\s*$/i; // but not finite
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
	if (separator === " ")
		return line.trim().split(/\s+/);
	if (!line.includes('"'))
		return line.split(separator);
	const cell = new RegExp(`${separator}(?: *"((?:[^"]|"")*)" *|([^${separator}]*))`, "g");
	return Array.from((separator + line).matchAll(cell), ([, quoted, plain]) =>
		quoted?.replaceAll('""', '"') ?? plain);
}

/** What stands between the cells of a line: spaces where all that they separate is numbers. */
function separatorOf(line) {
	const plain = line.replace(/"(?:[^"]|"")*"/g, ""), sign = [";", "\t", ","].find(each => plain.includes(each));
	const words = cellsOf(plain, " ");
	return sign ?? (words.length > 1 && words.every(word => numberOf(word) !== undefined) ? " " : ",");
}

/** Whether a column with this cell is one of numbers; those with decimal commas are, so that they are told about. */
function isNumber(cell) {
	return COMMA.test(cell.trim()) || HUGE.test(cell) || numberOf(cell) !== undefined;
}

function wrongWith(cell) {
	return COMMA.test(cell.trim()) ? "comma" : HUGE.test(cell) ? "huge cell" : "no number there";
}

/** Whether a first row names columns: it has no number. Missing ones alone are a row, unless all cells are empty. */
function isHeader(cells) {
	const words = cells.filter(cell => !isNumber(cell)), others = cells.filter(isNumber);
	return cells.every(cell => cell.trim() === "") ||
		(words.length > 0 && others.every(cell => Number.isNaN(numberOf(cell))));
}

function quotesIn(text) {
	return text.split('"').length - 1;
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

/** Cuts pieces of text into lines: calls `take(text, number)`. A line break within quotes is none. */
function lineReader(take) {
	let rest = "", from = 0, number = 1, begun = 1, isOpen = false; // `from`: where the last line break was
	let held = ""; // a carriage return at the end of a piece: a line feed may follow

	function feed(piece) {
		const text = held + piece;
		let start = 0;
		held = text.endsWith("\r") ? "\r" : "";
		rest += text.slice(0, text.length - held.length).replace(/\r\n?/g, "\n");
		for (let to = rest.indexOf("\n", from); to >= 0; to = rest.indexOf("\n", from)) {
			isOpen = isOpen !== (quotesIn(rest.slice(from, to)) % 2 === 1);
			from = to + 1;
			number++;
			if (isOpen)
				continue;
			take(rest.slice(start, to), begun);
			start = from;
			begun = number;
		}
		rest = rest.slice(start);
		from -= start;
		if (rest.length > LONGEST)
			throw new Broken("long line", { line: begun });
	}

	function end() {
		if (isOpen !== (quotesIn(rest.slice(from)) % 2 === 1))
			throw new Broken("open quote", { line: begun });
		take(rest, begun);
	}
	return { feed, end };
}

/**
 * A reader: `feed(text)` takes the next piece, `end()` gives { names, leftOut, rows, numbers, missing }: the columns of
 * numbers, those of words, the number of rows, the numbers row by row, and how many of each column are missing.
 */
export function csvReader() {
	const values = growing(), lines = lineReader(take);
	let separator = null, header = null, width = 0, columns = [], rows = 0;

	/** The first row of numbers says what each column is; one that has had no value yet may still have words. */
	function begin(cells, line) {
		if (header !== null && cells.length !== header.length)
			throw new Broken("ragged line", { line, has: cells.length, needs: header.length });
		width = cells.length;
		columns = cells.map((cell, at) => ({ at, missing: 0, hasValue: false, isNumber: isNumber(cell) }))
			.filter(one => one.isNumber);
		if (columns.length === 0)
			throw new Broken("no numbers", { line });
	}

	function valueOf(column, cell, line) {
		const x = column.isNumber ? numberOf(cell) : NaN;
		if (x === undefined && (column.hasValue || isNumber(cell)))
			throw new Broken(wrongWith(cell), { line, column: column.at + 1, cell: cell.slice(0, 40) });
		column.isNumber &&= x !== undefined;
		column.hasValue ||= !Number.isNaN(x);
		column.missing += Number.isNaN(x) ? 1 : 0;
		return x;
	}

	function add(cells, line) {
		if (rows === 0)
			begin(cells, line);
		if (cells.length !== width)
			throw new Broken("ragged line", { line, has: cells.length, needs: width });
		for (const column of columns)
			values.push(valueOf(column, cells[column.at], line));
		rows++;
	}

	function take(text, line) {
		if (text.trim() === "" || (rows === 0 && text.startsWith("#"))) // as numpy marks comments
			return;
		if (rows === 0 && header?.length === 1) { // words with spaces, or the names of columns
			separator = separatorOf(text);
			header = cellsOf(header[0], separator);
		}
		separator ??= separatorOf(text);
		const cells = cellsOf(text, separator);
		if (header === null && rows === 0 && isHeader(cells))
			header = cells.map(cell => cell.trim());
		else
			add(cells, line);
	}

	function end() {
		lines.end();
		if (rows === 0)
			throw new Broken("no rows");
		const kept = columns.filter(one => one.isNumber), isKept = i => kept.some(({ at }) => at === i);
		const name = i => header?.[i] || String(i + 1);
		const numbers = kept.length === columns.length ? values.all :
			values.all.filter((x, i) => columns[i % columns.length].isNumber);
		return { names: kept.map(({ at }) => name(at)), rows, numbers, missing: kept.map(one => one.missing),
			leftOut: Array.from({ length: width }, (none, i) => i).filter(i => !isKept(i)).map(name) };
	}

	return { feed: lines.feed, end };
}

/** The same of a whole text. */
export function parseCsv(text) {
	const reader = csvReader();
	for (let at = 0; at < text.length; at += LONGEST)
		reader.feed(text.slice(at, at + LONGEST));
	return reader.end();
}
