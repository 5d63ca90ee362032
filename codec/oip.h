/* SPDX-License-Identifier: MIT */
/*
 * A request's body in the Open Inference Protocol: a JSON document whose root lists tensors in `inputs`, and behind it,
 * by the binary tensor extension, the bytes of those that have none in the document, in their order:
 *
 *     {"inputs":[{"name":"a","shape":[2],"datatype":"FP32","data":[1,2]},
 *                {"name":"b","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}  b's 8 bytes
 *
 * The document is as long as `header_bytes` says (the header Inference-Header-Content-Length); with 0 it is the whole
 * body. It is decoded as it arrives (json_scan.h), and so are the bytes: values are written to their final place at
 * once, and their memory is counted as it is written. The document without the tensors' data is the envelope.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "codec/tensor.h"

struct body;

struct oip_input {
	const char *name;      /* no two inputs have the same; any text, so not always that of a layer */
	struct tensor *tensor; /* the caller may write to it */
	bool binary;           /* its values came as bytes; else as `data` */
};

/*
 * After body_settle, of a body in FORM_OIP: the inputs in the order of the request, *count of them; none where
 * the envelope is no object or has no `inputs`. They belong to the body. Their members are the elements of the
 * envelope's `inputs`, in the same order.
 */
const struct oip_input *body_inputs(const struct body *b, size_t *count);
