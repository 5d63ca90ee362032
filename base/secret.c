/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <nettle/memops.h>

bool
secret_equal(const void *a, const void *b, size_t len)
{
	return memeql_sec(a, b, len) != 0;
}
