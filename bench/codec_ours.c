/* SPDX-License-Identifier: MIT */
#include "bench/codec_ours.h"

#include "codec/decimal/fast.h"
#include "codec/json_scan.h"
#include "codec/json_write.h"

#define BLOCK ((size_t)64 * 1024)
#define TENSOR_BYTES_MAX ((size_t)1 << 30)

size_t
ours_read_f32(const char *p, const char *limit, float *out)
{
	const char *floor = p, *end = NULL;
	size_t n = 0;

	for (; decimal_fast_read(floor, p, limit, &end, DECIMAL_F32, out + n) == DECIMAL_OK; p = end + 1) {
		n++;
		if (*end != ',')
			break;
	}
	return n;
}

size_t
ours_read_f64(const char *p, const char *limit, double *out)
{
	const char *floor = p, *end = NULL;
	size_t n = 0;

	for (; decimal_fast_read(floor, p, limit, &end, DECIMAL_F64, out + n) == DECIMAL_OK; p = end + 1) {
		n++;
		if (*end != ',')
			break;
	}
	return n;
}

size_t
ours_write_f32(const float *values, size_t n, char *out)
{
	char *p = out;

	for (size_t i = 0; i < n; i++) {
		p += decimal_write_f32(values[i], p);
		*p++ = ',';
	}
	return (size_t)(p - out);
}

size_t
ours_write_f64(const double *values, size_t n, char *out)
{
	char *p = out;

	for (size_t i = 0; i < n; i++) {
		p += decimal_write_f64(values[i], p);
		*p++ = ',';
	}
	return (size_t)(p - out);
}

static int
feed_blocks(struct json_scan *scan, const char *text, size_t len)
{
	struct err e;
	size_t block;

	for (; len > 0; text += block, len -= block) {
		block = len < BLOCK ? len : BLOCK;
		if (json_scan_feed(scan, text, block, &e) < 0)
			return -1;
	}
	return json_scan_finish(scan, &e) < 0 ? -1 : json_scan_settle(scan, DATATYPE_FP32, &e);
}

static size_t
scan_document(const char *text, size_t len, enum datatype datatype)
{
	const struct json_slot slot = { .key = "", .datatype = datatype };
	struct json_scan *scan = json_scan_new(&slot, 1, TENSOR_BYTES_MAX, NULL);
	size_t count = 0;

	if (scan != NULL && feed_blocks(scan, text, len) == 0)
		count = json_scan_tensor(scan, 0)->count;
	json_scan_free(scan);
	return count;
}

size_t
ours_scan_f32(const char *text, size_t len)
{
	return scan_document(text, len, DATATYPE_FP32);
}

size_t
ours_scan_f64(const char *text, size_t len)
{
	return scan_document(text, len, DATATYPE_FP64);
}

static size_t
answer(const struct tensor *t)
{
	static char block[BLOCK];
	struct json_tensor_cursor cursor = { 0 };
	size_t len = 0;

	while (!cursor.done)
		len += json_tensor_read(t, &cursor, block, sizeof(block));
	return len;
}

size_t
ours_answer_f32(float *values, size_t n)
{
	return answer(
	    &(struct tensor){ .datatype = DATATYPE_FP32, .rank = 1, .shape = { n }, .count = n, .values = values });
}

size_t
ours_answer_f64(double *values, size_t n)
{
	return answer(
	    &(struct tensor){ .datatype = DATATYPE_FP64, .rank = 1, .shape = { n }, .count = n, .values = values });
}
