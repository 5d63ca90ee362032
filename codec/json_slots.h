/* SPDX-License-Identifier: MIT */
/* Finds a document's tensors by their keys; checks their shape, datatype and data, in any order. Private to codec/. */
#pragma once

#include "codec/excerpt.h"
#include "codec/json_array.h"
#include "codec/json_scan.h"

/* The meaning of a value. */
enum json_role {
	JSON_ROLE_PLAIN,  /* none to the scanner */
	JSON_ROLE_ROOT,   /* the document */
	JSON_ROLE_LIST,   /* the root's member that lists tensor objects */
	JSON_ROLE_TENSOR, /* a slot's member: a list of numbers, or an object that has one */
	JSON_ROLE_DATA,   /* a tensor's members */
	JSON_ROLE_SHAPE,
	JSON_ROLE_DATATYPE,
	JSON_ROLE_EXTENT, /* an element of its shape */
	JSON_ROLE_NAME    /* a listed tensor's */
};

struct json_place {
	enum json_role role;
	unsigned slot; /* not for PLAIN, ROOT and LIST */
};

/* What is known of one slot's tensor. */
struct json_found {
	struct json_shape shape;
	enum datatype datatype; /* the named one, or the slot's */
	bool named;
	bool has_data;
	bool has_name;        /* of a listed tensor */
	struct tensor tensor; /* when its data has ended; a listed one without data, which has no values, when it has */

	/* The tensor's values: doubles while their datatype is not known. */
	struct json_values values;
	uint64_t data_at;
};

struct json_slots {
	const struct json_slot *slots; /* unless the tensors are listed */
	const char *list;              /* the key of the root's member that lists the tensors; NULL: they are not */
	size_t count;
	size_t capacity; /* of `found` */
	size_t bytes_max;
	size_t bytes_left;
	struct budget_share *memory;           /* where the tensors' memory is counted */
	struct json_found *found;              /* `count` of them: `few`, or a block of its own */
	char label[EXCERPT_BYTES + 40];        /* the listed tensor that is read, for messages; */
	size_t label_len;                      /* ... the part before its name */
	struct json_found few[JSON_SLOTS_MAX]; /* not zeroed where nothing is found */
};

void json_slots_init(
    struct json_slots *s, const struct json_slot *slots, size_t count, size_t bytes_max, struct budget_share *memory);
void json_slots_init_listed(struct json_slots *s, const char *list, size_t bytes_max, struct budget_share *memory);
void json_slots_fini(struct json_slots *s);

/*
 * The place of a member of the object at `parent`; of the next element of the list at `parent`. Each element of a LIST
 * gets a slot. Error: overloaded.
 */
struct json_place json_slots_member(const struct json_slots *s, struct json_place parent, const char *key, size_t len);
int
json_slots_element(struct json_slots *s, struct json_place parent, struct json_place *out, struct err *e) MUST_CHECK;

/* The place of a document that is a list: the slot with key "", or, if there is none, `root`. */
struct json_place json_slots_root_list(const struct json_slots *s, struct json_place root);

/* Whether the object at `parent` may have a member `key` of no meaning: bad_tensor for a typed array's "0". */
int json_slots_check_key(const struct json_slots *s, struct json_place parent, const char *key, size_t len, uint64_t at,
    struct err *e) MUST_CHECK;

/* Whether a value that begins with `c` may be at `place`: bad_tensor. */
int
json_slots_check(const struct json_slots *s, struct json_place place, char c, uint64_t at, struct err *e) MUST_CHECK;

/* A listed tensor's name has ended: messages use it from here on. */
void json_slots_name(struct json_slots *s, unsigned slot, const char *name, size_t len);

/* A slot's next extent, a JSON number; the end of its shape; its datatype's name. Error: bad_tensor. */
int json_slots_extent(
    struct json_slots *s, unsigned slot, const char *text, size_t len, uint64_t at, struct err *e) MUST_CHECK;
int json_slots_shape_end(struct json_slots *s, unsigned slot, uint64_t at, struct err *e) MUST_CHECK;
int json_slots_datatype(
    struct json_slots *s, unsigned slot, const char *name, size_t len, uint64_t at, struct err *e) MUST_CHECK;

/* The slot's data begins with the '[' at `at`: prepares `a` for it. Errors: body_too_large, overloaded. */
int
json_slots_data_begin(struct json_slots *s, unsigned slot, struct json_array *a, uint64_t at, struct err *e) MUST_CHECK;

/* The slot's data has ended: its values move from `a` into the tensor. */
void json_slots_data_end(struct json_slots *s, unsigned slot, struct json_array *a);

/* As json_scan_settle. */
int json_slots_settle(struct json_slots *s, enum datatype by_layer, struct err *e) MUST_CHECK;

/* A slot's object ends at `at`: bad_tensor if it had no data, or is listed and had no name, shape or datatype. */
int json_slots_object_end(struct json_slots *s, unsigned slot, uint64_t at, struct err *e) MUST_CHECK;
