/* SPDX-License-Identifier: MIT */
/* Definitions for tests of the store, to which they are a text: here any text will do. */
#pragma once

#include "storage/store.h"

static const void *
opaque_parse(const char *text, struct err *e)
{
	(void)e;
	return text;
}

static void
opaque_free(const void *parsed)
{
	(void)parsed;
}

static const struct store_definition_ops opaque_definitions = { .parse = opaque_parse, .free = opaque_free };
