// SPDX-License-Identifier: MIT
// Reads the lists of the API, which come in pages, and asks for more about those of their rows that are in sight.

import { Away, read } from "../shared/api.js";
import { virtualTable } from "../shared/table.js";

const LIMIT = 1000; // rows of a page, the most that the API gives

/** The rows, with those between `after` and `next` (null: no bound) replaced by a page's. All are in order of keys. */
export function withPage(rows, page, key, after, next) {
	return [...rows.filter(row => after !== null && key(row) <= after), ...page,
		...rows.filter(row => next !== null && key(row) > next)];
}

/**
 * A list of any length: `load(signal, show)` reads all pages at first, and then one page each time, in turn, so that a
 * long list is no burden. `show(rows)` is called after each page. `member` is what the answer calls its list, `key`
 * what it is ordered by. `again()`: the next load reads all pages.
 */
export function listing(path, member, key) {
	let rows = [], after = null, whole = false;

	async function load(signal, show) {
		do {
			const page = await read(path, { limit: LIMIT, after }, { signal });
			const next = page.next === null || page[member].length === 0 ? null : key(page[member].at(-1));
			rows = withPage(rows, page[member], key, after, next);
			after = next;
			whole ||= next === null;
			show(rows);
		} while (!whole);
	}

	load.again = () => {
		after = null;
		whole = false;
	};
	return load;
}

const LANES = 4; // requests at once
const OLD_MS = 10000; // after which it is asked again
const REST_MS = 100; // of scrolling, before anything is asked

/**
 * Asks for more about the rows that are in sight, a few at a time: `ask(row, signal, found)` gives an object;
 * `found` is the last one, {} at first. What nobody looks at any more is not waited for.
 * `key(row)` says which rows are the same, `moved(row, found)` whether a row has changed since; `shown()` is called at
 * each answer.
 */
function asking(ask, { key, shown, moved }) {
	const known = new Map(), running = new Map();
	let wanted = [], timer = null;

	function isDue(row) {
		const last = known.get(key(row));
		return !running.has(key(row)) &&
			!(performance.now() - last?.at < OLD_MS && !moved?.(row, last.found));
	}

	function next() {
		const row = running.size < LANES && wanted.find(isDue);
		if (!row)
			return;
		run(row);
		next();
	}

	async function run(row) {
		const abort = new AbortController();
		running.set(key(row), abort);
		let found = known.get(key(row))?.found ?? {};
		try {
			found = await ask(row, abort.signal, found);
		} catch (error) {
			if (error instanceof Away)
				wanted = []; // until somebody looks again
			else if (error.status === 404)
				found = {}; // it was just deleted
		}
		if (abort.signal.aborted)
			return;
		running.delete(key(row));
		known.set(key(row), { at: performance.now(), found });
		shown();
		next();
	}

	/** These rows are in sight. */
	function see(rows) {
		const keys = new Set(rows.map(key));
		wanted = rows;
		for (const [name, abort] of running)
			if (!keys.has(name)) {
				abort.abort();
				running.delete(name);
			}
		clearTimeout(timer);
		timer = setTimeout(next, REST_MS);
	}

	return { see, found: row => known.get(key(row))?.found ?? {} };
}

/** Keeps what is searched for in the address: "#/models/m?find=bn". */
function keepFind(text) {
	const [place] = location.hash.split("?");
	history.replaceState(null, "", `${place || "#/"}${text && `?${new URLSearchParams({ find: text })}`}`);
}

const FEW = 100; // rows that are all asked about, so that they can be sorted by what they say

/**
 * A list of the API as a table that can be searched: { table, load(signal), rows(), stop() }. `path`, `member` and
 * `key` are those of listing(), `ask` and `moved` those of asking(). `columns(found, few)` gives the table's columns:
 * `found(row)` is what was asked for, and `few()` says whether all rows are asked about. Other options are the table's.
 */
export function listTable({ path, member, key, ask, moved, columns, query, ...options }) {
	let rows = [];
	const pages = listing(path, member, key);
	const asked = asking(ask, { key, moved, shown: () => few() ? table.show(rows) : table.redraw() });
	const table = virtualTable({ ...options, noun: member, key, columns: columns(asked.found, few), seen: see,
		search: "Search", find: query.get("find") ?? "", onfind: keepFind });

	function few() {
		return rows.length <= FEW;
	}

	function see(inSight) {
		asked.see(few() ? rows : inSight);
	}

	async function load(signal) {
		await pages(signal, all => table.show(rows = all));
		see(table.inSight());
	}

	return { table, load, rows: () => rows, stop: () => asked.see([]) };
}
