// SPDX-License-Identifier: MIT

import { el, fill } from "../shared/dom.js";

export function modelView({ names, main }) {
	fill(main, el("h1", {}, "model"), el("p", {}, names.join(" / ")));
	return { stop() {} };
}
