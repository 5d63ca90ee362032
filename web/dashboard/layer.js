// SPDX-License-Identifier: MIT
// A layer's page: what it is, when it last changed, and whether it has drifted. It asks for no features, so that each
// refresh is cheap for a layer of any size.

import { read } from "../shared/api.js";
import { curlBox } from "../shared/curl_box.js";
import { el, fill } from "../shared/dom.js";
import { live } from "../shared/live.js";
import { ago, short, whole } from "../shared/number.js";
import { get, path } from "../shared/request.js";
import { showProblem, showState } from "../shared/shell.js";
import { definitionList } from "./definition.js";
import { verdictBadge } from "./verdict.js";

/** Whether a layer of this definition keeps running statistics. */
export function keepsStatistics({ track_running_stats }) {
	return track_running_stats ?? false;
}

async function load(base, signal) {
	const definition = await read(base, {}, { signal });
	if (!keepsStatistics(definition))
		return { definition };
	const { history: [last] } = await read(`${base}/history`, { limit: 1 }, { signal });
	const drift = last && await read(`${base}/drift`, { top: 0 }, { signal }); // without statistics it is refused
	return { definition, last, drift };
}

function driftFact(drift) {
	const { verdict, count, max, since } = drift;
	const worst = max.divergence !== null && `, greatest divergence ${short(max.divergence)}`;
	return [verdictBadge(verdict), " ", `of ${whole(count)} values per feature`, worst,
		since !== null && `, since ${since}`];
}

/** The facts at the head of the page: pairs of a name and what is shown. */
function factsOf({ definition, last, drift }) {
	const facts = [["Kind", definition.kind], ["Frozen", definition.frozen ? "yes" : "no"]];

	if (!keepsStatistics(definition))
		return [...facts,
			["Statistics", "none: a layer of this definition normalizes by the moments of its input"]];
	if (last === undefined)
		return [...facts, ["Statistics", "none yet: train the layer, or put statistics"]];
	facts.push(["Features", whole(definition.num_features)], ["Revision", whole(last.revision)],
		["Batches", whole(last.num_batches_tracked)],
		["Last update", last.time === null ? "not known" : ago(last.time)]);
	for (const [title, spread] of [["Mean", last.mean], ["Variance", last.var]])
		facts.push([title, `${short(spread.min)} to ${short(spread.max)}, median ${short(spread.median)}`]);
	if (drift)
		facts.push(["Drift", driftFact(drift)]);
	return facts;
}

export function layerView({ names: [model, layer], main }) {
	const base = path`v1/models/${model}/layers/${layer}`;
	const notice = el("div"), facts = el("dl", { class: "facts" }), fields = el("div");
	const body = el("div", { hidden: true }, facts, el("h2", {}, "Definition"), fields, curlBox(get(base)));
	let definition = "";

	fill(main, el("nav", { class: "crumbs", "aria-label": "Where this is" },
		el("a", { href: "#/" }, "Models"), " / ",
		el("a", { href: `#/models/${encodeURIComponent(model)}` }, model)), el("h1", {}, layer), notice, body);

	function show(shown) {
		const text = JSON.stringify(shown.definition);
		showProblem(notice, null);
		fill(facts, factsOf(shown).map(([title, value]) => [el("dt", {}, title), el("dd", {}, value)]));
		if (text !== definition) // what somebody has selected stays selected
			fill(fields, definitionList(shown.definition));
		definition = text;
		body.hidden = false;
	}

	return live(async signal => {
		try {
			show(await load(base, signal));
		} catch (error) {
			if (error.name === "Refused") {
				const gone = error.status === 404 && !body.hidden;
				const last = gone && el("p", { class: "quiet" }, "Below is what it was last.");
				showProblem(notice, error, last);
			}
			throw error;
		}
	}, { tell: showState });
}
