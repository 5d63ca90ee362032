/* SPDX-License-Identifier: MIT */
/* What the members of a document's inputs mean: their names, and where their values are. Private to codec/. */
#pragma once

#include "base/budget.h"
#include "codec/envelope.h"
#include "codec/oip.h"

#define OIP_INPUTS "inputs"

/* Inputs that need no memory of their own. */
#define OIP_FEW 4

/* Zeroed, there are none. */
struct oip_inputs {
	struct oip_input *inputs;
	size_t count;
	struct oip_input few[OIP_FEW];
};

/* Makes room for `count` inputs. The caller sets the tensor of each, and `binary` where it has no data. */
int oip_inputs_init(struct oip_inputs *x, size_t count, struct budget_share *memory, struct err *e) MUST_CHECK;

/*
 * Reads the other members of the inputs in the envelope, where each is an object with a name. `follow`: bytes may
 * follow the document. Errors: bad_tensor for two inputs with one name, for one with both data and bytes, or neither,
 * or a number of bytes that does not fit its shape; bad_parameter for values in shared memory; overloaded.
 */
int oip_inputs_read(struct oip_inputs *x, const struct cJSON *envelope, bool follow, struct budget_share *memory,
    struct err *e) MUST_CHECK;

void oip_inputs_fini(struct oip_inputs *x);
