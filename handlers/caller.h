/* SPDX-License-Identifier: MIT */
/*
 * Who calls, and what a route asks of the caller. The server makes a caller of a request's token (server/access.h).
 * Pure; a caller is immutable.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What a route asks for. Each level includes those before it. A row that says nothing is closed to everybody. */
enum access {
	ACCESS_UNSAID,
	ACCESS_OPEN,  /* nothing: it shows no data and changes none */
	ACCESS_INFER, /* a token; it reads */
	ACCESS_TRAIN, /* the role train: it moves what a model has learned */
	ACCESS_ADMIN, /* the role admin: it deletes, or decides what serves */
	ACCESS_SERVER /* the role admin without a limit to some models: it concerns the whole daemon */
};

#define CALLER_NAME_BYTES 9

struct caller {
	enum access role; /* ACCESS_INFER, ACCESS_TRAIN or ACCESS_ADMIN; ACCESS_OPEN: nobody in particular */
	/* How the names of its models begin, sorted; none begins with another. None: it may use all models. */
	const char *const *prefixes;
	size_t prefix_count;
	char name[CALLER_NAME_BYTES]; /* for the log: the first digits of the token's hash; "": there is no token */
};

/* Without --tokens everybody may do everything. A request that has not shown a token may call open routes alone. */
extern const struct caller caller_anyone, caller_nobody;

/* The name of a role, "infer", "train" or "admin". */
const char *caller_role_name(enum access role);

/* Whether the caller may use a model of this name, which need not exist. */
bool caller_has_model(const struct caller *c, const char *model);

/* Refuses a caller whose role is lower than `needed`: forbidden. ACCESS_SERVER is refused to one with prefixes. */
int caller_check_role(const struct caller *c, enum access needed, struct err *e) MUST_CHECK;

/* Refuses a caller that may not use the model, in the same words whether or not there is one: forbidden. */
int caller_check_model(const struct caller *c, const char *model, struct err *e) MUST_CHECK;
