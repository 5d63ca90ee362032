/* SPDX-License-Identifier: MIT */
#include "codec/body.h"

#include <assert.h>
#include <stdlib.h>

#include "codec/npy.h"

#define BODY_FILES_MAX 2

/* What a form needs of its decoder. */
struct form_row {
	const char *media_type;
	enum err_code damaged; /* the code of a body of this form that is none */
	int (*feed)(struct body *b, const char *bytes, size_t len, struct err *e);
	int (*finish)(struct body *b, struct err *e);
};

struct body {
	const struct form_row *form;
	struct json_scan *scan;            /* of JSON, else NULL */
	struct npy *files[BODY_FILES_MAX]; /* of .npy, one after another; the first `file_count` */
	size_t file_count, file;           /* how many; the one that comes now */
	struct coding_decoder *decoder;
	struct digest *digest; /* of what comes out, or NULL */
	size_t bytes_max;
	size_t bytes; /* without the coding, so far */
};

static int
json_feed(struct body *b, const char *bytes, size_t len, struct err *e)
{
	return json_scan_feed(b->scan, bytes, len, e);
}

static int
json_finish(struct body *b, struct err *e)
{
	return json_scan_finish(b->scan, e);
}

static int
array_feed(struct body *b, const char *bytes, size_t len, struct err *e)
{
	size_t taken;

	for (; b->file + 1 < b->file_count && len > 0; bytes += taken, len -= taken) {
		if (npy_take(b->files[b->file], bytes, len, &taken, e) < 0)
			return -1;
		if (taken < len) {
			b->file++;
			npy_set_start(b->files[b->file], b->bytes - (len - taken));
		}
	}
	return npy_feed(b->files[b->file], bytes, len, e);
}

static int
array_finish(struct body *b, struct err *e)
{
	for (size_t i = 0; i < b->file_count; i++) {
		if (i > b->file)
			npy_set_start(b->files[i], b->bytes); /* nothing of it has come */
		if (npy_finish(b->files[i], e) < 0)
			return -1;
	}
	return 0;
}

static const struct form_row forms[FORM_COUNT] = {
	[FORM_JSON] = { "application/json", ERR_BAD_JSON, json_feed, json_finish },
	[FORM_NPY] = { "application/x-npy", ERR_BAD_NPY, array_feed, array_finish },
};

const char *
form_media_type(enum form form)
{
	return forms[form].media_type;
}

/* False: no memory. */
static bool
make_decoders(struct body *b, const struct body_options *options)
{
	if (options->form == FORM_JSON) {
		b->scan = json_scan_new(options->slots, options->slot_count, options->bytes_max, options->memory);
		return b->scan != NULL;
	}
	assert(options->file_count <= BODY_FILES_MAX);
	b->file_count = options->file_count > 0 ? options->file_count : 1;
	for (size_t i = 0; i < b->file_count; i++)
		if ((b->files[i] = npy_new(options->bytes_max, options->memory)) == NULL)
			return false;
	return true;
}

/* Takes bytes without the coding: a bomb goes off here, at the first byte beyond the limit. */
static int
body_take(void *arg, const char *bytes, size_t len, struct err *e)
{
	struct body *b = arg;

	if (len > b->bytes_max - b->bytes)
		return err_fail(e, ERR_BODY_TOO_LARGE, "the body%s is larger than %zu bytes (--max-body)",
		    b->decoder != NULL ? ", its Content-Encoding undone," : "", b->bytes_max);
	b->bytes += len;
	if (b->digest != NULL)
		digest_add(b->digest, bytes, len);
	return b->form->feed(b, bytes, len, e);
}

struct body *
body_new(const struct body_options *options)
{
	struct body *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->form = &forms[options->form];
	b->bytes_max = options->bytes_max;
	b->digest = options->digest;
	if (options->coding != CODING_IDENTITY)
		b->decoder = coding_decoder_new(options->coding, body_take, b, b->form->damaged);
	if (make_decoders(b, options) && (b->decoder != NULL || options->coding == CODING_IDENTITY))
		return b;
	body_free(b);
	return NULL;
}

void
body_free(struct body *b)
{
	if (b == NULL)
		return;
	json_scan_free(b->scan);
	for (size_t i = 0; i < b->file_count; i++)
		npy_free(b->files[i]);
	coding_decoder_free(b->decoder);
	free(b);
}

int
body_feed(struct body *b, const char *bytes, size_t len, size_t *taken, struct err *e)
{
	*taken = len;
	if (b->decoder == NULL)
		return body_take(b, bytes, len, e);
	return coding_decode(b->decoder, bytes, len, taken, e);
}

size_t
body_bytes(const struct body *b)
{
	return b->bytes;
}

size_t
body_envelope_bytes(const struct body *b)
{
	return b->scan != NULL ? json_scan_envelope_bytes(b->scan) : 0;
}

int
body_finish(struct body *b, struct err *e)
{
	if (b->decoder != NULL && coding_decoder_finish(b->decoder, e) < 0)
		return -1;
	return b->form->finish(b, e);
}

int
body_settle(struct body *b, enum datatype by_layer, struct err *e)
{
	return b->scan != NULL ? json_scan_settle(b->scan, by_layer, e) : 0;
}

const struct cJSON *
body_envelope(const struct body *b)
{
	return b->scan != NULL ? json_scan_envelope(b->scan) : NULL;
}

struct tensor *
body_tensor(struct body *b, size_t slot)
{
	if (b->scan != NULL)
		return json_scan_tensor(b->scan, slot);
	return slot < b->file_count ? npy_tensor(b->files[slot]) : NULL;
}
