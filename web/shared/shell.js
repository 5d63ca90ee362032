// SPDX-License-Identifier: MIT
// What all pages have: the header with links, theme and token, the state of the connection, and messages.

import { el, fill, newId } from "./dom.js";
import { setTheme, theme, THEMES } from "./theme.js";
import { onToken, setToken, token } from "./token.js";
import { words } from "./words.js";

const say = words({
	en: {
		live: "live", paused: "paused", failed: "not authorised", away: "away: {why}",
		next: ", next try in {n} s",
		theme: "Theme", auto: "auto", light: "light", dark: "dark",
		token: "Token",
		ask: "The daemon asks for a token ({command}). This tab alone keeps it, until you close the tab.",
		form: "Letters, digits and signs of ASCII, without spaces",
		use: "Use it", forget: "Forget it", cancel: "Cancel", set: "Token…", kept: "Token ✓",
		give: "Give a token",
		skip: "Skip to content", pages: "Pages", models: "Models", play: "Playground", api: "API document",
	},
	ko: {
		live: "실시간", paused: "멈춤", failed: "권한 없음", away: "연결 끊김: {why}", next: ", {n}초 뒤 다시 시도",
		theme: "테마", auto: "자동", light: "밝게", dark: "어둡게",
		token: "토큰",
		ask: "이 데몬은 토큰을 요구합니다({command}). 토큰은 이 탭에만, 탭을 닫을 때까지만 보관됩니다.",
		form: "공백 없는 ASCII 글자, 숫자, 기호",
		use: "사용", forget: "지우기", cancel: "취소", set: "토큰…", kept: "토큰 ✓", give: "토큰 입력",
		skip: "본문으로 건너뛰기", pages: "페이지", models: "모델", play: "놀이터", api: "API 문서",
		"the daemon cannot be reached": "데몬에 연결할 수 없습니다",
		"the daemon did not answer in time": "데몬이 제때 응답하지 않습니다",
	},
});

const state = el("p", { class: "state", role: "status" });
let countdown = null;

/** A `tell` for live(): shows how the connection is. */
export function showState({ kind, error, again }) {
	clearInterval(countdown);
	state.dataset.kind = kind;
	if (kind === "fresh")
		fill(state, say("live"));
	else if (kind === "paused")
		fill(state, say("paused"));
	else if (kind === "away")
		showAway(error, again);
	else
		fill(state, error.needsToken ? say("failed") : error.message);
}

/** The live region says only that the daemon is away; the seconds that tick beside it are not read out. */
function showAway(error, again) {
	const seconds = el("span", { "aria-hidden": "true" });
	const left = () => Math.max(0, Math.ceil((again - performance.now()) / 1000));
	const tick = () => fill(seconds, say("next", { n: left() }));

	fill(state, say("away", { why: say(error.message) }), seconds);
	tick();
	countdown = setInterval(tick, 1000);
}

function themeChoice() {
	const id = newId("theme");
	const choice = el("select", { id, onchange: () => setTheme(choice.value) },
		THEMES.map(name => el("option", { value: name, selected: name === theme() }, say(name))));
	return [el("label", { for: id, class: "quiet" }, say("theme")), choice];
}

const dialog = el("dialog", { class: "token", "aria-labelledby": "token-title" });

/** Asks for a token, with the reason on top. */
export function askToken(reason = "") {
	const field = el("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false",
		pattern: "\\s*[!-~]*\\s*", title: say("form"), value: token() }); // a header has no other characters
	const keep = text => {
		setToken(text);
		dialog.close();
	};
	const form = el("form", { method: "dialog", onsubmit: event => { event.preventDefault(); keep(field.value); } },
		el("h2", { id: "token-title" }, say("token")),
		reason !== "" && el("p", { class: "warning" }, reason),
		el("p", {}, say("ask", { command: "normd token --role infer" })),
		el("label", { for: "token" }, say("token")), field,
		el("div", { class: "row" },
			el("button", { class: "main", type: "submit" }, say("use")),
			el("button", { type: "button", onclick: () => keep("") }, say("forget")),
			el("button", { type: "button", onclick: () => dialog.close() }, say("cancel"))));
	fill(dialog, form);
	if (!dialog.open)
		dialog.showModal();
	field.focus();
}

function tokenButton() {
	const button = el("button", { type: "button", onclick: () => askToken() });
	const show = () => fill(button, say(token() === "" ? "set" : "kept"));

	onToken(show);
	show();
	return button;
}

/**
 * Puts header and footer around `main`. `here`: which link is the page's own ("./" or "play"). `extras`: what else
 * belongs into the header.
 */
export function shell(main, { here, extras = [] }) {
	const link = (to, text) => el("a", { href: to, "aria-current": to === here ? "page" : null }, text);

	main.id = "main";
	main.tabIndex = -1;
	document.body.replaceChildren(
		el("a", { class: "skip", href: "#main", onclick: event => { event.preventDefault(); main.focus(); } },
			say("skip")),
		el("header", {}, el("strong", { class: "brand" }, "normd"),
			el("nav", { "aria-label": say("pages") }, link("./", say("models")), link("play", say("play"))),
			state, el("div", { class: "tools" }, extras, themeChoice(), tokenButton())),
		main,
		el("footer", {}, el("a", { href: "openapi.json" }, say("api"))),
		dialog);
}

/** What a view shows instead of its content when a request failed. With a way to give a token where one may help. */
export function problemBox(error) {
	return el("div", { class: "problem", role: "alert" },
		el("p", { lang: "en" }, error.message),
		error.code && el("p", { class: "quiet" }, el("code", {}, error.code)),
		error.needsToken && el("button",
			{ type: "button", class: "main", onclick: () => askToken(error.message) }, say("give")));
}

const shownProblems = new WeakMap();

/**
 * Shows in `node` why a request failed, with `more` below it, or nothing (null). The same problem again, as at each
 * refresh, changes nothing: the focus may be on its button.
 */
export function showProblem(node, error, ...more) {
	const text = error === null ? "" : `${error.code} ${error.message}`;
	if (text === (shownProblems.get(node) ?? ""))
		return;
	shownProblems.set(node, text);
	fill(node, error !== null && problemBox(error), more);
}
