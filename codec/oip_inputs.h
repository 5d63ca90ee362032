/* SPDX-License-Identifier: MIT */
/* What the members of a document's inputs mean: their names, and where their values are. Private to codec/. */
#pragma once

#include "codec/json_scan.h"
#include "codec/oip.h"

#define OIP_INPUTS "inputs"

/* Inputs that need no memory of their own. */
#define OIP_FEW 4

struct oip_inputs {
	struct oip_input *inputs;
	size_t count;
	struct oip_input few[OIP_FEW];
};

/*
 * Reads the inputs of a document that json_scan_finish has taken. `follow`: bytes may follow it. Errors: bad_tensor for
 * two inputs with one name, for one with both data and bytes, or neither, or a number of bytes that does not fit its
 * shape; bad_parameter for values in shared memory; overloaded. oip_inputs_fini frees what was made, also then.
 */
int oip_inputs_init(struct oip_inputs *x, struct json_scan *document, bool follow, struct budget_share *memory,
    struct err *e) MUST_CHECK;
void oip_inputs_fini(struct oip_inputs *x);
