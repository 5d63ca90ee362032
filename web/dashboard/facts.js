// SPDX-License-Identifier: MIT
// The head of a layer's page: what it is, when it last changed, and whether it has drifted. It asks for no features, so
// that each refresh is cheap for a layer of any size.

import { send } from "../shared/api.js";
import { el } from "../shared/dom.js";
import { ago, short, whole } from "../shared/number.js";
import { get } from "../shared/request.js";
import { verdictBadge } from "./verdict.js";

/** Whether a layer of this definition keeps running statistics. */
export function keepsStatistics({ track_running_stats }) {
	return track_running_stats ?? false;
}

/** The requests behind the head. `version`: the state that is looked at; null: the live one. */
function headRequests({ base, modelBase, version }) {
	return { definition: get(base, { version }), serving: get(`${modelBase}/serving`),
		history: get(`${base}/history`, { limit: 1 }), drift: get(`${base}/drift`, { version, top: 0 }) };
}

/** The comparison of drift; null where the state has no such layer, or no statistics yet. */
export async function driftOf(request, signal) {
	try {
		return await send(request, { signal });
	} catch (error) {
		if (["no_such_layer", "not_trained"].includes(error.code))
			return null;
		throw error;
	}
}

/**
 * { definition, serving, last, drift }: the definition, what serves, the latest entry of the history and the comparison
 * of drift. `last` is undefined for a layer that never had statistics, and {} for a version, which changes no more.
 */
export async function loadHead(place, signal) {
	const asks = headRequests(place), ask = request => send(request, { signal });
	const definition = await ask(asks.definition);
	if (!keepsStatistics(definition))
		return { definition };
	const [serving, { history: [last] }] = await Promise.all([ask(asks.serving),
		place.version === null ? ask(asks.history) : { history: [{}] }]);
	const drift = last === undefined ? null : await driftOf(asks.drift, signal);
	return { definition, serving, last, drift };
}

/** The requests that a head is made of. */
export function requestsOf(place, head) {
	const { definition, serving, history, drift } = headRequests(place);
	const more = [serving, place.version === null && history, head.last && drift];
	return [definition, ...keepsStatistics(head.definition) ? more.filter(Boolean) : []];
}

/** The state that drift is measured from. */
export function referenceOf({ version }, { serving }) {
	return version ?? String(serving.version);
}

function driftFact(drift, reference) {
	if (drift === null)
		return `not known: version ${reference} has no statistics of this layer`;
	const { verdict, count, max } = drift;
	return [verdictBadge(verdict), " ", `${whole(count)} values`,
		max.divergence !== null && `, greatest divergence ${short(max.divergence)}`,
		reference !== "live" && `, from version ${reference}`];
}

/** What is said of a layer without statistics, or null. */
export function lacking({ definition, last }) {
	if (!keepsStatistics(definition))
		return "none: a layer of this definition normalizes by the moments of its input";
	return last === undefined ? "none yet: train the layer, or put statistics" : null;
}

function spread({ min, median, max }) {
	return `${short(min)} to ${short(max)}, median ${short(median)}`;
}

/** Pairs of a name and what is shown. */
function pairs(place, head) {
	const { definition, last, drift } = head, without = lacking(head);
	const facts = [["Kind", definition.kind], ["Frozen", definition.frozen ? "yes" : "no"]];

	if (without !== null)
		return [...facts, ["Statistics", without]];
	facts.push(["Features", whole(definition.num_features)]);
	if (place.version === null)
		facts.push(["Revision", whole(last.revision)], ["Batches", whole(last.num_batches_tracked)],
			["Last update", last.time === null ? "not known" : ago(last.time)], ["Mean", spread(last.mean)],
			["Variance", spread(last.var)]);
	return [...facts, ["Drift", driftFact(drift, referenceOf(place, head))]];
}

/** The facts as children of a <dl>. */
export function factsOf(place, head) {
	return pairs(place, head).map(([title, value]) => el("div", {}, el("dt", {}, title), el("dd", {}, value)));
}
