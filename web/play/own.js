// SPDX-License-Identifier: MIT
// Your own data.

import { el, fill } from "../shared/dom.js";

export default function (root) {
	fill(root, el("p", {}, "Your own data"));
	return { stop() {} };
}
