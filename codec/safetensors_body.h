/* SPDX-License-Identifier: MIT */
/*
 * A request's body that is a safetensors file (safetensors.h), decoded as it arrives. After the header it waits until
 * its owner has said which tensors to keep, which may take a while: what was decoded beyond the header is held back.
 */
#pragma once

#include "codec/coding.h"
#include "codec/safetensors.h"

struct safetensors_body;

/* `limits` are about the file, without the coding. The memory is counted in `memory`, which must outlive the body. */
struct safetensors_body *safetensors_body_new(
    enum coding coding, const struct safetensors_limits *limits, struct budget_share *memory) MUST_CHECK;
void safetensors_body_free(struct safetensors_body *b);

/*
 * Feeds the next `len` bytes as they were sent; not while the body waits. *taken is how many were used, at least one:
 * fewer than `len` at the end of the header, and if they decode to many more (coding_decode). Errors: as
 * safetensors_feed; bad_safetensors also for a broken coding. After an error only safetensors_body_free may be called.
 */
int safetensors_body_feed(
    struct safetensors_body *b, const char *bytes, size_t len, size_t *taken, struct err *e) MUST_CHECK;

/* Whether the next bytes may take long, because they are of a large header. */
bool safetensors_body_is_long(const struct safetensors_body *b);

/* Whether the header is complete, and safetensors_body_go_on was not called. */
bool safetensors_body_waits(const struct safetensors_body *b);

/* The tensors to keep are known: takes what was held back. Errors as for safetensors_body_feed. */
int safetensors_body_go_on(struct safetensors_body *b, struct err *e) MUST_CHECK;

/* The body has ended: checks that it is complete. Error: bad_safetensors. */
int safetensors_body_finish(struct safetensors_body *b, struct err *e) MUST_CHECK;

/* The file as far as it was read; the body's own. */
struct safetensors *safetensors_body_file(struct safetensors_body *b);
