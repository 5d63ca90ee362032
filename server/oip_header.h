/* SPDX-License-Identifier: MIT */
/*
 * Inference-Header-Content-Length, of the Open Inference Protocol's binary tensors: a body begins with so many bytes of
 * JSON, counted without a content coding; the tensors' bytes follow. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define OIP_HEADER "Inference-Header-Content-Length"

/* How long the body that is to come is known to be. */
struct oip_body {
	uint64_t bytes_max;
	bool exact; /* it has bytes_max bytes */
};

/*
 * Reads the header's value; NULL, there is none: *bytes is 0, and all of the body is JSON. Errors (bad_parameter): what
 * is not a number, 0, by which the protocol means a body of one tensor alone, and more bytes than the body may have.
 */
int oip_header_parse(const char *value, const struct oip_body *body, size_t *bytes, struct err *e) MUST_CHECK;
