// SPDX-License-Identifier: MIT
// Sends a request as api.js does, for bodies that take a while: says how far it is, and can be cancelled. fetch() does
// not say how much it has sent, so this is XMLHttpRequest.

import { Away, headersOf, refusal } from "./api.js";
import { bodyOf, url } from "./request.js";

function answerOf(http) {
	const type = http.getResponseHeader("Content-Type") ?? "", bytes = new Uint8Array(http.response);
	if (http.status < 400 && !type.startsWith("application/json"))
		return bytes;
	const text = new TextDecoder().decode(bytes);
	if (http.status >= 400)
		throw refusal(http.status, text);
	return JSON.parse(text);
}

/**
 * Sends a request. Gives its answer: an object for JSON, else a Uint8Array. `progress(share)` is told how much of the
 * body is sent, from 0 to 1. Throws Refused, Away, or the signal's reason.
 */
export function upload(request, { signal, progress = () => {} } = {}) {
	return new Promise((resolve, reject) => {
		const http = new XMLHttpRequest();
		const finish = give => {
			signal?.removeEventListener("abort", cancel);
			try {
				resolve(give());
			} catch (error) {
				reject(error);
			}
		};
		const cancel = () => http.abort();
		const fail = () => finish(() => {
			throw signal?.aborted ? signal.reason : new Away("the daemon cannot be reached");
		});
		http.open(request.method, url(request));
		http.responseType = "arraybuffer";
		for (const [name, value] of Object.entries(headersOf(request)))
			http.setRequestHeader(name, value);
		http.upload.onprogress = ({ loaded, total }) => progress(total > 0 ? loaded / total : 1);
		http.onload = () => finish(() => answerOf(http));
		http.onerror = http.onabort = fail;
		signal?.addEventListener("abort", cancel);
		if (signal?.aborted)
			fail();
		else
			http.send(bodyOf(request));
	});
}
