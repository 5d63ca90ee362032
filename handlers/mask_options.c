/* SPDX-License-Identifier: MIT */
#include "handlers/call_options.h"

#include <string.h>

#include "handlers/doubles.h"

const struct input lengths_input = { "lengths", INPUT_UINTS, INPUT_ANYWHERE, .max = UINT64_MAX, .stored = true };
const struct input mask_input = { "mask", INPUT_TENSOR, INPUT_ANYWHERE, .datatype = DATATYPE_BOOL, .stored = true };

/* Whether a mask has dimension `i` of its tensor: the samples, or one of a sample's positions. */
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
		    "padding needs samples in dimension 0, but dimension 0 of this tensor is %s",
		    definition_is_shaped(d) ? "part of normalized_shape" : "the channels");
	m->samples = t->shape[0];
	m->positions = 1;
	for (unsigned i = 1; i < rank; i++)
		m->positions *= shape[i];
	return 0;
}

static int
take_length(void *arg, size_t sample, uint64_t length, struct err *e)
{
	struct mask *m = arg;

	if (sample >= m->samples)
		return err_fail(e, ERR_SHAPE_MISMATCH, "\"lengths\" must have one number per sample (%zu); it has more",
		    m->samples);
	if (length > m->positions)
		return err_fail(e, ERR_BAD_PARAMETER, "\"lengths\" is %llu for sample %zu, which has only %zu step%s",
		    (unsigned long long)length, sample, m->positions, err_plural(m->positions));
	memset(m->keep + sample * m->positions, 1, (size_t)length);
	return 0;
}

/* A length counts steps along one dimension, so a sample must have exactly one. */
static int
check_steps(const struct definition *d, const struct tensor *t, struct err *e)
{
	size_t shape[TENSOR_RANK_MAX];
	const unsigned dimensions = mask_shape(d, t, shape) - 1;

	if (dimensions == 1)
		return 0;
	return err_fail(e, ERR_SHAPE_MISMATCH,
	    "\"lengths\" needs a tensor with one dimension of steps, such as (N, %s); this one has %u: use \"mask\"",
	    definition_is_shaped(d) ? "T, D" : "C, L", dimensions);
}

/* A mask has the shape of samples and positions, or it is flat. */
static int
check_shape(const struct definition *d, const struct tensor *mask, const struct tensor *t, size_t count, struct err *e)
{
	size_t shape[TENSOR_RANK_MAX];
	const unsigned rank = mask_shape(d, t, shape);

	if (mask->count == count &&
	    (mask->rank == 1 || (mask->rank == rank && memcmp(mask->shape, shape, rank * sizeof(shape[0])) == 0)))
		return 0;
	err_set(e, ERR_SHAPE_MISMATCH,
	    "\"mask\" must have the shape of the tensor without %s, or be a flat list of %zu value%s",
	    definition_is_shaped(d) ? "normalized_shape" : "the channels", count, err_plural(count));
	tensor_shape_text(shape, rank, e->expected, sizeof(e->expected));
	tensor_shape_text(mask->shape, mask->rank, e->actual, sizeof(e->actual));
	return -1;
}

/* The bytes of the tensor are used as the mask. */
static int
keep_tensor(
    struct mask *m, const struct definition *d, const struct tensor *mask, const struct tensor *t, struct err *e)
{
	m->keep = mask->values;
	return check_shape(d, mask, t, m->samples * m->positions, e);
}

static int
take_keep(void *arg, size_t at, uint64_t value, struct err *e)
{
	struct mask *m = arg;

	(void)e;
	m->keep[at] = (unsigned char)value;
	return 0;
}

/* The query has the values of all samples in one list. */
static int
keep_from_query(struct mask *m, const struct option *o, struct err *e)
{
	const size_t count = m->samples * m->positions;
	size_t given = 1;

	for (const char *c = o->text; (c = strchr(c, ',')) != NULL; c++)
		given++;
	if (given <= count && option_read_list(&mask_input, o, take_keep, m, &given, e) < 0)
		return -1;
	return doubles_check_count("mask", given, count, e);
}

static int
keep_from_lengths(
    struct mask *m, const struct definition *d, const struct tensor *t, const struct option *o, struct err *e)
{
	size_t given;

	if (check_steps(d, t, e) < 0 || option_read_list(&lengths_input, o, take_length, m, &given, e) < 0)
		return -1;
	if (given == m->samples)
		return 0;
	return err_fail(
	    e, ERR_SHAPE_MISMATCH, "\"lengths\" must have one number per sample (%zu); it has %zu", m->samples, given);
}

/* Where the request says what is padding; in one way at most. */
struct source {
	struct option lengths, mask;
	const struct tensor *tensor; /* of a mask in the body */
};

static int
find_source(const struct request *rq, struct source *s, struct err *e)
{
	if (option_find(rq, &lengths_input, &s->lengths, e) < 0 || option_find(rq, &mask_input, &s->mask, e) < 0)
		return -1;
	s->tensor = s->mask.member != NULL ? input_tensor(rq, &mask_input) : NULL;
	if (s->mask.member != NULL && s->tensor == NULL)
		return option_refuse(&mask_input, &s->mask, "a list of true and false, or of 1 and 0", e);
	if (option_given(&s->lengths) && option_given(&s->mask))
		return err_fail(
		    e, ERR_BAD_PARAMETER, "padding is given twice, by \"lengths\" and by \"mask\"; give one of them");
	return 0;
}

static int
read_source(struct request *rq, const struct source *s, const struct definition *d, const struct tensor *t,
    struct mask *m, struct err *e)
{
	if (s->tensor != NULL)
		return keep_tensor(m, d, s->tensor, t, e);
	m->keep = workspace_array(&rq->workspace, m->samples, m->positions, e);
	if (m->keep == NULL)
		return -1;
	return option_given(&s->mask) ? keep_from_query(m, &s->mask, e) : keep_from_lengths(m, d, t, &s->lengths, e);
}

int
mask_options_get(
    struct request *rq, const struct definition *d, const struct tensor *t, struct mask *out, struct err *e)
{
	struct source s;

	*out = (struct mask){ 0 };
	if (find_source(rq, &s, e) < 0)
		return -1;
	if ((!option_given(&s.lengths) && !option_given(&s.mask)) || t->count == 0)
		return 0;
	return set_extents(d, t, out, e) < 0 ? -1 : read_source(rq, &s, d, t, out, e);
}
