/* SPDX-License-Identifier: MIT */
#include "codec/npy.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/npy_place.h"
#include "codec/raw_values.h"

#define VERSION_BYTES ((size_t)2)

/* The part (1/8) of a scattered array that is kept aside first, unless it is small. */
#define EARLY_PART 8
#define EARLY_BYTES_MIN ((size_t)64 << 10)

struct npy {
	size_t bytes_max;
	struct budget_share *memory;
	uint64_t start; /* of the file, in the body */
	uint64_t fed;   /* bytes of the file so far */

	/* The head: magic, version, length, dict. */
	enum { NPY_VERSION, NPY_LENGTH, NPY_DICT, NPY_DATA } stage;
	struct buf head;
	size_t needed; /* bytes of the head at which the stage is complete */
	size_t dict_at;
	struct npy_header header;

	/* The values. */
	struct tensor tensor;
	struct raw_values values;
	bool scattered;   /* in Fortran order, if that makes a difference; then: */
	struct buf early; /* the first values, until there are enough to allocate memory for all */
	struct npy_place place;
	size_t placed;                     /* bytes that were put into their places, with those of: */
	unsigned char cut[sizeof(double)]; /* a value of which only placed % place.size bytes have come */
};

struct npy *
npy_new(size_t tensor_bytes_max, struct budget_share *memory)
{
	struct npy *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->bytes_max = tensor_bytes_max;
	n->memory = memory;
	n->needed = NPY_MAGIC_BYTES + VERSION_BYTES;
	buf_init(&n->head, NPY_DICT_MAX + 16);
	return n;
}

void
npy_set_start(struct npy *n, uint64_t start)
{
	n->start = start;
}

void
npy_free(struct npy *n)
{
	if (n == NULL)
		return;
	buf_fini(&n->head);
	buf_fini(&n->early);
	tensor_fini(&n->tensor);
	free(n);
}

struct tensor *
npy_tensor(struct npy *n)
{
	return &n->tensor;
}

static int
refuse_magic(const struct npy *n, struct err *e)
{
	return err_fail_at(e, ERR_BAD_NPY, n->start, "the body is not a .npy file: it does not begin with \\x93NUMPY");
}

static int
npy_version(struct npy *n, struct err *e)
{
	unsigned major = (unsigned char)n->head.bytes[NPY_MAGIC_BYTES],
		 minor = (unsigned char)n->head.bytes[NPY_MAGIC_BYTES + 1];

	if (memcmp(n->head.bytes, NPY_MAGIC, NPY_MAGIC_BYTES) != 0)
		return refuse_magic(n, e);
	if (major < 1 || major > 3 || minor != 0)
		return err_fail_at(e, ERR_BAD_NPY, n->start + NPY_MAGIC_BYTES,
		    "format %u.%u is not supported; supported are 1.0, 2.0 and 3.0", major, minor);
	n->dict_at = n->needed + (major == 1 ? 2 : 4);
	n->needed = n->dict_at;
	n->stage = NPY_LENGTH;
	return 0;
}

static int
npy_length(struct npy *n, struct err *e)
{
	const size_t length_at = NPY_MAGIC_BYTES + VERSION_BYTES;
	size_t length = 0;

	for (size_t i = n->dict_at; i-- > length_at;)
		length = length << 8 | (unsigned char)n->head.bytes[i];
	if (length > NPY_DICT_MAX)
		return err_fail_at(e, ERR_BAD_NPY, n->start + length_at,
		    "the header has %zu bytes by its length; at most %zu are supported", length, NPY_DICT_MAX);
	n->needed += length;
	n->stage = NPY_DICT;
	return 0;
}

/* The orders differ only if two extents are larger than 1. */
static bool
order_matters(const struct npy_header *h)
{
	unsigned long_extents = 0;

	for (unsigned i = 0; i < h->rank; i++)
		long_extents += h->shape[i] > 1;
	return h->fortran && long_extents > 1 && h->count > 0;
}

/* Allocates the values. A scattered array writes to all of its memory at once. */
static int
npy_allocate(struct npy *n, struct err *e)
{
	if (raw_values_allocate(&n->values, n->scattered, e) < 0)
		return -1;
	if (n->scattered)
		npy_place_init(&n->place, &n->tensor);
	return 0;
}

/* The dict is complete: checks that there is memory for the values. */
static int
npy_dict(struct npy *n, struct err *e)
{
	const struct npy_header *h = &n->header;
	struct tensor *t = &n->tensor;
	size_t size;

	if (npy_header_parse(n->head.bytes + n->dict_at, n->needed - n->dict_at, n->start + n->dict_at, &n->header, e) <
	    0)
		return -1;
	t->datatype = h->datatype;
	t->nested = true;
	t->rank = h->rank;
	memcpy(t->shape, h->shape, sizeof(t->shape));
	t->count = h->count;
	raw_values_init(&n->values, t, n->memory);
	size = n->values.size;
	if (size > n->bytes_max)
		return err_fail_at(e, ERR_BODY_TOO_LARGE, n->start + n->dict_at,
		    "the tensor has %zu bytes; at most %zu are accepted (--max-body)", size, n->bytes_max);
	if (!budget_has_room(n->memory, size))
		return budget_refuse(n->memory, size, e);
	n->scattered = order_matters(h);
	buf_init(&n->early, n->scattered && size > EARLY_BYTES_MIN ? size / EARLY_PART : 0);
	buf_count(&n->early, n->memory);
	n->stage = NPY_DATA;
	buf_fini(&n->head);
	return n->early.limit > 0 ? 0 : npy_allocate(n, e);
}

/* Gathers bytes until the stage is complete. Returns how many were taken. */
static size_t
npy_gather(struct npy *n, const char *bytes, size_t len)
{
	size_t missing = n->needed - n->head.len;

	len = len < missing ? len : missing;
	buf_add(&n->head, bytes, len);
	return len;
}

/* Takes the head's complete stages. */
static int
npy_advance(struct npy *n, struct err *e)
{
	int result = 0;

	if (n->head.failed)
		return err_fail_memory(e);
	while (result == 0 && n->stage != NPY_DATA && n->head.len == n->needed)
		result = n->stage == NPY_VERSION ? npy_version(n, e) :
		    n->stage == NPY_LENGTH       ? npy_length(n, e) :
						   npy_dict(n, e);
	return result;
}

/* Values in Fortran order, the first and the last of which may be cut. */
static void
npy_scatter(struct npy *n, const unsigned char *bytes, size_t len)
{
	const size_t size = n->place.size, begun = n->placed % size;
	size_t rest = begun > 0 ? size - begun : 0, whole, tail;

	rest = rest < len ? rest : len;
	memcpy(n->cut + begun, bytes, rest);
	if (rest > 0 && begun + rest == size)
		npy_place_values(&n->place, n->cut, 1);
	whole = (len - rest) / size;
	npy_place_values(&n->place, bytes + rest, whole);
	tail = len - rest - whole * size;
	if (tail > 0)
		memcpy(n->cut, bytes + len - tail, tail);
	n->placed += len;
}

/* Keeps the first values of a scattered array aside; when there are enough, puts them into their places. */
static int
npy_keep_early(struct npy *n, const char *bytes, size_t len, size_t *kept, struct err *e)
{
	const size_t room = n->early.limit - n->early.len;

	*kept = len < room ? len : room;
	buf_add(&n->early, bytes, *kept);
	if (n->early.failed)
		return n->early.refused > 0 ? budget_refuse(n->memory, n->early.refused, e) : err_fail_memory(e);
	if (n->early.len < n->early.limit)
		return 0;
	if (npy_allocate(n, e) < 0)
		return -1;
	npy_scatter(n, (const unsigned char *)n->early.bytes, n->early.len);
	buf_fini(&n->early);
	return 0;
}

/* Bytes of values, no more than belong to the array. */
static int
npy_data(struct npy *n, const char *bytes, size_t len, struct err *e)
{
	size_t kept = 0;

	if (len == 0)
		return 0;
	if (n->early.limit > 0 && npy_keep_early(n, bytes, len, &kept, e) < 0)
		return -1;
	n->fed += len;
	if (!n->scattered)
		return raw_values_add(&n->values, bytes, len, e);
	if (kept < len)
		npy_scatter(n, (const unsigned char *)bytes + kept, len - kept);
	n->values.taken += len;
	return 0;
}

int
npy_take(struct npy *n, const char *bytes, size_t len, size_t *taken, struct err *e)
{
	size_t part;

	for (*taken = 0; n->stage != NPY_DATA && *taken < len; *taken += part) {
		part = npy_gather(n, bytes + *taken, len - *taken);
		n->fed += part;
		if (npy_advance(n, e) < 0)
			return -1;
	}
	if (n->stage != NPY_DATA)
		return 0;
	part = n->values.size - n->values.taken;
	part = part < len - *taken ? part : len - *taken;
	if (npy_data(n, bytes + *taken, part, e) < 0)
		return -1;
	*taken += part;
	return 0;
}

int
npy_feed(struct npy *n, const char *bytes, size_t len, struct err *e)
{
	size_t taken;

	if (npy_take(n, bytes, len, &taken, e) < 0)
		return -1;
	return taken == len ? 0 : err_fail_at(e, ERR_BAD_NPY, n->start + n->fed, "there are bytes after the values");
}

/* Reverses the bytes of every value. */
static void
npy_swap(struct tensor *t)
{
	uint16_t *v16 = t->values;
	uint32_t *v32 = t->values;
	uint64_t *v64 = t->values;

	switch (datatype_size(t->datatype)) {
	case sizeof(uint16_t):
		for (size_t i = 0; i < t->count; i++)
			v16[i] = __builtin_bswap16(v16[i]);
		break;
	case sizeof(uint32_t):
		for (size_t i = 0; i < t->count; i++)
			v32[i] = __builtin_bswap32(v32[i]);
		break;
	default:
		for (size_t i = 0; i < t->count; i++)
			v64[i] = __builtin_bswap64(v64[i]);
	}
}

int
npy_finish(struct npy *n, struct err *e)
{
	size_t magic = n->head.len < NPY_MAGIC_BYTES ? n->head.len : NPY_MAGIC_BYTES;

	if (n->stage == NPY_VERSION && magic > 0 && memcmp(n->head.bytes, NPY_MAGIC, magic) != 0)
		return refuse_magic(n, e);
	if (n->stage != NPY_DATA)
		return err_fail_at(e, ERR_BAD_NPY, n->start + n->fed, "the file ends in the middle of its header");
	if (n->values.taken < n->values.size)
		return err_fail_at(e, ERR_BAD_NPY, n->start + n->fed,
		    "the file ends in the middle of its values: it has %zu of %zu bytes", n->values.taken,
		    n->values.size);
	if (n->header.swapped)
		npy_swap(&n->tensor);
	return 0;
}
