/* SPDX-License-Identifier: MIT */
#include "codec/coding.h"

#define ZLIB_CONST /* its input is const */

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define BLOCK_BYTES ((size_t)16 * 1024)

/* The format that zlib reads or writes, as an addition to the window's bits. */
#define WINDOW_GZIP (MAX_WBITS + 16)
#define WINDOW_ZLIB MAX_WBITS
#define WINDOW_RAW (-MAX_WBITS)

/* Digits hardly shrink more at higher levels, which take several times as long. */
#define LEVEL Z_BEST_SPEED
#define MEMORY_LEVEL 8

static const char *const names[CODING_COUNT] = { "identity", "gzip", "deflate" };

const char *
coding_name(enum coding coding)
{
	return names[coding];
}

int
coding_parse(const char *name, size_t len, enum coding *coding)
{
	if (len == strlen("x-gzip") && strncasecmp(name, "x-gzip", len) == 0) {
		*coding = CODING_GZIP;
		return 0;
	}
	for (unsigned i = 0; i < CODING_COUNT; i++)
		if (strlen(names[i]) == len && strncasecmp(names[i], name, len) == 0) {
			*coding = (enum coding)i;
			return 0;
		}
	return -1;
}

struct coding_decoder {
	z_stream z;
	enum coding coding;
	coding_sink *sink;
	void *arg;
	enum err_code damaged;
	enum { DECODER_NEW, DECODER_WITHIN, DECODER_ENDED } state; /* of the current member */
	unsigned char first[2]; /* deflate: what tells zlib's format from bare data */
	unsigned first_len;
	char block[BLOCK_BYTES];
};

struct coding_decoder *
coding_decoder_new(enum coding coding, coding_sink *sink, void *arg, enum err_code damaged)
{
	struct coding_decoder *d = calloc(1, sizeof(*d));

	if (d != NULL) {
		d->coding = coding;
		d->sink = sink;
		d->arg = arg;
		d->damaged = damaged;
	}
	return d;
}

void
coding_decoder_free(struct coding_decoder *d)
{
	if (d == NULL)
		return;
	inflateEnd(&d->z);
	free(d);
}

static int
refuse(const struct coding_decoder *d, const char *what, struct err *e)
{
	return err_fail(
	    e, d->damaged, "the body is not valid %s, as its Content-Encoding says: %s", names[d->coding], what);
}

/* Whether two bytes begin zlib's format: method 8 and a checksum over both. */
static bool
begins_zlib(const unsigned char first[2])
{
	return (first[0] & 0x0f) == Z_DEFLATED && (first[0] << 8 | first[1]) % 31 == 0;
}

/* A member or the body begins. */
static int
decoder_begin(struct coding_decoder *d, struct err *e)
{
	int window = WINDOW_GZIP, result;

	if (d->coding == CODING_DEFLATE)
		window = begins_zlib(d->first) ? WINDOW_ZLIB : WINDOW_RAW;
	result = d->state == DECODER_NEW ? inflateInit2(&d->z, window) : inflateReset(&d->z);
	d->state = DECODER_WITHIN;
	return result == Z_OK ? 0 : err_fail_memory(e);
}

/* Decodes from d->z's input until it is used up, the member ends, or the call has made enough. */
static int
decoder_run(struct coding_decoder *d, size_t *made, struct err *e)
{
	size_t n;
	int result;

	do {
		d->z.next_out = (Bytef *)d->block;
		d->z.avail_out = BLOCK_BYTES;
		result = inflate(&d->z, Z_NO_FLUSH);
		if (result == Z_MEM_ERROR)
			return err_fail_memory(e);
		if (result == Z_NEED_DICT)
			return refuse(d, "it needs a dictionary", e);
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
			return refuse(d, d->z.msg != NULL ? d->z.msg : "damaged data", e);
		n = BLOCK_BYTES - d->z.avail_out;
		*made += n;
		if (n > 0 && d->sink(d->arg, d->block, n, e) < 0)
			return -1;
		/* With its input used up, zlib may still hold output, which must not wait for more input. */
	} while (result == Z_OK && (d->z.avail_in > 0 ? *made < CODING_STRETCH_BYTES : d->z.avail_out == 0));
	if (result == Z_STREAM_END)
		d->state = DECODER_ENDED;
	return 0;
}

/* Decodes the input, of as many members as it has, until the call has made enough. *taken grows by what was used. */
static int
decoder_take(struct coding_decoder *d, const unsigned char *bytes, size_t len, size_t *taken, struct err *e)
{
	const size_t piece = len < INT_MAX ? len : INT_MAX;
	size_t made = 0;

	d->z.next_in = bytes;
	d->z.avail_in = (uInt)piece;
	while (d->z.avail_in > 0 && made < CODING_STRETCH_BYTES) {
		if (d->state == DECODER_ENDED && d->coding != CODING_GZIP)
			return refuse(d, "bytes follow its end", e);
		if (d->state != DECODER_WITHIN && decoder_begin(d, e) < 0)
			return -1;
		if (decoder_run(d, &made, e) < 0)
			return -1;
	}
	*taken += piece - d->z.avail_in;
	return 0;
}

int
coding_decode(struct coding_decoder *d, const char *bytes, size_t len, size_t *taken, struct err *e)
{
	const unsigned char *p = (const unsigned char *)bytes;
	size_t first_taken = 0;

	*taken = 0;
	/* Deflate: the first two bytes are held back until both are there. They decode to nothing yet. */
	while (
	    d->state == DECODER_NEW && d->coding == CODING_DEFLATE && *taken < len && d->first_len < sizeof(d->first)) {
		d->first[d->first_len++] = p[(*taken)++];
		if (d->first_len == sizeof(d->first) &&
		    decoder_take(d, d->first, sizeof(d->first), &first_taken, e) < 0)
			return -1;
	}
	return decoder_take(d, p + *taken, len - *taken, taken, e);
}

int
coding_decoder_finish(const struct coding_decoder *d, struct err *e)
{
	return d->state == DECODER_ENDED ? 0 : refuse(d, "it ends too early", e);
}

struct coding_encoder {
	z_stream z;
	coding_source *source;
	void *arg;
	bool source_ended;
	bool ended;
	char block[BLOCK_BYTES];
};

struct coding_encoder *
coding_encoder_new(enum coding coding, coding_source *source, void *arg)
{
	struct coding_encoder *c = calloc(1, sizeof(*c));
	int window = coding == CODING_GZIP ? WINDOW_GZIP : WINDOW_ZLIB;

	if (c == NULL)
		return NULL;
	c->source = source;
	c->arg = arg;
	if (deflateInit2(&c->z, LEVEL, Z_DEFLATED, window, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(c);
		return NULL;
	}
	return c;
}

void
coding_encoder_free(struct coding_encoder *c)
{
	if (c == NULL)
		return;
	deflateEnd(&c->z);
	free(c);
}

size_t
coding_encode(struct coding_encoder *c, char *out, size_t room)
{
	const size_t size = room < INT_MAX ? room : INT_MAX;

	c->z.next_out = (Bytef *)out;
	c->z.avail_out = (uInt)size;
	while (!c->ended && c->z.avail_out == size) {
		if (c->z.avail_in == 0 && !c->source_ended) {
			c->z.next_in = (const Bytef *)c->block;
			c->z.avail_in = (uInt)c->source(c->arg, c->block, BLOCK_BYTES);
			c->source_ended = c->z.avail_in == 0;
		}
		c->ended = deflate(&c->z, c->source_ended ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_END;
	}
	return size - c->z.avail_out;
}
