#include "bench/codec_ours.h"

#include "codec/decimal_fast.h"

size_t
ours_read_f32(const char *p, const char *limit, float *out)
{
	const char *end = NULL;
	size_t n = 0;

	for (; decimal_fast_read_f32(p, limit, &end, out + n) == DECIMAL_OK; p = end + 1) {
		n++;
		if (*end != ',')
			break;
	}
	return n;
}

size_t
ours_read_f64(const char *p, const char *limit, double *out)
{
	const char *end = NULL;
	size_t n = 0;

	for (; decimal_fast_read_f64(p, limit, &end, out + n) == DECIMAL_OK; p = end + 1) {
		n++;
		if (*end != ',')
			break;
	}
	return n;
}

size_t
ours_read_f32_called(const char *p, const char *limit, float *out)
{
	const char *end = NULL;
	size_t n = 0;

	for (; decimal_read_f32(p, limit, &end, out + n) == DECIMAL_OK; p = end + 1) {
		n++;
		if (*end != ',')
			break;
	}
	return n;
}

size_t
ours_read_f64_called(const char *p, const char *limit, double *out)
{
	const char *end = NULL;
	size_t n = 0;

	for (; decimal_read_f64(p, limit, &end, out + n) == DECIMAL_OK; p = end + 1) {
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
