// SPDX-License-Identifier: MIT
// The values that the playground shows: N samples of C channels at L positions each, made from a seed. A value does
// not change while others come and go, and has two digits after the point, so that what is shown is what is computed.

import { words } from "../shared/words.js";
import { PENGUINS } from "./penguins.js";
import { normal, uniform } from "./random.js";

const say = words({
	en: { sample: "sample {i}", channel: "channel {i}", position: "position {i}", cat: "cat {i}", dog: "dog {i}",
		sentence: "sentence {i}", feature: "feature {i}", padding: "pad",
		pets: "ears,nose,size,fur,tail,voice,claws,teeth" },
	ko: { sample: "샘플 {i}", channel: "채널 {i}", position: "위치 {i}", cat: "고양이 {i}", dog: "개 {i}",
		sentence: "문장 {i}", feature: "특징 {i}", padding: "패딩",
		pets: "귀,코,몸집,털,꼬리,목소리,발톱,이빨" },
});

const MOST = { n: 8, c: 16, l: 12 };
const SENTENCES = ["I am a student", "You learn", "The old cat sleeps on the mat", "We read books", "Dogs bark",
	"She writes a long letter to a friend", "Rain fell", "They sing"].map(text => text.split(" "));

function named(word, count) {
	return Array.from({ length: count }, (none, i) => say(word, { i: i + 1 }));
}

function cells({ n, c, l }, value) {
	const list = (count, make) => Array.from({ length: count }, (none, i) => make(i));
	return list(n, i => list(c, j => list(l, k => Math.round(value(i, j, k) * 100) / 100)));
}

function hash(text) {
	return [...text].reduce((sum, letter) => Math.imul(sum ^ letter.codePointAt(0), 16777619), 2166136261);
}

/** Normal numbers by place: the place's number is the same in every size of the grid. */
function noise(seed) {
	const next = normal(seed), all = Array.from({ length: MOST.n * MOST.c * MOST.l }, next);
	return (n, c, l) => all[(n * MOST.c + c) * MOST.l + l];
}

/** Each channel has its own mean and scale, as the channels of a network do. */
function makeNoise(state) {
	const next = uniform(state.seed), at = noise(state.seed + 1);
	const channels = Array.from({ length: MOST.c }, () => ({ mean: 8 * next() - 4, scale: 0.3 + 2 * next() }));
	return {
		data: cells(state, (n, c, l) => channels[c].mean + channels[c].scale * at(n, c, l)),
		labels: { n: named("sample", state.n), c: named("channel", state.c),
			l: Array(state.n).fill(named("position", state.l)) },
	};
}

/** A word is the same vector wherever it stands; longer words have larger vectors. After its end, a sentence has 0. */
function makeSentence(state) {
	const tokens = SENTENCES.slice(0, state.n).map(sentence => sentence.slice(0, state.l));
	const vector = word => {
		const next = normal(hash(word.toLowerCase()) + state.seed);
		return Array.from({ length: MOST.c }, () => (0.5 + word.length / 4) * next() + word.length / 4);
	};
	const vectors = tokens.map(sentence => sentence.map(vector));
	return {
		hasWords: true,
		data: cells(state, (n, c, l) => vectors[n][l]?.[c] ?? 0),
		lengths: state.preset === "padded" ? tokens.map(sentence => sentence.length) : null,
		labels: { n: named("sentence", state.n), c: named("feature", state.c),
			l: tokens.map(sentence => Array.from({ length: state.l },
				(none, l) => sentence[l] ?? say("padding"))) },
	};
}

/** Cats and dogs in turn: every feature of a dog is larger, so that the mean of a batch lies between the two. */
function makePets(state) {
	const at = noise(state.seed), names = say("pets").split(","), isDog = n => n % 2 === 1;
	const i = n => ({ i: Math.floor(n / 2) + 1 });
	return {
		data: cells(state, (n, c, l) => (isDog(n) ? 3 : -1) + 0.6 * at(n, c, l)),
		labels: { n: Array.from({ length: state.n }, (none, n) => say(isDog(n) ? "dog" : "cat", i(n))),
			c: named("feature", state.c).map((name, c) => names[c] ?? name),
			l: Array(state.n).fill(named("position", state.l)) },
	};
}

/** Penguins of Palmer Station, with their four measurements. */
function makePenguins(state) {
	const next = uniform(state.seed), { rows, species, measures } = PENGUINS;
	const chosen = Array.from({ length: state.n }, () => rows[Math.floor(next() * rows.length)]);
	return {
		data: cells(state, (n, c) => chosen[n][c + 1]),
		labels: { n: chosen.map(row => species[row[0]]), c: measures.slice(0, state.c),
			l: Array(state.n).fill([""]) },
	};
}

const makers = {
	noise: makeNoise, sentence: makeSentence, padded: makeSentence, pets: makePets, penguins: makePenguins,
};

/**
 * The values of a state: `data`, nested as N × C × L; `flat`, the same in one row; `shape`; `labels.n[n]`,
 * `labels.c[c]` and `labels.l[n][l]`, for people; `lengths`: how many positions of each sample are not padding, or
 * null where all count; `hasWords`: the positions are words.
 */
export function make(state) {
	const made = makers[state.preset](state);
	return { lengths: null, hasWords: false, ...made, flat: made.data.flat(2), shape: [state.n, state.c, state.l] };
}
