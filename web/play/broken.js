// SPDX-License-Identifier: MIT
// What is wrong with data: a key of own_words.js with its values, and where in a text it is, if it is known.

export class Broken extends Error {
	constructor(key, values = {}, at = null) {
		super(key);
		this.name = "Broken";
		this.key = key;
		this.values = values;
		this.at = at; // in characters
	}
}
