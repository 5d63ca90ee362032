// SPDX-License-Identifier: MIT
// Tabs over one panel.

import { el } from "./dom.js";

/**
 * `titles`: the tabs, { name: title }; `choose(name)` is called when somebody has chosen one. `label` names the list.
 * Returns { list, panel, show(name, there) }: `show` marks a tab as the chosen one; `there`: the names of those that
 * can be chosen, all where it is left out.
 */
export function tabs({ label, titles, choose }) {
	const buttons = Object.entries(titles).map(([name, title]) => el("button", {
		type: "button", role: "tab", id: `tab-${name}`, "data-tab": name, "aria-controls": "view",
		onclick: () => choose(name),
	}, title));
	const list = el("div", { class: "tabs", role: "tablist", "aria-label": label, onkeydown: move }, buttons);
	const panel = el("div", { role: "tabpanel", id: "view" });

	/** Arrow keys, Home and End move among tabs, as in any list of tabs. */
	function move(event) {
		const shown = buttons.filter(({ hidden }) => !hidden), last = shown.length - 1;
		const at = shown.indexOf(event.target);
		const to = { ArrowRight: at + 1, ArrowLeft: at + last, Home: 0, End: last }[event.key];
		if (to === undefined)
			return;
		event.preventDefault();
		const button = shown[to % shown.length];
		choose(button.dataset.tab);
		button.focus();
	}

	function show(name, there = Object.keys(titles)) {
		for (const button of buttons) {
			const chosen = button.dataset.tab === name;
			button.hidden = !there.includes(button.dataset.tab);
			button.setAttribute("aria-selected", chosen);
			button.tabIndex = chosen ? 0 : -1;
		}
		panel.setAttribute("aria-labelledby", `tab-${name}`);
	}

	return { list, panel, show };
}
