// SPDX-License-Identifier: MIT
// Reads data in a thread of its own: the page stays responsive, whatever it is given. Gets { file } or { text, name },
// gives { share } now and then, and { read } or { broken } in the end.

import { Broken } from "./broken.js";
import { readFile, readText } from "./own_data.js";

async function read({ file, text, name }) {
	const read = file ? await readFile(file, share => postMessage({ share })) : readText(text, name);
	const odd = read.numbers?.reduce((count, x) => count + (Number.isFinite(x) ? 0 : 1), 0) ?? 0;
	postMessage({ read: { ...read, odd } }, read.numbers ? [read.numbers.buffer] : []);
}

addEventListener("message", ({ data }) => read(data).catch(error => {
	const isOurs = error instanceof Broken; // else a file that has moved, or is too large for the memory
	postMessage({ broken: isOurs ? { ...error } : { key: "unreadable" } });
	if (!isOurs)
		console.warn(error);
}));
