// SPDX-License-Identifier: MIT
// What all pages have: the header with links, theme and token, the state of the connection, and messages.

import { el, fill, newId } from "./dom.js";
import { setTheme, theme, THEMES } from "./theme.js";
import { onToken, setToken, token } from "./token.js";

const state = el("p", { class: "state", role: "status" });
let countdown = null;

/** A `tell` for live(): shows how the connection is. */
export function showState({ kind, error, again }) {
	clearInterval(countdown);
	state.dataset.kind = kind;
	if (kind === "fresh")
		fill(state, "live");
	else if (kind === "paused")
		fill(state, "paused");
	else if (kind === "away")
		showAway(error, again);
	else
		fill(state, error.needsToken ? "not authorised" : error.message);
}

/** The live region says only that the daemon is away; the seconds that tick beside it are not read out. */
function showAway(error, again) {
	const seconds = el("span", { "aria-hidden": "true" });
	const tick = () => fill(seconds, `, next try in ${Math.max(0, Math.ceil((again - performance.now()) / 1000))} s`);

	fill(state, `away: ${error.message}`, seconds);
	tick();
	countdown = setInterval(tick, 1000);
}

function themeChoice() {
	const id = newId("theme");
	const choice = el("select", { id, onchange: () => setTheme(choice.value) },
		THEMES.map(name => el("option", { value: name, selected: name === theme() }, name)));
	return [el("label", { for: id, class: "quiet" }, "Theme"), choice];
}

const dialog = el("dialog", { class: "token", "aria-labelledby": "token-title" });

/** Asks for a token, with the reason on top. */
export function askToken(reason = "") {
	const field = el("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", value: token() });
	const keep = text => {
		setToken(text);
		dialog.close();
	};
	const form = el("form", { method: "dialog", onsubmit: event => { event.preventDefault(); keep(field.value); } },
		el("h2", { id: "token-title" }, "Token"),
		reason !== "" && el("p", { class: "warning" }, reason),
		el("p", {}, "The daemon asks for a token (", el("code", {}, "normd token --role infer"),
			"). This tab alone keeps it, until you close the tab."),
		el("label", { for: "token" }, "Token"), field,
		el("div", { class: "row" },
			el("button", { class: "main", type: "submit" }, "Use it"),
			el("button", { type: "button", onclick: () => keep("") }, "Forget it"),
			el("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
	fill(dialog, form);
	if (!dialog.open)
		dialog.showModal();
	field.focus();
}

function tokenButton() {
	const button = el("button", { type: "button", onclick: () => askToken() });
	const show = () => fill(button, token() === "" ? "Token…" : "Token ✓");

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
			"Skip to content"),
		el("header", {}, el("strong", { class: "brand" }, "normd"),
			el("nav", { "aria-label": "Pages" }, link("./", "Models"), link("play", "Playground")),
			state, el("div", { class: "tools" }, extras, themeChoice(), tokenButton())),
		main,
		el("footer", {}, el("a", { href: "openapi.json" }, "API document")),
		dialog);
}

/** What a view shows instead of its content when a request failed. With a way to give a token where one may help. */
export function problemBox(error) {
	return el("div", { class: "problem", role: "alert" },
		el("p", {}, error.message), error.code && el("p", { class: "quiet" }, el("code", {}, error.code)),
		error.needsToken && el("button", { type: "button", class: "main", onclick: () => askToken(error.message) },
			"Give a token"));
}
