// SPDX-License-Identifier: MIT
// Running statistics over steps: each batch's own mean and variance, and what the four averagings make of them. The
// page computes them as normd does (averaging.js); the commands below would do the same with layers of the daemon.

import { chart } from "../shared/chart.js";
import { curlBox } from "../shared/curl_box.js";
import { el, fill, newId } from "../shared/dom.js";
import { path, post, put } from "../shared/request.js";
import { words } from "../shared/words.js";
import { averageOver, averagings, definitionOf, momentsOf, unbiased } from "./averaging.js";
import { controls } from "./controls.js";
import { onState, state } from "./state.js";
import { STEPS, streamOf } from "./stream.js";

const say = words({
	en: {
		lead: "A layer of one feature reads 100 batches. Each point is a batch's own mean or variance: what" +
			" training normalizes by. The lines are running statistics: what inference normalizes by.",
		charts: "Step by step", mean: "Mean", variance: "Variance", step: "step", own: "batch", truth: "truth",
		exponential: "exponential", cumulative: "cumulative", pooled: "pooled", decayed: "decayed",
		"exponential is": "forgets batch by batch: the newest weighs the momentum. It begins at mean 0 and" +
			" variance 1.",
		"cumulative is": "is the plain mean of all batches, whatever their sizes.",
		"pooled is": "weighs all values alike. Its variance contains how far a shift has moved the mean.",
		"decayed is": "is pooled, but a value weighs half after as many values as the half-life.",
		single: "A batch of one has no variance: exponential and cumulative averaging refuse it.",
		steps: "steps shown", play: "Play", pause: "Pause", next: "One step", again: "From the start",
		calls: "The same with a layer of the daemon", which: "Averaging",
		called: "Nothing has been sent. The first command defines the layer, the second trains it with batch" +
			" {n}.",
	},
	ko: {
		lead: "특징이 하나인 층이 배치 100개를 읽습니다. 점은 각 배치의 평균과 분산으로, 학습할 때 정규화에 쓰입니다. 선은 이동 통계량으로," +
			" 추론할 때 쓰입니다.",
		charts: "단계별로 보기", mean: "평균", variance: "분산", step: "단계", own: "배치", truth: "참값",
		exponential: "지수 평균", cumulative: "누적 평균", pooled: "합동 평균", decayed: "감쇠 평균",
		"exponential is": "배치를 볼 때마다 옛 값을 조금씩 잊습니다. 새 배치의 비중이 모멘텀이고, 평균 0, 분산 1에서 시작합니다.",
		"cumulative is": "배치 크기와 상관없이 모든 배치를 같은 비중으로 평균합니다.",
		"pooled is": "모든 값을 똑같이 셉니다. 도중에 평균이 이동하면 그 차이도 분산에 들어갑니다.",
		"decayed is": "합동 평균과 같지만, 값이 반감기만큼 더 들어오면 비중이 절반이 됩니다.",
		single: "샘플이 하나뿐인 배치에는 분산이 없어, 지수 평균과 누적 평균은 이런 배치를 거절합니다.",
		steps: "표시할 단계 수", play: "재생", pause: "일시 정지", next: "한 단계", again: "처음부터",
		calls: "데몬의 층으로 똑같이 하기", which: "평균 방식",
		called: "실제로 보낸 것은 없습니다. 첫 명령은 층을 정의하고, 둘째 명령은 {n}번째 배치로 학습시킵니다.",
	},
});

const LOOKS = {
	exponential: { color: "--hue-0" }, cumulative: { color: "--hue-1", dash: [10, 4] },
	pooled: { color: "--hue-2", dash: [2, 3] }, decayed: { color: "--hue-3", dash: [10, 3, 2, 3] },
};
const NAMES = Object.keys(averagings);
const PLAY_MS = 100, STILL_MS = 1000, STILL_STEPS = 10; // without motion, the chart jumps now and then

/** The series of both charts: `mean` and `variance` of the truth, of the batches and of the averagings. */
function seriesOf(values) {
	const { batches, mean, variance } = streamOf(values), own = batches.map(momentsOf);
	const one = (key, look, means, variances) => ({ key, look, mean: means, variance: variances });
	const of = (list, what) => list.map(stats => stats && what(stats));
	return [
		one("truth", { color: "--ink", width: 1 }, mean, variance),
		one("own", { color: "--quiet", dots: true }, own.map(batch => batch.mean),
			of(own, batch => batch.count > 1 ? unbiased(batch) : null)),
		...NAMES.map(name => {
			const all = averageOver(name, own, values);
			return one(name, LOOKS[name], of(all, stats => stats.mean), of(all, stats => stats.var));
		}),
	];
}

/** Buttons and a slider for how many steps are shown. `tell(count)` is called at each change. */
function player(tell) {
	const id = newId("steps"), output = el("output", { for: id }, STEPS);
	const range = el("input", { id, type: "range", min: 1, max: STEPS, value: STEPS,
		oninput: () => show(range.valueAsNumber) });
	const button = (name, onclick) => el("button", { type: "button", onclick }, say(name));
	const play = button("play", () => timer === null ? start() : stop());
	let timer = null;

	function show(count) {
		range.value = Math.min(STEPS, count);
		output.value = range.value;
		if (range.valueAsNumber === STEPS)
			stop();
		tell(range.valueAsNumber);
	}

	function stop() {
		clearInterval(timer);
		timer = null;
		fill(play, say("play"));
	}

	function start() {
		const still = matchMedia("(prefers-reduced-motion: reduce)").matches, by = still ? STILL_STEPS : 1;
		if (range.valueAsNumber === STEPS)
			show(1);
		timer = setInterval(() => show(range.valueAsNumber + by), still ? STILL_MS : PLAY_MS);
		fill(play, say("pause"));
	}

	const element = el("div", { class: "row" }, play,
		button("next", () => show(range.valueAsNumber === STEPS ? 1 : range.valueAsNumber + 1)),
		button("again", () => show(1)),
		el("div", { class: "slider" }, el("label", { for: id }, say("steps")), output, range));
	return { element, stop };
}

/** The commands that would do a step with a layer of the daemon. */
function commands() {
	const id = newId("averaging"), define = curlBox(), train = curlBox(), note = el("p", { class: "quiet" });
	const which = el("select", { id, onchange: () => show(...shown) },
		NAMES.map(name => el("option", { value: name }, say(name))));
	let shown = null;

	function show(values, batch, n) {
		const at = path`v1/models/lesson/layers/${which.value}`;
		shown = [values, batch, n];
		define.show(put(at, definitionOf(which.value, values)));
		train.show(post(`${at}/train`, batch.map(x => [x]), { output: false }));
		fill(note, say("called", { n }));
	}

	return { elements: [el("h2", {}, say("calls")), el("div", { class: "row" },
		el("label", { for: id }, say("which")), which), note, define, train], show };
}

export default function (root) {
	const settings = controls("batch", "deviation", "shift", "at", "momentum", "half_life");
	const fresh = controls("seed");
	const charts = { mean: chart(), variance: chart() }, calls = commands(), single = el("p", { class: "warning" });
	const steps = player(show);
	let series = [], count = STEPS;

	function show(n) {
		const x = Array.from({ length: n }, (none, i) => i + 1);
		count = n;
		for (const [what, one] of Object.entries(charts))
			one.show({ name: say(what), xName: say("step"), x, range: [1, STEPS], series: series.map(each =>
				({ name: say(each.key), values: each[what].slice(0, n), ...each.look })) });
		calls.show(state(), streamOf(state()).batches[n - 1], n);
	}

	function compute(values) {
		series = seriesOf(values);
		fill(single, values.batch === 1 && say("single"));
		show(count);
	}

	fill(root, el("p", {}, say("lead")), el("div", { class: "controls" }, fresh.elements),
		el("div", { class: "sliders" }, settings.elements), steps.element, single,
		el("h2", {}, say("charts")), Object.values(charts),
		el("dl", { class: "facts" }, NAMES.map(name =>
			[el("dt", {}, say(name)), el("dd", {}, say(`${name} is`))])),
		calls.elements);
	const forget = onState(compute);
	compute(state());
	return { stop() {
		forget();
		settings.stop();
		fresh.stop();
		steps.stop();
		charts.mean.stop();
		charts.variance.stop();
	} };
}
