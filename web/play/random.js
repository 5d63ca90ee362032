// SPDX-License-Identifier: MIT
// Random numbers that a seed repeats on every machine.

/** Uniform numbers in [0, 1): mulberry32 by Tommy Ettinger, public domain. Returns a function that gives the next. */
export function uniform(seed) {
	let state = seed | 0;
	return () => {
		state = state + 0x6d2b79f5 | 0;
		let mixed = Math.imul(state ^ state >>> 15, 1 | state);
		mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
		return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
	};
}

/** Normal numbers with mean 0 and deviation 1 (Box, Muller 1958). Returns a function that gives the next. */
export function normal(seed) {
	const next = uniform(seed);
	return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}
