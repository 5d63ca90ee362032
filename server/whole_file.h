/* SPDX-License-Identifier: MIT */
/* Reads a small file as a whole: keys, certificates and the like, which others may replace at any time. */
#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"

struct whole_file {
	char *bytes; /* and a NUL behind them */
	size_t len;
	struct stat stat; /* of the file that was read, whatever stands at its path now */
};

/*
 * Reads a regular file of at most `max` bytes. bad_parameter if there is none, or it cannot be read, or it is larger;
 * the detail begins with `what`, such as "the certificate". After an error there is nothing to finish.
 */
int whole_file_read(const char *what, const char *path, size_t max, struct whole_file *out, struct err *e) MUST_CHECK;

/* Overwrites the bytes, which may be secret, and frees them. */
void whole_file_fini(struct whole_file *f);
