// SPDX-License-Identifier: MIT
// The sources of a layer with pooled averaging: how much each has counted, and how far it is from the pool.

import { curlDetails } from "../shared/curl_box.js";
import { el } from "../shared/dom.js";
import { ago, short, whole } from "../shared/number.js";
import { get } from "../shared/request.js";
import { virtualTable } from "../shared/table.js";
import { listing } from "./listing.js";

const distance = (title, of, score, width = 8) => ({ title, value: row => row[of][score],
	text: row => short(row[of][score]), number: true, width, descending: true });

const COLUMNS = [
	{ title: "Source", value: ({ source }) => source, grow: true, width: 10 },
	{ title: "Values", value: ({ count }) => count, text: ({ count }) => whole(count), number: true,
		width: 6.5, descending: true },
	distance("Divergence", "max", "divergence"), distance("its median", "median", "divergence"),
	distance("Mean shift", "max", "mean_shift"), distance("Variance ratio", "max", "variance_ratio", 9.5),
	distance("JS distance", "max", "js_distance"), distance("Wasserstein", "max", "wasserstein", 8.5),
	{ title: "Updated", value: ({ time }) => time, text: ({ time }) => ago(time), width: 7.5, descending: true },
];

export default function ({ base }) {
	const path = `${base}/statistics/sources`;
	const table = virtualTable({ caption: "Sources of the layer", noun: "sources", columns: COLUMNS,
		key: ({ source }) => source, search: "Search", sort: { column: 0 },
		empty: "No source yet. A worker sends its totals under a name of its own." });
	const pages = listing(path, "sources", ({ source }) => source);
	const node = el("section", {}, el("h2", {}, "Sources"),
		el("p", { class: "quiet" }, "How far each source is from the pool of all: of each score, that of the ",
			"feature which is farthest. Shifts are in deviations of the pool."),
		table, curlDetails(get(path, { limit: 1000 })));

	return { node, load: signal => pages(signal, table.show) };
}
