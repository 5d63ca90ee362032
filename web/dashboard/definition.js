// SPDX-License-Identifier: MIT
// A layer's definition: every field that the daemon names, as it names it.

import { curlBox } from "../shared/curl_box.js";
import { el, renew } from "../shared/dom.js";
import { get } from "../shared/request.js";

/** A value of a definition as a person reads it. */
export function fieldText(value) {
	return typeof value === "string" ? value : JSON.stringify(value);
}

/** The fields of a definition as children of a <dl>. */
function fields(definition) {
	return Object.entries(definition).map(([name, value]) =>
		[el("dt", {}, el("code", {}, name)), el("dd", {}, fieldText(value))]);
}

export default function ({ base, version }) {
	const list = el("dl", { class: "facts" });
	const node = el("section", {}, el("h2", {}, "Definition"), list, curlBox(get(base, { version })));

	return { node, load: (signal, { definition }) => renew(list, fields(definition)) };
}
