/* SPDX-License-Identifier: MIT */
/*
 * Whether the scanner has understood a document as another reader, cJSON, does: value by value, the envelope and the
 * tensors against cJSON's tree of the document as it was sent.
 */
#pragma once

#include <cjson/cJSON.h>

#include "codec/json_scan.h"

/* Aborts when the finished scanner's result is not what `tree`, the same document, holds. */
void json_meaning_check(struct json_scan *s, const cJSON *tree);
