/* SPDX-License-Identifier: MIT */
/*
 * What a request may bring beside its path and its headers: query parameters, members of the body, tensors. Each is
 * declared once as a struct input, beside the handler that reads it. A route refers to the list of its inputs; from the
 * list follow the names that its query and its body may have, and the members that are decoded into tensors. option.h
 * reads the values of those that are not tensors.
 */
#pragma once

#include "handlers/request.h"

enum input_type {
	INPUT_BOOL,   /* true or false; in the query also 1 or 0, in any case of letters, and no value for true */
	INPUT_UINT,   /* a whole number from `min` to `max` */
	INPUT_NUMBER, /* any number above 0 */
	INPUT_CHOICE, /* one of `choices` */
	INPUT_UINTS,  /* a list of such numbers; in the query with commas between them */
	INPUT_TEXT,   /* any text; in a body its handler says what else it may be */
	INPUT_OBJECT, /* a JSON object, which its handler reads; in the query as text */
	INPUT_TENSOR, /* a member of the body that is a tensor; a mask may also be in the query, as true and false */
	INPUT_BODY_TENSOR, /* the tensor that the body itself is: the members shape, datatype and data, or a list */
};

enum input_places { INPUT_BODY = 1, INPUT_QUERY = 2, INPUT_ANYWHERE = 3 };

struct input {
	const char *name;
	enum input_type type;
	enum input_places places;
	const char *parent; /* the input whose member it is, for messages; NULL: none */
	bool needed;        /* the handler refuses a request without it */
	bool both;          /* it may be in the query and in the body at once, and then the lesser value counts */
	bool one_extent;    /* a tensor's shape has one extent */
	bool by_layer;      /* a tensor that names no datatype has the layer's */
	bool non_finite;    /* a tensor's values in JSON may be NaN or infinite */
	bool stored; /* as a query parameter it decides what is stored: under a key, another value is another request */
	enum datatype datatype; /* of a tensor that names none */
	uint64_t min, max;
	const char *const *choices; /* NULL-terminated */
};

/* The tensor of the calls that take one: the body itself. */
extern const struct input tensor_input;

/* The query parameter's value, "" where it has none; NULL where it is not in the query. */
const char *input_query(const struct request *rq, const struct input *in);

/* Refuses query parameters that the route does not have, and repeated ones: bad_parameter. */
int inputs_check_query(const struct request *rq, struct err *e) MUST_CHECK;

/* Refuses a body that is no object, unless it is a tensor, and members that the route does not have: bad_parameter. */
int inputs_check_body(const struct request *rq, struct err *e) MUST_CHECK;

/* Refuses members of `object` that are none of `inputs`. `of` names the object in the message. Error: bad_parameter. */
int inputs_check_members(
    const struct cJSON *object, const struct input *const *inputs, const char *of, struct err *e) MUST_CHECK;

/* Where the decoder finds the tensors among `inputs` (NULL: none). Returns how many there are. */
size_t inputs_slots(const struct input *const *inputs, struct json_slot slots[JSON_SLOTS_MAX]);

/* The tensor of the body, NULL where it has none. `in` is one of the route's. */
struct tensor *input_tensor(const struct request *rq, const struct input *in);

/* The same for a tensor that the call needs. Error: bad_tensor. */
int input_need_tensor(const struct request *rq, const struct input *in, struct tensor **out, struct err *e) MUST_CHECK;

/*
 * Gives the body's JSON tensors that name no datatype the definition's. Where the route needs the layer it was called
 * before `start`; another route that has tensors calls it once it knows the definition.
 */
int request_settle(struct request *rq, const struct definition *d, struct err *e) MUST_CHECK;

/* Whether a tensor of this datatype can be answered in the form that the client takes; else not_acceptable. */
int request_check_answer(const struct request *rq, const struct tensor *t, struct err *e) MUST_CHECK;

/*
 * The query parameter "version" of routes that need a layer: a version's number, an alias, or "live". version_which:
 * which state a request asks for. Errors: bad_parameter.
 */
extern const struct input version_input;
int version_which(const struct request *rq, struct store_which *out, struct err *e) MUST_CHECK;

/* The member "revision" of what a GET shows. Its PUT ignores it: If-Match guards against other revisions. */
extern const struct input revision_shown_input;

/* Reads If-Match, where there is one, into rq->write.precondition. Error: bad_parameter. */
int precondition_get(struct request *rq, struct err *e) MUST_CHECK;

/* Reads the text of Normd-Min-Revision (NULL: none) into rq->min_revision. Error: bad_parameter. */
int precondition_least(struct request *rq, const char *text, struct err *e) MUST_CHECK;
