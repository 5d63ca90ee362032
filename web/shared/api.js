// SPDX-License-Identifier: MIT
// Sends requests (request.js) to the daemon that served the page, and makes its errors exceptions.

import { bodyOf, get, url } from "./request.js";
import { token } from "./token.js";

const TIMEOUT_MS = 30000;

/** The daemon refused: `status`, `code` and `offset` of its problem document; the message is its detail. */
export class Refused extends Error {
	constructor(status, problem) {
		super(problem.detail ?? problem.title ?? `status ${status}`);
		this.name = "Refused";
		this.status = status;
		this.code = problem.code ?? "";
		this.offset = problem.offset;
	}

	/** Whether a token, or another one, may help. */
	get needsToken() {
		return this.status === 401 || this.status === 403;
	}
}

/** There was no answer. */
export class Away extends Error {
	constructor(message) {
		super(message);
		this.name = "Away";
	}
}

/** By how many milliseconds the daemon's clock is ahead of this machine's, as its last answer said. */
let clockAhead = 0;

/** The daemon's time, in milliseconds since 1970: ages of what it reports are right even where a clock is off. */
export function daemonNow() {
	return Date.now() + clockAhead;
}

function noteDate(text) {
	const date = Date.parse(text ?? "");
	if (Number.isFinite(date) && Math.abs(date - Date.now() - clockAhead) > 1500) // the header has whole seconds
		clockAhead = date - Date.now();
}

/** The headers that a request is sent with. */
export function headersOf(request) {
	const headers = { ...request.headers };
	if (token() !== "")
		headers.Authorization = `Bearer ${token()}`;
	if (request.body !== undefined)
		headers["Content-Type"] = request.type;
	return headers;
}

function parseJson(text) {
	try {
		return JSON.parse(text);
	} catch {
		return {}; // not the daemon's: a proxy's page
	}
}

/** The exception for an answer's text. */
export function refusal(status, text) {
	return new Refused(status, parseJson(text));
}

async function answerOf(response) {
	const type = response.headers.get("Content-Type") ?? "";
	if (!response.ok)
		throw refusal(response.status, await response.text());
	if (response.status === 204)
		return null;
	return type.startsWith("application/json") ? response.json() : new Uint8Array(await response.arrayBuffer());
}

/**
 * Sends a request. Gives its answer: an object for JSON, a Uint8Array for other types, null for none.
 * Throws Refused, Away, or the signal's AbortError.
 */
export async function send(request, { signal } = {}) {
	const late = AbortSignal.timeout(TIMEOUT_MS);
	try {
		const response = await fetch(url(request), {
			method: request.method, headers: headersOf(request), body: bodyOf(request), cache: "no-store",
			credentials: "same-origin", signal: signal ? AbortSignal.any([signal, late]) : late,
		});
		noteDate(response.headers.get("Date"));
		return await answerOf(response);
	} catch (error) {
		if (error instanceof Refused || signal?.aborted)
			throw error;
		throw new Away(late.aborted ? "the daemon did not answer in time" : "the daemon cannot be reached");
	}
}

/** GET of a path, relative to the page. */
export function read(path, query, options) {
	return send(get(path, query), options);
}
