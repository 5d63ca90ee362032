/* SPDX-License-Identifier: MIT */
/* The API document, docs/openapi.yaml, as JSON. The build writes it (scripts/make_openapi.py). */
#pragma once

#include <stddef.h>

extern const char openapi_document[];
extern const size_t openapi_document_bytes;
