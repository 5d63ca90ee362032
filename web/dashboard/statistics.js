// SPDX-License-Identifier: MIT
// The statistics of a layer, feature by feature, with a bar for mean ± deviation on one scale for all.

import { send } from "../shared/api.js";
import { curlDetails } from "../shared/curl_box.js";
import { el, fill, renew, svg } from "../shared/dom.js";
import { short, whole } from "../shared/number.js";
import { get } from "../shared/request.js";
import { virtualTable } from "../shared/table.js";
import { driftOf } from "./facts.js";
import { rowsOf, scaleOf } from "./features.js";
import { verdictBadge } from "./verdict.js";

const TOP = 1000; // features that have drift, the most that the API gives
const REST_MS = 0.1; // for each feature, between two readings of all
const WIDE = 100;

function bar({ mean, deviation }, { low, high }) {
	const half = high / 2 - low / 2; // the whole may be more than a double holds
	const x = value => ((value / 2 - low / 2) / half * WIDE).toFixed(2);
	const zero = low < 0 && high > 0 && svg("path", { class: "zero", d: `M${x(0)} 0V10` });
	const label = `${short(mean)} ± ${short(deviation)}`;
	return svg("svg", { class: "spread-bar", viewBox: `0 0 ${WIDE} 10`, preserveAspectRatio: "none", role: "img",
		"aria-label": label }, zero,
	svg("path", { class: "range", d: `M${x(mean - deviation)} 5H${x(mean + deviation)}` }),
	svg("path", { class: "middle", d: `M${x(mean)} 1V9` }));
}

/** `scale()`: that of the bars. */
function columnsOf({ weight, bias }, scale) {
	const number = (title, key, rest) => ({ title, value: row => row[key], text: row => short(row[key]),
		number: true, width: 6.5, ...rest });
	const told = ({ mean, deviation }) => `${short(mean)} ± ${short(deviation)}`;
	const spread = { title: "Mean ± deviation", value: told, sort: false, width: 14, grow: true, find: false,
		text: row => `${told(row)}, within ${scale().low} to ${scale().high}`, node: row => bar(row, scale()) };
	const verdict = { title: "Verdict", value: row => row.verdict, width: 8,
		node: row => row.verdict === null ? "–" : verdictBadge(row.verdict) };
	const columns = [{ title: "Feature", value: row => row.index, number: true, width: 6.5 },
		number("Mean", "mean"), number("Variance", "var"),
		number("Deviation", "deviation", { width: 7 }), spread,
		weight && number("Weight", "weight", { width: 6 }), bias && number("Bias", "bias", { width: 6 }),
		number("Drift", "divergence", { descending: true }), verdict];
	return columns.filter(column => column !== null);
}

export default function ({ base, version }) {
	const note = el("p", { class: "quiet" }), place = el("div");
	const asks = { statistics: get(`${base}/statistics`, { version }),
		parameters: get(`${base}/parameters`, { version }),
		drift: get(`${base}/drift`, { version: version ?? "live", top: TOP }) };
	const node = el("section", {}, el("h2", {}, "Statistics per feature"), place, note,
		curlDetails(...Object.values(asks)));
	let table = null, scale = { low: 0, high: 1 }, shown = "", rest = 0, look = "";

	/** The table has columns for those parameters that the layer has. */
	function makeTable(parameters) {
		const columns = columnsOf(parameters, () => scale), looks = columns.map(({ title }) => title).join();
		if (looks === look)
			return;
		look = looks;
		table = virtualTable({ caption: "Statistics per feature", noun: "features", columns,
			key: row => row.index, search: "Search a feature", sort: { column: 0 } });
		fill(place, table);
	}

	function noteOf(count) {
		const { low, high } = scale;
		return `Bars go from ${short(low)} to ${short(high)}; ` +
			(low < 0 && high > 0 ? "the thin line is 0. " : "0 is outside. ") +
			"Drift is the divergence of the window of inference from these statistics" +
			(count > TOP ? `, of the ${whole(TOP)} features that are farthest from them.` : ".");
	}

	/** Features are read again when the layer or its window has changed, and seldom where they are many. */
	async function load(signal, head) {
		const now = JSON.stringify([head.last, head.drift]);
		if (now === shown || performance.now() < rest)
			return;
		const [statistics, parameters, drift] = await Promise.all([
			send(asks.statistics, { signal }), send(asks.parameters, { signal }),
			driftOf(asks.drift, signal)]);
		const rows = rowsOf(statistics, parameters, drift?.features);
		shown = now;
		rest = performance.now() + rows.length * REST_MS;
		scale = scaleOf(rows);
		makeTable(parameters);
		table.show(rows);
		renew(note, noteOf(rows.length));
	}

	return { node, load };
}
