// SPDX-License-Identifier: MIT
// Your own data: a layer of this daemon, and a text or a file. A report comes first and changes nothing; infer adds to
// the layer's window of inference.

import { read } from "../shared/api.js";
import { curlBox } from "../shared/curl_box.js";
import { el, fill, newId } from "../shared/dom.js";
import { path, post } from "../shared/request.js";
import { upload } from "../shared/upload.js";
import { Broken } from "./broken.js";
import { fault } from "./own_fault.js";
import { input } from "./own_input.js";
import { layerChoice } from "./own_layer.js";
import { dataReader } from "./own_reader.js";
import { firstRows, inferView, reportView } from "./own_results.js";
import { say, sizeOf } from "./own_words.js";
import { worker } from "./own_work.js";

const INLINE = 2000; // characters of a body that a command shows itself
let limit = Infinity; // of a body, once the daemon has named it

/** What is known of data that were read. */
function facts(data) {
	const { name, shape, size, odd, names, missing = [], leftOut = [] } = data;
	const empty = missing.map(([column, count]) => `${column} ${count}`).join(", ");
	return [el("p", {}, say(shape === null ? "given unread" : "given",
		{ name, shape: shape?.join(" × "), size: sizeOf(size) })),
		leftOut.length > 0 && el("p", { class: "quiet" }, say("left out", { list: leftOut.join(", ") })),
		odd > 0 && el("p", { class: "warning" }, say("odd", { n: odd }), " ",
			empty !== "" && say("missing", { list: empty })),
		data.numbers !== null && firstRows(data, [["", data.numbers]], names)];
}

/** The most bytes of a body, if an error of the daemon names them. */
function limitOf({ code, message }) {
	const found = code === "body_too_large" ? /larger than (\d+) bytes/.exec(message) : null;
	return found && Number(found[1]);
}

function requestOf({ model, name }, call, { body, type }, query) {
	return post(path`v1/models/${model}/layers/${name}/${call}`, body, query, type);
}

/** Whether the daemon answers, whatever it says. */
function isThere() {
	return read("v1/models", { limit: 1 }).then(() => true, error => error.name === "Refused");
}

const CALLS = {
	report: { query: { top: 20 }, view: reportView },
	infer: { query: {}, view: inferView },
};

function section(title, ...children) {
	const id = newId("part");
	return el("section", { class: "card", "aria-labelledby": id }, el("h2", { id }, title), children);
}

export default function (root) {
	const work = worker(), reader = dataReader(), choice = layerChoice(() => refresh()), source = input(take);
	const given = el("div", { role: "status" }), hint = el("p", { class: "warning", role: "status" });
	const results = { report: el("div", { class: "result" }), infer: el("div", { class: "result" }) };
	const curls = { report: curlBox(), infer: curlBox() }, effect = el("span");
	const save = el("a", { download: "data.npy" }, say("save"));
	const button = (call, kind) =>
		el("button", { type: "button", class: kind, onclick: () => ask(call) }, say(call));
	const buttons = { report: button("report", "main"), infer: button("infer", null) };
	const calls = el("div", { hidden: true }, el("h2", {}, say("calls")), Object.values(curls),
		el("p", {}, save));
	let data = null, text = null, reported = "", link = null;

	/** What would be asked: of which layer, and with which data; null while one of them lacks. */
	function asked() {
		const layer = choice.chosen();
		return layer && data && { layer, data, key: `${layer.model}/${layer.name}` };
	}

	/** What can be asked, and how, of the layer and the data that there are. */
	function refresh() {
		const layer = choice.chosen(), tracks = layer?.definition.track_running_stats ?? false, now = asked();
		const lacks = choice.gone() ? "gone" : layer === null ? "no layer" : now === null ? "no data" : null;
		const isReported = reported === now?.key;
		buttons.report.disabled = !now || !tracks;
		buttons.infer.disabled = !now || (tracks && !isReported);
		fill(hint, lacks !== null ? say(lacks, { layer: choice.gone() }) : !tracks && say("untracked"));
		fill(effect, layer && !tracks ? say("infer changes nothing") :
			[say("infer says"), buttons.infer.disabled && ` ${say("report first")}`]);
		calls.hidden = !now;
		if (!now)
			return; // what was shown of a layer that is gone stays
		const shown = { ...data, body: data.size < INLINE ? data.body : new Blob([data.body]) };
		const name = data.names ? "data.npy" : text === null ? data.name : "data.json";
		for (const [call, { query }] of Object.entries(CALLS))
			curls[call].show(requestOf(layer, call, shown, query), { file: name });
		curls.report.hidden = !tracks;
		if (!isReported)
			Object.values(results).forEach(result => fill(result));
	}

	/** What comes takes the place of what was there. */
	async function take({ file, wrong, text: pasted = null }) {
		const name = file?.name ?? say("pasted");
		URL.revokeObjectURL(link);
		data = null;
		text = pasted;
		reported = "";
		for (const place of [given, results.report, results.infer])
			fill(place);
		refresh();
		try {
			const made = await work.run("reading", say("reading", { name }), async options => {
				if (wrong)
					throw new Broken(wrong);
				return reader.read({ file, text, name }, options);
			});
			if (made === undefined)
				return; // other data came meanwhile
			data = made;
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
		const now = asked(), { query, view } = CALLS[call];
		const isStill = () => asked()?.key === now.key && data === now.data;
		if (work.busy())
			return;
		try {
			if (data.size > limit)
				throw new Broken("too large", { size: sizeOf(data.size), limit: sizeOf(limit) });
			const request = requestOf(now.layer, call, data, query);
			const answer = await work.run(call, say("sending"), options => upload(request, options));
			if (answer === undefined || !isStill())
				return;
			reported = now.key;
			refresh();
			fill(results[call], view(answer, now.data, now.layer));
		} catch (error) {
			limit = limitOf(error) ?? limit;
			const isCut = error.name === "Away" && await isThere();
			const at = now.data.names ? null : text; // offsets are in what was sent
			if (isStill())
				fill(results[call], fault(isCut ? new Broken("cut") : error, at));
			if (error.status === 404)
				choice.again();
		}
	}

	fill(root, el("p", {}, say("lead")),
		el("div", { class: "own" }, section(say("layer"), choice.element),
			section(say("data"), source.element, given)),
		section(say("ask"), hint,
			el("div", { class: "row" }, buttons.report, el("span", {}, say("report says"))),
			el("div", { class: "row" }, buttons.infer, effect), work.element),
		Object.values(results), calls);
	refresh();
	return { stop() {
		work.stop();
		reader.stop();
		choice.stop();
		source.stop();
		URL.revokeObjectURL(link);
	} };
}
