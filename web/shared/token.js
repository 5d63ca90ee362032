// SPDX-License-Identifier: MIT
// The token that requests carry. It lives as long as the tab, and no page has powers of its own without it.

const KEY = "normd-token";
const listeners = new Set();
let current = read();

function read() {
	try {
		return sessionStorage.getItem(KEY) ?? "";
	} catch {
		return ""; // the browser keeps nothing for this page
	}
}

/** The token; "" without one. */
export function token() {
	return current;
}

/** Keeps a token ("": none), and tells all who asked. */
export function setToken(text) {
	current = text.trim();
	try {
		sessionStorage.setItem(KEY, current);
	} catch {
		// it then lives as long as the page
	}
	for (const listener of listeners)
		listener();
}

/** Calls `listener` at each change. Returns a function that ends that. */
export function onToken(listener) {
	listeners.add(listener);
	return () => listeners.delete(listener);
}
