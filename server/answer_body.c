/* SPDX-License-Identifier: MIT */
/*
 * Small answers are made at once: they then carry a Content-Length and cost one system call. Large ones are written
 * block by block as the socket drains. A tensor's own bytes and a byte stream are copied block by block too: handed
 * over whole, one sendmsg of 4 MB holds the event loop for a millisecond, and a copy costs less than a tenth of that. A
 * backup's file is not sent by sendfile(2) either: what waits in the socket would be the file's own pages, which are
 * cut off when the request has ended, perhaps before the client has them.
 */
#include "server/answer_body.h"

#include <string.h>

/* The largest answers that are made at once, in bytes, and in values that become text. */
#define WHOLE_BYTES_MAX ((size_t)64 * 1024)
#define WHOLE_VALUES_MAX ((size_t)16384)
/* Values of a coded answer, which takes ten times as long: half a millisecond of the event loop's time. */
#define WHOLE_CODED_VALUES_MAX ((size_t)4096)

#define BLOCK_BYTES ((size_t)64 * 1024)
#define BLOCK_BYTES_MIN ((size_t)2048) /* where there is no memory for that */
_Static_assert(BLOCK_BYTES_MIN <= ANSWER_CREDIT_BYTES, "it is part of every answer's credit");

/* Less than what fits a packet does not pay for a coding. */
#define CODED_BYTES_MIN ((size_t)1024)

/* A guess at a value's text, to ask for memory once. */
#define VALUE_TEXT_BYTES ((size_t)14)

static size_t
take(struct answer_piece *p, char *out, size_t room)
{
	size_t n = p->len - p->taken < room ? p->len - p->taken : room;

	if (n > 0)
		memcpy(out, p->bytes + p->taken, n);
	p->taken += n;
	return n;
}

static size_t
values_bytes(const struct reply_part *part)
{
	return part->tensor->count * datatype_size(part->tensor->datatype);
}

/* It is the turn of this part, and of the text before it; or of the text behind the last part. */
static void
turn_to(struct answer *a, size_t turn)
{
	const struct reply *reply = a->reply;
	const struct reply_part *part = turn < reply->part_count ? &reply->parts[turn] : NULL;
	const size_t from = turn > 0 ? reply->parts[turn - 1].text_end : 0;
	const size_t to = part != NULL ? part->text_end : reply->text.len;

	a->turn = turn;
	a->text = (struct answer_piece){ to > from ? reply->text.bytes + from : "", to - from, 0 };
	a->cursor = (struct json_tensor_cursor){ 0 };
	if (part != NULL && !part->as_text)
		a->values = (struct answer_piece){ part->tensor->values, values_bytes(part), 0 };
}

/* Writes the next values of the part whose turn it is. *ended: they were the last. */
static size_t
read_values(struct answer *a, char *out, size_t room, bool *ended)
{
	const struct reply_part *part = &a->reply->parts[a->turn];
	size_t n = 0;

	if (!part->as_text) {
		n = take(&a->values, out, room);
		*ended = a->values.taken == a->values.len;
	} else {
		if (room >= JSON_TENSOR_ROOM)
			n = form_ops(a->reply->form)->values(part->tensor, &a->cursor, out, room);
		*ended = a->cursor.done;
	}
	return n;
}

/* Writes the next bytes of the answer without a coding; 0 only at its end, where room >= JSON_TENSOR_ROOM. */
static size_t
read_plain(void *arg, char *out, size_t room)
{
	struct answer *a = arg;
	size_t n = take(&a->text, out, room);
	bool ended = true;

	while (a->turn < a->reply->part_count && a->text.taken == a->text.len) {
		n += read_values(a, out + n, room - n, &ended);
		if (!ended)
			return n;
		turn_to(a, a->turn + 1);
		n += take(&a->text, out + n, room - n);
	}
	if (a->text.taken == a->text.len)
		n += take(&a->tail, out + n, room - n);
	return n;
}

/* The same as the client gets it. */
static size_t
read_coded(struct answer *a, char *out, size_t room)
{
	size_t n = a->encoder != NULL ? coding_encode(a->encoder, out, room) : read_plain(a, out, room);

	a->sent += n;
	return n;
}

/* An encoder, counted; NULL where there is no memory. */
static struct coding_encoder *
make_encoder(struct answer *a, enum coding coding)
{
	struct coding_encoder *encoder;

	if (!budget_take(&a->memory, CODING_ENCODER_BYTES))
		return NULL;
	encoder = coding_encoder_new(coding, read_plain, a);
	if (encoder == NULL)
		budget_give(&a->memory, CODING_ENCODER_BYTES);
	return encoder;
}

static void
free_encoder(struct answer *a)
{
	if (a->encoder == NULL)
		return;
	coding_encoder_free(a->encoder);
	a->encoder = NULL;
	budget_give(&a->memory, CODING_ENCODER_BYTES);
}

void
answer_init(struct answer *a, struct budget *memory)
{
	*a = (struct answer){ .memory.budget = memory };
	budget_credit(&a->memory, ANSWER_CREDIT_BYTES);
}

int
answer_reserve(struct answer *a, const struct answer_wishes *wishes, struct err *e)
{
	if (!wishes->coding_must || a->encoder != NULL)
		return 0;
	a->encoder = make_encoder(a, wishes->coding);
	return a->encoder != NULL ? 0 : err_fail_budget(e);
}

void
answer_fini(struct answer *a)
{
	struct budget *memory = a->memory.budget;

	free_encoder(a);
	buf_fini(&a->begun);
	budget_give_all(&a->memory);
	answer_init(a, memory);
}

/*
 * libmicrohttpd asks for as much as its buffer has room for, which may be less than one number needs: then the number
 * is written aside and handed out in pieces.
 */
static ssize_t
read_text(void *arg, uint64_t position, char *out, size_t room)
{
	struct answer *a = arg;
	size_t n;

	(void)position;
	if (a->written.taken == a->written.len && room < JSON_TENSOR_ROOM)
		a->written = (struct answer_piece){ a->number, read_coded(a, a->number, sizeof(a->number)), 0 };
	n = take(&a->written, out, room);
	if (n == 0)
		n = read_coded(a, out, room);
	return n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)n;
}

static ssize_t
read_pieces(void *arg, uint64_t position, char *out, size_t room)
{
	(void)position;
	return (ssize_t)read_coded(arg, out, room);
}

static ssize_t
read_source(void *arg, uint64_t position, char *out, size_t room)
{
	struct answer *a = arg;
	ssize_t n = a->source->read(a->source->arg, a->range.first + position, out, room);

	if (n <= 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	a->sent += (uint64_t)n;
	return n;
}

/* A response of `bytes` that `read` writes, in blocks as large as there is memory for. */
static struct MHD_Response *
make_blocks(struct answer *a, uint64_t bytes, MHD_ContentReaderCallback read)
{
	struct MHD_Response *response = NULL;

	if (budget_take(&a->memory, BLOCK_BYTES))
		response = MHD_create_response_from_callback(bytes, BLOCK_BYTES, read, a, NULL);
	return response != NULL ? response : MHD_create_response_from_callback(bytes, BLOCK_BYTES_MIN, read, a, NULL);
}

struct MHD_Response *
answer_body_take(struct buf *b)
{
	struct MHD_Response *response;

	if (b->failed)
		return NULL;
	response = MHD_create_response_from_buffer(b->len, b->bytes, MHD_RESPMEM_MUST_FREE);
	if (response != NULL)
		*b = (struct buf){ 0 };
	return response;
}

static struct MHD_Response *
make_empty(void)
{
	return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
}

/* NULL: no memory for all of it at once. What was begun is then `written`, for read_text to go on from. */
static struct MHD_Response *
make_whole(struct answer *a, size_t expected)
{
	struct MHD_Response *response;
	struct buf *b = &a->begun;
	char *room;
	size_t n = 1, more = expected > JSON_TENSOR_ROOM ? expected : JSON_TENSOR_ROOM;

	buf_init(b, SIZE_MAX);
	buf_count(b, &a->memory);
	while (n > 0 && (room = buf_reserve(b, more)) != NULL) {
		n = read_coded(a, room, b->size - b->len);
		b->len += n;
		more = JSON_TENSOR_ROOM;
	}
	response = answer_body_take(b);
	a->written = (struct answer_piece){ b->bytes, b->len, 0 };
	return response;
}

/* How long an answer is. */
struct extent {
	size_t bytes; /* of what lies somewhere */
	size_t items; /* that become text; not 0 where a part is text */
};

/* Turns to the answer's beginning. */
static struct extent
lay_out(struct answer *a, const struct reply *reply)
{
	struct extent x = { reply->text.len + reply->tail.len, 0 };

	a->reply = reply;
	a->tail = (struct answer_piece){ reply->tail.bytes, reply->tail.len, 0 };
	turn_to(a, 0);
	if (reply->constant != NULL) {
		a->text = (struct answer_piece){ reply->constant, reply->constant_bytes, 0 };
		x.bytes = reply->constant_bytes;
	}
	for (const struct reply_part *p = reply->parts; p < reply->parts + reply->part_count; p++) {
		x.items += p->as_text ? json_tensor_items(p->tensor) : 0;
		x.bytes += p->as_text ? 0 : values_bytes(p);
	}
	return x;
}

/* Whether the answer goes out in a coding. One that nobody insists on is left where there is no memory for it. */
static bool
choose_coding(struct answer *a, const struct answer_wishes *wishes, size_t expected)
{
	bool coded =
	    wishes->coding != CODING_IDENTITY && expected > 0 && (expected >= CODED_BYTES_MIN || wishes->coding_must);

	if (coded && a->encoder == NULL)
		a->encoder = make_encoder(a, wishes->coding);
	if (!coded)
		free_encoder(a);
	return a->encoder != NULL;
}

static bool
fits_whole(const struct answer *a, const struct extent *x)
{
	const size_t values_max = a->encoder != NULL ? WHOLE_CODED_VALUES_MAX : WHOLE_VALUES_MAX;

	return x->items <= values_max && x->bytes <= WHOLE_BYTES_MAX;
}

struct MHD_Response *
answer_body_make(
    struct answer *a, const struct reply *reply, const struct answer_wishes *wishes, bool *coded, bool *empty)
{
	struct MHD_Response *response = NULL;
	struct extent x;
	size_t expected;

	*coded = *empty = false;
	if (reply->source.read != NULL) {
		a->source = &reply->source;
		*empty = a->range.bytes == 0;
		return *empty ? make_empty() : make_blocks(a, a->range.bytes, read_source);
	}
	x = lay_out(a, reply);
	expected = x.bytes + x.items * VALUE_TEXT_BYTES;
	*coded = choose_coding(a, wishes, expected);
	*empty = expected == 0;
	if (*empty)
		return make_empty();
	if (fits_whole(a, &x))
		response = make_whole(a, expected);
	else if (x.items == 0 && a->encoder == NULL)
		response = make_blocks(a, expected, read_pieces);
	return response != NULL ? response : make_blocks(a, MHD_SIZE_UNKNOWN, read_text);
}
