// SPDX-License-Identifier: MIT
// What a layer's statistics were like over time: charts of their spread, of batches and of drift.

import { read } from "../shared/api.js";
import { chart } from "../shared/chart.js";
import { curlDetails } from "../shared/curl_box.js";
import { el, newId, renew } from "../shared/dom.js";
import { whole } from "../shared/number.js";
import { get } from "../shared/request.js";

const LIMIT = 1000, NEWEST = 50;
const SPREAD = ["max", "median", "min"];
const CHARTS = { "Running mean": ["mean", ...SPREAD], "Running variance": ["var", ...SPREAD], Drift: ["drift"],
	Batches: ["num_batches_tracked"] };
const LINES = {
	max: { name: "greatest", color: "--hue-1", dash: [3, 3] }, median: { name: "median", color: "--hue-0" },
	min: { name: "least", color: "--hue-2", dash: [10, 4] },
	drift: { name: "greatest divergence", color: "--hue-0" },
	num_batches_tracked: { name: "batches", color: "--hue-0" },
};

const keyOf = ({ time, revision }) => `${time} ${revision}`;

/** The states, latest first, with those of the newest page at their head; null where the two do not meet. */
export function withNewest(states, page) {
	const last = keyOf(page.at(-1));
	const at = states.findIndex((state, i) => i > 0 && keyOf(state) === last); // the first is only the present one
	return at < 0 ? null : [...page, ...states.slice(at + 1)];
}

/**
 * The states that have an x, in its order: { x, state }. `axis`: "time", in seconds since 1970, or "revision". Times
 * may be unknown, and run backwards where a clock was set.
 */
export function inOrder(states, axis) {
	const xOf = state => axis === "time" ? Date.parse(state.time) / 1000 : state.revision;
	const known = states.map(state => ({ x: xOf(state), state })).filter(({ x }) => !Number.isNaN(x)).reverse();
	return known.sort((a, b) => a.x - b.x);
}

/** What a chart shows. */
function chartOf([name, [member, ...lines]], states, axis) {
	const values = of => states.map(({ state }) => of(state[member]));
	const series = lines.map(line => ({ ...LINES[line], values: values(spread => spread[line]) }));
	const alone = { ...LINES[member], values: values(value => value) };
	return { name, x: states.map(({ x }) => x), time: axis === "time",
		xName: axis === "time" ? "time (UTC)" : axis, series: lines.length > 0 ? series : [alone] };
}

export default function ({ base }) {
	const path = `${base}/history`, id = newId("axis");
	const axis = el("select", { id, onchange: () => draw() },
		["time", "revision"].map(name => el("option", {}, name)));
	const note = el("p", { class: "quiet" }), charts = Object.keys(CHARTS).map(chart);
	const grid = el("div", { class: "charts", hidden: true }, charts);
	const node = el("section", {}, el("h2", {}, "History"),
		el("div", { class: "row" }, el("label", { for: id, class: "quiet" }, "Over"), axis, note), grid,
		curlDetails(get(path, { limit: LIMIT })));
	let states = [], shown = "";

	function draw() {
		const sorted = inOrder(states, axis.value), without = states.length - sorted.length;
		renew(note, `${whole(states.length)} states`, without > 0 && `, ${whole(without)} without a time`);
		grid.hidden = false;
		return Promise.all(Object.entries(CHARTS).map((which, i) =>
			charts[i].show(chartOf(which, sorted, axis.value))));
	}

	/** All states, or the newest alone where they join on to those that are known. */
	async function readStates(signal) {
		let page = await read(path, { limit: states.length > 0 ? NEWEST : LIMIT }, { signal });
		const joined = page.next ? withNewest(states, page.history) : page.history;
		if (joined !== null)
			return joined;
		const all = page.history;
		for (; page.next !== null; all.push(...page.history))
			page = await read(path, { limit: LIMIT, after: page.next }, { signal });
		return all;
	}

	async function load(signal, head) {
		const now = JSON.stringify(head.last);
		if (now === shown)
			return;
		states = await readStates(signal);
		await draw();
		shown = now;
	}

	return { node, load, stop: () => charts.forEach(one => one.stop()) };
}
