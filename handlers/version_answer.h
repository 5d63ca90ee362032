/* SPDX-License-Identifier: MIT */
/* How answers show a version. */
#pragma once

#include "handlers/version_members.h"

/* The most bytes of a version in an answer, without its layers. */
#define VERSION_JSON_MAX (256 + NOTE_JSON_MAX)

/* Appends {"version":3,"created":"...","note":"...","digest":"sha256:..." without the closing brace. */
void version_begin(struct buf *b, const struct store_version *version);
