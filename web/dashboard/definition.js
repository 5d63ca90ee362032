// SPDX-License-Identifier: MIT
// A layer's definition: every field that the daemon names, as it names it.

import { el } from "../shared/dom.js";

/** A value of a definition as a person reads it. */
export function fieldText(value) {
	return typeof value === "string" ? value : JSON.stringify(value);
}

/** A list of a definition's fields. */
export function definitionList(definition) {
	return el("dl", { class: "facts" }, Object.entries(definition).map(([name, value]) =>
		[el("dt", {}, el("code", {}, name)), el("dd", {}, fieldText(value))]));
}
