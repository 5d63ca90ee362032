// SPDX-License-Identifier: MIT
// Running statistics over steps.

import { el, fill } from "../shared/dom.js";

export default function (root) {
	fill(root, el("p", {}, "Running statistics over steps"));
	return { stop() {} };
}
