// SPDX-License-Identifier: MIT
// The guided tour: it sets the state, step by step, and says what to see.

export default function () {
	return { stop() {} };
}
