/* SPDX-License-Identifier: MIT */
/* Who calls: what a route asks of the caller. */
#pragma once

/* What a route asks for. Each level includes those before it. A row that says nothing is closed to everybody. */
enum access {
	ACCESS_UNSAID,
	ACCESS_OPEN,  /* nothing: it shows no data and changes none */
	ACCESS_INFER, /* a token; it reads */
	ACCESS_TRAIN, /* the role train: it moves what a model has learned */
	ACCESS_ADMIN, /* the role admin: it deletes, or decides what serves */
	ACCESS_SERVER /* the role admin without a limit to some models: it concerns the whole daemon */
};
