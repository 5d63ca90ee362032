// SPDX-License-Identifier: MIT
// Your own data: a layer of this daemon, and a text or a file. A report comes first and changes nothing; infer adds to
// the layer's window of inference.

import { curlBox } from "../shared/curl_box.js";
import { el, fill } from "../shared/dom.js";
import { path, post } from "../shared/request.js";
import { upload } from "../shared/upload.js";
import { Broken } from "./broken.js";
import { fault } from "./own_fault.js";
import { input } from "./own_input.js";
import { layerChoice } from "./own_layer.js";
import { inferView, reportView } from "./own_results.js";
import { say, sizeOf } from "./own_words.js";
import { worker } from "./own_work.js";

const INLINE = 2000; // characters of a body that a command shows itself
let limit = Infinity; // of a body, once the daemon has named it

/** What is known of data that were read. */
function facts({ name, shape, size, missing = [], leftOut = [] }) {
	const values = { name, shape: shape?.join(", "), size: sizeOf(size) };
	return [el("p", {}, say(shape === null ? "given unread" : "given", values)),
		leftOut.length > 0 && el("p", { class: "quiet" }, say("left out", { list: leftOut.join(", ") })),
		missing.length > 0 && el("p", { class: "warning" },
			say("missing", { list: missing.map(([column, count]) => `${column} ${count}`).join(", ") }))];
}

/** The most bytes of a body, if an error of the daemon names them. */
function limitOf({ code, message }) {
	const found = code === "body_too_large" ? /larger than (\d+) bytes/.exec(message) : null;
	return found && Number(found[1]);
}

function requestOf({ model, name }, call, { body, type }, query) {
	return post(path`v1/models/${model}/layers/${name}/${call}`, body, query, type);
}

const CALLS = {
	report: { query: { top: 20 }, view: (answer, data) => reportView(answer, data.names) },
	infer: { query: {}, view: inferView },
};

export default function (root) {
	const work = worker(), choice = layerChoice(() => refresh());
	const given = el("div"), hint = el("p", { class: "warning" });
	const results = { report: el("section"), infer: el("section") };
	const curls = { report: curlBox(), infer: curlBox() }, save = el("a", { download: "data.npy" }, say("save"));
	const button = (call, kind) => el("button", { type: "button", class: kind, onclick: () => ask(call) }, say(call));
	const buttons = { report: button("report", "main"), infer: button("infer", null) };
	const calls = el("div", { hidden: true }, el("h2", {}, say("calls")), Object.values(curls), el("p", {}, save));
	let data = null, text = null, reported = "", link = null;

	/** What can be asked, and how, of the layer and the data that there are. */
	function refresh() {
		const layer = choice.chosen(), tracks = layer?.definition.track_running_stats ?? false;
		const key = layer && data && `${layer.model}/${layer.name}`;
		buttons.report.disabled = !key || !tracks;
		buttons.infer.disabled = !key || (tracks && reported !== key);
		fill(hint, layer === null ? say("no layer") : !tracks && say("untracked"));
		calls.hidden = !key;
		if (!key)
			return;
		const shown = { ...data, body: data.size < INLINE ? data.body : new Blob([data.body]) };
		const name = data.names ? "data.npy" : text === null ? data.name : "data.json";
		for (const [call, { query }] of Object.entries(CALLS))
			curls[call].show(requestOf(layer, call, shown, query), { file: name });
		if (reported !== key)
			Object.values(results).forEach(result => fill(result));
	}

	/** Data that were read by `reading` take the place of those before. */
	async function take(name, source, reading) {
		URL.revokeObjectURL(link);
		data = null;
		text = source;
		reported = "";
		fill(given);
		fill(results.report);
		fill(results.infer);
		refresh();
		try {
			const read = await work.run(say("reading", { name }), reading);
			if (read === undefined)
				return; // other data came meanwhile
			data = read;
			link = data.names ? URL.createObjectURL(data.body) : null;
			save.hidden = link === null;
			save.href = link ?? "#";
			fill(given, facts(data));
		} catch (error) {
			fill(given, fault(error, text));
		}
		refresh();
	}

	async function ask(call) {
		const layer = choice.chosen(), asked = data, { query, view } = CALLS[call];
		try {
			if (asked.size > limit)
				throw new Broken("too large", { size: sizeOf(asked.size), limit: sizeOf(limit) });
			const request = requestOf(layer, call, asked, query);
			const answer = await work.run(say("sending"), options => upload(request, options));
			if (answer === undefined || asked !== data)
				return;
			reported = `${layer.model}/${layer.name}`;
			refresh();
			fill(results[call], view(answer, asked));
		} catch (error) {
			limit = limitOf(error) ?? limit;
			fill(results[call], fault(error, text), error.name === "Away" && el("p", {}, say("cut")));
		}
	}

	fill(root, el("p", {}, say("lead")), el("h2", {}, say("layer")), choice.element, el("h2", {}, say("data")),
		input(take), given, el("h2", {}, say("ask")), hint,
		el("div", { class: "row" }, buttons.report, el("span", {}, say("report says"))),
		el("div", { class: "row" }, buttons.infer, el("span", {}, say("infer says"))), work.element,
		Object.values(results), calls);
	refresh();
	return { stop() {
		work.stop();
		choice.stop();
		URL.revokeObjectURL(link);
	} };
}
