// SPDX-License-Identifier: MIT
// A request is a value: what is sent and what the reader may repeat with curl are made from the same one.

/** path`v1/models/${model}`: a path, relative to the page, so that it also works behind a prefix. */
export function path(words, ...names) {
	return String.raw({ raw: words }, ...names.map(encodeURIComponent));
}

/** `query`: members that are null or undefined are left out. */
export function get(path, query = {}) {
	return { method: "GET", path, query };
}

/** `body` is sent as JSON, or as it is where it is bytes (Uint8Array), a Blob or a text; `type` is then its type. */
export function post(path, body, query = {}, type = "application/json") {
	return { method: "POST", path, query, body, type };
}

export function put(path, body, query = {}, type = "application/json") {
	return { method: "PUT", path, query, body, type };
}

export function remove(path, query = {}) {
	return { method: "DELETE", path, query };
}

/** The request's address. */
export function url(request) {
	const address = new URL(request.path, document.baseURI);
	for (const [name, value] of Object.entries(request.query ?? {}))
		if (value !== null && value !== undefined)
			address.searchParams.set(name, value);
	return address;
}

/** The body as it is sent: a text, bytes, or undefined. */
export function bodyOf({ body }) {
	const isText = body === undefined || typeof body === "string";
	return isText || body instanceof Blob || ArrayBuffer.isView(body) ? body : JSON.stringify(body);
}

/** A word as a POSIX shell takes it. */
function quote(word) {
	return /^[A-Za-z0-9_./:@%+,=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * The command that makes the same request. `file`: a name to show for a body that is not a text. The token itself is
 * never shown: the command reads it from a variable.
 */
export function curlLine(request, { withToken = false, file = "tensor.npy" } = {}) {
	const words = ["curl", "-sS"];
	if (request.method !== "GET" && request.method !== "POST")
		words.push("-X", request.method);
	if (withToken)
		words.push("-H", '"Authorization: Bearer $NORMD_TOKEN"');
	const body = bodyOf(request);
	if (body !== undefined && request.type !== "application/json")
		words.push("-H", quote(`Content-Type: ${request.type}`));
	words.push(quote(url(request).href));
	if (typeof body === "string")
		words.push("-d", quote(body));
	else if (body !== undefined)
		words.push("--data-binary", quote(`@${file}`));
	else if (request.method === "POST")
		words.push("-X", "POST");
	return words.join(" ");
}
