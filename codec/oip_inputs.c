/* SPDX-License-Identifier: MIT */
#include "codec/oip_inputs.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "codec/excerpt.h"
#include "codec/name_index.h"

/* The parameters of values in shared memory begin so. */
#define SHARED_MEMORY "shared_memory_"
#define BINARY_SIZE "binary_data_size"

static struct text_span
input_name(const void *owner, uint32_t at)
{
	const struct oip_inputs *x = owner;

	return (struct text_span){ x->inputs[at].name, strlen(x->inputs[at].name) };
}

static int
inputs_check_names(const struct oip_inputs *x, struct budget_share *memory, struct err *e)
{
	struct name_index names;
	uint32_t at;
	char quote[EXCERPT_BYTES];
	int result;

	if (x->count < 2)
		return 0;
	name_index_init(&names, input_name, x, memory);
	for (size_t i = 0; i < x->count; i++)
		name_index_add(&names, hash_mix(hash_text(HASH_START, x->inputs[i].name)), (uint32_t)i);
	if (names.items.failed)
		result = names.items.refused > 0 ? budget_refuse(memory, names.items.refused, e) : err_fail_memory(e);
	else if ((result = name_index_sort(&names, &at)) < 0)
		err_set(e, ERR_BAD_TENSOR, "the input \"%s\" is given twice",
		    excerpt_text(x->inputs[at].name, strlen(x->inputs[at].name), quote));
	name_index_fini(&names);
	return result;
}

/* The input's name in messages. */
static const char *
input_shown(const struct oip_input *in, char out[EXCERPT_BYTES])
{
	return excerpt_text(in->name, strlen(in->name), out);
}

/*
 * Reads the parameter binary_data_size of an input without data. A tensor of no bytes needs no header: KServe's client
 * sends none where no bytes follow.
 */
static int
input_check_size(const struct oip_input *in, const struct cJSON *given, bool follow, struct err *e)
{
	const size_t bytes = in->tensor->count * datatype_size(in->tensor->datatype);
	char quote[EXCERPT_BYTES], shown[ENVELOPE_SHOWN_BYTES];
	uint64_t size;

	if (given == NULL)
		return err_fail(e, ERR_BAD_TENSOR, "the input \"%s\" has neither \"data\" nor \"" BINARY_SIZE "\"",
		    input_shown(in, quote));
	if (!follow && bytes > 0)
		return err_fail(e, ERR_BAD_TENSOR,
		    "the input \"%s\" has \"" BINARY_SIZE
		    "\", but the request has no header Inference-Header-Content-Length",
		    input_shown(in, quote));
	if (envelope_uint64(given, &size) < 0)
		return err_fail(e, ERR_BAD_TENSOR,
		    "the input \"%s\": \"" BINARY_SIZE "\" must be a whole number, 0 or more, not %s",
		    input_shown(in, quote), envelope_shown(given, shown));
	if (size == bytes)
		return 0;
	return err_fail(e, ERR_BAD_TENSOR,
	    "the input \"%s\": \"" BINARY_SIZE "\" is %llu, but its shape and datatype need %zu bytes",
	    input_shown(in, quote), (unsigned long long)size, bytes);
}

/* Reads an input's parameters: where its values are. */
static int
input_read(const struct oip_input *in, const struct cJSON *parameters, bool follow, struct err *e)
{
	const struct cJSON *given = envelope_get(parameters, BINARY_SIZE);
	char quote[EXCERPT_BYTES], shown[ENVELOPE_SHOWN_BYTES];

	if (parameters != NULL && envelope_type(parameters) != ENVELOPE_OBJECT)
		return err_fail(e, ERR_BAD_TENSOR, "the input \"%s\": \"parameters\" must be an object, not %s",
		    input_shown(in, quote), envelope_shown(parameters, shown));
	for (const struct cJSON *p = envelope_first(parameters); p != NULL; p = envelope_next(p))
		if (strncmp(envelope_key(p), SHARED_MEMORY, strlen(SHARED_MEMORY)) == 0 &&
		    envelope_type(p) != ENVELOPE_NULL)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "the input \"%s\": shared memory is not supported; send the values",
			    input_shown(in, quote));
	if (in->binary)
		return input_check_size(in, given, follow, e);
	if (given == NULL)
		return 0;
	return err_fail(
	    e, ERR_BAD_TENSOR, "the input \"%s\" has both \"data\" and \"" BINARY_SIZE "\"", input_shown(in, quote));
}

int
oip_inputs_init(struct oip_inputs *x, size_t count, struct budget_share *memory, struct err *e)
{
	x->count = 0;
	x->inputs = x->few;
	if (count > OIP_FEW) {
		if (budget_ask(memory, count * sizeof(*x->inputs), e) < 0)
			return -1;
		x->inputs = malloc(count * sizeof(*x->inputs));
		if (x->inputs == NULL)
			return err_fail_memory(e);
	}
	x->count = count;
	return 0;
}

int
oip_inputs_read(
    struct oip_inputs *x, const struct cJSON *envelope, bool follow, struct budget_share *memory, struct err *e)
{
	const struct cJSON *member = envelope_first(envelope_get(envelope, OIP_INPUTS));

	for (size_t i = 0; i < x->count; i++, member = envelope_next(member)) {
		x->inputs[i].name = envelope_text(envelope_get(member, "name"));
		if (input_read(&x->inputs[i], envelope_get(member, "parameters"), follow, e) < 0)
			return -1;
	}
	return inputs_check_names(x, memory, e);
}

void
oip_inputs_fini(struct oip_inputs *x)
{
	if (x->inputs != x->few)
		free(x->inputs);
}
