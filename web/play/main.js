// SPDX-License-Identifier: MIT
// The playground.

import { el } from "../shared/dom.js";
import { shell } from "../shared/shell.js";

shell(el("main", {}, el("h1", {}, "Playground")), { here: "play" });
