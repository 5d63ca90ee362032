/* SPDX-License-Identifier: MIT */
/*
 * The idempotency keys of the requests that are running. A request claims its key before its body is read and holds it
 * until its answer is made; another request with the same key is refused meanwhile. The store remembers the keys of
 * requests that have finished.
 *
 * Thread-safe, except claims_new and claims_free.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct claims;

/* A claim, in memory of the request. The texts are not copied and must live while it is held. Zero it first. */
struct claim {
	const char *model, *layer, *key; /* layer "": the model's own */

	/* For claims.c alone. */
	struct claims *held_in; /* NULL: not held */
	uint64_t hash;
	struct claim *next;
};

struct claims *claims_new(void) MUST_CHECK; /* NULL: no memory */
void claims_free(struct claims *all);       /* every claim is released by then; NULL is fine */

/* Takes the claim. False: another request holds this key of this layer or model. */
bool claims_take(struct claims *all, struct claim *claim) MUST_CHECK;

/* Releases the claim if it is held. */
void claims_release(struct claim *claim);
