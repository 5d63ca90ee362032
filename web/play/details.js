// SPDX-License-Identifier: MIT
// What there is to say of the kind that is lit: the cell in words, histograms before and after, the cells as a table,
// and the call that had the daemon compute it.

import { curlBox } from "../shared/curl_box.js";
import { el, fill } from "../shared/dom.js";
import { histogram } from "../shared/histogram.js";
import { short } from "../shared/number.js";
import { words } from "../shared/words.js";
import { isSwapped, normalizeCall } from "./call.js";
import { sayKind } from "./card.js";
import { hueClass, patterns } from "./patterns.js";
import { valuesTable } from "./values_table.js";

const say = words({
	en: {
		cell: "{n}, {c}{l}: x = {x}.",
		result: "{kind}: {m} values share mean {mean} and variance {variance}; y = {y}.",
		"rms result": "{kind}: {m} values share mean square {variance}; y = {y}.",
		both: "{kind}: before and after", before: "Before", after: "After",
		refused: "{kind} is refused: there is nothing to show.",
		call: "The call for {kind}",
		swapped: "The values are sent as (N, L, C): layer norm takes the last axes.",
	},
	ko: {
		cell: "{n}, {c}{l}: x = {x}.", result: "{kind}: 값 {m}개의 평균 {mean}, 분산 {variance}, y = {y}.",
		"rms result": "{kind}: 값 {m}개의 제곱평균 {variance}, y = {y}.",
		both: "{kind}: 전과 후", before: "정규화 전", after: "정규화 후", refused: "{kind}는 거절되어 보여 줄 것이 없습니다.",
		call: "{kind}의 API 호출", swapped: "값은 (N, L, C) 순서로 보냅니다. 층 정규화는 마지막 축들을 정규화하기 때문입니다.",
	},
});

const MOST_PARTS = 16; // in a histogram; more groups are drawn as one

/** The values by group, each with its hue and pattern. */
function partsOf({ groups }, values) {
	const { members } = groups;
	if (members.length > MOST_PARTS)
		return { parts: [{ values: values.filter((x, i) => groups.of[i] >= 0), hue: "hue-0" }] };
	const pattern = patterns(members.length);
	return { defs: pattern.defs, parts: members.map((numbers, g) =>
		({ values: numbers.map(i => values[i]), hue: hueClass(g), pattern: pattern.fill(g) })) };
}

/** The cell in words, with its result. */
export function read({ kind, made, groups, result }, answer, cell) {
	const { n, c, l } = made.labels, position = l[cell.n][cell.l] && `, ${l[cell.n][cell.l]}`;
	const place = say("cell", { n: n[cell.n], c: c[cell.c], l: position, x: short(made.flat[cell.i]) });
	const group = result.groups[groups.of[cell.i]];
	if (group === undefined || answer === undefined || answer.error)
		return answer?.error ? `${place} ${answer.error.message}` : place;
	const { n: m, mean, variance } = group;
	const value = say(kind === "rms" ? "rms result" : "result", { kind: sayKind(kind), m, mean: short(mean),
		variance: short(variance), y: short(answer.numbers[cell.i]) });
	return `${place} ${value}`;
}

/** `elements`; `show(view, answer)` shows a kind, `light(cell or null)` the group of a cell. */
export function details() {
	const before = histogram(), after = histogram(), table = valuesTable(), curl = curlBox();
	const bothTitle = el("h2"), callTitle = el("h2"), swapped = el("p", { class: "quiet" });
	let groups = null;

	function show(view, answer) {
		const kind = sayKind(view.kind);
		groups = view.groups;
		fill(bothTitle, say("both", { kind }));
		before.show({ name: say("before"), ...partsOf(view, view.made.flat) });
		if (answer !== undefined) // until then, what was there before
			after.show({ name: say("after"), none: say("refused", { kind }),
				...answer.error ? { parts: [] } : partsOf(view, answer.numbers) });
		table.show(kind, view, answer?.numbers);
		fill(callTitle, say("call", { kind }));
		curl.show(normalizeCall(view.kind, view.made, view.state));
		fill(swapped, isSwapped(view.kind, view.state.over) && say("swapped"));
	}

	function light(cell) {
		const part = cell === null || groups.members.length > MOST_PARTS ? -1 : groups.of[cell.i];
		before.light(part);
		after.light(part);
	}

	const bars = el("div", { class: "histograms" }, before, after);
	return { elements: [bothTitle, bars, table, callTitle, swapped, curl], show, light };
}
