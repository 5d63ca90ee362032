/* SPDX-License-Identifier: MIT */
#include "codec/safetensors_dtype.h"

#include <string.h>

static const struct {
	const char *name;
	unsigned bits;
} dtypes[SAFETENSORS_DTYPE_COUNT] = {
#define SAFETENSORS_DTYPE_ROW(name, bits) [SAFETENSORS_##name] = { #name, bits },
	SAFETENSORS_DTYPES(SAFETENSORS_DTYPE_ROW)
#undef SAFETENSORS_DTYPE_ROW
};

const char *
safetensors_dtype_name(enum safetensors_dtype dtype)
{
	return dtypes[dtype].name;
}

unsigned
safetensors_dtype_bits(enum safetensors_dtype dtype)
{
	return dtypes[dtype].bits;
}

int
safetensors_dtype_parse(const char *name, size_t len, enum safetensors_dtype *dtype)
{
	for (unsigned i = 0; i < SAFETENSORS_DTYPE_COUNT; i++)
		if (strlen(dtypes[i].name) == len && memcmp(dtypes[i].name, name, len) == 0) {
			*dtype = (enum safetensors_dtype)i;
			return 0;
		}
	return -1;
}

bool
safetensors_dtype_is_float(enum safetensors_dtype dtype)
{
	return dtype == SAFETENSORS_F16 || dtype == SAFETENSORS_BF16 || dtype == SAFETENSORS_F32 ||
	    dtype == SAFETENSORS_F64;
}

bool
safetensors_dtype_is_signed(enum safetensors_dtype dtype)
{
	return dtype == SAFETENSORS_I8 || dtype == SAFETENSORS_I16 || dtype == SAFETENSORS_I32 ||
	    dtype == SAFETENSORS_I64;
}

bool
safetensors_dtype_is_whole(enum safetensors_dtype dtype)
{
	return safetensors_dtype_is_signed(dtype) || dtype == SAFETENSORS_U8 || dtype == SAFETENSORS_U16 ||
	    dtype == SAFETENSORS_U32 || dtype == SAFETENSORS_U64;
}
