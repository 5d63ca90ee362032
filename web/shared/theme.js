// SPDX-License-Identifier: MIT
// Light, dark, or as the system wishes. Runs before the page is drawn.

const KEY = "normd-theme";
export const THEMES = ["auto", "light", "dark"];

/** The theme that was chosen; "auto" where none was. */
export function theme() {
	try {
		const kept = localStorage.getItem(KEY);
		return THEMES.includes(kept) ? kept : "auto";
	} catch {
		return "auto";
	}
}

export function setTheme(name) {
	try {
		localStorage.setItem(KEY, name);
	} catch {
		// it then holds for this page alone
	}
	apply(name);
}

function apply(name) {
	if (name === "auto")
		delete document.documentElement.dataset.theme;
	else
		document.documentElement.dataset.theme = name;
	document.dispatchEvent(new CustomEvent("themechange")); // for what is drawn with colours, as canvases are
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(theme()));
apply(theme());
