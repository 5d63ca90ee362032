/* SPDX-License-Identifier: MIT */
#include "handlers/mask_options.h"
#include "handlers/input.h"

#include <stdio.h>
#include <string.h>

/* So many bytes of a word that is none are shown to whoever sent it. */
#define WORD_SHOWN_MAX ((size_t)32)

/* Whether dimension `i` of a tensor is one of a mask's: the samples', or a sample's positions. */
static bool
is_in_mask(const struct definition *d, const struct tensor *t, unsigned i)
{
	if (definition_is_shaped(d))
		return i < t->rank - d->normalized_rank;
	return i != (unsigned)(d->channel_axis < 0 ? d->channel_axis + (int)t->rank : d->channel_axis);
}

/* The shape of a tensor's mask: samples, then positions. Returns its rank. */
static unsigned
mask_shape(const struct definition *d, const struct tensor *t, size_t *shape)
{
	unsigned rank = 0;

	for (unsigned i = 0; i < t->rank; i++)
		if (is_in_mask(d, t, i))
			shape[rank++] = t->shape[i];
	return rank;
}

/* The extents of the mask of a tensor that is not empty. */
static int
set_extents(const struct definition *d, const struct tensor *t, struct mask *m, struct err *e)
{
	size_t shape[TENSOR_RANK_MAX];
	const unsigned rank = mask_shape(d, t, shape);

	if (rank == 0 || !is_in_mask(d, t, 0))
		return err_fail(e, ERR_SHAPE_MISMATCH,
		    "padding needs samples in dimension 0; here it belongs to the %s",
		    definition_is_shaped(d) ? "normalized_shape" : "channels");
	m->samples = t->shape[0];
	m->positions = 1;
	for (unsigned i = 1; i < rank; i++)
		m->positions *= shape[i];
	return 0;
}

static int
set_length(struct mask *m, size_t sample, uint64_t length, struct err *e)
{
	if (sample >= m->samples)
		return err_fail(
		    e, ERR_SHAPE_MISMATCH, "\"lengths\" has more than %zu numbers, one for each sample", m->samples);
	if (length > m->positions)
		return err_fail(e, ERR_BAD_PARAMETER, "\"lengths\" has %llu for sample %zu, which has %zu positions",
		    (unsigned long long)length, sample, m->positions);
	memset(m->keep + sample * m->positions, 1, (size_t)length);
	return 0;
}

/* A length is a number of steps, so a sample's positions must be one dimension. */
static int
check_steps(const struct definition *d, const struct tensor *t, struct err *e)
{
	size_t shape[TENSOR_RANK_MAX];
	const unsigned dimensions = mask_shape(d, t, shape) - 1;

	if (dimensions == 1)
		return 0;
	return err_fail(e, ERR_SHAPE_MISMATCH,
	    "\"lengths\" needs a tensor with one dimension of steps, such as (N, %s); this one has %u such dimensions: "
	    "use "
	    "\"mask\"",
	    definition_is_shaped(d) ? "T, D" : "C, L", dimensions);
}

/* "3,5,2" */
static int
lengths_from_query(struct mask *m, const char *text, size_t *given, struct err *e)
{
	char number[24];
	size_t len;
	uint64_t length;

	for (*given = 0;; ++*given) {
		len = strcspn(text, ",");
		memcpy(number, text, len < sizeof(number) ? len : 0);
		number[len < sizeof(number) ? len : 0] = '\0';
		if (request_parse_uint(number, &length) < 0)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "\"lengths\" has \"%.*s\" for sample %zu; it must be whole numbers with commas between "
			    "them",
			    (int)(len < WORD_SHOWN_MAX ? len : WORD_SHOWN_MAX), text, *given);
		if (set_length(m, *given, length, e) < 0)
			return -1;
		text += len;
		if (*text++ == '\0') {
			++*given;
			return 0;
		}
	}
}

static int
lengths_from_list(struct mask *m, const struct cJSON *list, size_t *given, struct err *e)
{
	uint64_t length;
	char shown[ENVELOPE_SHOWN_BYTES];

	*given = 0;
	if (envelope_type(list) != ENVELOPE_ARRAY)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "\"lengths\" must be a list of whole numbers, one for each sample, not %s%s",
		    envelope_shown(list, shown), envelope_type(list) == ENVELOPE_OBJECT ? JSON_TYPED_ARRAY_HINT : "");
	for (const struct cJSON *n = envelope_first(list); n != NULL; n = envelope_next(n), ++*given) {
		if (envelope_uint64(n, &length) < 0)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "\"lengths\" has %s for sample %zu; it must be a whole number", envelope_shown(n, shown),
			    *given);
		if (set_length(m, *given, length, e) < 0)
			return -1;
	}
	return 0;
}

/* A mask's shape is that of samples and positions, or it is flat. */
static int
check_shape(const struct definition *d, const struct tensor *mask, const struct tensor *t, size_t count, struct err *e)
{
	size_t shape[TENSOR_RANK_MAX];
	const unsigned rank = mask_shape(d, t, shape);

	if (mask->count == count &&
	    (mask->rank == 1 || (mask->rank == rank && memcmp(mask->shape, shape, rank * sizeof(shape[0])) == 0)))
		return 0;
	err_set(e, ERR_SHAPE_MISMATCH,
	    "\"mask\" must have the shape of the tensor without %s, or %zu values in a flat list",
	    definition_is_shaped(d) ? "normalized_shape" : "its channels", count);
	tensor_shape_text(shape, rank, e->expected, sizeof(e->expected));
	tensor_shape_text(mask->shape, mask->rank, e->actual, sizeof(e->actual));
	return -1;
}

/* The tensor's bytes are the mask. */
static int
keep_tensor(
    struct mask *m, const struct definition *d, const struct tensor *mask, const struct tensor *t, struct err *e)
{
	m->keep = mask->values;
	return check_shape(d, mask, t, m->samples * m->positions, e);
}

/* "true,true,false", of all samples; what is too much is only counted. */
static int
keep_from_query(struct mask *m, const char *text, struct err *e)
{
	const size_t count = m->samples * m->positions;
	size_t given = 0, len;
	bool counts;

	for (;; text += len + 1) {
		len = strcspn(text, ",");
		if (given < count && request_parse_bool(text, len, &counts) < 0)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "\"mask\" has \"%.*s\" at value %zu; it must be true or false, 1 or 0",
			    (int)(len < WORD_SHOWN_MAX ? len : WORD_SHOWN_MAX), text, given);
		if (given < count)
			m->keep[given] = counts;
		given++;
		if (text[len] == '\0')
			break;
	}
	if (given == count)
		return 0;
	err_set(e, ERR_SHAPE_MISMATCH, "\"mask\" must have %zu values, %zu for each of %zu samples", count,
	    m->positions, m->samples);
	snprintf(e->expected, sizeof(e->expected), "[%zu]", count);
	snprintf(e->actual, sizeof(e->actual), "[%zu]", given);
	return -1;
}

/* Where a call may say it. */
struct source {
	const struct cJSON *lengths;
	const char *lengths_text;
	const struct tensor *mask;
	const char *mask_text;
};

/* *given: whether it says it at all. */
static int
find_source(struct request *rq, const struct cJSON *body, size_t slot, struct source *s, bool *given, struct err *e)
{
	unsigned count;
	char shown[ENVELOPE_SHOWN_BYTES];

	*s = (struct source){
		.lengths = envelope_get(body, "lengths"),
		.lengths_text = request_query(rq, "lengths"),
		.mask = body == NULL ? NULL : body_tensor(rq->body, slot),
		.mask_text = request_query(rq, "mask"),
	};
	if (s->mask == NULL && envelope_get(body, "mask") != NULL)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "\"mask\" must be a list of true and false, or of 1 and 0, not %s",
		    envelope_shown(envelope_get(body, "mask"), shown));
	count = (s->lengths != NULL) + (s->lengths_text != NULL) + (s->mask != NULL) + (s->mask_text != NULL);
	if (count > 1)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "padding is given more than once; give either \"lengths\" or \"mask\", in the body or in the "
		    "query");
	*given = count == 1;
	return 0;
}

static int
read_source(struct request *rq, const struct source *s, const struct definition *d, const struct tensor *t,
    struct mask *m, struct err *e)
{
	size_t given;

	if (s->mask != NULL)
		return keep_tensor(m, d, s->mask, t, e);
	m->keep = workspace_array(&rq->workspace, m->samples, m->positions, e);
	if (m->keep == NULL)
		return -1;
	if (s->mask_text != NULL)
		return keep_from_query(m, s->mask_text, e);
	if (check_steps(d, t, e) < 0)
		return -1;
	if ((s->lengths != NULL ? lengths_from_list(m, s->lengths, &given, e) :
				  lengths_from_query(m, s->lengths_text, &given, e)) < 0)
		return -1;
	if (given == m->samples)
		return 0;
	return err_fail(e, ERR_SHAPE_MISMATCH, "\"lengths\" has %zu numbers for %zu samples", given, m->samples);
}

int
mask_options_get(struct request *rq, const struct definition *d, const struct cJSON *body, size_t slot,
    const struct tensor *t, struct mask *out, struct err *e)
{
	struct source source;
	bool given;

	*out = (struct mask){ 0 };
	if (find_source(rq, body, slot, &source, &given, e) < 0)
		return -1;
	if (!given || t->count == 0)
		return 0;
	return set_extents(d, t, out, e) < 0 ? -1 : read_source(rq, &source, d, t, out, e);
}
