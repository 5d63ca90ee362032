/* SPDX-License-Identifier: MIT */
/*
 * After its start normd needs little: its store, the files that it reads again, and the connections that its listener
 * accepts. It gives up the rest, so that whoever takes it over by a fault in it has no more. Three parts:
 * no_new_privs (no program that it starts gets more rights), Landlock (sandbox_landlock.h), seccomp
 * (sandbox_seccomp.h).
 *
 * Entered by main, after the listener was opened and files were read, before the first thread.
 */
#pragma once

#include <stdbool.h>

#include "server/config.h"
#include "server/sandbox_places.h"

#define SANDBOX_STATE_BYTES 160

/* What is in force, as texts for the log: "off" and why, or what there is. */
struct sandbox_state {
	char no_new_privs[SANDBOX_STATE_BYTES];
	char landlock[SANDBOX_STATE_BYTES];
	char seccomp[SANDBOX_STATE_BYTES];
	bool complete; /* nothing is off that was asked for */
};

/*
 * Enters as much of the sandbox as the kernel allows. -1 with `e` only if the mode is CONFIG_SANDBOX_REQUIRE and a part
 * is missing.
 */
int sandbox_enter(enum config_sandbox mode, const struct sandbox_places *places, struct sandbox_state *state,
    struct err *e) MUST_CHECK;

/*
 * Why this file could not be opened to read it, by errno. Names the sandbox if Landlock must have denied it, as the
 * file's mode allows it: then a restart helps. A constant, or strerror's text.
 */
const char *sandbox_strerror(const char *path);
