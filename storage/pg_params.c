/* SPDX-License-Identifier: MIT */
#include "storage/pg_params.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Types of PostgreSQL (pg_type.dat), and their arrays. */
enum {
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_TEXT = 25,
	OID_FLOAT8 = 701,
	OID_BYTEA_ARRAY = 1001,
	OID_TEXT_ARRAY = 1009,
	OID_INT8_ARRAY = 1016
};

/* The most bytes of a parameter: what libpq counts in an int, and PostgreSQL takes. */
#define PARAMETER_BYTES_MAX ((size_t)1 << 30)

static void
add(struct pg_params *p, Oid type, const void *value, size_t length)
{
	const int i = p->count++;

	p->types[i] = type;
	p->values[i] = value;
	p->lengths[i] = (int)length;
	p->formats[i] = type != OID_TEXT;
}

static void
add_number(struct pg_params *p, Oid type, uint64_t bits)
{
	const uint64_t big = htobe64(bits);
	unsigned char *place = p->numbers[p->count];

	memcpy(place, &big, sizeof(big));
	add(p, type, place, sizeof(big));
}

void
pg_int(struct pg_params *p, int64_t value)
{
	add_number(p, OID_INT8, (uint64_t)value);
}

void
pg_double(struct pg_params *p, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	add_number(p, OID_FLOAT8, bits);
}

void
pg_known_double(struct pg_params *p, double value)
{
	if (isnan(value))
		add(p, OID_FLOAT8, NULL, 0);
	else
		pg_double(p, value);
}

void
pg_text(struct pg_params *p, const char *text)
{
	add(p, OID_TEXT, text, 0);
}

void
pg_bytes(struct pg_params *p, const void *bytes, size_t length)
{
	add(p, OID_BYTEA, bytes, length);
}

static uint64_t
get_number(const PGresult *r, int row, int column)
{
	uint64_t big = 0;

	if (!PQgetisnull(r, row, column) && PQgetlength(r, row, column) == sizeof(big))
		memcpy(&big, PQgetvalue(r, row, column), sizeof(big));
	return be64toh(big);
}

int64_t
pg_get_int(const PGresult *r, int row, int column)
{
	return (int64_t)get_number(r, row, column);
}

double
pg_get_double(const PGresult *r, int row, int column)
{
	const uint64_t bits = get_number(r, row, column);
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

void
pg_doubles(struct pg_params *p, struct arena *scratch, const double *values, size_t n)
{
	unsigned char *bytes;

	if (__BYTE_ORDER == __LITTLE_ENDIAN || values == NULL) {
		pg_bytes(p, values, n * sizeof(*values));
		return;
	}
	bytes = arena_alloc_unset(scratch, n * sizeof(*values));
	if (bytes == NULL) {
		p->lacks_memory = true;
		return;
	}
	bytes_put_doubles(bytes, values, n);
	pg_bytes(p, bytes, n * sizeof(*values));
}

static void
put_u32(struct buf *b, uint32_t value)
{
	const uint32_t big = htobe32(value);

	buf_add(b, &big, sizeof(big));
}

/* Of PostgreSQL's array_recv: dimensions, whether there are NULLs, the elements' type; of the dimension, its length and
 * its first index. */
struct array_head {
	uint32_t dimensions, nulls, type, length, first;
};

static const Oid element_types[] = { OID_INT8, OID_TEXT, OID_BYTEA };
static const Oid array_types[] = { OID_INT8_ARRAY, OID_TEXT_ARRAY, OID_BYTEA_ARRAY };

void
pg_array_init(struct pg_array *a, enum pg_element type)
{
	const struct array_head head = { 0 };

	a->type = type;
	a->count = 0;
	buf_init(&a->bytes, PARAMETER_BYTES_MAX);
	buf_add(&a->bytes, &head, sizeof(head));
}

void
pg_array_fini(struct pg_array *a)
{
	buf_fini(&a->bytes);
}

void
pg_array_bytes(struct pg_array *a, const void *bytes, size_t length)
{
	put_u32(&a->bytes, (uint32_t)length);
	buf_add(&a->bytes, bytes, length);
	a->count++;
}

void
pg_array_text(struct pg_array *a, const char *text)
{
	pg_array_bytes(a, text, strlen(text));
}

void
pg_array_int(struct pg_array *a, int64_t value)
{
	const uint64_t big = htobe64((uint64_t)value);

	pg_array_bytes(a, &big, sizeof(big));
}

void
pg_array(struct pg_params *p, struct pg_array *a)
{
	const struct array_head head = { htobe32(a->count > 0), 0, htobe32(element_types[a->type]), htobe32(a->count),
		htobe32(1) };
	const size_t length = a->count > 0 ? a->bytes.len : offsetof(struct array_head, length);

	if (a->bytes.failed) {
		p->lacks_memory = true;
		return;
	}
	memcpy(a->bytes.bytes, &head, sizeof(head));
	add(p, array_types[a->type], a->bytes.bytes, length);
}

int
pg_get_bytes(
    const PGresult *r, int row, int column, size_t n, const char *damage, const unsigned char **out, struct err *e)
{
	*out = (const unsigned char *)PQgetvalue(r, row, column);
	if (!PQgetisnull(r, row, column) && (size_t)PQgetlength(r, row, column) == n)
		return 0;
	return err_fail(e, ERR_STORAGE_UNAVAILABLE, "%s", damage);
}

int
pg_get_doubles(const PGresult *r, int row, int column, double **values, size_t *n, struct err *e)
{
	*n = (size_t)PQgetlength(r, row, column) / sizeof(**values);
	*values = NULL;
	if (PQgetisnull(r, row, column))
		return 0;
	*values = malloc(*n * sizeof(**values) + 1);
	if (*values == NULL)
		return err_fail_memory(e);
	bytes_get_doubles(*values, (const unsigned char *)PQgetvalue(r, row, column), *n);
	return 0;
}

void
pg_get_text(const PGresult *r, int row, int column, char *out, size_t size)
{
	const size_t length = strnlen(PQgetvalue(r, row, column), size - 1);

	memcpy(out, PQgetvalue(r, row, column), length);
	out[length] = '\0';
}
