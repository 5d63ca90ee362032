/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share. A target is one file, fuzz_*.c, that gives LLVMFuzzerTestOneInput; it is linked with
 * libFuzzer (make fuzz), or with replay.c, which runs it over its committed corpus (make test). A property that does
 * not hold aborts: so a target finds wrong answers, not only crashes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Runs the target on one input. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The property that the message names must hold. */
void fuzz_check(bool holds, const char *format, ...) PRINTF_LIKE(2, 3);

/* The `len` bytes in a block of exactly their size, so that a sanitizer sees a byte read beyond them. To be freed. */
char *fuzz_copy(const void *bytes, size_t len) MUST_CHECK;

/* The same with a NUL after them. */
char *fuzz_text(const void *bytes, size_t len) MUST_CHECK;

/* The value of a half, IEEE 754's binary16, by its bits. */
double fuzz_half(uint16_t bits);

/* How an input is cut into pieces: the first has `first` bytes, every other one `step`; 0 means all that is left. */
struct fuzz_cuts {
	size_t first;
	size_t step;
};

/*
 * Feeds `decoder` the input in pieces, each a block of exactly its size, until `feed` refuses one. Returns what it said
 * last.
 */
typedef int fuzz_feeder(void *decoder, const char *bytes, size_t len, struct err *e);
int
fuzz_feed(fuzz_feeder *feed, void *decoder, const char *bytes, size_t len, const struct fuzz_cuts *cuts, struct err *e);
