// SPDX-License-Identifier: MIT
// The playground: four tabs over one state (state.js), and the guided tour above them. A tab is a function (root) that
// returns { stop }, in a module of its own.

import { el, fill } from "../shared/dom.js";
import { shell } from "../shared/shell.js";
import { tabs } from "../shared/tabs.js";
import { language, LANGUAGES, setLanguage, words } from "../shared/words.js";
import kinds from "./kinds.js";
import own from "./own.js";
import serving from "./serving.js";
import { change, onState, state } from "./state.js";
import steps from "./steps.js";
import tour from "./tour.js";

const say = words({
	en: {
		title: "Playground", language: "Language", tabs: "Parts of the playground",
		lead: "Normalization subtracts a mean and divides by a deviation. The kinds differ in one thing:" +
			" which values share that mean and deviation. Here you see it, cell by cell, with numbers" +
			" from this daemon.",
		kinds: "Kinds", steps: "Running statistics", serving: "Training and inference", own: "Your data",
	},
	ko: {
		title: "놀이터", language: "언어", tabs: "놀이터 메뉴",
		lead: "정규화는 값에서 평균을 빼고 표준편차로 나누는 일입니다. 종류마다 다른 점은 하나, 어떤 값들이 평균과 표준편차를 " +
			"함께 쓰느냐입니다. 여기서는 이 데몬이 계산한 숫자로 칸 하나하나를 확인할 수 있습니다.",
		kinds: "정규화의 종류", steps: "이동 통계량", serving: "학습과 추론", own: "내 데이터",
	},
});

const VIEWS = { kinds, steps, serving, own };
const { list, panel, show } = tabs({ label: say("tabs"), choose: view => change({ view }),
	titles: Object.fromEntries(Object.keys(VIEWS).map(name => [name, say(name)])) });
let shown = { view: "", stop() {} };

function showView() {
	const { view } = state();
	if (view === shown.view)
		return;
	shown.stop();
	shown = { view, stop() {} }; // a view may change the state as it opens
	show(view);
	fill(panel);
	shown = { view, ...VIEWS[view](panel) };
}

/** Also where a link of this page itself asks for another language. */
function followLanguage({ lang }) {
	if (lang === "" || lang === language())
		return;
	setLanguage(lang);
	setTimeout(() => location.reload(), 200); // when the address has the state
}

function languageChoice() {
	const choice = el("select", { id: "language", onchange: () => change({ lang: choice.value }) },
		Object.entries(LANGUAGES).map(([name, title]) =>
			el("option", { value: name, lang: name, selected: name === language() }, title)));
	return [el("label", { for: "language", class: "quiet" }, say("language")), choice];
}

document.title = `${say("title")} – normd`;
const guide = el("div", { class: "tour" });
shell(el("main", {}, el("h1", {}, say("title")), el("p", {}, say("lead")),
	el("div", { class: "lesson" }, guide, el("div", { class: "stage" }, list, panel))),
	{ here: "play", extras: languageChoice() });
tour(guide);
onState(followLanguage);
onState(showView);
showView();
