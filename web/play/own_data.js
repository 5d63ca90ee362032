// SPDX-License-Identifier: MIT
// Makes what can be sent of a text or a file: { name, body, type, size, shape, numbers, notes }. Bodies go as they are;
// tables go as .npy. `shape` and `numbers` are null where the page has not read them. Throws Broken. No DOM.

import { Broken } from "./broken.js";
import { isNpy, npyOf, numbersOf, readHeader } from "./npy.js";
import { csvReader, parseCsv } from "./parse_csv.js";
import { parseJson } from "./parse_json.js";

const NPY = "application/x-npy", JSON_TYPE = "application/json";
const JSON_MOST = 8 * 2 ** 20; // of a JSON file that the page reads itself
const HEAD = 4096, SLICE_MS = 25;

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
	const size = new Blob([body]).size;
	return { name, body, type: JSON_TYPE, size, ...parseJson(text) };
}

/** Of a text: JSON if it begins so, else a table. */
export function readText(text, name = "") {
	const first = text.trimStart()[0];
	if (first === undefined)
		throw new Broken("empty");
	return first === "[" || first === "{" || /^[a-z]/i.test(first) && !/[\n,;\t]/.test(text) ?
		ofJson(text, text, name) : ofTable(parseCsv(text), name);
}

function pause() {
	return new Promise(go => setTimeout(go));
}

/** Reads a table piece by piece. */
async function readTable(file, { signal, progress }) {
	const reader = csvReader(), decoder = new TextDecoder("utf-8", { fatal: true }), pieces = file.stream().getReader();
	let read = 0, since = performance.now();
	try {
		for (let piece = await pieces.read(); !piece.done; piece = await pieces.read()) {
			reader.feed(decoder.decode(piece.value, { stream: true }));
			read += piece.value.length;
			if (performance.now() - since > SLICE_MS) {
				progress(read / file.size);
				await pause();
				since = performance.now();
			}
			signal.throwIfAborted();
		}
		reader.feed(decoder.decode());
	} catch (error) {
		pieces.cancel().catch(() => {});
		throw error instanceof TypeError ? new Broken("binary") : error;
	}
	return ofTable(reader.end(), file.name);
}

async function readNpy(file, head) {
	const header = readHeader(head);
	const numbers = numbersOf(new Uint8Array(await file.arrayBuffer()), header);
	return { name: file.name, body: file, type: NPY, size: file.size, numbers, ...header, type: NPY };
}

async function readJson(file) {
	if (file.size > JSON_MOST)
		return { name: file.name, body: file, type: JSON_TYPE, size: file.size, shape: null, numbers: null };
	return ofJson(await file.text(), file, file.name);
}

/** Of a file, whatever its name says. `progress(share)` is told how much is read; `signal` cancels. */
export async function readFile(file, { signal, progress }) {
	let head = null;
	try {
		head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
	} catch {
		throw new Broken("unreadable");
	}
	if (file.size === 0)
		throw new Broken("empty");
	if (isNpy(head))
		return readNpy(file, head);
	const begins = String.fromCharCode(...head.subarray(0, 8));
	const wrong = WRONG.find(([magic]) => begins.startsWith(magic));
	if (wrong !== undefined || head.includes(0))
		throw new Broken(wrong?.[1] ?? "binary");
	const text = new TextDecoder().decode(head).trimStart();
	return text[0] === "[" || text[0] === "{" ? readJson(file) : readTable(file, { signal, progress });
}
