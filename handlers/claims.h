/* SPDX-License-Identifier: MIT */
/*
 * The idempotency keys of requests that run now. A request claims its key before its body is read and holds it until
 * its answer is made; who comes with a claimed key is told that the first is still running. What has been done under a
 * key is the store's to know.
 *
 * Thread-safe, but for claims_new and claims_free.
 */
#ifndef HANDLERS_CLAIMS_H
#define HANDLERS_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct claims;

/* One claim, part of whoever makes it. The texts are not copied: they must live while it is held. Zero it first. */
struct claim {
	const char *model, *layer, *key;

	/* The table's own. */
	struct claims *held_in; /* NULL: not held */
	uint64_t hash;
	struct claim *next;
};

struct claims *claims_new(void) MUST_CHECK; /* NULL: no memory */
void claims_free(struct claims *all);       /* all are released by then; NULL is fine */

/* Takes it; false when another holds the same key of the same layer. */
bool claims_take(struct claims *all, struct claim *claim) MUST_CHECK;

/* Gives it back, if it is held. */
void claims_release(struct claim *claim);

#endif
