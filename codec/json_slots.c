/* SPDX-License-Identifier: MIT */
#include "codec/json_slots.h"

#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "codec/json_doubts.h"

#define SHAPE_TEXT 160

void
json_slots_init(
    struct json_slots *s, const struct json_slot *slots, size_t count, size_t bytes_max, struct budget_share *memory)
{
	json_slots_init_listed(s, NULL, bytes_max, memory);
	s->slots = slots;
	s->count = count;
	for (size_t i = 0; i < count; i++)
		s->found[i] = (struct json_found){ .datatype = slots[i].datatype, .shape.count = 1 };
}

void
json_slots_init_listed(struct json_slots *s, const char *list, size_t bytes_max, struct budget_share *memory)
{
	s->slots = NULL;
	s->list = list;
	s->count = 0;
	s->capacity = JSON_SLOTS_MAX;
	s->bytes_max = bytes_max;
	s->bytes_left = bytes_max;
	s->memory = memory;
	s->found = s->few;
}

void
json_slots_fini(struct json_slots *s)
{
	for (size_t i = 0; i < s->count; i++) {
		tensor_fini(&s->found[i].tensor);
		json_doubts_free(s->found[i].values.doubts);
	}
	if (s->found != s->few)
		free(s->found);
}

/* The tensor's name in messages. Of listed tensors, one is read at a time. */
static const char *
slots_name(const struct json_slots *s, unsigned slot)
{
	if (s->list != NULL)
		return s->label;
	return s->slots[slot].key[0] == '\0' ? "data" : s->slots[slot].key;
}

static bool
key_is(const char *key, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(name, key, len) == 0;
}

/* The role of a tensor object's member. */
static enum json_role
slots_member_role(const struct json_slots *s, const char *key, size_t len)
{
	if (s->list != NULL && key_is(key, len, "name"))
		return JSON_ROLE_NAME;
	if (key_is(key, len, "data"))
		return JSON_ROLE_DATA;
	if (key_is(key, len, "shape"))
		return JSON_ROLE_SHAPE;
	return key_is(key, len, "datatype") ? JSON_ROLE_DATATYPE : JSON_ROLE_PLAIN;
}

struct json_place
json_slots_member(const struct json_slots *s, struct json_place parent, const char *key, size_t len)
{
	struct json_place place = { JSON_ROLE_PLAIN, parent.slot };

	if (parent.role == JSON_ROLE_TENSOR)
		place.role = slots_member_role(s, key, len);
	if (parent.role != JSON_ROLE_ROOT)
		return place;
	if (s->list != NULL) {
		place.role = key_is(key, len, s->list) ? JSON_ROLE_LIST : JSON_ROLE_PLAIN;
		return place;
	}
	for (size_t i = 0; i < s->count && place.role == JSON_ROLE_PLAIN; i++) {
		place.slot = (unsigned)i;
		if (s->slots[i].key[0] == '\0')
			place.role = slots_member_role(s, key, len);
		else if (key_is(key, len, s->slots[i].key))
			place.role = JSON_ROLE_TENSOR;
	}
	return place;
}

struct json_place
json_slots_root_list(const struct json_slots *s, struct json_place root)
{
	for (size_t i = 0; s->list == NULL && i < s->count; i++)
		if (s->slots[i].key[0] == '\0')
			return (struct json_place){ JSON_ROLE_TENSOR, (unsigned)i };
	return root;
}

int
json_slots_check_key(
    const struct json_slots *s, struct json_place parent, const char *key, size_t len, uint64_t at, struct err *e)
{
	const struct json_place place = parent.role == JSON_ROLE_ROOT ? json_slots_root_list(s, parent) : parent;

	if (place.role != JSON_ROLE_TENSOR || s->list != NULL || !key_is(key, len, "0"))
		return 0;
	return err_fail_at(e, ERR_BAD_TENSOR, at,
	    "%s: a tensor is a list, or an object with \"data\"; it has no \"0\"%s", slots_name(s, place.slot),
	    JSON_TYPED_ARRAY_HINT);
}

/* Makes room for twice as many listed tensors. */
static int
slots_grow(struct json_slots *s, struct err *e)
{
	const size_t bytes = s->capacity * sizeof(*s->found);
	struct json_found *found;

	if (budget_ask(s->memory, s->found == s->few ? 2 * bytes : bytes, e) < 0)
		return -1;
	found = realloc(s->found == s->few ? NULL : s->found, 2 * bytes);
	if (found == NULL)
		return err_fail_memory(e);
	if (s->found == s->few)
		memcpy(found, s->few, bytes);
	s->found = found;
	s->capacity *= 2;
	return 0;
}

/* The next listed tensor. */
static int
slots_listed_begin(struct json_slots *s, struct json_place *out, struct err *e)
{
	if (s->count == s->capacity && slots_grow(s, e) < 0)
		return -1;
	*out = (struct json_place){ JSON_ROLE_TENSOR, (unsigned)s->count };
	s->label_len = (size_t)snprintf(s->label, sizeof(s->label), "%s[%zu]", s->list, s->count);
	s->found[s->count++] = (struct json_found){ .datatype = DATATYPE_FP32, .shape.count = 1 };
	return 0;
}

int
json_slots_element(struct json_slots *s, struct json_place parent, struct json_place *out, struct err *e)
{
	if (parent.role == JSON_ROLE_LIST)
		return slots_listed_begin(s, out, e);
	*out = (struct json_place){ parent.role == JSON_ROLE_SHAPE ? JSON_ROLE_EXTENT : JSON_ROLE_PLAIN, parent.slot };
	return 0;
}

void
json_slots_name(struct json_slots *s, unsigned slot, const char *name, size_t len)
{
	char quote[EXCERPT_BYTES];

	s->found[slot].has_name = true;
	snprintf(s->label + s->label_len, sizeof(s->label) - s->label_len, " (\"%s\")", excerpt_text(name, len, quote));
}

/* Whether the role is that of a listed tensor. */
static bool
slots_lists(const struct json_slots *s, enum json_role role)
{
	return role == JSON_ROLE_TENSOR && s->list != NULL;
}

int
json_slots_check(const struct json_slots *s, struct json_place place, char c, uint64_t at, struct err *e)
{
	/* Null counts as absent; json_slots_object_end and the handlers refuse absent data. */
	if (c == 'n' && place.role != JSON_ROLE_EXTENT && !slots_lists(s, place.role))
		return 0;
	if (place.role == JSON_ROLE_LIST && c != '[')
		return err_fail_at(
		    e, ERR_BAD_TENSOR, at, "\"%s\" must be a list of objects, one for each tensor", s->list);
	if (slots_lists(s, place.role) && c != '{')
		return err_fail_at(
		    e, ERR_BAD_TENSOR, at, "%s: expected an object that describes a tensor", slots_name(s, place.slot));
	if (place.role == JSON_ROLE_NAME && c != '"')
		return err_fail_at(e, ERR_BAD_TENSOR, at, "%s: a name must be a string", slots_name(s, place.slot));
	if (place.role == JSON_ROLE_DATA && c != '[')
		return err_fail_at(e, ERR_BAD_TENSOR, at, "%s: expected a list of numbers%s", slots_name(s, place.slot),
		    c == '{' ? JSON_TYPED_ARRAY_HINT : "");
	if (place.role == JSON_ROLE_SHAPE && c != '[')
		return err_fail_at(e, ERR_BAD_TENSOR, at, "shape of %s: expected a list of whole numbers%s",
		    slots_name(s, place.slot), c == '{' ? JSON_TYPED_ARRAY_HINT : "");
	if (place.role == JSON_ROLE_EXTENT && !json_starts_number(c))
		return err_fail_at(e, ERR_BAD_TENSOR, at, "shape of %s: an extent must be a whole number, 0 or more",
		    slots_name(s, place.slot));
	if (place.role == JSON_ROLE_DATATYPE && c != '"')
		return err_fail_at(e, ERR_BAD_TENSOR, at, "datatype of %s: expected a string, like \"FP32\"",
		    slots_name(s, place.slot));
	return 0;
}

int
json_slots_extent(struct json_slots *s, unsigned slot, const char *text, size_t len, uint64_t at, struct err *e)
{
	struct json_shape *shape = &s->found[slot].shape;
	const char *name = slots_name(s, slot);
	char quote[EXCERPT_BYTES];

	switch (json_shape_add(shape, text, len)) {
	case JSON_EXTENT_WRONG:
		return err_fail_at(e, ERR_BAD_TENSOR, at,
		    "shape of %s: an extent must be a whole number, 0 or more, not %s", name,
		    excerpt_text(text, len, quote));
	case JSON_EXTENT_ONE_TOO_MANY:
		return err_fail_at(
		    e, ERR_BAD_TENSOR, at, "shape of %s: a tensor may have at most %d extents", name, TENSOR_RANK_MAX);
	case JSON_EXTENT_TOO_LARGE:
		return err_fail_at(e, ERR_BAD_TENSOR, at, "shape of %s: the number of values is too large", name);
	default:
		return 0;
	}
}

/* The shape came after the data: it replaces the nesting as the tensor's shape. */
static int
slots_reshape(struct json_slots *s, unsigned slot, uint64_t at, struct err *e)
{
	const struct json_shape *shape = &s->found[slot].shape;
	struct tensor *t = &s->found[slot].tensor;
	char given[SHAPE_TEXT], nested[SHAPE_TEXT];

	if (!json_nesting_fits(t->shape, t->rank, shape)) {
		tensor_shape_text(shape->extents, shape->rank, given, sizeof(given));
		tensor_shape_text(t->shape, t->rank, nested, sizeof(nested));
		err_set_at(e, ERR_BAD_TENSOR, at, "shape of %s: the data has the shape %s by its nesting, not %s",
		    slots_name(s, slot), nested, given);
		memcpy(e->expected, given, sizeof(given));
		memcpy(e->actual, nested, sizeof(nested));
		return -1;
	}
	t->nested = t->rank > 1;
	t->rank = shape->rank;
	memcpy(t->shape, shape->extents, sizeof(t->shape));
	return 0;
}

int
json_slots_shape_end(struct json_slots *s, unsigned slot, uint64_t at, struct err *e)
{
	struct json_shape *shape = &s->found[slot].shape;

	if (shape->rank == 0)
		return err_fail_at(
		    e, ERR_BAD_TENSOR, at, "shape of %s: it must have at least one extent", slots_name(s, slot));
	json_shape_end(shape);
	return s->found[slot].has_data ? slots_reshape(s, slot, at, e) : 0;
}

/* Whether a tensor may name this datatype: a listed one also one that only raw bytes have. */
static bool
slots_may_name(const struct json_slots *s, enum datatype datatype)
{
	return datatype_is_textual(datatype) || (s->list != NULL && datatype != DATATYPE_BOOL);
}

static int
slots_unknown_datatype(
    const struct json_slots *s, unsigned slot, const char *name, size_t len, uint64_t at, struct err *e)
{
	char known[64] = "", quote[EXCERPT_BYTES], near[SUGGEST_BYTES];
	struct suggest suggest;

	suggest_begin(&suggest, excerpt_text(name, len, quote));
	for (unsigned i = 0; i < DATATYPE_COUNT; i++)
		if (slots_may_name(s, (enum datatype)i)) {
			suggest_try(&suggest, datatype_name((enum datatype)i));
			snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i > 0 ? ", " : "",
			    datatype_name((enum datatype)i));
		}
	return err_fail_at(e, ERR_BAD_TENSOR, at, "datatype of %s: \"%s\" is not supported%s; supported are %s%s",
	    slots_name(s, slot), quote, s->list != NULL ? "" : " in JSON", known, suggest_text(&suggest, near));
}

/* The datatype of data that came before it is known at `at`: checks that the values fit the datatype and the limit. */
static int
slots_choose(struct json_slots *s, unsigned slot, enum datatype datatype, uint64_t at, struct err *e)
{
	struct json_found *f = &s->found[slot];
	const struct json_unfit *unfit = json_doubts_unfit(f->values.doubts, datatype);
	const size_t limit = s->bytes_left + f->tensor.count * datatype_size(f->datatype);
	const size_t bytes = f->tensor.count * datatype_size(datatype);

	if (unfit != NULL)
		return err_fail_at(e, ERR_BAD_TENSOR, unfit->at, "%s: %s does not fit %s", slots_name(s, slot),
		    unfit->text, datatype_name(datatype));
	if (bytes > limit)
		return err_fail_at(e, ERR_BODY_TOO_LARGE, at,
		    "the tensors of a body may have at most %zu bytes (--max-body)", s->bytes_max);
	s->bytes_left = limit - bytes;
	f->datatype = datatype;
	return 0;
}

/* Data has this datatype, which only raw bytes may have. */
static int
slots_check_textual(const struct json_slots *s, unsigned slot, enum datatype datatype, uint64_t at, struct err *e)
{
	return datatype_is_textual(datatype) ?
	    0 :
	    err_fail_at(e, ERR_BAD_TENSOR, at, "%s: %s has no form in JSON; send its bytes", slots_name(s, slot),
		datatype_name(datatype));
}

int
json_slots_datatype(struct json_slots *s, unsigned slot, const char *name, size_t len, uint64_t at, struct err *e)
{
	struct json_found *f = &s->found[slot];
	enum datatype datatype;
	const bool known = datatype_parse(name, len, &datatype) == 0 && slots_may_name(s, datatype);

	/* A mask of 1 and 0 may name FP32. */
	if (f->datatype == DATATYPE_BOOL && known && datatype == DATATYPE_FP32)
		return 0;
	if (f->datatype == DATATYPE_BOOL)
		return err_fail_at(
		    e, ERR_BAD_TENSOR, at, "datatype of %s: a mask has none; leave it out", slots_name(s, slot));
	if (!known)
		return slots_unknown_datatype(s, slot, name, len, at, e);
	if (f->has_data && slots_check_textual(s, slot, datatype, at, e) < 0)
		return -1;
	f->named = true;
	if (f->values.open)
		return slots_choose(s, slot, datatype, at, e);
	f->datatype = datatype;
	return 0;
}

int
json_slots_data_begin(struct json_slots *s, unsigned slot, struct json_array *a, uint64_t at, struct err *e)
{
	struct json_found *f = &s->found[slot];
	const bool open = !f->named && f->datatype != DATATYPE_BOOL;
	struct json_values values = {
		.datatype = open ? DATATYPE_FP64 : f->datatype,
		.open = open,
		.count_max = s->bytes_left / datatype_size(f->datatype),
		.bytes_max = s->bytes_max,
		.memory = s->memory,
		.non_finite = s->list != NULL || s->slots[slot].non_finite,
	};

	if (f->named && slots_check_textual(s, slot, f->datatype, at, e) < 0)
		return -1;
	f->data_at = at;
	return json_array_begin(a, slots_name(s, slot), &f->shape, &values, at, e);
}

void
json_slots_data_end(struct json_slots *s, unsigned slot, struct json_array *a)
{
	struct json_found *f = &s->found[slot];
	struct tensor *t = &f->tensor;
	const struct json_nesting *n = &a->nesting;
	bool given = f->shape.rank > 0;

	f->values = a->values;
	a->values = (struct json_values){ 0 };
	if (!f->values.open)
		json_values_trim(&f->values);
	t->datatype = f->datatype;
	t->nested = !given || n->depth > 1;
	t->rank = given ? f->shape.rank : n->depth;
	memcpy(t->shape, given ? f->shape.extents : n->extents, t->rank * sizeof(*t->shape));
	t->count = f->values.count;
	t->values = f->values.bytes;
	json_array_fini(a);
	f->has_data = true;
	s->bytes_left -= t->count * datatype_size(t->datatype);
}

int
json_slots_settle(struct json_slots *s, enum datatype by_layer, struct err *e)
{
	for (unsigned i = 0; i < s->count; i++) {
		struct json_found *f = &s->found[i];

		if (!f->values.open)
			continue;
		if (!f->named && slots_choose(s, i, s->slots[i].by_layer ? by_layer : f->datatype, f->data_at, e) < 0)
			return -1;
		json_doubts_settle(&f->values, f->datatype);
		f->tensor.datatype = f->datatype;
		f->tensor.values = f->values.bytes;
	}
	return 0;
}

/* A listed tensor's object ends. Its data may follow as raw bytes. */
static int
slots_listed_end(struct json_slots *s, unsigned slot, uint64_t at, struct err *e)
{
	struct json_found *f = &s->found[slot];
	struct tensor *t = &f->tensor;
	const char *missing = !f->has_name ? "name" : f->shape.rank == 0 ? "shape" : !f->named ? "datatype" : NULL;

	if (missing != NULL)
		return err_fail_at(e, ERR_BAD_TENSOR, at, "%s has no \"%s\"", slots_name(s, slot), missing);
	if (f->has_data)
		return 0;
	t->datatype = f->datatype;
	t->rank = f->shape.rank;
	memcpy(t->shape, f->shape.extents, t->rank * sizeof(*t->shape));
	t->count = f->shape.count;
	return 0;
}

int
json_slots_object_end(struct json_slots *s, unsigned slot, uint64_t at, struct err *e)
{
	if (s->list != NULL)
		return slots_listed_end(s, slot, at, e);
	if (s->found[slot].has_data)
		return 0;
	return err_fail_at(e, ERR_BAD_TENSOR, at, "%s: the tensor object has no \"data\"", slots_name(s, slot));
}
