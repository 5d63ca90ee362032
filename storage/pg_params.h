/* SPDX-License-Identifier: MIT */
/*
 * Parameters of statements and columns of results, as PostgreSQL has them on the wire. Whole numbers are bigint, lists
 * of doubles are bytea (IEEE 754 binary64, little-endian), so that every bit pattern survives.
 */
#pragma once

#include <postgresql/libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* The most parameters of a statement. */
#define PG_PARAMS_MAX 20

/*
 * The parameters of a statement, in order. Numbers are sent in binary form; texts and bytes are not copied, and must
 * stay until the statement was sent. Zeroed: none. It points into itself, so it is not to be copied.
 */
struct pg_params {
	int count;
	bool lacks_memory; /* one of them could not be made: what is sent fails */
	Oid types[PG_PARAMS_MAX];
	const char *values[PG_PARAMS_MAX];
	int lengths[PG_PARAMS_MAX];
	int formats[PG_PARAMS_MAX];
	unsigned char numbers[PG_PARAMS_MAX][8];
};

void pg_int(struct pg_params *p, int64_t value);
void pg_double(struct pg_params *p, double value);
void pg_known_double(struct pg_params *p, double value);              /* NAN: SQL's NULL */
void pg_text(struct pg_params *p, const char *text);                  /* NULL: SQL's NULL */
void pg_bytes(struct pg_params *p, const void *bytes, size_t length); /* `bytes` NULL: SQL's NULL */

/* Columns of a result, all of which are in binary form. pg_get_int and pg_get_double: 0 for NULL. */
int64_t pg_get_int(const PGresult *r, int row, int column);
double pg_get_double(const PGresult *r, int row, int column);

/* A list of doubles; NULL: SQL's NULL. A machine that is not little-endian copies them to `scratch`. */
void pg_doubles(struct pg_params *p, struct arena *scratch, const double *values, size_t n);

/* Arrays of one dimension, whose elements are not NULL, in binary form. */
enum pg_element { PG_INTS, PG_TEXTS, PG_BYTES };

struct pg_array {
	enum pg_element type;
	uint32_t count;
	struct buf bytes;
};

void pg_array_init(struct pg_array *a, enum pg_element type);
void pg_array_fini(struct pg_array *a);
void pg_array_int(struct pg_array *a, int64_t value);
void pg_array_text(struct pg_array *a, const char *text);
void pg_array_bytes(struct pg_array *a, const void *bytes, size_t length);
/* Makes it a parameter. */
void pg_array(struct pg_params *p, struct pg_array *a);

/* A column of bytes, which must have `n`. `damage`: the error's text if not. */
int pg_get_bytes(const PGresult *r, int row, int column, size_t n, const char *damage, const unsigned char **out,
    struct err *e) MUST_CHECK;
/* A column as a malloc'ed list of *n doubles; NULL stays NULL. */
int pg_get_doubles(const PGresult *r, int row, int column, double **values, size_t *n, struct err *e) MUST_CHECK;
/* Copies a text column, cut off where it has no room. */
void pg_get_text(const PGresult *r, int row, int column, char *out, size_t size);
