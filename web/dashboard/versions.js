// SPDX-License-Identifier: MIT
// What serves of a model, and its versions, the latest first.

import { read } from "../shared/api.js";
import { curlBox, curlDetails } from "../shared/curl_box.js";
import { el, fill } from "../shared/dom.js";
import { ago, whole } from "../shared/number.js";
import { get } from "../shared/request.js";
import { actions, theState } from "./actions.js";
import { listing } from "./listing.js";

const SHOWN = 20; // versions at first, and more at each press
const SWITCHES = 20; // of what serves

/** A note: anybody's text, whole behind its first words where it is long. */
function noteOf(text) {
	if (text.length <= 160)
		return text !== "" && el("p", { class: "note" }, el("bdi", {}, text));
	return el("details", { class: "note" }, el("summary", {}, el("bdi", {}, `${text.slice(0, 120)}…`)),
		el("bdi", {}, text));
}

function button(text, onclick, label = null) {
	return el("button", { type: "button", onclick, "aria-label": label }, text);
}

/** An element for each version; its `show` changes what can change. */
function versionItem({ version, created, note }, { serve, setAlias }) {
	const age = el("span", { class: "quiet" }), badges = el("span", { class: "badges" });
	const press = button("Serve…", () => serve(version), `Serve version ${version}…`);
	const item = el("li", { class: "card" },
		el("div", { class: "row" }, el("strong", {}, version), badges, age,
			el("span", { class: "tools" }, press,
				button("Alias…", () => setAlias(version), `Alias for version ${version}…`))),
		noteOf(note));
	let shown = "";

	item.show = ({ serving, aliases }) => {
		const names = aliases.filter(each => each.version === version).map(({ alias }) => alias);
		const serves = serving.version === version;
		const now = JSON.stringify([serves, names]);
		if (now !== shown)
			fill(badges, serves && el("span", { class: "badge serves" }, "serves"),
				names.map(name => el("span", { class: "badge alias" }, name)));
		shown = now;
		press.disabled = serves;
		age.textContent = ago(created);
	};
	return item;
}

/** The switches of what serves. */
function switchItem({ time, from, to, note }) {
	return el("li", {}, el("span", { class: "quiet" }, time), ` ${theState(from)} → ${theState(to)}`, noteOf(note));
}

/** { node, load(serving, signal) }. `layers()`: how many the model has, `parent`: where dialogs are opened. */
export function versionsPart({ model, base, parent, layers }) {
	let versions = [], shownCount = SHOWN;
	let now = { serving: { version: "live", time: null, note: "" }, aliases: [] };
	let switches = [], said = "";
	const items = new Map();
	const loadVersions = listing(`${base}/versions`, "versions", ({ version }) => version);
	const loadAliases = listing(`${base}/aliases`, "aliases", ({ alias }) => alias);
	const serves = el("p", { class: "serving" }), since = el("span", { class: "quiet" }), note = el("div");
	const back = button("Roll back…", () => does.serve(switches[0].from, true));
	const live = button("Serve the live state…", () => does.serve("live"));
	const make = button("New version…", () => does.makeVersion());
	const past = el("ol", { class: "plain" });
	const list = el("ol", { class: "plain versions" }), more = button("", showMore);
	const none = el("p", { class: "quiet" }, "None yet. A version keeps all layers as they are at one moment. ",
		"It can serve while training goes on.");
	const done = el("p", { role: "status", tabindex: -1 });
	const node = el("section", { class: "side" }, el("h2", {}, "Serving"), done, serves, note,
		el("div", { class: "row" }, back, live),
		el("details", {}, el("summary", {}, "Switches so far"), past, curlBox(get(`${base}/serving/history`))),
		el("h2", {}, "Versions"), el("div", { class: "row" }, make), none, list, more,
		curlDetails(get(`${base}/serving`), get(`${base}/versions`), get(`${base}/aliases`)));
	const does = actions({ model, base, parent, now: () => ({ ...now, layers: layers() }), done: text => {
		fill(done, text);
		done.focus();
		loadVersions.again();
		loadAliases.again();
		node.dispatchEvent(new CustomEvent("changed"));
	} });

	function showMore() {
		shownCount += SHOWN;
		showVersions();
		list.lastChild.querySelector("button:not(:disabled)").focus();
	}

	function showVersions() {
		const latest = versions.slice(-shownCount).reverse();
		const wanted = new Set(latest.map(({ version }) => version));
		for (const [version, item] of items)
			if (!wanted.has(version)) {
				item.remove();
				items.delete(version);
			}
		latest.forEach((version, i) => {
			const item = items.get(version.version) ?? versionItem(version, does);
			items.set(version.version, item);
			item.show(now);
			if (list.children[i] !== item)
				list.insertBefore(item, list.children[i] ?? null);
		});
		none.hidden = versions.length > 0;
		more.hidden = versions.length <= shownCount;
		fill(more, `Show more of ${whole(versions.length)}`);
	}

	function showServing() {
		const text = JSON.stringify([now.serving, switches]);
		const canServe = state => state === "live" || versions.some(each => each.version === state);
		const { version, time } = now.serving;
		since.textContent = time === null ? "nothing was published yet" : `since ${ago(time)}`;
		back.disabled = switches.length === 0 || !canServe(switches[0].from);
		live.hidden = version === "live";
		make.disabled = layers() === 0;
		if (text === said)
			return;
		said = text;
		fill(serves, el("strong", {}, theState(version)), " ", since);
		fill(note, noteOf(now.serving.note));
		fill(past, switches.map(switchItem));
	}

	async function load(serving, signal) {
		const history = read(`${base}/serving/history`, { limit: SWITCHES }, { signal });
		await Promise.all([
			loadVersions(signal, all => versions = all),
			loadAliases(signal, all => now = { ...now, aliases: all }),
			history.then(found => switches = found.history)]);
		now = { ...now, serving };
		showServing();
		showVersions();
	}

	return { node, load };
}
