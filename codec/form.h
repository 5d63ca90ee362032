/* SPDX-License-Identifier: MIT */
/*
 * The forms that tensors have in a body and in an answer. A form is a row of a table: its media type, functions that
 * read a body of it, and functions that write an answer in it. A new form is a name here, a row in form.c, and a file
 * with its functions (form_json.c, form_npy.c); Content-Type, Accept and the messages of 415 and 406 follow. The
 * form of form_oip.c is bound to routes.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "codec/json_write.h"
#include "codec/tensor.h"

struct body_options;
struct cJSON;
struct oip_inputs;

enum form {
	FORM_JSON, /* also the form of a body without a Content-Type, and of a document without a tensor */
	FORM_NPY,
	FORM_OIP, /* the Open Inference Protocol's: of its own routes alone */
	FORM_COUNT
};

struct form_ops {
	const char *media_type;
	bool document; /* tensors are members of a document, beside others; else there are only tensors */
	bool by_route; /* a body has it by its route, not by its Content-Type, and no Accept asks for it */

	/* Reading a body. The contracts are those of body.h. */
	enum err_code damaged; /* the error of a body that is not of this form */
	void *(*open)(const struct body_options *options);
	void (*close)(void *reader); /* NULL: does nothing */
	int (*feed)(void *reader, const char *bytes, size_t len, struct err *e);
	int (*finish)(void *reader, struct err *e);
	struct tensor *(*tensor)(void *reader, size_t slot);
	/* A document's alone; else NULL. */
	int (*settle)(void *reader, enum datatype by_layer, struct err *e);
	const struct cJSON *(*envelope)(const void *reader);
	size_t (*envelope_bytes)(const void *reader);
	const struct oip_inputs *(*inputs)(const void *reader); /* FORM_OIP's alone */

	/* Writing an answer. NULL in a form that is by_route. `begin` appends what stands before a tensor's values. */
	bool (*holds)(enum datatype datatype);
	void (*begin)(struct buf *b, const struct tensor *t);
	/* Writes values as text, block by block (json_tensor_read). NULL: the form has none. */
	size_t (*values)(const struct tensor *t, struct json_tensor_cursor *at, char *out, size_t room);
};

const struct form_ops *form_ops(enum form form);

/*
 * Sets of forms, a bit for each: those that can carry so many tensors and nothing else, those in which values of a
 * datatype can be written; and whether a set has a form.
 */
unsigned form_carrying(unsigned tensors);
unsigned form_holding(enum datatype datatype);
bool form_in(unsigned set, enum form form);

/* The media types of a set, "application/json and application/x-npy", for messages. Returns `out`. */
#define FORM_LIST_BYTES 160
const char *form_list(unsigned set, char out[FORM_LIST_BYTES]);

/* The rows; for form.c. */
extern const struct form_ops form_json, form_npy, form_oip;
