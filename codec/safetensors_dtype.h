/* SPDX-License-Identifier: MIT */
/* The types of values in a safetensors file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/*
 * X(name, bits): in the order of the reference library, which sorts tensors by it (safetensors/src/tensor.rs, enum
 * Dtype). A whole number of bytes is not demanded of a value, only of a tensor.
 */
#define SAFETENSORS_DTYPES(X) \
	X(BOOL, 8) \
	X(F4, 4) \
	X(F6_E2M3, 6) \
	X(F6_E3M2, 6) \
	X(U8, 8) \
	X(I8, 8) \
	X(F8_E5M2, 8) \
	X(F8_E4M3, 8) \
	X(F8_E8M0, 8) \
	X(F8_E4M3FNUZ, 8) \
	X(F8_E5M2FNUZ, 8) \
	X(I16, 16) \
	X(U16, 16) \
	X(F16, 16) \
	X(BF16, 16) \
	X(I32, 32) \
	X(U32, 32) \
	X(F32, 32) \
	X(C64, 64) \
	X(F64, 64) \
	X(I64, 64) \
	X(U64, 64)

enum safetensors_dtype {
#define SAFETENSORS_DTYPE_ENUM(name, bits) SAFETENSORS_##name,
	SAFETENSORS_DTYPES(SAFETENSORS_DTYPE_ENUM)
#undef SAFETENSORS_DTYPE_ENUM
	    SAFETENSORS_DTYPE_COUNT
};

/* "F32"; the bits of a value. */
const char *safetensors_dtype_name(enum safetensors_dtype dtype);
unsigned safetensors_dtype_bits(enum safetensors_dtype dtype);

/* Finds the type of this name. -1: there is none. */
int safetensors_dtype_parse(const char *name, size_t len, enum safetensors_dtype *dtype) MUST_CHECK;

/* Whether the type is F16, BF16, F32 or F64; whether its values are whole numbers; and may be below 0. */
bool safetensors_dtype_is_float(enum safetensors_dtype dtype);
bool safetensors_dtype_is_whole(enum safetensors_dtype dtype);
bool safetensors_dtype_is_signed(enum safetensors_dtype dtype);
