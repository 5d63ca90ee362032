// SPDX-License-Identifier: MIT
// The cells of one grid as a table: what the picture shows, for those who do not see it. It is made when it is opened.

import { el, fill } from "../shared/dom.js";
import { short } from "../shared/number.js";
import { words } from "../shared/words.js";
import { eachCell } from "./sheets.js";

const say = words({
	en: { title: "The cells as a table", sample: "sample", channel: "channel", position: "position", x: "before",
		group: "group", y: "after", padding: "padding" },
	ko: { title: "칸을 표로 보기", sample: "샘플", channel: "채널", position: "위치", x: "정규화 전",
		group: "묶음", y: "정규화 후", padding: "패딩" },
});

const COLUMNS = ["sample", "channel", "position", "x", "group", "y"];

function rows({ layout, made, groups }, numbers) {
	const { labels, flat } = made, all = [];
	eachCell(layout, (i, x, y, n, c, l) => {
		const group = groups.of[i] < 0 ? say("padding") : groups.of[i] + 1;
		all.push(el("tr", {}, [labels.n[n], labels.c[c], labels.l[n][l]].map(name => el("td", {}, name)),
			[short(flat[i]), group, numbers === undefined ? "–" : short(numbers[i])].map(text =>
				el("td", { class: "number" }, text))));
	});
	return all;
}

/** An element; its `show(name, view, numbers)` changes what is in it. `numbers`: the results; undefined: none. */
export function valuesTable() {
	const inside = el("div", { class: "scroll tall", tabindex: 0, role: "group", "aria-label": say("title") });
	const element = el("details", { ontoggle: () => draw() }, el("summary", {}, say("title")), inside);
	let shown = null;

	function draw() {
		if (!element.open || shown === null)
			return;
		const [name, view, numbers] = shown;
		fill(inside, el("table", {}, el("caption", { class: "quiet" }, name),
			el("thead", {}, el("tr", {}, COLUMNS.map((key, i) =>
				el("th", { scope: "col", class: i < 3 ? null : "number" }, say(key))))),
			el("tbody", {}, rows(view, numbers))));
	}

	element.show = (...what) => {
		shown = what;
		draw();
	};
	return element;
}
