// SPDX-License-Identifier: MIT
// One kind of normalization: its grid, its rule, and the arithmetic of the cell that is lit; or the daemon's refusal.

import { el, fill, newId } from "../shared/dom.js";
import { short } from "../shared/number.js";
import { words } from "../shared/words.js";
import { lines } from "./arithmetic.js";
import { grid } from "./grid.js";
import { change, state } from "./state.js";

const TEXTS = {
	en: {
		batch: "Batch norm", layer: "Layer norm", instance: "Instance norm",
		group: "Group norm", rms: "RMS norm",
		"batch rule": "One mean per channel, over all samples and positions.",
		"layer rule": "One mean per sample, over its channels and positions.",
		"layer token rule": "One mean per token, over its channels.",
		"instance rule": "One mean per sample and channel, over its positions.",
		"group rule": "One mean per sample and group of {wide} channels.",
		"rms rule": "No mean. One mean square per sample.",
		"rms token rule": "No mean. One mean square per token.",
		count: "{groups} groups of {size} values.", counts: "{groups} groups of {least} to {size} values.",
		"count 1": "1 group of {size} values.", singles: "{groups} groups of 1 value.",
		grid: "{kind}: {n} samples, {c} channels, {l} positions." +
			" Arrow keys, Page Up and Page Down move the cell.",
		padding: "This is padding. It does not count, and stays 0.", refused: "normd refuses:",
		"refused why": "A single value is its own mean: x − μ is 0, and it has no variance.",
		normd: "normd: {y}",
		batch_one: "With one sample, these are the groups of instance norm.",
	},
	ko: {
		batch: "배치 정규화", layer: "층 정규화", instance: "인스턴스 정규화", group: "그룹 정규화", rms: "RMS 정규화",
		"batch rule": "채널마다 평균이 하나입니다. 모든 샘플과 위치에서 구합니다.",
		"layer rule": "샘플마다 평균이 하나입니다. 그 샘플의 모든 채널과 위치에서 구합니다.",
		"layer token rule": "토큰마다 평균이 하나입니다. 그 토큰의 모든 채널에서 구합니다.",
		"instance rule": "샘플의 채널마다 평균이 하나입니다. 모든 위치에서 구합니다.",
		"group rule": "샘플에서 채널 {wide}개로 된 그룹마다 평균이 하나입니다.",
		"rms rule": "평균을 빼지 않습니다. 샘플마다 제곱평균이 하나입니다.",
		"rms token rule": "평균을 빼지 않습니다. 토큰마다 제곱평균이 하나입니다.",
		count: "값 {size}개씩 {groups}묶음.", counts: "값 {least}~{size}개씩 {groups}묶음.",
		"count 1": "값 {size}개, 한 묶음.",
		singles: "값 1개씩 {groups}묶음.",
		grid: "{kind}: 샘플 {n}개, 채널 {c}개, 위치 {l}개. 화살표 키와 Page Up, Page Down 키로 칸을 옮깁니다.",
		padding: "패딩입니다. 계산에서 빠지고 0으로 남습니다.", refused: "normd가 거절했습니다:",
		"refused why": "값이 하나뿐이면 그 값이 곧 평균이어서 x − μ는 0이고, 분산은 구할 수 없습니다.",
		normd: "normd: {y}",
		batch_one: "샘플이 하나이면 묶음이 인스턴스 정규화와 같습니다.",
	},
};
export const sayKind = words(TEXTS);
const say = sayKind;

/** Whether the page's number and the daemon's are the same, up to rounding. */
function agree(a, b) {
	return Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(a));
}

function ruleOf(kind, { over, c, groups, n }) {
	const key = [`${kind} ${over} rule`, `${kind} rule`].find(name => name in TEXTS.en);
	return [say(key, { wide: c / groups }), kind === "batch" && n === 1 && ` ${say("batch_one")}`];
}

function countOf({ members }) {
	const sizes = members.map(group => group.length).filter(size => size > 0); // a group may be all padding
	const least = Math.min(...sizes), size = Math.max(...sizes);
	const several = size === 1 ? "singles" : least === size ? "count" : "counts";
	return say(sizes.length === 1 ? "count 1" : several, { groups: sizes.length, least, size });
}

/** The lines of arithmetic of value i, and the daemon's number: undefined while there is none. */
function arithmetic(kind, { made, groups, result, state }, theirs, i) {
	if (groups.of[i] < 0)
		return el("p", {}, say("padding"));
	const line = ([name, formula, value]) => el("div", {},
		el("dt", {}, name), el("dd", {}, "= ", formula, el("strong", {}, ` = ${value}`)));
	const y = result.y[i];
	const check = theirs === undefined ? "…" :
		`${say("normd", { y: short(theirs) })} ${agree(theirs, y) ? "✓" : "≠"}`;
	return [el("dl", {}, lines(kind, made.flat, groups, result, i, state).map(line)),
		el("p", { class: theirs === undefined || agree(theirs, y) ? "check" : "check warning" }, check)];
}

function refusal(error) {
	return el("div", { class: "problem" }, el("p", {}, el("strong", {}, say("refused")), " ", error.message),
		el("p", {}, el("code", {}, error.code)),
		error.code === "too_few_values" && el("p", {}, say("refused why")));
}

/** The card of a kind. `on.hover(cell or null)` is told where the pointer is. */
export function card(kind, on) {
	const title = newId(kind), rule = el("p", { class: "rule" }), count = el("p", { class: "quiet" });
	const sums = el("div", { class: "sums" });
	const button = el("button", { type: "button", id: title, onclick: () => change({ kind }) }, say(kind));
	const cells = grid({
		hover: on.hover,
		pick: ({ n, c, l }) => change({ kind, cell: `${n}.${c}.${l}` }),
		leave: () => change({ cell: "" }),
	});
	const element = el("section", { class: "card kind", "aria-labelledby": title, "data-kind": kind },
		el("h2", {}, button), rule, count, cells.root, sums);
	let view = null, answer, numbers = [], at = null;

	function showSums() {
		fill(sums, answer?.error ? refusal(answer.error) :
			at !== null && arithmetic(kind, view, answer?.numbers[at.i], at.i));
	}

	/** The daemon's old numbers are shown, in grey, until there are new ones. */
	function drawGrid() {
		const { made, layout, groups } = view;
		numbers = answer?.error ? [] : answer?.numbers ?? numbers;
		const isAfter = state().show === "after", known = numbers.length === made.flat.length ? numbers : null;
		cells.root.classList.toggle("old", isAfter && answer === undefined);
		cells.draw({ layout, groups, values: isAfter ? known : made.flat, labels: made.labels,
			name: say("grid", { kind: say(kind), ...view.state }) });
	}

	return {
		element,
		/**
		 * Shows values and the daemon's answer, { numbers } or { error }; undefined: it has not answered.
		 * write() shows the numbers in the cells.
		 */
		draw(next, told, isLit) {
			view = next;
			answer = told;
			element.classList.toggle("stale", told === undefined);
			element.classList.toggle("chosen", isLit);
			button.setAttribute("aria-pressed", isLit);
			fill(rule, ruleOf(kind, view.state));
			fill(count, countOf(view.groups));
			drawGrid();
		},
		write: cells.write,
		/** Lights a cell { n, c, l, i } and its peers; null: none. To be called after draw(). */
		light(cell) {
			at = cell;
			cells.light(cell);
			showSums();
		},
	};
}
