// SPDX-License-Identifier: MIT
// The language of a page: English, or another one that its <html data-languages> offers.

const KEY = "normd-language";
export const LANGUAGES = { en: "English", ko: "한국어" };

const offered = (document.documentElement.dataset.languages ?? "en").split(" ");

function choose() {
	const asked = new URLSearchParams(location.hash.split("?")[1] ?? location.hash.slice(1)).get("lang");
	let kept = null;
	try {
		kept = localStorage.getItem(KEY);
	} catch {
		// the browser keeps nothing for this page
	}
	const wish = [asked, kept, navigator.language?.slice(0, 2)].find(name => offered.includes(name));
	return wish ?? "en";
}

let current = choose();
document.documentElement.lang = current;

/** "en" or "ko". A link's `lang=` wins over what was chosen before, and that over the browser's wish. */
export function language() {
	return current;
}

export function setLanguage(name) {
	current = name;
	try {
		localStorage.setItem(KEY, name);
	} catch {
		// it then holds for this page alone
	}
	document.documentElement.lang = name;
	document.dispatchEvent(new CustomEvent("languagechange"));
}

/**
 * A function that gives texts by key: words({ en: { hello: "Hello, {name}" }, ko: … })("hello", { name }).
 * A text that the language lacks is taken from English.
 */
export function words(tables) {
	return (key, values = {}) => {
		const text = tables[current]?.[key] ?? tables.en[key] ?? key;
		return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
	};
}
