/* SPDX-License-Identifier: MIT */
/*
 * Landlock (landlock(7)): from here on the process can reach only the named places of the file system. It can neither
 * bind nor connect TCP sockets, control devices, signal other processes, or connect to abstract Unix sockets, as far as
 * the kernel's Landlock can deny these.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum sandbox_access {
	SANDBOX_READ,    /* files and lists of files */
	SANDBOX_REPLACE, /* make, write, rename and remove files */
	SANDBOX_CHANGE,  /* both */
	SANDBOX_ALL,     /* whatever there is */
};

/* A directory with all that is beneath it, or a file. */
struct sandbox_place {
	char path[PATH_MAX];
	enum sandbox_access access;
};

struct sandbox_landlock {
	const struct sandbox_place *places; /* those that normd cannot get to are left out */
	size_t count;
	bool abstract_sockets; /* stay reachable: the service manager's may be one */
	bool connects;         /* TCP sockets may be connected: to a database */
};

/*
 * Restricts the calling thread and those that it starts later, after no_new_privs was set. Sets *abi to the version of
 * the kernel's Landlock, of which all rights are denied that normd knows. -1 with `e` where nothing is restricted.
 */
int sandbox_landlock_enter(const struct sandbox_landlock *wanted, int *abi, struct err *e) MUST_CHECK;
