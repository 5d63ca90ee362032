// SPDX-License-Identifier: MIT
// Verdicts of drift, in words.

import { el } from "../shared/dom.js";

const WORDS = {
	none: "no drift", possible: "possible drift", drift: "drift", too_few: "too few values", constant: "constant",
};

export function verdictBadge(verdict) {
	return el("span", { class: "badge", "data-verdict": verdict }, WORDS[verdict] ?? verdict);
}
