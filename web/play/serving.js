// SPDX-License-Identifier: MIT
// Training against inference.

import { el, fill } from "../shared/dom.js";

export default function (root) {
	fill(root, el("p", {}, "Training against inference"));
	return { stop() {} };
}
