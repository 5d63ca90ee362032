/* SPDX-License-Identifier: MIT */
#include "codec/oip_small.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "codec/envelope.h"
#include "codec/json_input.h"
#include "codec/json_nesting.h"
#include "codec/json_number.h"

#define DEPTH_MAX 8

/* Bytes of a string that are looked at together. */
#define BLOCK 8

/*
 * Nodes that are allocated together: as many as glibc's malloc still keeps in its quick lists (1,032 bytes). A call of
 * one layer needs a dozen.
 */
#define NODES 16

struct oip_nodes {
	struct oip_nodes *before;
	struct cJSON nodes[NODES];
};

/* Members of one object: each is compared with those before it. */
#define MEMBERS_MAX 16

/* A list or an object that is open. */
struct level {
	struct cJSON *value;
	struct cJSON *last; /* element or member; NULL: there is none yet */
	unsigned members;
};

/* What is read: the document, and where the next node and the next text go. */
struct reading {
	const char *p, *end;
	struct oip_nodes *nodes; /* the last ones, of which `used` are in use */
	unsigned used;
	char *text;
	struct budget_share *memory;
	unsigned depth; /* of `levels` */
	struct level levels[DEPTH_MAX];
};

/* A text has a mark and a NUL in place of its quotes; a number has no quotes. Blocks are copied beyond the end. */
static size_t
text_max(size_t len)
{
	return len + len / 2 + BLOCK;
}

/* Another node; NULL: there is no memory. */
static struct cJSON *
take_node(struct reading *r)
{
	struct oip_nodes *more;

	if (r->nodes == NULL || r->used == NODES) {
		if (!budget_take(r->memory, sizeof(*more)) || (more = malloc(sizeof(*more))) == NULL)
			return NULL;
		more->before = r->nodes;
		r->nodes = more;
		r->used = 0;
	}
	return &r->nodes->nodes[r->used++];
}

/* The next byte that is not white space; NUL at the end, which no document has there. */
static char
next_byte(struct reading *r)
{
	/* One comparison is enough for nearly all bytes. */
	while (r->p < r->end && (unsigned char)*r->p <= ' ' && json_is_space(*r->p))
		r->p++;
	return r->p < r->end ? *r->p : '\0';
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Marks the highest bit of bytes that are 0. Above the first of them, marks may be wrong. */
static uint64_t
mark_zeros(uint64_t bytes)
{
	return (bytes - EACH(1)) & ~bytes & EACH(0x80);
}

/*
 * How many of the next BLOCK bytes, from the first on, are plain characters of a string: ASCII, but no quote, backslash
 * or control character.
 */
static unsigned
count_plain(const char *p)
{
	const uint64_t bytes = bytes_get_le64((const unsigned char *)p);
	uint64_t marks;

	marks = mark_zeros(bytes ^ EACH('"')) | mark_zeros(bytes ^ EACH('\\')) | ((bytes - EACH(' ')) & EACH(0x80)) |
	    (bytes & EACH(0x80));
	return marks == 0 ? BLOCK : (unsigned)__builtin_ctzll(marks) / 8;
}

/* Copies the contents of a string after its opening quote. NULL: it has an escape, or a byte beyond ASCII. */
static char *
take_string(struct reading *r)
{
	char *const text = r->text;
	unsigned plain = BLOCK;

	/* Behind a string stand more bytes of the document: in the last ones no string begins. */
	while (plain == BLOCK && r->end - r->p >= BLOCK) {
		memcpy(r->text, r->p, BLOCK);
		plain = count_plain(r->p);
		r->p += plain;
		r->text += plain;
	}
	for (; r->p < r->end && *r->p != '"'; r->p++) {
		if ((signed char)*r->p < ' ' || *r->p == '\\')
			return NULL;
		*r->text++ = *r->p;
	}
	if (r->p == r->end)
		return NULL;
	r->p++;
	*r->text++ = '\0';
	return text;
}

static bool
take_number(struct reading *r)
{
	enum json_number number = JSON_NUMBER_START;
	const char *end = json_number_skip(&number, r->p, r->end);

	if (end == r->end || !json_number_ends(number, *end))
		return false;
	memcpy(r->text, r->p, (size_t)(end - r->p));
	r->text += end - r->p;
	*r->text++ = '\0';
	r->p = end;
	return true;
}

static bool
take_literal(struct reading *r, const char *literal)
{
	const size_t len = strlen(literal);

	if ((size_t)(r->end - r->p) < len || memcmp(r->p, literal, len) != 0)
		return false;
	r->p += len;
	return true;
}

/* A text with its mark (envelope.h), whose rest `take` reads. */
static bool
take_marked(struct reading *r, struct cJSON *value, char mark)
{
	value->type = cJSON_String;
	value->valuestring = r->text;
	*r->text++ = mark;
	if (mark == 'n')
		return take_number(r);
	r->p++;
	return take_string(r) != NULL;
}

static bool
open_level(struct reading *r, struct cJSON *value, int type)
{
	value->type = type;
	r->p++;
	if (r->depth == DEPTH_MAX)
		return false;
	r->levels[r->depth++] = (struct level){ .value = value };
	return true;
}

/* Takes a value that begins with `c`, or opens it. */
static bool
take_value(struct reading *r, struct cJSON *value, char c)
{
	switch (c) {
	case '{':
		return open_level(r, value, cJSON_Object);
	case '[':
		return open_level(r, value, cJSON_Array);
	case '"':
		return take_marked(r, value, 's');
	case 't':
		value->type = cJSON_True;
		return take_literal(r, "true");
	case 'f':
		value->type = cJSON_False;
		return take_literal(r, "false");
	case 'n':
		value->type = cJSON_NULL;
		return take_literal(r, "null");
	default:
		return json_starts_number(c) && take_marked(r, value, 'n');
	}
}

/* Takes a key and its colon. NULL: the object has it already, or it is not a key. */
static char *
take_key(struct reading *r, const struct level *level)
{
	char *key;

	if (next_byte(r) != '"' || level->members == MEMBERS_MAX)
		return NULL;
	r->p++;
	key = take_string(r);
	if (key == NULL || next_byte(r) != ':')
		return NULL;
	r->p++;
	for (const struct cJSON *other = level->value->child; other != NULL; other = other->next)
		if (other->string[0] == key[0] && strcmp(other->string, key) == 0)
			return NULL;
	return key;
}

/* Takes the next element or member of the innermost level. */
static bool
take_element(struct reading *r)
{
	struct level *level = &r->levels[r->depth - 1];
	struct cJSON *value;
	char *key = NULL;

	if ((level->value->type == cJSON_Object && (key = take_key(r, level)) == NULL) ||
	    (value = take_node(r)) == NULL)
		return false;
	*value = (struct cJSON){ .string = key };
	if (level->last != NULL)
		level->last->next = value;
	else
		level->value->child = value;
	level->last = value;
	level->members++;
	return take_value(r, value, next_byte(r));
}

/* Takes a document that is an object, with a node for its root. */
static bool
take_document(struct reading *r, struct cJSON *root)
{
	bool separated = true; /* the innermost level has nothing yet, or a comma came */
	char c;

	*root = (struct cJSON){ 0 };
	if (next_byte(r) != '{' || !open_level(r, root, cJSON_Object))
		return false;
	while (r->depth > 0) {
		const struct level *level = &r->levels[r->depth - 1];
		const unsigned depth = r->depth;

		c = next_byte(r);
		if (c == (level->value->type == cJSON_Object ? '}' : ']') && !(separated && level->last != NULL)) {
			r->p++;
			r->depth--;
			separated = false;
		} else if (!separated && c == ',') {
			r->p++;
			separated = true;
		} else if (separated && take_element(r))
			separated = r->depth > depth;
		else
			return false;
	}
	return next_byte(r) == '\0' && r->p == r->end;
}

static bool
read_shape(const struct cJSON *list, struct json_shape *shape)
{
	*shape = (struct json_shape){ .count = 1 };
	if (envelope_type(list) != ENVELOPE_ARRAY)
		return false;
	for (const struct cJSON *extent = envelope_first(list); extent != NULL; extent = envelope_next(extent))
		if (envelope_type(extent) != ENVELOPE_NUMBER ||
		    json_shape_add(shape, envelope_text(extent), strlen(envelope_text(extent))) != JSON_EXTENT_OK)
			return false;
	json_shape_end(shape);
	return shape->rank > 0;
}

static bool
read_datatype(const struct cJSON *value, enum datatype *datatype)
{
	return envelope_type(value) == ENVELOPE_STRING &&
	    datatype_parse(envelope_text(value), strlen(envelope_text(value)), datatype) == 0 &&
	    *datatype != DATATYPE_BOOL;
}

/* Reads the tensor that an object describes. False: it is not described, or it has data. */
static bool
read_tensor(const struct cJSON *object, struct tensor *t)
{
	struct json_shape shape;

	if (envelope_type(object) != ENVELOPE_OBJECT ||
	    envelope_type(envelope_get(object, "name")) != ENVELOPE_STRING || envelope_get(object, "data") != NULL ||
	    !read_shape(envelope_get(object, "shape"), &shape) ||
	    !read_datatype(envelope_get(object, "datatype"), &t->datatype))
		return false;
	t->nested = false;
	t->rank = shape.rank;
	memcpy(t->shape, shape.extents, shape.rank * sizeof(*t->shape));
	t->count = shape.count;
	t->values = NULL;
	return true;
}

static bool
read_tensors(struct oip_small *s, const struct cJSON *list, struct budget_share *memory)
{
	const struct cJSON *object;
	size_t count = 0;

	if (envelope_type(list) != ENVELOPE_ARRAY)
		return false;
	for (object = envelope_first(list); object != NULL; object = envelope_next(object))
		count++;
	if (count == 0 || !budget_take(memory, count * sizeof(*s->tensors)))
		return false;
	s->tensors = malloc(count * sizeof(*s->tensors));
	if (s->tensors == NULL)
		return false;
	for (object = envelope_first(list); s->count < count; s->count++, object = envelope_next(object))
		if (!read_tensor(object, &s->tensors[s->count]))
			return false;
	return true;
}

bool
oip_small_read(struct oip_small *s, const char *list, const char *document, size_t len, struct budget_share *memory)
{
	struct reading r = { .p = document, .end = document + len, .memory = memory };
	bool taken;

	*s = (struct oip_small){ 0 };
	if (!budget_take(memory, text_max(len)) || (s->text = malloc(text_max(len))) == NULL)
		return false;
	r.text = s->text;
	s->envelope = take_node(&r);
	taken = s->envelope != NULL && take_document(&r, s->envelope);
	s->nodes = r.nodes;
	if (taken && read_tensors(s, envelope_get(s->envelope, list), memory))
		return true;
	oip_small_fini(s);
	return false;
}

void
oip_small_fini(struct oip_small *s)
{
	for (size_t i = 0; i < s->count; i++)
		tensor_fini(&s->tensors[i]);
	for (struct oip_nodes *nodes = s->nodes, *before; nodes != NULL; nodes = before) {
		before = nodes->before;
		free(nodes);
	}
	free(s->tensors);
	free(s->text);
	*s = (struct oip_small){ 0 };
}
