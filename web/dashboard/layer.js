// SPDX-License-Identifier: MIT
// A layer's page: its facts, and below them a tab for each of its parts. A part is a module of this folder: a function
// of a place that returns { node, load(signal, head), stop }, called when its tab is first opened.
//
// The place says what is looked at: { base, modelBase, version, query, keep }. `keep` changes the query of the address.

import { curlDetails } from "../shared/curl_box.js";
import { el, fill, newId, renew } from "../shared/dom.js";
import { live } from "../shared/live.js";
import { path } from "../shared/request.js";
import { showProblem, showState } from "../shared/shell.js";
import { tabs } from "../shared/tabs.js";
import definitionPart from "./definition.js";
import driftPart from "./drift.js";
import { factsOf, keepsStatistics, lacking, loadHead, requestsOf } from "./facts.js";
import historyPart from "./history.js";
import { listing } from "./listing.js";
import parametersPart from "./parameters.js";
import sourcesPart from "./sources.js";
import statisticsPart from "./statistics.js";

const PARTS = { statistics: statisticsPart, history: historyPart, drift: driftPart, sources: sourcesPart,
	parameters: parametersPart, definition: definitionPart };
const TITLES = { statistics: "Statistics", history: "History", drift: "Drift", sources: "Sources",
	parameters: "Parameters", definition: "Definition" };
const LATEST = 100; // versions to choose from

/** The tabs that a layer has. Published versions have no history, and no sources. */
function tabsOf(head, version) {
	const { definition, drift } = head, isLive = version === null, tracks = lacking(head) === null;
	const hasWeight = definition.affine ?? definition.elementwise_affine ?? false;
	const has = { statistics: tracks, history: tracks && isLive, drift: tracks && drift !== null,
		sources: tracks && isLive && definition.averaging === "pooled",
		parameters: !keepsStatistics(definition) && hasWeight, definition: true };
	return Object.keys(TITLES).filter(name => has[name]);
}

/** The choice of a state: live, or a version. */
function stateChoice(modelBase, choose) {
	const id = newId("state"), choice = el("select", { id, onchange: () => choose(choice.value || null) });
	const node = el("div", { class: "row" }, el("label", { for: id, class: "quiet" }, "State"), choice);
	const pages = listing(`${modelBase}/versions`, "versions", ({ version }) => version);
	let versions = [], now = [null, null];

	function show(...next) {
		const [version, serves] = now = next;
		const known = versions.slice(-LATEST).map(each => String(each.version)).reverse();
		const all = version === null || known.includes(version) ? known : [version, ...known];
		renew(choice, ["live", ...all].map(name => el("option", { value: name === "live" ? "" : name },
			name === "live" ? name : `version ${name}`, name === serves && ", serves")));
		choice.value = version ?? "";
		node.hidden = all.length === 0;
	}

	/** Once there are versions, they are known. */
	async function load(signal) {
		if (versions.length === 0)
			await pages(signal, all => {
				versions = all;
				show(...now);
			});
	}

	return { node, show, load };
}

export function layerView({ names: [model, layer], query, main }) {
	const modelBase = path`v1/models/${model}`, base = modelBase + path`/layers/${layer}`;
	const notice = el("div"), facts = el("dl", { class: "facts tiles" }), calls = el("div");
	const { list, panel, show: showTabs } = tabs({ label: "Parts of the layer", titles: TITLES,
		choose: chooseTab });
	const choice = stateChoice(modelBase, version => keep({ version }));
	const body = el("div", { hidden: true }, facts, calls, list, panel);
	let parts = {}, place = null, refresh = null;

	main.append(el("nav", { class: "crumbs", "aria-label": "Where this is" },
		el("a", { href: "#/" }, "Models"), " / ",
		el("a", { href: `#/models/${encodeURIComponent(model)}` }, model)),
	el("h1", {}, layer), choice.node, notice, body);

	/** Changes members of the query; null takes one away. */
	function keep(members) {
		for (const [name, value] of Object.entries(members))
			if (value === null)
				query.delete(name);
			else
				query.set(name, value);
		history.replaceState(null, "", `${location.hash.split("?")[0]}?${query}`);
		look();
	}

	function chooseTab(tab) {
		keep({ tab });
		refresh.now();
	}

	/** Looks at the state that the address names. */
	function look() {
		const version = query.get("version");
		if (version === place?.version)
			return;
		stopParts();
		place = { base, modelBase, version, query, keep };
		choice.show(version, null);
		refresh?.now();
	}

	function stopParts() {
		Object.values(parts).forEach(part => part.stop?.());
		parts = {};
		fill(calls);
		fill(panel);
	}

	/** The part whose tab is chosen. All others that were opened stay, hidden. */
	function partOf(head) {
		const there = tabsOf(head, place.version), asked = query.get("tab");
		const name = there.includes(asked) ? asked : there[0];
		showTabs(name, there);
		for (const [other, { node }] of Object.entries(parts))
			node.hidden = other !== name;
		if (!parts[name]) {
			parts[name] = PARTS[name](place);
			panel.append(parts[name].node);
		}
		return parts[name];
	}

	/** What a layer that is gone showed last stays, in grey. */
	function showGone(error) {
		const gone = error?.status === 404 && !body.hidden;
		showProblem(notice, error, gone && el("p", { class: "quiet" }, "Below is what it was last."));
		body.classList.toggle("gone", gone);
		if (gone && list.contains(document.activeElement))
			main.focus(); // what is inert would lose it
		list.inert = gone;
	}

	async function load(signal) {
		try {
			const head = await loadHead(place, signal);
			renew(facts, factsOf(place, head));
			choice.show(place.version, head.serving && String(head.serving.version));
			if (calls.firstChild === null)
				fill(calls, curlDetails(...requestsOf(place, head)));
			showGone(null);
			body.hidden = false;
			await partOf(head).load(signal, head);
			await choice.load(signal);
		} catch (error) {
			if (error.name === "Refused")
				showGone(error);
			throw error;
		}
	}

	look();
	refresh = live(load, { tell: showState });
	return { stop: () => {
		refresh.stop();
		stopParts();
	} };
}
