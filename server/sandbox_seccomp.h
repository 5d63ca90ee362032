/* SPDX-License-Identifier: MIT */
/*
 * seccomp (seccomp(2)): system calls that a running normd never makes fail with EPERM: starting programs or processes,
 * looking into other processes, mounts and namespaces, kernel modules, sockets other than Unix ones, and so on. With
 * `connects`, those of TCP and UDP may be made too.
 *
 * The list says what is denied. A list of what is allowed would break with each version of the C library.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* For the calling thread and those that it starts later. Sets no_new_privs too. -1 with `e`: nothing is denied. */
int sandbox_seccomp_enter(bool connects, struct err *e) MUST_CHECK;
