// SPDX-License-Identifier: MIT
// The kinds of normalization, side by side.

import { el, fill } from "../shared/dom.js";

export default function (root) {
	fill(root, el("p", {}, "The kinds of normalization, side by side"));
	return { stop() {} };
}
