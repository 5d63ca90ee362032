// SPDX-License-Identifier: MIT
// The dashboard: finds the view for the address behind the hash, and shows it.
//
//     #/                               the models
//     #/models/{model}                 a model
//     #/models/{model}/layers/{layer}  a layer
//
// What a view keeps in the address (a search, a tab) is a query behind that: #/models/m?find=bn.

import { el, fill } from "../shared/dom.js";
import { shell } from "../shared/shell.js";
import { layerView } from "./layer.js";
import { modelView } from "./model.js";
import { modelsView } from "./models.js";

/* A view is a function of { names, query, main } that fills `main` and returns { stop }. `title` is for the tab. */
const views = [
	{ pattern: /^\/?$/, view: modelsView, title: () => "Models" },
	{ pattern: /^\/models\/([^/]+)$/, view: modelView, title: ([model]) => model },
	{ pattern: /^\/models\/([^/]+)\/layers\/([^/]+)$/, view: layerView,
		title: ([model, layer]) => `${layer} – ${model}` },
];

const main = el("main");
let shown = { stop() {} };
let isShown = false;

function decode(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text; // a % that encodes nothing
	}
}

function show() {
	const [where, query] = location.hash.slice(1).split("?");
	const moved = isShown;
	isShown = true;
	shown.stop();
	for (const { pattern, view, title } of views) {
		const found = pattern.exec(where);
		if (found === null)
			continue;
		const names = found.slice(1).map(decode);
		document.title = `${title(names)} – normd`;
		fill(main);
		shown = view({ names, query: new URLSearchParams(query), main });
		if (moved)
			main.focus(); // a reader of screens hears that the content is new
		return;
	}
	shown = { stop() {} };
	fill(main, el("h1", {}, "There is no such page"), el("p", {}, el("a", { href: "#/" }, "All models")));
}

shell(main, { here: "./" });
addEventListener("hashchange", show);
show();
