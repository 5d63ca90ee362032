// SPDX-License-Identifier: MIT
// The choice of a layer: a model, and its layers, of which there may be thousands: typing finds one by any part of its
// name. The list is looked at again now and then.

import { read } from "../shared/api.js";
import { curlBox } from "../shared/curl_box.js";
import { el, fill, newId } from "../shared/dom.js";
import { live } from "../shared/live.js";
import { path, post, put } from "../shared/request.js";
import { showProblem, showState } from "../shared/shell.js";
import { say } from "./own_words.js";
import { change, onState, state } from "./state.js";

const PAGE = 1000, SHOWN = 100, AGAIN_MS = 60000, EMPTY_MS = 5000;

/** All entries of a list that comes page by page. */
async function all(at, member, signal) {
	const found = [];
	let after = null;
	do {
		const page = await read(at, { limit: PAGE, after }, { signal });
		found.push(...page[member]);
		after = page.next;
	} while (after !== null);
	return found;
}

function options(select, names, chosen) {
	const key = names.join("\n");
	if (select.dataset.key !== key) // a list that somebody is in stays as it is
		fill(select, names.map(name => el("option", { value: name }, name)));
	select.dataset.key = key;
	select.value = chosen;
}

/** The calls that make a layer to begin with. */
function lesson() {
	const at = path`v1/models/lesson/layers/penguins`;
	return [put(at, { kind: "batch_norm", averaging: "pooled" }), post(`${at}/train`,
		[[39.1, 18.7, 181, 3750], [36.7, 19.3, 193, 3450], [42, 20.2, 190, 4250]], { output: false })];
}

/** What a layer takes, in words. */
function takes({ kind, num_features: features, num_channels: channels, normalized_shape: rows }) {
	const shape = rows?.join(" × ") ?? features ?? channels ?? null;
	return say(shape === null ? "takes any" : "takes", { kind, shape });
}

/**
 * `element`; `chosen()` gives the layer as { model, name, definition }, or null; `gone()` the name of one that was
 * chosen but is not there, or ""; `again()` looks at the list again. `tell()` is called when something changes.
 */
export function layerChoice(tell) {
	const ids = ["model", "find", "layers"].map(newId), count = el("p", { class: "quiet" });
	const problem = el("div"), start = el("div"), about = el("p");
	const model = el("select", { id: ids[0], onchange: () => change({ model: model.value, layer: "" }) });
	const find = el("input", { id: ids[1], type: "search", autocomplete: "off", oninput: draw });
	const list = el("select", { id: ids[2], size: 6, onchange: () => change({ layer: list.value }) });
	const label = (i, key) => el("label", { for: ids[i] }, say(key));
	const choice = el("div", { class: "own-layer", hidden: true },
		label(0, "model"), model, label(1, "find"), find, label(2, "layers"), list, about, count);
	const element = el("div", {}, problem, start, choice);
	let models = [], layers = new Map(), of = null, told = "";

	function draw() {
		const { layer } = state(), word = find.value.trim().toLowerCase();
		const found = [...layers.keys()].filter(name => name.toLowerCase().includes(word));
		const shown = found.slice(0, SHOWN);
		if (layers.has(layer) && !shown.includes(layer))
			shown.unshift(layer);
		options(model, models, of);
		options(list, shown, layer);
		fill(count, shown.length < layers.size && say("found", { n: shown.length, all: layers.size }));
		fill(about, layers.has(layer) && takes(layers.get(layer)));
		choice.hidden = models.length === 0;
		const now = JSON.stringify([of, layer, layers.get(layer)]);
		if (now !== told)
			tell();
		told = now;
	}

	async function load(signal) {
		const names = await all("v1/models", "models", signal);
		const model = names.includes(state().model) ? state().model : names[0] ?? null;
		const found = model === null ? [] : await all(path`v1/models/${model}`, "layers", signal);
		[models, of] = [names, model];
		layers = new Map(found.map(({ name, definition }) => [name, definition]));
		showProblem(problem, null);
		showStart();
		draw();
	}

	function showStart() {
		if (of !== null) {
			fill(start);
			return;
		}
		setTimeout(() => loading.now(), EMPTY_MS); // somebody is about to make a layer
		if (start.firstChild === null)
			fill(start, el("p", {}, say("no models")), lesson().map(request => curlBox(request)));
	}

	const loading = live(load, { interval: AGAIN_MS, tell: how => {
		showState(how);
		if (how.kind === "failed" || how.kind === "away")
			showProblem(problem, how.error);
	} });
	const forget = onState(values => {
		if (values.model !== of && models.includes(values.model))
			loading.now();
		else
			draw();
	});
	return {
		element,
		chosen() {
			const name = state().layer, definition = layers.get(name);
			return definition === undefined ? null : { model: of, name, definition };
		},
		gone() {
			const { model: wish, layer } = state();
			const isGone = layer !== "" && of !== null && [of, ""].includes(wish) && !layers.has(layer);
			return isGone ? layer : "";
		},
		again: loading.now,
		stop() {
			forget();
			loading.stop();
		},
	};
}
