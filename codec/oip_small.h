/* SPDX-License-Identifier: MIT */
/*
 * The short way through a small document of the Open Inference Protocol that has come whole and has no tensor's data:
 * most calls with binary tensors. It gives what the scanner (json_scan.h) gives, in a fraction of its time, since the
 * envelope is built as the document is read, with few allocations. Whatever is unusual, and whatever is wrong, it
 * leaves to the scanner, which words the errors: so it may refuse anything, but must not take what the scanner refuses.
 * Private to codec/.
 */
#pragma once

#include "base/budget.h"
#include "codec/tensor.h"

struct cJSON;

/* Longer documents are rare, and worth less. */
#define OIP_SMALL_BYTES ((size_t)4096)

/* Zeroed, it has nothing. */
struct oip_small {
	struct cJSON *envelope; /* as json_scan_envelope's */
	struct tensor *tensors; /* of the inputs; without values, which the caller may set */
	size_t count;

	/* The envelope's memory. */
	struct oip_nodes *nodes;
	char *text;
};

/* Reads a document of at most OIP_SMALL_BYTES, whose tensors are listed in the root's member `list`. False: left. */
bool oip_small_read(
    struct oip_small *s, const char *list, const char *document, size_t len, struct budget_share *memory) MUST_CHECK;

/* Also frees the tensors' values. */
void oip_small_fini(struct oip_small *s);
