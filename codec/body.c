/* SPDX-License-Identifier: MIT */
#include "codec/body.h"

#include <stdlib.h>

#include "codec/oip_inputs.h"

struct body {
	const struct form_ops *form;
	void *reader; /* of that form */
	struct coding_decoder *decoder;
	struct digest *digest; /* of what comes out, or NULL */
	size_t bytes_max;
	size_t bytes; /* without the coding, so far */
};

/* Takes bytes without the coding: a bomb goes off here, at the first byte beyond the limit. */
static int
body_take(void *arg, const char *bytes, size_t len, struct err *e)
{
	struct body *b = arg;

	if (len > b->bytes_max - b->bytes)
		return err_fail(e, ERR_BODY_TOO_LARGE, "the body%s is larger than %zu bytes (--max-body)",
		    b->decoder != NULL ? ", decompressed," : "", b->bytes_max);
	b->bytes += len;
	if (b->digest != NULL)
		digest_add(b->digest, bytes, len);
	return b->form->feed(b->reader, bytes, len, e);
}

struct body *
body_new(const struct body_options *options)
{
	struct body *b = malloc(sizeof(*b));

	if (b == NULL)
		return NULL;
	*b = (struct body){
		.form = form_ops(options->form), .bytes_max = options->bytes_max, .digest = options->digest
	};
	if (options->coding != CODING_IDENTITY)
		b->decoder = coding_decoder_new(options->coding, body_take, b, b->form->damaged);
	b->reader = b->form->open(options);
	if (b->reader != NULL && (b->decoder != NULL || options->coding == CODING_IDENTITY))
		return b;
	body_free(b);
	return NULL;
}

void
body_free(struct body *b)
{
	if (b == NULL)
		return;
	b->form->close(b->reader);
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
	return b->form->document ? b->form->envelope_bytes(b->reader) : 0;
}

int
body_finish(struct body *b, struct err *e)
{
	if (b->decoder != NULL && coding_decoder_finish(b->decoder, e) < 0)
		return -1;
	return b->form->finish(b->reader, e);
}

int
body_settle(struct body *b, enum datatype by_layer, struct err *e)
{
	return b->form->document ? b->form->settle(b->reader, by_layer, e) : 0;
}

const struct cJSON *
body_envelope(const struct body *b)
{
	return b != NULL && b->form->document ? b->form->envelope(b->reader) : NULL;
}

struct tensor *
body_tensor(struct body *b, size_t slot)
{
	return b->form->tensor(b->reader, slot);
}

const struct oip_input *
body_inputs(const struct body *b, size_t *count)
{
	const struct oip_inputs *x = b->form->inputs(b->reader);

	*count = x->count;
	return x->inputs;
}
