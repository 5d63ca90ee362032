// SPDX-License-Identifier: MIT
// Controls of the playground's state: sliders with their numbers, choices and buttons. Each follows the state, so that
// a link, the tour and other tabs move it too.

import { el, newId } from "../shared/dom.js";
import { short } from "../shared/number.js";
import { words } from "../shared/words.js";
import { divisors } from "./groups.js";
import { change, most, onState, PRESETS, RULES, state } from "./state.js";

const say = words({
	en: {
		n: "N: samples", c: "C: channels", l: "L: positions", groups: "G: groups", eps: "eps",
		weight: "weight γ", bias: "bias β", momentum: "momentum", half_life: "half-life",
		batch: "samples in a batch",
		deviation: "deviation", shift: "shift, in deviations", at: "shifted from step", preset: "Data",
		noise: "channels of a network", sentence: "sentences, padding counts",
		padded: "sentences, padding left out",
		pets: "cats and dogs", penguins: "penguins",
		over: "Layer and RMS norm take", sample: "a sample (C, L)", token: "a token (C)",
		from: "Trained on", Adelie: "Adelie penguins", all: "all species",
		show: "Numbers", before: "before", after: "after",
		seed: "New numbers", one: "A batch of one", vector: "One position",
	},
	ko: {
		n: "N: 샘플 수", c: "C: 채널 수", l: "L: 위치 수", groups: "G: 그룹 수", eps: "eps",
		weight: "가중치 γ", bias: "편향 β", momentum: "모멘텀", half_life: "반감기", batch: "배치 크기",
		deviation: "값의 표준편차", shift: "이동량 (표준편차의 배수)", at: "이동이 시작되는 단계", preset: "데이터",
		noise: "신경망의 채널", sentence: "문장 (패딩도 계산)", padded: "문장 (패딩 제외)",
		pets: "고양이와 개", penguins: "펭귄",
		over: "층·RMS 정규화의 단위", sample: "샘플 (C, L)", token: "토큰 (C)",
		from: "학습 데이터", Adelie: "아델리펭귄", all: "모든 종",
		show: "격자의 숫자", before: "정규화 전", after: "정규화 후",
		seed: "숫자 새로 뽑기", one: "배치 크기 1", vector: "위치 1개",
	},
});

/** The values that a slider stops at; where there is none, whole numbers from the rule's least to its greatest. */
const STOPS = {
	groups: ({ c }) => divisors(c),
	eps: () => Array.from({ length: 25 }, (none, i) => Number((10 ** (i / 2 - 12)).toPrecision(2))),
	weight: () => range(-4, 4, 0.25),
	bias: () => range(-4, 4, 0.25),
	momentum: () => range(0, 1, 0.01),
	half_life: () => Array.from({ length: 13 }, (none, i) => 2 ** i),
	deviation: () => range(0.25, 4, 0.25),
	shift: () => range(-10, 10, 0.5),
};

function range(from, to, step) {
	const length = Math.round((to - from) / step) + 1;
	return Array.from({ length }, (none, i) => Number((from + i * step).toFixed(6)));
}

function stopsOf(name, values) {
	const sizes = ["n", "c", "l"].includes(name);
	return STOPS[name]?.(values) ?? range(RULES[name].min, sizes ? most(values, name) : RULES[name].max, 1);
}

function nearest(stops, x) {
	const far = y => Math.abs(y - x);
	return stops.reduce((best, y, i) => far(y) < far(stops[best]) ? i : best, 0);
}

/** A slider for a number of the state. Its places are the stops, so that keys go from one to the next. */
function slider(name) {
	const id = newId(name), output = el("output", { for: id });
	const input = el("input", { id, type: "range", min: 0, step: 1, oninput: () =>
		change({ [name]: stopsOf(name, state())[Number(input.value)] }) });
	const show = values => {
		const stops = stopsOf(name, values);
		input.max = stops.length - 1;
		input.disabled = stops.length < 2;
		input.value = nearest(stops, values[name]);
		output.value = short(values[name], 3);
		input.setAttribute("aria-valuetext", output.value);
	};
	return { element: el("div", { class: "slider" }, el("label", { for: id }, say(name)), output, input), show };
}

/** Buttons of which one is pressed. */
function choice(name) {
	const id = newId(name);
	const buttons = RULES[name].names.map(value => el("button", {
		type: "button", "data-value": value, onclick: () => change({ [name]: value }) }, say(value)));
	const show = values => buttons.forEach(button =>
		button.setAttribute("aria-pressed", button.dataset.value === values[name]));
	return { element: el("div", { class: "choice", role: "group", "aria-labelledby": id },
		el("span", { id, class: "quiet" }, say(name)), buttons), show };
}

/** The data to play with. To choose them sets the sizes that suit them. */
function preset() {
	const id = newId("preset");
	const select = el("select", { id, onchange: () =>
		change({ over: RULES.over.standard, ...PRESETS[select.value].suits, preset: select.value, cell: "" }) },
	Object.keys(PRESETS).map(name => el("option", { value: name }, say(name))));
	const label = el("label", { for: id, class: "quiet" }, say("preset"));
	return { element: el("div", { class: "choice" }, label, select),
		show: values => { select.value = values.preset; } };
}

const BUTTONS = {
	seed: () => change({ seed: (state().seed + 1) % (RULES.seed.max + 1) }),
	one: () => change({ n: state().n === 1 ? PRESETS[state().preset].suits.n : 1 }),
	vector: () => change({ l: state().l === 1 ? PRESETS[state().preset].suits.l : 1 }),
};
const PRESSED = { one: ({ n }) => n === 1, vector: ({ l }) => l === 1 };

function button(name) {
	const element = el("button", { type: "button", onclick: BUTTONS[name] }, say(name));
	const show = values => name in PRESSED && element.setAttribute("aria-pressed", PRESSED[name](values));
	return { element, show };
}

const MAKERS = { over: choice, show: choice, from: choice, preset, seed: button, one: button, vector: button };

/**
 * Controls for members of the state ("n", "eps", "over", "preset", …) and the buttons "seed" (new numbers), "one" (a
 * batch of one) and "vector" (one position). Gives { elements, stop }: an element for each name, in this order.
 */
export function controls(...names) {
	const all = names.map(name => (MAKERS[name] ?? slider)(name));
	const show = values => all.forEach(control => control.show(values));
	show(state());
	return { elements: all.map(control => control.element), stop: onState(show) };
}
