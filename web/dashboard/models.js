// SPDX-License-Identifier: MIT

import { el, fill } from "../shared/dom.js";

export function modelsView({ names, main }) {
	fill(main, el("h1", {}, "models"), el("p", {}, names.join(" / ")));
	return { stop() {} };
}
