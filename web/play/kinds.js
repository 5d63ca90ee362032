// SPDX-License-Identifier: MIT
// The five kinds of normalization side by side, over the same values: which cells share a mean, and what becomes of
// them. The page computes the lines of arithmetic that it shows; the results are the daemon's.

import { send } from "../shared/api.js";
import { el, fill } from "../shared/dom.js";
import { live } from "../shared/live.js";
import { problemBox, showState } from "../shared/shell.js";
import { words } from "../shared/words.js";
import { normalize } from "./arithmetic.js";
import { normalizeCall, numbersOf } from "./call.js";
import { card } from "./card.js";
import { controls } from "./controls.js";
import { make } from "./data.js";
import { details, read } from "./details.js";
import { groupValues, numberOf } from "./groups.js";
import { layoutOf } from "./sheets.js";
import { KINDS, onState, state } from "./state.js";

const say = words({
	en: {
		hint: "Cells of one colour and pattern share a mean; a stronger tint is a larger value. Point at a" +
			" cell, or focus a grid and press arrow keys: all cells that share its mean light up.",
	},
	ko: {
		hint: "색과 무늬가 같은 칸들은 평균을 함께 씁니다. 색이 진할수록 값이 큽니다. 칸을 가리키거나, 격자를 선택하고 화살표 키를" +
			" 눌러 보세요. 같은 평균을 쓰는 칸들이 모두 강조됩니다.",
	},
});

const WAIT_MS = 120; // after the last change, before the daemon is asked
const AGAIN_MS = 20000;
const OF_NUMBERS = ["n", "c", "l", "groups", "eps", "weight", "bias", "seed", "preset", "over"]; // what they depend on

function viewOf(kind, made, layout, values) {
	const groups = groupValues(kind, values, made.lengths);
	return { kind, made, layout, groups, state: values, result: normalize(kind, made.flat, groups, values) };
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

/** What tells answers apart, so that what has not changed is not drawn again. */
function gist(answers) {
	return answers.map(({ numbers, error }) => error?.message ?? numbers.join()).join();
}

/** A cell { n, c, l } with its number; that of the state where none is given; or null. */
function place(cell, values) {
	const [n, c, l] = values.cell.split(".").map(Number), at = cell ?? (values.cell === "" ? null : { n, c, l });
	return at && { ...at, i: numberOf(values, at) };
}

export default function (root) {
	const cards = Object.fromEntries(KINDS.map(kind => [kind, card(kind, { hover })])), more = details();
	const choices = controls("preset", "over", "show", "one", "vector", "seed");
	const sliders = controls("n", "c", "l", "groups", "eps", "weight", "bias");
	const trouble = el("div"), reading = el("p", { class: "reading", role: "status" });
	let views = {}, answers = {}, shown = {}, hovered = null, timer = null, asker = null, isSeen = false;

	function hover(cell) {
		if (cell?.n === hovered?.n && cell?.c === hovered?.c && cell?.l === hovered?.l)
			return;
		hovered = cell;
		light();
	}

	function light() {
		const { kind } = state(), cell = place(hovered, state());
		for (const one of Object.values(cards))
			one.light(cell);
		fill(reading, cell === null ? say("hint") : read(views[kind], answers[kind], cell));
		if (isSeen)
			more.light(cell);
	}

	function draw() {
		const { kind } = state();
		for (const [name, one] of Object.entries(cards))
			one.draw(views[name], answers[name], name === kind);
		if (isSeen)
			complete();
		else
			requestAnimationFrame(() => setTimeout(drawMore));
	}

	function complete() {
		const { kind } = state();
		for (const one of Object.values(cards))
			one.write();
		more.show(views[kind], answers[kind]);
	}

	/** The numbers in the grids, and what is below, are drawn once the grids are seen. */
	function drawMore() {
		isSeen = true;
		complete();
		light();
	}

	async function load(signal) {
		const asked = views, told = await Promise.all(KINDS.map(kind => ask(asked[kind], signal)));
		fill(trouble);
		if (asked !== views || gist(told) === gist(Object.values(answers)))
			return;
		answers = Object.fromEntries(KINDS.map((kind, i) => [kind, told[i]]));
		draw();
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
		clearTimeout(timer);
		timer = setTimeout(askNow, WAIT_MS);
	}

	function askNow() {
		if (asker === null)
			asker = live(load, { interval: AGAIN_MS, tell });
		else
			asker.now();
	}

	function show(values) {
		const differs = name => values[name] !== shown[name];
		hovered = null; // a key wins over a pointer that rests
		if (OF_NUMBERS.some(differs))
			compute(values);
		if ([...OF_NUMBERS, "show", "kind"].some(differs))
			draw();
		shown = values;
		light();
	}

	fill(root, el("div", { class: "controls" }, choices.elements),
		el("div", { class: "sliders" }, sliders.elements),
		reading, trouble, el("div", { class: "kinds" }, KINDS.map(kind => cards[kind].element)), more.elements);
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
