/* SPDX-License-Identifier: MIT */
/*
 * The operations that memory runs out in: each with the state that it begins from and the answer that it has when
 * nothing fails.
 */
#pragma once

#include "tests/memory/client.h"

/* All of them work on one layer. */
#define MODEL "/v1/models/m"
#define LAYER MODEL "/layers/l"

#define MAX_BODY_BYTES ((size_t)4 << 20)

/* Bodies that are made by a program rather than written down. */
enum body_form {
	BODY_AS_WRITTEN,
	BODY_GZIP,
	BODY_NPY,
	BODY_NPY_TWICE,
	BODY_WIDE,
	BODY_WIDE_GZIP,
	BODY_WIDE_NPY,
	BODY_WIDE_NPY_TWICE,
	BODY_WIDE_STATISTICS,
	BODY_STATE,
	BODY_STATE_GZIP,
	BODY_COUNT
};

struct operation {
	const char *name;
	const struct message *before; /* after the model was deleted; up to one without a method */
	struct message ask;
	unsigned status;
	enum body_form body; /* of `ask` */
	bool cold;           /* the server is started anew before it: nothing is in its caches */
	bool new_client;     /* connects when memory fails already */
	bool once;           /* asked twice, it has done and answers the same as when asked once */
	bool versions;       /* of versions: what it asks and answers is as numbers.h says */
};

extern struct operation operations[];
extern const size_t operation_count;

/* Fills in the bodies and their lengths. They live as long as the process. */
void operations_make(void);
