// SPDX-License-Identifier: MIT
// Makes what can be sent of a text or a file: { name, body, type, size, shape, numbers }, of tables also { names,
// leftOut, missing }. Bodies go as they are; tables go as .npy. `shape` and `numbers` are null where the page has not
// read them. Throws Broken. No DOM.

import { Broken } from "./broken.js";
import { isNpy, npyOf, numbersOf, readHeader } from "./npy.js";
import { csvReader, parseCsv } from "./parse_csv.js";
import { parseJson } from "./parse_json.js";

const NPY = "application/x-npy", JSON_TYPE = "application/json";
const MOST = 256 * 2 ** 20; // of a file whose numbers are read here: the page shows them, the daemon takes any
const HEAD = 4096, TELL_MS = 50;
const BOM = [0xef, 0xbb, 0xbf]; // begins what Windows saves as UTF-8; the daemon refuses it

/* Files that somebody may choose by mistake: their first bytes, and what is said. */
const WRONG = [
	["\x89PNG", "image"], ["\xff\xd8\xff", "image"], ["GIF8", "image"], ["PK", "npz"], ["\x1f\x8b", "npz"],
	["%PDF", "binary"],
];

function ofTable({ names, leftOut, rows, numbers, missing }, name) {
	const shape = [rows, names.length], body = npyOf(numbers, shape);
	return { name, body, type: NPY, size: body.size, shape, numbers, names, leftOut,
		missing: missing.map((count, i) => [names[i], count]).filter(([, count]) => count > 0) };
}

function ofJson(text, body, name) {
	return { name, body, type: JSON_TYPE, size: new Blob([body]).size, ...parseJson(text) };
}

/** Of a text: JSON if it begins so, else a table. */
export function readText(text, name = "") {
	const first = text.trimStart()[0];
	if (first === undefined)
		throw new Broken("empty");
	return first === "[" || first === "{" || /^[a-z]/i.test(first) && !/[\n,;\t]/.test(text) ?
		ofJson(text, text, name) : ofTable(parseCsv(text), name);
}

/** Reads a table piece by piece. Bytes that are no UTF-8 can only be in words, which are not needed. */
async function readTable(file, progress) {
	const reader = csvReader(), decoder = new TextDecoder(), pieces = file.stream().getReader();
	let read = 0, told = performance.now();
	for (let piece = await pieces.read(); !piece.done; piece = await pieces.read()) {
		reader.feed(decoder.decode(piece.value, { stream: true }));
		read += piece.value.length;
		if (performance.now() - told > TELL_MS) {
			progress(read / file.size);
			told = performance.now();
		}
	}
	reader.feed(decoder.decode());
	return ofTable(reader.end(), file.name);
}

async function readNpy(file, head) {
	const { shape, fortran, ...how } = readHeader(head);
	const numbers = file.size > MOST ? null : numbersOf(new Uint8Array(await file.arrayBuffer()), how);
	return { name: file.name, body: file, type: NPY, size: file.size, shape, fortran, numbers };
}

async function readJson(file, head) {
	const body = BOM.every((byte, i) => head[i] === byte) ? file.slice(BOM.length) : file;
	if (file.size > MOST)
		return { name: file.name, body, type: JSON_TYPE, size: body.size, shape: null, numbers: null };
	return ofJson(await body.text(), body, file.name);
}

/** Of a file, whatever its name says. `progress(share)` is told now and then how much is read. */
export async function readFile(file, progress) {
	const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
	if (head.length === 0)
		throw new Broken("empty");
	if (isNpy(head))
		return readNpy(file, head);
	const begins = String.fromCharCode(...head.subarray(0, 8));
	const wrong = WRONG.find(([magic]) => begins.startsWith(magic));
	if (wrong !== undefined || head.includes(0))
		throw new Broken(wrong?.[1] ?? "binary");
	const text = new TextDecoder().decode(head).trimStart();
	return text[0] === "[" || text[0] === "{" ? readJson(file, head) : readTable(file, progress);
}
