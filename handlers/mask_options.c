#include "handlers/mask_options.h"

#include <stdio.h>
#include <string.h>

/* So many bytes of a word that is none are shown to whoever sent it. */
#define WORD_SHOWN_MAX ((size_t)32)

/* The dimension of the channels; those of layers by shape stand where PyTorch has them, in (N, C, ...). */
static unsigned
channel_axis(const struct definition *d, const struct tensor *t)
{
	if (definition_is_shaped(d))
		return 1;
	return (unsigned)(d->channel_axis < 0 ? d->channel_axis + (int)t->rank : d->channel_axis);
}

/* Takes the memory for the mask of a tensor that is not empty; everything counts so far. */
static int
allocate(struct request *rq, const struct definition *d, const struct tensor *t, struct mask *m, struct err *e)
{
	const unsigned axis = channel_axis(d, t);

	if (t->rank < 2 || axis == 0)
		return err_set(e, ERR_SHAPE_MISMATCH, "padding needs samples in dimension 0 and channels in another");
	m->samples = t->shape[0];
	m->positions = 1;
	for (unsigned i = 1; i < t->rank; i++)
		if (i != axis)
			m->positions *= t->shape[i];
	m->keep = request_array(rq, m->samples, m->positions, e);
	return m->keep == NULL ? -1 : 0;
}

static int
set_length(struct mask *m, size_t sample, uint64_t length, struct err *e)
{
	if (sample >= m->samples)
		return err_set(e, ERR_SHAPE_MISMATCH, "\"lengths\" has more numbers than the %zu samples", m->samples);
	if (length > m->positions)
		return err_set(e, ERR_BAD_PARAMETER, "\"lengths\" has %llu for sample %zu, which has %zu positions",
		    (unsigned long long)length, sample, m->positions);
	memset(m->keep + sample * m->positions, 1, (size_t)length);
	return 0;
}

static int
check_lengths(const struct mask *m, const struct tensor *t, size_t given, struct err *e)
{
	if (t->rank != 3)
		return err_set(
		    e, ERR_SHAPE_MISMATCH, "\"lengths\" is for tensors of 3 dimensions, (N, C, L); this one has %u", t->rank);
	return given == m->samples ?
	    0 :
	    err_set(e, ERR_SHAPE_MISMATCH, "\"lengths\" has %zu numbers for %zu samples", given, m->samples);
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
			return err_set(e, ERR_BAD_PARAMETER, "\"lengths\" must be whole numbers with commas between them");
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

	*given = 0;
	if (envelope_type(list) != ENVELOPE_ARRAY)
		return err_set(e, ERR_BAD_PARAMETER, "\"lengths\" must be a list of whole numbers, one for each sample%s",
		    envelope_type(list) == ENVELOPE_OBJECT ? JSON_TYPED_ARRAY_HINT : "");
	for (const struct cJSON *n = envelope_first(list); n != NULL; n = envelope_next(n), ++*given) {
		if (envelope_type(n) != ENVELOPE_NUMBER || envelope_uint64(n, &length) < 0)
			return err_set(
			    e, ERR_BAD_PARAMETER, "\"lengths\" must be a list of whole numbers, one for each sample");
		if (set_length(m, *given, length, e) < 0)
			return -1;
	}
	return 0;
}

/* Whether a mask's shape is that of the samples and positions, or flat. */
static bool
mask_fits(const struct tensor *mask, const struct tensor *t, unsigned axis, size_t count)
{
	unsigned at = 0;

	if (mask->count != count)
		return false;
	if (mask->rank == 1)
		return true;
	for (unsigned i = 0; i < t->rank; i++)
		if (i != axis && (at == mask->rank || mask->shape[at++] != t->shape[i]))
			return false;
	return at == mask->rank;
}

static int
keep_from_tensor(struct mask *m, const struct tensor *mask, const struct tensor *t, unsigned axis, struct err *e)
{
	const size_t count = m->samples * m->positions;
	const float *values = mask->values;

	if (!mask_fits(mask, t, axis, count)) {
		(void)err_set(e, ERR_SHAPE_MISMATCH,
		    "\"mask\" must have the shape of the tensor without its channels, %zu values", count);
		tensor_shape_text(mask->shape, mask->rank, e->actual, sizeof(e->actual));
		return -1;
	}
	for (size_t i = 0; i < count; i++) {
		if (values[i] != 0 && values[i] != 1)
			return err_set(e, ERR_BAD_PARAMETER, "\"mask\" has %g at value %zu; it must be true or false, 1 or 0",
			    (double)values[i], i);
		m->keep[i] = values[i] != 0;
	}
	return 0;
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
			return err_set(e, ERR_BAD_PARAMETER,
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
	(void)err_set(e, ERR_SHAPE_MISMATCH, "\"mask\" must have %zu values, %zu for each of %zu samples", count, m->positions,
	    m->samples);
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

	*s = (struct source){
		.lengths = envelope_get(body, "lengths"),
		.lengths_text = request_query(rq, "lengths"),
		.mask = body == NULL ? NULL : body_tensor(rq->body, slot),
		.mask_text = request_query(rq, "mask"),
	};
	if (s->mask == NULL && envelope_get(body, "mask") != NULL)
		return err_set(e, ERR_BAD_PARAMETER, "\"mask\" must be a list of true and false, or of 1 and 0");
	count = (s->lengths != NULL) + (s->lengths_text != NULL) + (s->mask != NULL) + (s->mask_text != NULL);
	if (count > 1)
		return err_set(e, ERR_BAD_PARAMETER, "\"lengths\" and \"mask\" say the same: only one of them, once");
	*given = count == 1;
	return 0;
}

static int
read_source(struct mask *m, const struct source *s, const struct tensor *t, unsigned axis, struct err *e)
{
	size_t given;

	if (s->mask != NULL)
		return keep_from_tensor(m, s->mask, t, axis, e);
	if (s->mask_text != NULL)
		return keep_from_query(m, s->mask_text, e);
	if ((s->lengths != NULL ? lengths_from_list(m, s->lengths, &given, e) :
				  lengths_from_query(m, s->lengths_text, &given, e)) < 0)
		return -1;
	return check_lengths(m, t, given, e);
}

int
mask_options_get(struct request *rq, const struct definition *d, const struct cJSON *body, size_t slot, const struct tensor *t,
    struct mask *out, struct err *e)
{
	struct source source;
	bool given;

	*out = (struct mask){ 0 };
	if (find_source(rq, body, slot, &source, &given, e) < 0)
		return -1;
	if (!given || t->count == 0)
		return 0;
	return allocate(rq, d, t, out, e) < 0 ? -1 : read_source(out, &source, t, channel_axis(d, t), e);
}
