/* SPDX-License-Identifier: MIT */
/*
 * The placeholders of routes' paths, such as {model}: each is a member of struct request and has a check. A new one is
 * a row of the table in placeholders.c.
 */
#ifndef HANDLERS_PLACEHOLDERS_H
#define HANDLERS_PLACEHOLDERS_H

#include "handlers/request.h"

/* Sets the members of `rq` to the segments that stand at the placeholders of `path`, which the segments match. */
void placeholders_take(struct request *rq, const char *path, const char *const *segments);

/* Checks the members that are set, in the order of the table. Error: bad_name. */
int placeholders_check(const struct request *rq, struct err *e) MUST_CHECK;

#endif
