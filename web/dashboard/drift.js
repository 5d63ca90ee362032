// SPDX-License-Identifier: MIT
// How far what inference reads is from what the layer was trained on: the features by drift, and of the chosen one the
// two normal curves over one another.

import { send } from "../shared/api.js";
import { curlDetails } from "../shared/curl_box.js";
import { normalCurves } from "../shared/curves.js";
import { el, fill, renew } from "../shared/dom.js";
import { ago, moment, short, whole } from "../shared/number.js";
import { get } from "../shared/request.js";
import { virtualTable } from "../shared/table.js";
import { referenceOf } from "./facts.js";
import { trainingOf, windowOf } from "./features.js";
import { verdictBadge } from "./verdict.js";

const TOP = 1000; // the most that the API gives

const SAYS = {
	none: "No feature has drifted: inference reads data like that of training.",
	possible: "At least one feature may have drifted.",
	drift: "At least one feature has drifted: inference reads other data than training did.",
	too_few: "The window has too few values for a verdict.",
	constant: "A feature is constant that was not, or the other way round.",
};

function scores(title, key, width = 7) {
	const say = row => short(row[key]);
	return { title, value: row => row[key], text: say, number: true, width, descending: true };
}

/** `lit()`: the feature whose curves are shown. */
function columnsOf(lit, choose) {
	const button = ({ index }) => el("button", { type: "button", "data-feature": index,
		"aria-pressed": index === lit(), onclick: () => choose(index) }, whole(index));
	return [{ title: "Feature", value: row => row.index, node: button, number: true, width: 5.5 },
		{ title: "Verdict", value: row => row.verdict, node: row => verdictBadge(row.verdict), width: 8 },
		scores("Divergence", "divergence"), scores("Mean shift", "mean_shift"),
		scores("Var. ratio", "variance_ratio", 6), scores("JS dist.", "js_distance", 6),
		scores("Wasserstein", "wasserstein", 7.5)];
}

function utc(time) {
	return `${moment(Date.parse(time) / 1000)} UTC`;
}

/** The verdict, the window and what it is compared with, in words. */
function words(drift, reference) {
	const { verdict, count, since } = drift;
	const compared = reference === "live" ? "the live statistics" : `the statistics of version ${reference}`;
	const window = since === null ? "Inference has read nothing yet." :
		`The window has ${whole(count)} values per feature, read since ${utc(since)} (${ago(since)}). ` +
		`It is compared with ${compared}.`;
	return [el("p", {}, verdictBadge(verdict), " ", SAYS[verdict]), el("p", { class: "quiet" }, window)];
}

export default function (place) {
	const { base, version, query, keep } = place;
	const ask = get(`${base}/drift`, { version, top: TOP });
	const said = el("div"), calls = el("div"), curves = normalCurves();
	const body = el("div", { class: "drift", hidden: true });
	const table = virtualTable({ caption: "Features by drift", noun: "features", search: "Search a feature",
		columns: columnsOf(() => lit, choose), key: row => row.index });
	const node = el("section", {}, el("h2", {}, "Drift"), said, body, calls);
	let chosen = Number(query.get("feature") ?? NaN), lit = chosen, found = null, training = null;
	let shown = "", from = "";

	body.append(table, curves);
	table.addEventListener("focusin", ({ target }) => { // as arrow keys go through the rows
		const button = target.closest("tbody > tr")?.querySelector("[data-feature]");
		if (button)
			choose(Number(button.dataset.feature));
	});

	function choose(index) {
		if (index === chosen)
			return;
		chosen = index;
		keep({ feature: index });
		showCurves();
	}

	/** Curves of the chosen feature; without one, or if it is not among the worst any more, of the first. */
	function showCurves() {
		const feature = found.find(({ index }) => index === chosen) ?? found[0];
		lit = feature.index;
		for (const button of table.querySelectorAll("[data-feature]"))
			button.setAttribute("aria-pressed", Number(button.dataset.feature) === lit);
		const before = trainingOf(training, feature.index);
		const now = windowOf(before, feature);
		const both = [{ name: "training", color: "--accent", ...before }];
		if (now !== null)
			both.push({ name: "window", color: "--second", dash: [6, 4], ...now });
		curves.show(`Feature ${whole(feature.index)}`, both);
	}

	async function readAll(reference, definition, signal) {
		const statistics = get(`${base}/statistics`, { version: reference });
		const [drift, before] = await Promise.all([send(ask, { signal }), send(statistics, { signal })]);
		found = drift.features;
		training = { ...before, ...definition };
		body.hidden = found.length === 0;
		table.show(found);
		if (!body.hidden)
			showCurves();
		if (from !== reference)
			fill(calls, curlDetails(ask, statistics));
		from = reference;
	}

	async function load(signal, head) {
		const reference = referenceOf(place, head);
		const now = JSON.stringify([head.drift, reference, head.last]);
		if (now !== shown)
			await readAll(reference, head.definition, signal);
		shown = now;
		renew(said, words(head.drift, reference));
	}

	return { node, load };
}
