/* SPDX-License-Identifier: MIT */
/*
 * The placeholders of paths, such as {model}. Each is a row of the table in placeholders.c: its name, the member of
 * struct request that it sets, and a check.
 */
#pragma once

#include "handlers/request.h"

/* Room for any route's path with its placeholders filled in. */
#define PLACEHOLDERS_PATH_BYTES (64 + (size_t)3 * STORE_NAME_MAX)

/* Checks a name of a `what`, such as "model". Error: bad_name. */
int placeholders_check_name(const char *what, const char *name, struct err *e) MUST_CHECK;

/* Checks the name of an alias, which must not look like a version's number or one of the words. Error: bad_name. */
int placeholders_check_alias(const char *what, const char *name, struct err *e) MUST_CHECK;

/* Sets the members of `rq` to the segments in the places of the placeholders of `path`, which the segments match. */
void placeholders_take(struct request *rq, const char *path, const char *const *segments);

/* Checks the members that are set, in the order of the table. Error: bad_name. */
int placeholders_check(const struct request *rq, struct err *e) MUST_CHECK;

/* Writes the path of the request's route with the request's own names: the shortest form of its target. */
void placeholders_fill(const struct request *rq, char out[PLACEHOLDERS_PATH_BYTES]);
