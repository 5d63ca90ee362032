// SPDX-License-Identifier: MIT
// Numbers and times as people read them.

import { daemonNow } from "./api.js";

/** A number with `digits` significant digits, without zeros at its end; very large and small ones with an exponent. */
export function short(x, digits = 4) {
	if (x === null || x === undefined)
		return "–";
	if (!Number.isFinite(x))
		return String(x);
	const size = Math.abs(x);
	if (size !== 0 && (size >= 1e6 || size < 1e-4))
		return x.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e").replaceAll("-", "−");
	return String(Number(x.toPrecision(digits))).replace("-", "−");
}

/** A whole number with its thousands apart. (toLocaleString takes 20 ms when it is first called.) */
export function whole(n) {
	return n === null || n === undefined ? "–" : String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

const UNITS = [["s", 60], ["min", 60], ["h", 24], ["d", Infinity]];

/** How long ago a time of the daemon's ("2026-11-30T12:00:00Z") was: "5 s ago". */
export function ago(time) {
	if (time === null || time === undefined)
		return "never";
	let left = Math.max(0, Math.round((daemonNow() - Date.parse(time)) / 1000));
	for (const [unit, size] of UNITS) {
		if (left < size)
			return `${left} ${unit} ago`;
		left = Math.floor(left / size);
	}
	return time;
}

/** A time in seconds since 1970 as UTC. `step`: how many seconds apart the times beside it are; 0: all of it. */
export function moment(seconds, step = 0) {
	const text = new Date(seconds * 1000).toISOString().replace("T", " ");
	return step === 0 ? text.slice(0, 19) : step < 60 ? text.slice(11, 19) :
		step < 86400 ? text.slice(5, 16) : text.slice(0, 10);
}
