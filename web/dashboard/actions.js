// SPDX-License-Identifier: MIT
// What can be done with a model's versions, each with a dialog that says first what will happen.

import { read } from "../shared/api.js";
import { el } from "../shared/dom.js";
import { whole } from "../shared/number.js";
import { path, post, put } from "../shared/request.js";
import { askFirst } from "./confirm.js";

/** A state that can serve, 3 or "live", within a sentence. */
export function theState(version) {
	return version === "live" ? "the live state" : `version ${version}`;
}

const NOTE = { name: "note", label: "Note (may stay empty)", maxlength: 1000 };

function sentences(...texts) {
	return texts.flat().filter(text => text).map(text => el("p", {}, text));
}

/** A key that makes a repeated request harmless: after no answer came, it may have been done nevertheless. */
function newKey() {
	return Array.from(crypto.getRandomValues(new Uint32Array(4)), part => part.toString(16)).join("-");
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
		const keys = {}; // by body: another body needs another key
		const request = ({ note }) => ({ ...post(`${base}/versions`, { note }),
			headers: { "Idempotency-Key": keys[note] ??= newKey() } });

		askFirst(parent, {
			title: "Make a version", button: "Make it", fields: [NOTE], request,
			says: () => sentences(
				`The new version keeps the layers of ${model} (${whole(now().layers)}) as they are ` +
				"at one moment. It never changes. What serves stays as it is."),
			done: ({ version }) => done(`Version ${version} is made.`),
		});
	}

	/** Serves a version; `back`: it served before. */
	function serve(version, back = false) {
		const { serving } = now();
		askFirst(parent, {
			title: `${back ? "Roll back to" : "Serve"} ${theState(version)}`,
			button: back ? "Roll back" : "Serve it",
			fields: [NOTE], request: ({ note }) => put(`${base}/serving`, { version, note }),
			says: () => sentences(
				`Now ${theState(serving.version)} serves.`, back && `Before, ${theState(version)} did.`,
				`From the next request on, inference that names no version reads ${theState(version)}.`,
				"Training goes on with the live state. The windows of drift begin anew."),
			check: () => sameServing(serving),
			done: answer => done(`Now ${theState(answer.version)} serves.`),
		});
	}

	function setAlias(version) {
		const movesTo = name => {
			const there = now().aliases.find(({ alias }) => alias === name);
			return there && there.version !== version && `Now ${name} names version ${there.version}.`;
		};
		askFirst(parent, {
			title: `Alias for version ${version}`, button: "Set it",
			fields: [{ name: "alias", label: "Alias", required: true, maxlength: 128,
				pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*",
					title: "Letters, digits, and behind them . _ -" }],
			request: ({ alias }) => put(base + path`/aliases/${alias}`, { version }),
			says: ({ alias }) => sentences(
				`Requests whose version is the alias will read version ${version}.`,
				movesTo(alias), "What serves stays as it is."),
			done: answer => done(`${answer.alias} names version ${answer.version}.`),
		});
	}

	return { makeVersion, serve, setAlias };
}
