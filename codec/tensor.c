/* SPDX-License-Identifier: MIT */
#include "codec/tensor.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct datatype_row {
	const char *name;
	size_t size;
	bool textual;
};

static const struct datatype_row rows[DATATYPE_COUNT] = {
	[DATATYPE_FP32] = { "FP32", sizeof(float), true },
	[DATATYPE_FP64] = { "FP64", sizeof(double), true },
	[DATATYPE_FP16] = { "FP16", sizeof(uint16_t), true },
	[DATATYPE_BF16] = { "BF16", sizeof(uint16_t), false },
	[DATATYPE_BOOL] = { "BOOL", sizeof(unsigned char), false },
};

const char *
datatype_name(enum datatype datatype)
{
	return rows[datatype].name;
}

size_t
datatype_size(enum datatype datatype)
{
	return rows[datatype].size;
}

bool
datatype_is_textual(enum datatype datatype)
{
	return rows[datatype].textual;
}

int
datatype_parse(const char *name, size_t len, enum datatype *datatype)
{
	for (unsigned i = 0; i < DATATYPE_COUNT; i++) {
		if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0) {
			*datatype = (enum datatype)i;
			return 0;
		}
	}
	return -1;
}

void
tensor_fini(struct tensor *t)
{
	free(t->values);
	*t = (struct tensor){ 0 };
}

const char *
tensor_shape_text(const size_t *shape, unsigned rank, char *out, size_t size)
{
	size_t len = 0;

	snprintf(out, size, rank == 0 ? "[]" : "[");
	for (unsigned i = 0; i < rank; i++) {
		len += strlen(out + len);
		snprintf(out + len, size - len, "%zu%c", shape[i], i + 1 < rank ? ',' : ']');
	}
	return out;
}
