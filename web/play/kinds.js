// SPDX-License-Identifier: MIT
// The five kinds of normalization side by side, over the same values: which cells share a mean, what becomes of them,
// and the calls that had the daemon compute it.

import { send } from "../shared/api.js";
import { curlBox } from "../shared/curl_box.js";
import { el, fill } from "../shared/dom.js";
import { histogram } from "../shared/histogram.js";
import { live } from "../shared/live.js";
import { short } from "../shared/number.js";
import { problemBox, showState } from "../shared/shell.js";
import { words } from "../shared/words.js";
import { normalize } from "./arithmetic.js";
import { isSwapped, normalizeCall, numbersOf } from "./call.js";
import { card, sayKind } from "./card.js";
import { controls } from "./controls.js";
import { make } from "./data.js";
import { groupValues } from "./groups.js";
import { hueClass, patterns } from "./patterns.js";
import { layoutOf } from "./sheets.js";
import { KINDS, onState, state } from "./state.js";
import { valuesTable } from "./values_table.js";

const say = words({
	en: {
		hint: "Cells of one colour and pattern share a mean; a stronger tint is a larger value. Point at a cell, or" +
			" focus a grid and press arrow keys: all cells that share its mean light up.",
		cell: "{n}, {c}{l}: x = {x}.",
		result: "{kind}: {m} values share mean {mean} and variance {variance}; y = {y}.",
		"rms result": "{kind}: {m} values share mean square {variance}; y = {y}.",
		both: "{kind}: before and after", before: "Before", after: "After",
		refused: "{kind} is refused: there is nothing to show.",
		call: "The call for {kind}", swapped: "The values are sent as (N, L, C): layer norm takes the last axes.",
	},
	ko: {
		hint: "색과 무늬가 같은 칸들은 평균을 함께 씁니다. 색이 진할수록 값이 큽니다. 칸을 가리키거나, 격자를 선택하고 화살표 키를" +
			" 눌러 보세요. 같은 평균을 쓰는 칸들이 모두 강조됩니다.",
		cell: "{n}, {c}{l}: x = {x}.", result: "{kind}: 값 {m}개의 평균 {mean}, 분산 {variance}, y = {y}.",
		"rms result": "{kind}: 값 {m}개의 제곱평균 {variance}, y = {y}.",
		both: "{kind}: 전과 후", before: "정규화 전", after: "정규화 후", refused: "{kind}는 거절되어 보여 줄 것이 없습니다.",
		call: "{kind}의 API 호출", swapped: "값은 (N, L, C) 순서로 보냅니다. 층 정규화는 마지막 축들을 정규화하기 때문입니다.",
	},
});

const WAIT_MS = 120; // after the last change, before the daemon is asked
const MOST_PARTS = 16; // in a histogram; more groups are drawn as one

/** What the pictures depend on, apart from the cell and the kind that are lit. */
function keyOf({ n, c, l, groups, eps, weight, bias, seed, preset, over, show }) {
	return [n, c, l, groups, eps, weight, bias, seed, preset, over, show].join();
}

function viewOf(kind, made, layout, values) {
	const groups = groupValues(kind, values, made.lengths);
	return { kind, made, layout, groups, state: values, result: normalize(kind, made.flat, groups, values) };
}

function placeOf(cell, { c: C, l: L }) {
	const [n, c, l] = cell.split(".").map(Number);
	return cell === "" ? null : { n, c, l, i: (n * C + c) * L + l };
}

/** Asks for one kind. A refusal of the values is an answer; that of the caller is not. */
async function ask(view, signal) {
	try {
		const answer = await send(normalizeCall(view.kind, view.made, view.state), { signal });
		return { numbers: numbersOf(view.kind, answer, view.state) };
	} catch (error) {
		if (error.status === 422 || error.status === 400)
			return { error };
		throw error;
	}
}

/** The values by group, each with its hue and pattern. */
function partsOf({ groups }, values) {
	const { members } = groups;
	if (members.length > MOST_PARTS)
		return { parts: [{ values: values.filter((x, i) => groups.of[i] >= 0), hue: "hue-0" }] };
	const pattern = patterns(members.length);
	return { defs: pattern.defs, parts: members.map((numbers, g) =>
		({ values: numbers.map(i => values[i]), hue: hueClass(g), pattern: pattern.fill(g) })) };
}

export default function (root) {
	const cards = Object.fromEntries(KINDS.map(kind => [kind, card(kind, { hover })]));
	const choices = controls("preset", "over", "show", "one", "vector", "seed");
	const sliders = controls("n", "c", "l", "groups", "eps", "weight", "bias");
	const trouble = el("div"), reading = el("p", { class: "reading", role: "status" });
	const before = histogram(), after = histogram(), table = valuesTable(), curl = curlBox();
	const bothTitle = el("h2"), callTitle = el("h2"), swapped = el("p", { class: "quiet" });
	let key = "", views = {}, answers = {}, heard = "", hovered = null, timer = null, asker = null;

	function hover(cell) {
		const place = cell && placeOf(`${cell.n}.${cell.c}.${cell.l}`, state());
		if (place?.i !== hovered?.i) {
			hovered = place;
			light();
		}
	}

	function light() {
		const cell = hovered ?? placeOf(state().cell, state());
		for (const kind of KINDS)
			cards[kind].light(cell);
		fill(reading, cell === null ? say("hint") : read(cell));
		lightBars(cell);
	}

	/** The histograms show the group of the cell, where each group has bars of its own. */
	function lightBars(cell) {
		const { of, members } = views[state().kind].groups;
		const part = cell === null || members.length > MOST_PARTS ? -1 : of[cell.i];
		before.light(part);
		after.light(part);
	}

	/** The cell in words, with the result of the kind that is lit. */
	function read(cell) {
		const { made, groups, result } = views[state().kind], { n, c, l } = made.labels, kind = sayKind(state().kind);
		const position = l[cell.n][cell.l] && `, ${l[cell.n][cell.l]}`;
		const place = say("cell", { n: n[cell.n], c: c[cell.c], l: position, x: short(made.flat[cell.i]) });
		const group = result.groups[groups.of[cell.i]], answer = answers[state().kind];
		if (group === undefined || answer === undefined || answer.error)
			return [place, answer?.error && ` ${answer.error.message}`];
		return [place, " ", say(state().kind === "rms" ? "rms result" : "result", { kind, m: group.n,
			mean: short(group.mean), variance: short(group.variance), y: short(answer.numbers[cell.i]) })];
	}

	function showKind() {
		const { kind } = state(), view = views[kind], name = sayKind(kind), answer = answers[kind];
		for (const other of KINDS)
			cards[other].press(other === kind);
		fill(bothTitle, say("both", { kind: name }));
		before.show({ name: say("before"), ...partsOf(view, view.made.flat) });
		if (answer !== undefined) // until then, what was there before
			after.show({ name: say("after"), none: say("refused", { kind: name }),
				...answer.error ? { parts: [] } : partsOf(view, answer.numbers) });
		table.show(name, view, answer?.numbers);
		fill(callTitle, say("call", { kind: name }));
		curl.show(normalizeCall(kind, view.made, view.state));
		fill(swapped, isSwapped(kind, view.state.over) && say("swapped"));
	}

	async function load(signal) {
		const asked = views, told = await Promise.all(KINDS.map(kind => ask(asked[kind], signal)));
		const news = told.map(({ numbers, error }) => error?.message ?? numbers.join()).join();
		fill(trouble);
		if (asked !== views || (news === heard && answers[KINDS[0]] !== undefined))
			return;
		heard = news;
		answers = Object.fromEntries(KINDS.map((kind, i) => [kind, told[i]]));
		for (const kind of KINDS)
			cards[kind].tell(answers[kind]);
		showKind();
		light();
	}

	function tell(how) {
		showState(how);
		if (how.kind === "failed")
			fill(trouble, problemBox(how.error));
	}

	function compute(values) {
		const made = make(values), layout = layoutOf(values, made.hasWords);
		views = Object.fromEntries(KINDS.map(kind => [kind, viewOf(kind, made, layout, values)]));
		answers = {};
		for (const kind of KINDS)
			cards[kind].draw(views[kind], placeOf(values.cell, values));
		clearTimeout(timer);
		timer = setTimeout(() => asker === null ? asker = live(load, { interval: 20000, tell }) : asker.now(), WAIT_MS);
	}

	function show(values) {
		hovered = null; // a key wins over a pointer that rests
		if (key !== keyOf(values)) {
			key = keyOf(values);
			compute(values);
		}
		showKind();
		light();
	}

	fill(root, el("div", { class: "controls" }, choices.elements), el("div", { class: "sliders" }, sliders.elements),
		reading, trouble, el("div", { class: "kinds" }, KINDS.map(kind => cards[kind].element)),
		bothTitle, el("div", { class: "histograms" }, before, after), table, callTitle, swapped, curl);
	const forget = onState(show);
	show(state());
	return { stop() {
		forget();
		choices.stop();
		sliders.stop();
		clearTimeout(timer);
		asker?.stop();
	} };
}
