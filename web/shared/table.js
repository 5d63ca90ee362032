// SPDX-License-Identifier: MIT
// A table of any length. Only the rows in sight are elements of the document, so that 100,000 rows are as quick as ten.
//
//     const table = virtualTable({
//         caption: "Statistics per feature",
//         noun: "features",                          // for "3 of 12 features"; of one, without its last letter
//         columns: [
//             { title: "Feature", value: row => row.index, number: true, width: 6 },
//             { title: "Mean", value: row => row.mean, text: row => short(row.mean), number: true },
//             { title: "Spread", value: row => row.sd, text: …, node: row => bar(row), sort: false, width: 12 },
//         ],
//         key: row => row.index,                     // what makes a row the same one at the next show()
//     });
//     main.append(table);                            // an element
//     table.show(rows);                              // now, and at each refresh
//
// A column:
//     title         its head
//     value(row)    a number or a text to sort by and to search in; null, undefined and NaN are sorted last
//     text(row)     what the cell says; without it, the value
//     node(row)     what the cell shows instead of its text, made anew only when the text has changed. Links and
//                   buttons in it are reached by Tab where their row is the current one; Enter presses the first
//     number        numbers: right-aligned
//     width         in rem, 8 where it is left out; `grow`: the column takes what the others leave
//     sort          false: cannot be sorted by; a function that says so at each show()
//     descending    the first press on the head sorts from the greatest down
//     find          whether it is searched: where it is left out, all but numbers, and the first
// The first column is the head of its row.
//
// Options besides those above:
//     sort          { column, descending }: what it is sorted by at first; without it, rows stay in the order given
//     search        the label of a field to search in; without it there is none
//     find          what is searched for at first; `onfind(text)` is told at each change
//     seen(rows)    is told which rows are in sight, each time when others are
//     empty         what is said where there are no rows
//
// The element's functions:
//     show(rows)    replaces the rows. Scrolling, focus, selected text and the current row stay as they are
//     redraw()      writes the rows in sight again: what text() says of them has changed
//     inSight()     the rows that are elements now, as seen() was told
//
// Keys, where the focus is in a row: arrows, Page Up and Down, Home and End go to another row. One row alone, the
// current one, is a stop of Tab, so that nobody has to pass through a thousand.

import { el, fill, newId } from "./dom.js";
import { whole } from "./number.js";
import { foundRows, sortedRows } from "./rows.js";

const SPARE = 6; // rows above and below those in sight
const GUESS = 32; // pixels, as long as no row was measured
const OPERABLE = "a, button, input, select";

/** How many rows each key moves by; `page`: how many are in sight, `count`: how many there are. */
const STEPS = {
	ArrowDown: () => 1, ArrowUp: () => -1, PageDown: page => page, PageUp: page => -page,
	Home: (page, count) => -count, End: (page, count) => count,
};

function textOf(column, row) {
	return String((column.text ?? column.value)(row) ?? "–");
}

function canSort({ sort }) {
	return typeof sort === "function" ? sort() : sort !== false;
}

/** Writes a cell, if it says something else than it does now. */
function writeCell(cell, column, row) {
	const text = textOf(column, row);
	if (cell.said === text)
		return;
	cell.said = text;
	fill(cell, column.node ? column.node(row) : text);
	cell.title = column.grow ? text : ""; // where it is cut off
}

/** The head, with a button in each column that can be sorted by. */
function makeHead(columns, press) {
	const cells = columns.map((column, i) => el("th", { scope: "col", class: column.number && "number" },
		el("button", { type: "button", onclick: () => press(i) }, column.title)));
	const head = el("thead", {}, el("tr", { "aria-rowindex": 1 }, cells));

	head.show = sort => cells.forEach((cell, i) => {
		const sortable = canSort(columns[i]);
		const direction = sort.column !== i ? "none" : sort.descending ? "descending" : "ascending";
		cell.firstChild.disabled = !sortable;
		if (sortable)
			cell.setAttribute("aria-sort", direction);
		else
			cell.removeAttribute("aria-sort");
	});
	return head;
}

function makeColumns(columns) {
	return el("colgroup", {}, columns.map(({ grow, width = 8 }) =>
		el("col", { style: grow ? {} : { width: `${width}rem` } })));
}

function makeRow(columns) {
	return el("tr", { tabindex: -1 }, columns.map(({ number }, i) =>
		el(i === 0 ? "th" : "td", { scope: i === 0 && "row", class: number && "number" })));
}

/** The field to search in, which tells `change(text)`. */
function searchField(label, find, change) {
	const id = newId("find");
	const field = el("input", { id, type: "search", value: find, autocomplete: "off", spellcheck: "false",
		oninput: () => change(field.value) });
	return [el("label", { for: id }, label), field];
}

export function virtualTable({ caption, noun, columns, key, sort = {}, search = null, find = "", empty = "",
	onfind = () => {}, seen = () => {} }) {
	let given = [], found = [], current = null, height = GUESS, shown = "", frame = 0;
	const made = new Map(); // by key: the rows that are elements
	const above = el("tr"), below = el("tr"), body = el("tbody");
	const count = el("span", { role: "status", class: "quiet" });
	const head = makeHead(columns, sortBy);
	const rem = columns.reduce((sum, { width = 8 }) => sum + width, 0);
	const table = el("table", { style: { "min-width": `${rem}rem` } },
		el("caption", { class: "unseen" }, caption), makeColumns(columns), head,
		el("tbody", { "aria-hidden": "true" }, above), body, el("tbody", { "aria-hidden": "true" }, below));
	const region = el("div", { class: "scroll virtual", tabindex: -1, onkeydown: move, onfocusin: follow,
		onscroll: later }, table);
	const nothing = el("p", { class: "quiet", hidden: true });
	const box = el("div", { class: "listing" }, el("div", { class: "row" },
		search !== null && searchField(search, find, text => { find = text; onfind(text); top(); }), count),
	region, nothing);

	function later() {
		cancelAnimationFrame(frame);
		frame = requestAnimationFrame(draw);
	}

	function top() {
		region.scrollTop = 0;
		arrange();
	}

	function sortBy(i) {
		const again = sort.column === i;
		sort = { column: i, descending: again ? !sort.descending : columns[i].descending === true };
		top();
	}

	/** Searches and sorts what was given, and shows it. */
	function arrange() {
		const searched = columns.filter((column, i) => column.find ?? (!column.number || i === 0));
		const by = columns[sort.column];
		found = foundRows(given, find, row => searched.map(column => column.value(row) ?? ""));
		if (by && canSort(by))
			found = sortedRows(found, by.value, sort.descending);
		head.show(sort);
		table.setAttribute("aria-rowcount", found.length + 1);
		const all = `${whole(given.length)} ${given.length === 1 ? noun.slice(0, -1) : noun}`;
		const words = found.length === given.length ? all : `${whole(found.length)} of ${all}`;
		if (count.textContent !== words)
			fill(count, words);
		nothing.hidden = found.length > 0;
		fill(nothing, given.length > 0 ? "Nothing that is searched for is here." : empty);
		draw();
	}

	/** The rows in sight, and some more: from, to (without it). */
	function span() {
		const first = Math.max(0, Math.min(Math.floor(region.scrollTop / height), found.length - 1));
		const fits = Math.ceil((region.clientHeight || 600) / height);
		return [Math.max(0, first - SPARE), Math.min(found.length, first + fits + SPARE)];
	}

	function draw() {
		const [from, to] = span();
		const focus = body.contains(document.activeElement) ? document.activeElement : null;
		above.style.height = `${from * height}px`;
		below.style.height = `${(found.length - to) * height}px`;
		place(found.slice(from, to), from);
		if (focus !== null && document.activeElement !== focus)
			(focus.isConnected ? focus : region).focus({ preventScroll: true });
		const measured = body.firstChild?.getBoundingClientRect().height || height;
		if (Math.abs(measured - height) > .01) { // the first rows, or another size of type
			height = measured;
			later();
		}
	}

	/** Makes, writes and orders the elements of the rows, and removes all others. */
	function place(rows, from) {
		const keys = rows.map(key);
		const kept = new Set(keys);
		const stop = kept.has(current) ? current : keys[Math.min(SPARE, from)];
		const lines = keys.map(name => made.get(name) ?? makeRow(columns));
		const stale = [...made].filter(([name]) => !kept.has(name));
		let at = body.firstChild;
		lines.forEach((line, i) => {
			made.set(keys[i], line);
			line.setAttribute("aria-rowindex", from + i + 2);
			columns.forEach((column, c) => writeCell(line.cells[c], column, rows[i]));
			setStop(line, keys[i] === stop);
			while (at !== null && stale.some(([, gone]) => gone === at))
				at = at.nextSibling; // a row that stays is never moved: it would lose the focus
			if (line === at)
				at = at.nextSibling;
			else
				body.insertBefore(line, at);
		});
		for (const [name, line] of stale) { // last: a table that is shorter for a moment would scroll
			line.remove();
			made.delete(name);
		}
		const now = JSON.stringify(keys);
		if (now !== shown)
			seen(rows);
		shown = now;
	}

	/** Makes a row, and what can be operated in it, reachable by Tab, or not. */
	function setStop(line, stops) {
		for (const node of [line, ...line.querySelectorAll(OPERABLE)])
			node.tabIndex = stops ? 0 : -1;
	}

	/** The row that gets the focus is the current one. */
	function follow({ target }) {
		const line = target.closest("tbody > tr");
		for (const [name, row] of made)
			if (row === line && name !== current) {
				current = name;
				made.forEach(other => setStop(other, other === row));
			}
	}

	function move(event) {
		const { key: pressed, target } = event;
		const line = target.closest("tbody > tr");
		if ((line === null && target !== region) || target.matches("input, select") || found.length === 0 ||
			event.altKey || event.ctrlKey || event.metaKey)
			return;
		if (pressed === "Enter" && target === line)
			line.querySelector("a, button")?.click();
		if (!Object.hasOwn(STEPS, pressed))
			return;
		event.preventDefault();
		const page = Math.max(1, Math.floor((region.clientHeight - head.offsetHeight) / height) - 1);
		const was = line ? line.ariaRowIndex - 2 : found.findIndex(row => key(row) === current);
		go(Math.max(0, Math.min(found.length - 1, was + STEPS[pressed](page, found.length))));
	}

	/** Goes to the n-th row: scrolls no further than it has to. */
	function go(n) {
		const room = region.clientHeight - head.offsetHeight;
		region.scrollTop = Math.max((n + 1) * height - room, Math.min(region.scrollTop, n * height));
		current = key(found[n]);
		draw();
		made.get(current).focus({ preventScroll: true });
	}

	new ResizeObserver(later).observe(region);
	box.show = rows => {
		given = rows;
		arrange();
	};
	box.redraw = draw;
	box.inSight = () => found.slice(...span());
	arrange();
	return box;
}
