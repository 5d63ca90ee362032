// SPDX-License-Identifier: MIT
// Training against inference: a batch that differs from what a layer was trained on, normalized by its own mean and
// variance (training mode) and by the running ones (inference). The penguins first.

import { curlBox } from "../shared/curl_box.js";
import { el, fill } from "../shared/dom.js";
import { short } from "../shared/number.js";
import { words } from "../shared/words.js";
import { controls } from "./controls.js";
import { requestsOf, servedOf } from "./served.js";
import { change, onState, PRESETS, state } from "./state.js";
import { meanOf, strips } from "./strips.js";

const say = words({
	en: {
		penguins: "Penguins", pets: "Cats, then dogs", data: "Data",
		"penguins lead": "A batch norm layer was trained on {count} penguins ({from}). Now it reads a batch" +
			" of {n} Gentoo penguins. Above each line: what it was trained on. Below: the batch.",
		"pets lead": "A batch norm layer was trained on {count} made-up cats. Now it reads a batch of {n}" +
			" animals with larger features, as dogs have. Above each line: the cats. Below: the batch.",
		Adelie: "Adelie", all: "all species",
		"penguins features": "bill length,bill depth,flipper length,body mass",
		"pets features": "ears,nose,size,fur",
		plots: "Twice the same batch", training: "Training mode: by the batch's own statistics",
		inference: "Inference: by the running statistics",
		"training says": "Each feature of the batch has mean 0 and deviation 1, whatever came. The shift is" +
			" gone, and with it what tells this batch from the others.",
		"penguins says": "The batch lies where it belongs, in deviations of what the layer was trained on:" +
			" {means}. A classifier needs this shift.",
		"pets says": "The batch lies where it is, in deviations of a cat: {means}. Far from 0, a network that" +
			" has learned from cats alone has never been: this is covariate shift.",
		single: "Impossible: one value per feature is its own mean and has no variance. normd refuses it" +
			" (too_few_values). Inference is fine: its statistics are constants.",
		table: "The numbers", feature: "feature", running: "running mean", deviation: "running deviation",
		own: "batch mean", "mean training": "x̂ in training, mean", "mean inference": "x̂ in inference, mean",
		calls: "The same with the daemon", "call training": "Training mode, without a layer:",
		"call inference": "Inference: define a layer, set its running statistics, infer. Nothing is sent.",
	},
	ko: {
		penguins: "펭귄", pets: "고양이, 그다음 개", data: "데이터",
		"penguins lead": "배치 정규화 층이 펭귄 {count}마리({from})로 학습했습니다. 이제 젠투펭귄 {n}마리의 배치를 읽습니다." +
			" 선 위는 학습한 펭귄, 선 아래는 이 배치입니다.",
		"pets lead": "배치 정규화 층이 가상의 고양이 {count}마리로 학습했습니다. 이제 개처럼 모든 특징이 더 큰 동물" +
			" {n}마리의 배치를 읽습니다. 선 위는 고양이, 선 아래는 이 배치입니다.",
		Adelie: "아델리펭귄", all: "모든 종",
		"penguins features": "부리 길이,부리 두께,날개 길이,몸무게", "pets features": "귀,코,몸집,털",
		plots: "같은 배치, 두 가지 정규화", training: "학습 모드: 배치 자신의 통계량", inference: "추론: 이동 통계량",
		"training says": "무엇이 들어오든 배치의 각 특징은 평균 0, 표준편차 1이 됩니다. 이동이 사라지고, 이 배치를 다른 배치와" +
			" 구별해 주는 것도 함께 사라집니다.",
		"penguins says": "학습한 데이터의 표준편차를 단위로 하여 배치가 제자리에 놓입니다: {means}. 분류기에는 이 차이가" +
			" 필요합니다.",
		"pets says": "배치의 위치를 고양이의 표준편차로 재면 이렇습니다: {means}. 0에서 먼 곳은 고양이만 보고 배운 신경망이 본 적" +
			" 없는 곳입니다. 이것이 공변량 변화입니다.",
		single: "불가능합니다. 특징마다 값이 하나뿐이면 그 값이 곧 평균이고 분산이 없습니다. normd는 거절합니다(too_few_values)." +
			" 추론은 통계량이 상수이므로 문제없습니다.",
		table: "숫자로 보기", feature: "특징", running: "이동 평균", deviation: "이동 표준편차",
		own: "배치 평균", "mean training": "학습 모드 x̂의 평균", "mean inference": "추론 x̂의 평균",
		calls: "데몬으로 똑같이 하기", "call training": "층 없이 하는 학습 모드:",
		"call inference": "추론: 층을 정의하고, 이동 통계량을 넣고, 추론합니다. 실제로 보낸 것은 없습니다.",
	},
});

const CHOICES = {
	penguins: () => ({ preset: "penguins", ...PRESETS.penguins.suits }),
	pets: () => ({ preset: "pets", ...PRESETS.pets.suits, shift: 7 }),
};

/** Which data a state shows: the penguins, unless it is the pets. */
function dataOf({ preset }) {
	return preset === "pets" ? "pets" : "penguins";
}

function choice() {
	const buttons = Object.entries(CHOICES).map(([name, wish]) =>
		el("button", { type: "button", "data-name": name, onclick: () => change(wish()) }, say(name)));
	return { element: el("div", { class: "choice", role: "group", "aria-label": say("data") }, buttons),
		show: values => buttons.forEach(button =>
			button.setAttribute("aria-pressed", button.dataset.name === dataOf(values))) };
}

/** A mean to read: with its sign, and 0 where rounding left something else. */
function signed(x) {
	const text = x === null ? "–" : short(Number(x.toFixed(2)));
	return x > 0.005 ? `+${text}` : text.replace("−0", x < -0.005 ? "−0" : "0");
}

function table(features, { running, own, hats }) {
	const keys = ["feature", "running", "deviation", "own", "mean training", "mean inference"];
	const row = (feature, c) => el("tr", {}, el("th", { scope: "row" }, feature),
		[short(running[c].mean), short(Math.sqrt(running[c].var)), short(own[c].mean),
			signed(meanOf(hats.training ?? [], c)), signed(meanOf(hats.inference, c)),
		].map(text => el("td", { class: "number" }, text)));
	const head = (key, i) => el("th", { scope: "col", class: i > 0 ? "number" : null }, say(key));
	return el("table", {}, el("caption", { class: "quiet" }, say("table")),
		el("thead", {}, el("tr", {}, keys.map(head))),
		el("tbody", {}, features.map(row)));
}

/** The range of all that both plots show, so that they compare. */
function rangeOf({ trained, training, inference }) {
	const all = [trained, training ?? [], inference].flat(2);
	return [Math.floor(Math.min(...all)), Math.ceil(Math.max(...all))];
}

export default function (root) {
	const data = choice(), from = controls("from"), shift = controls("shift"), fresh = controls("seed");
	const settings = controls("batch", "eps"), lead = el("p"), plots = { training: strips(), inference: strips() };
	const numbers = el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": say("table") });
	const curls = { training: curlBox(), define: curlBox(), statistics: curlBox(), inference: curlBox() };

	function show(values) {
		const name = dataOf(values), served = servedOf(values), { hats, trained, batch } = served;
		const range = rangeOf(hats);
		const features = say(`${name} features`).split(",");
		const means = features.map((feature, c) => `${feature} ${signed(meanOf(hats.inference, c))}`);
		const told = { training: say(hats.training === null ? "single" : "training says"),
			inference: say(`${name} says`, { means: means.join(", ") }) };
		data.show(values);
		from.elements[0].hidden = name === "pets";
		shift.elements[0].hidden = name === "penguins";
		fill(lead, say(`${name} lead`, { count: trained.length, n: batch.length, from: say(values.from) }));
		for (const [mode, plot] of Object.entries(plots))
			plot.show({ name: say(mode), features, above: hats.trained, below: hats[mode] ?? [], range,
				words: told[mode] });
		fill(numbers, table(features, served));
		for (const [key, request] of Object.entries(requestsOf(values, served)))
			curls[key].show(request);
	}

	fill(root, el("div", { class: "controls" }, data.element, from.elements, fresh.elements),
		el("div", { class: "sliders" }, shift.elements, settings.elements), lead,
		el("h2", {}, say("plots")), el("div", { class: "histograms" }, Object.values(plots)), numbers,
		el("h2", {}, say("calls")), el("p", {}, say("call training")), curls.training,
		el("p", {}, say("call inference")), curls.define, curls.statistics, curls.inference);
	const forget = onState(show);
	show(state());
	return { stop() {
		forget();
		for (const each of [from, shift, fresh, settings])
			each.stop();
	} };
}
