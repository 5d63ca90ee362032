// SPDX-License-Identifier: MIT
// NumPy's .npy files: what a header says, the numbers behind it, and files made of numbers. No DOM.

import { Broken } from "./broken.js";

const MAGIC = "\x93NUMPY";
const TAKEN = /^[<>=|]?(?:f[248]|V2|float(?:16|32|64))$/; // by the daemon
const ARRAYS = { f4: Float32Array, f8: Float64Array };
const BLOCK = 64; // the numbers begin at a multiple of this

function latin(bytes) {
	return new TextDecoder("latin1").decode(bytes);
}

/** Whether bytes begin like a .npy file. */
export function isNpy(bytes) {
	return Array.from(MAGIC).every((sign, i) => sign.charCodeAt(0) === bytes[i]);
}

/** What the first bytes of a file say: { type, fortran, shape, offset }. Throws Broken. */
export function readHeader(bytes) {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length), old = bytes[6] === 1;
	if (bytes.length < 12)
		throw new Broken("npy");
	const from = old ? 10 : 12, offset = from + (old ? view.getUint16(8, true) : view.getUint32(8, true));
	const text = latin(bytes.subarray(from, offset)), find = pattern => pattern.exec(text)?.[1];
	const type = find(/'descr':\s*'([^']*)'/), fortran = find(/'fortran_order':\s*(True|False)/);
	const shape = find(/'shape':\s*\(([\d, ]*)\)/);
	if (bytes.length < offset || type === undefined || fortran === undefined || shape === undefined)
		throw new Broken("npy");
	if (!TAKEN.test(type))
		throw new Broken("npy type", { type });
	return { type, fortran: fortran === "True", shape: shape.match(/\d+/g)?.map(Number) ?? [], offset };
}

/** The numbers of a file, in its order; null where the page does not read the type. */
export function numbersOf(bytes, { type, offset }) {
	const Numbers = ARRAYS[/^[<=|]?(f[48])$/.exec(type)?.[1]];
	if (Numbers === undefined)
		return null;
	const size = Numbers.BYTES_PER_ELEMENT, count = Math.floor((bytes.length - offset) / size);
	return new Numbers(bytes.slice(offset, offset + count * size).buffer);
}

/** A file of doubles. */
export function npyOf(numbers, shape) {
	const tuple = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
	const text = `{'descr': '<f8', 'fortran_order': False, 'shape': ${tuple}, }`;
	const length = Math.ceil((10 + text.length + 1) / BLOCK) * BLOCK - 10, head = new Uint8Array(10);
	head.set(Array.from(MAGIC, sign => sign.charCodeAt(0)));
	head.set([1, 0, length & 255, length >> 8], 6);
	return new Blob([head, `${text.padEnd(length - 1)}\n`, numbers]);
}
