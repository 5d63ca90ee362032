// SPDX-License-Identifier: MIT
// What can be done with a model's versions, each with a dialog that says first what will happen, and shows the request
// that makes it happen.

import { read, send } from "../shared/api.js";
import { curlBox } from "../shared/curl_box.js";
import { el, fill, newId } from "../shared/dom.js";
import { whole } from "../shared/number.js";
import { path, post, put } from "../shared/request.js";
import { showProblem } from "../shared/shell.js";
import { onToken } from "../shared/token.js";

/** A state that can serve, 3 or "live", within a sentence. */
export function theState(version) {
	return version === "live" ? "the live state" : `version ${version}`;
}

const NOTE = { label: "Note (may stay empty)", maxlength: 1000 };
const ALIAS = { label: "Alias", required: true, maxlength: 128, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*",
	title: "Letters, digits, and behind them . _ -" };

/** A key that makes a repeated request harmless: after no answer came, it may have been done nevertheless. */
function newKey() {
	return Array.from(crypto.getRandomValues(new Uint32Array(4)), part => part.toString(16)).join("-");
}

/**
 * Opens a dialog in `parent` with one field, whose attributes `field` has. `says(value)`: sentences that say what will
 * happen; `request(value)`: what is sent. `check()` may throw, right before it is sent, because what the sentences say
 * is no longer so. `done(answer)` is called when the dialog has closed after a success.
 */
function askFirst(parent, { title, says, field: { label, ...attributes }, button, request, check = () => {}, done }) {
	const id = newId("confirm"), field = newId("field");
	const words = el("div"), notice = el("div"), curl = curlBox();
	const input = el("input", { id: field, autocomplete: "off", spellcheck: "false", ...attributes });
	const dialog = el("dialog", { "aria-labelledby": id, onclose },
		el("form", { oninput: show, onsubmit: submit }, el("h2", { id }, title), words,
			el("label", { for: field }, label), input, notice,
			el("div", { class: "row" }, el("button", { class: "main", type: "submit" }, button),
				el("button", { type: "button", onclick: () => dialog.close() }, "Cancel")), curl));
	let busy = false;

	function show() {
		fill(words, says(input.value).map(text => text && el("p", {}, text)));
		curl.show(request(input.value));
	}

	function onclose() {
		dialog.remove();
		forget();
		if (document.activeElement === document.body)
			parent.focus(); // the button that opened it cannot be pressed any more
	}

	async function submit(event) {
		event.preventDefault();
		if (busy)
			return;
		busy = true;
		showProblem(notice, null);
		try {
			await check();
			const answer = await send(request(input.value));
			dialog.close();
			done(answer);
		} catch (error) {
			showProblem(notice, error);
		} finally {
			busy = false;
		}
	}

	const forget = onToken(() => showProblem(notice, null)); // with a new token it can be tried again
	show();
	parent.append(dialog);
	dialog.showModal();
	input.focus();
}

/**
 * The dialogs for a model. `parent`: where they are opened; `now()`: { serving, aliases, layers (how many) } as shown;
 * `done(text)`: called when something has been done.
 */
export function actions({ model, base, parent, now, done }) {
	/** Nobody may have switched since the dialog said what serves. */
	async function sameServing({ version, time }) {
		const found = await read(`${base}/serving`);
		if (found.version !== version || found.time !== time)
			throw new Error("Nothing was changed, because another client has switched meanwhile: now " +
				`${theState(found.version)} serves. Close this, and look again.`);
	}

	function makeVersion() {
		const keys = {}; // by note: another request needs another key

		askFirst(parent, {
			title: "Make a version", button: "Make it", field: NOTE,
			request: note => ({ ...post(`${base}/versions`, { note }),
				headers: { "Idempotency-Key": keys[note] ??= newKey() } }),
			says: () => [`The new version keeps the layers of ${model} (${whole(now().layers)}) as they ` +
				"are at one moment. It never changes. What serves stays as it is."],
			done: ({ version }) => done(`Version ${version} is made.`),
		});
	}

	/** Serves a version; `back`: it served before. */
	function serve(version, back = false) {
		const { serving } = now();
		askFirst(parent, {
			title: `${back ? "Roll back to" : "Serve"} ${theState(version)}`,
			button: back ? "Roll back" : "Serve it", field: NOTE,
			request: note => put(`${base}/serving`, { version, note }),
			says: () => [`Now ${theState(serving.version)} serves.`,
				back && `Before, ${theState(version)} did.`,
				`From the next request on, inference that names no version reads ${theState(version)}.`,
				"Training goes on with the live state. The windows of drift begin anew."],
			check: () => sameServing(serving),
			done: answer => done(`Now ${theState(answer.version)} serves.`),
		});
	}

	function setAlias(version) {
		askFirst(parent, {
			title: `Alias for version ${version}`, button: "Set it", field: ALIAS,
			request: alias => put(base + path`/aliases/${alias}`, { version }),
			says: alias => {
				const there = now().aliases.find(each => each.alias === alias);
				return [`Requests whose version is the alias will read version ${version}.`,
					there && there.version !== version &&
						`Now ${alias} names version ${there.version}.`,
					"What serves stays as it is."];
			},
			done: answer => done(`${answer.alias} names version ${answer.version}.`),
		});
	}

	return { makeVersion, serve, setAlias };
}
