// SPDX-License-Identifier: MIT
// The guided tour: a panel beside the playground. A step (tour_steps.js) sets the playground's state and says what to
// see. The step is in the address, so that a lesson can be linked: play#step=3&lang=ko.

import { el, fill, newId } from "../shared/dom.js";
import { language, words } from "../shared/words.js";
import { change, onState, restart, state } from "./state.js";
import { steps } from "./tour_steps.js";

const say = words({
	en: {
		tour: "Guided tour", count: "Step {n} of {all}", start: "Start the guided tour", all: "All steps",
		invite: "New here? {all} short steps show what matters.", fold: "Text", close: "Close",
		back: "Back", next: "Next", finish: "Finish", attempt: "Try it:",
	},
	ko: {
		tour: "둘러보기", count: "{all}단계 중 {n}단계", start: "둘러보기 시작", all: "단계 목록",
		invite: "처음이신가요? 중요한 내용을 짧은 {all}단계로 안내합니다.", fold: "설명", close: "닫기",
		back: "이전", next: "다음", finish: "마치기", attempt: "해 보기:",
	},
});

/* What is not a step's to choose. */
const KEPT = ["lang", "model", "layer"];

/** The state of step n, from 1 on: the defaults, but for what the step sets. */
function stateOf(n) {
	const kept = Object.fromEntries(KEPT.map(name => [name, state()[name]]));
	return { ...kept, ...steps[n - 1].state, step: n };
}

/** The step that is shown; 0: the tour is closed. */
function shownStep() {
	return Math.min(state().step, steps.length);
}

/** Goes to a step. Beyond the first and the last one, the tour is closed, and what is shown stays. */
function go(n) {
	if (n >= 1 && n <= steps.length)
		restart(stateOf(n));
	else
		change({ step: 0 });
}

/** An address that names a step and nothing that it sets is a link to a lesson, and asks for all that the step sets. */
function follow() {
	const names = [...new URLSearchParams(location.hash.slice(1)).keys()];
	if (shownStep() > 0 && names.every(name => name === "step" || KEPT.includes(name)))
		go(shownStep());
}

function paragraphs({ text, attempt, links = [] }) {
	return [text[language()].map(sentences => el("p", {}, sentences)),
		el("p", { class: "attempt" }, el("strong", {}, say("attempt")), " ", attempt[language()]),
		links.map(({ href, name }) => el("p", {}, el("a", { href }, name[language()])))];
}

/** The panel, and `show(n)`, which fills it with a step. */
function makePanel() {
	const title = el("h2", { id: newId("tour"), tabindex: "-1" }), count = el("span", { class: "quiet" });
	const body = el("div", { id: newId("tour") });
	const fold = el("button", { type: "button", "aria-controls": body.id, "aria-expanded": "true", onclick: () => {
		body.hidden = !body.hidden;
		fold.setAttribute("aria-expanded", !body.hidden);
	} }, say("fold"));
	const close = el("button", { type: "button", onclick: () => go(0) }, say("close"));
	const back = el("button", { type: "button", onclick: () => go(shownStep() - 1) }, say("back"));
	const next = el("button", { type: "button", class: "main", onclick: () => go(shownStep() + 1) });
	const links = steps.map((step, i) => el("a", { onclick: event => {
		event.preventDefault();
		go(i + 1);
	} }, step.title[language()]));
	const box = el("aside", { class: "card", "aria-labelledby": title.id, onkeydown: steer },
		el("div", { class: "row" }, el("strong", {}, say("tour")), count,
			el("span", { class: "tools" }, fold, close)),
		el("div", { "aria-live": "polite" }, title, body),
		el("div", { class: "row" }, back, next),
		el("details", {}, el("summary", {}, say("all")),
			el("ol", {}, links.map(link => el("li", {}, link)))));

	function show(n) {
		fill(count, say("count", { n, all: steps.length }));
		fill(title, steps[n - 1].title[language()]);
		fill(body, paragraphs(steps[n - 1]));
		if (n === 1 && document.activeElement === back)
			next.focus(); // a disabled button would lose the focus
		back.disabled = n === 1;
		fill(next, say(n === steps.length ? "finish" : "next"));
		for (const [i, link] of links.entries()) {
			link.href = `#step=${i + 1}&lang=${language()}`;
			if (i + 1 === n)
				link.setAttribute("aria-current", "step");
			else
				link.removeAttribute("aria-current");
		}
	}
	return { box, title, show };
}

/** Keys in the panel: arrows go back and on, Escape closes. */
function steer(event) {
	const to = { ArrowLeft: shownStep() - 1, ArrowRight: shownStep() + 1, Escape: 0 }[event.key];
	const isPlain = !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey;
	if (isPlain && (to >= 1 && to <= steps.length || event.key === "Escape"))
		go(to);
}

/** Fills `place` with the tour: an invitation where it is closed, else the step of the state. */
export default function (place) {
	const panel = makePanel();
	const start = el("button", { type: "button", class: "main", onclick: () => go(1) }, say("start"));
	const invitation = el("div", { class: "row" }, start, el("span", {}, say("invite", { all: steps.length })));
	let shown = null;

	function show() {
		const n = shownStep(), before = shown;
		if (n === before)
			return;
		shown = n;
		place.classList.toggle("open", n > 0);
		if (n > 0)
			panel.show(n);
		if (before === null || n * before === 0)
			fill(place, n > 0 ? panel.box : invitation);
		if (before === 0)
			panel.title.focus();
		else if (before !== null && n === 0)
			start.focus();
		else if (before !== null)
			panel.title.scrollIntoView({ block: "nearest" }); // the focus stays, the text is read out
	}

	follow();
	show();
	const forget = onState(show);
	addEventListener("hashchange", follow); // after state.js, which has read the address by then
	return { stop() { forget(); removeEventListener("hashchange", follow); } };
}
