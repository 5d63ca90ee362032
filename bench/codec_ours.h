/* SPDX-License-Identifier: MIT */
/*
 * The codec's side of bench/codec.cc, in C like the codec itself, which is linked as the archive that the daemon is
 * made of.
 */
#pragma once

#include <stddef.h>

/* Read comma-separated numbers from [p, limit) to `out`, up to one that no comma follows. Return how many. */
size_t ours_read_f32(const char *p, const char *limit, float *out);
size_t ours_read_f64(const char *p, const char *limit, double *out);

/* Write `n` numbers, a comma after each. Return the bytes. */
size_t ours_write_f32(const float *values, size_t n, char *out);
size_t ours_write_f64(const double *values, size_t n, char *out);

/*
 * The way of a request's body: {"data":[...]} through the scanner in blocks of 64 KiB, into a tensor of its own.
 * Returns how many values it has, or 0 on an error.
 */
size_t ours_scan_f32(const char *text, size_t len);
size_t ours_scan_f64(const char *text, size_t len);

/*
 * The way of an answer: a tensor's data as JSON, one block of 64 KiB over the other. Returns the bytes written in all.
 */
size_t ours_answer_f32(float *values, size_t n);
size_t ours_answer_f64(double *values, size_t n);
