// SPDX-License-Identifier: MIT

import { el, fill } from "../shared/dom.js";

export function layerView({ names, main }) {
	fill(main, el("h1", {}, "layer"), el("p", {}, names.join(" / ")));
	return { stop() {} };
}
