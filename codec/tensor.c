#include "codec/tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct datatype_row {
	const char *name;
	size_t size;
};

static const struct datatype_row rows[DATATYPE_COUNT] = {
	[DATATYPE_FP32] = { "FP32", sizeof(float) },
	[DATATYPE_FP64] = { "FP64", sizeof(double) },
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

double
tensor_value(const struct tensor *t, size_t i)
{
	return t->datatype == DATATYPE_FP32 ? (double)((const float *)t->values)[i] : ((const double *)t->values)[i];
}
