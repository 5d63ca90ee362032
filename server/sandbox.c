/* SPDX-License-Identifier: MIT */
#include "server/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "server/sandbox_seccomp.h"

static bool in_landlock; /* main's, as those are who read files */

/* The service manager's socket may be an abstract one. */
static bool
service_manager_is_abstract(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path != NULL && *path == '@';
}

static void
say_off(char *text, const struct err *why)
{
	snprintf(text, SANDBOX_STATE_BYTES, "off: %.*s", SANDBOX_STATE_BYTES - 8, why->detail);
}

static int
enter_no_new_privs(char *text, struct err *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		err_set(e, ERR_OVERLOADED, "prctl: %s", strerror(errno));
		say_off(text, e);
		return -1;
	}
	snprintf(text, SANDBOX_STATE_BYTES, "on");
	return 0;
}

static int
enter_landlock(const struct sandbox_places *places, char *text, struct err *e)
{
	const struct sandbox_landlock wanted = { places->list, places->count, service_manager_is_abstract(),
		places->connects };
	int abi;

	if (sandbox_landlock_enter(&wanted, &abi, e) < 0) {
		say_off(text, e);
		return -1;
	}
	in_landlock = true;
	snprintf(text, SANDBOX_STATE_BYTES, "abi %d", abi);
	if (sandbox_places_check(places, e) == 0)
		return 0;
	snprintf(text, SANDBOX_STATE_BYTES, "abi %d, but %.*s", abi, SANDBOX_STATE_BYTES - 24, e->detail);
	return -1;
}

static int
enter_seccomp(bool connects, char *text, struct err *e)
{
	if (sandbox_seccomp_enter(connects, e) < 0) {
		say_off(text, e);
		return -1;
	}
	snprintf(text, SANDBOX_STATE_BYTES, "on");
	return 0;
}

int
sandbox_enter(enum config_sandbox mode, const struct sandbox_places *places, struct sandbox_state *state, struct err *e)
{
	struct err why;

	*state = (struct sandbox_state){ .no_new_privs = "off", .landlock = "off", .seccomp = "off", .complete = true };
	if (mode == CONFIG_SANDBOX_OFF)
		return 0;
	state->complete = enter_no_new_privs(state->no_new_privs, &why) == 0;
	state->complete = enter_landlock(places, state->landlock, &why) == 0 && state->complete;
	state->complete = enter_seccomp(places->connects, state->seccomp, &why) == 0 && state->complete;
	if (state->complete || mode == CONFIG_SANDBOX_TRY)
		return 0;
	return err_fail(e, ERR_BAD_PARAMETER,
	    "--sandbox is \"require\", but not all of it is in force: no_new_privs is %s; landlock is %s; seccomp "
	    "is %s. --sandbox try does without what is missing",
	    state->no_new_privs, state->landlock, state->seccomp);
}

const char *
sandbox_strerror(const char *path)
{
	const int error = errno;

	if (error == EACCES && in_landlock && eaccess(path, R_OK) == 0)
		return "the sandbox allows only the folders in which this file was at the start; restart normd";
	return strerror(error);
}
