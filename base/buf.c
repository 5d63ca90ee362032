/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_BYTES ((size_t)256)

/* From here on a buffer that is kept apart is a mapping. */
#define APART_BYTES ((size_t)128 << 10)

void
buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf){ .limit = limit };
}

void
buf_count(struct buf *b, struct budget_share *memory)
{
	b->memory = memory;
}

void
buf_keep_apart(struct buf *b)
{
	b->apart = true;
}

static void
release(struct buf *b)
{
	if (b->mapped)
		(void)munmap(b->bytes, b->size);
	else
		free(b->bytes);
}

void
buf_fini(struct buf *b)
{
	release(b);
	budget_give(b->memory, b->size);
	buf_init(b, 0);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = b->too_long = false;
	b->refused = 0;
}

/* The bytes in a mapping of `size`; NULL: no memory, and they stay where they are. */
static char *
map(struct buf *b, size_t size)
{
	void *bytes = b->mapped ? mremap(b->bytes, b->size, size, MREMAP_MAYMOVE) :
				  mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bytes == MAP_FAILED)
		return NULL;
	if (!b->mapped && b->bytes != NULL)
		memcpy(bytes, b->bytes, b->len);
	if (!b->mapped)
		free(b->bytes);
	b->mapped = true;
	return bytes;
}

/* Makes room for `len` more bytes: half as much again as there is, or just those if they are more. */
static bool
grow(struct buf *b, size_t len)
{
	size_t size = b->size < FIRST_BYTES ? FIRST_BYTES : b->size;
	char *bytes;

	size += size - b->len < len ? size / 2 : 0;
	if (size - b->len < len)
		size = b->len + len;
	if (!budget_take(b->memory, size - b->size)) {
		b->refused = size - b->size;
		return false;
	}
	bytes = b->apart && size >= APART_BYTES ? map(b, size) : realloc(b->bytes, size);
	if (bytes == NULL) {
		budget_give(b->memory, size - b->size);
		return false;
	}
	b->bytes = bytes;
	b->size = size;
	return true;
}

char *
buf_reserve(struct buf *b, size_t len)
{
	if (b->failed)
		return NULL;
	b->too_long = len > b->limit - b->len;
	b->failed = b->too_long || ((b->size - b->len < len || b->bytes == NULL) && !grow(b, len));
	return b->failed ? NULL : b->bytes + b->len;
}

void
buf_add(struct buf *b, const void *bytes, size_t len)
{
	char *room = buf_reserve(b, len);

	if (room != NULL && len > 0)
		memcpy(room, bytes, len);
	if (room != NULL)
		b->len += len;
}

void
buf_byte(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

/* Without printf, which costs as much as some hundred digits: every answer has numbers in its head. */
size_t
buf_format_uint(char out[BUF_UINT_BYTES], uint64_t number)
{
	char digits[BUF_UINT_BYTES], *p = digits + sizeof(digits);
	size_t len;

	do
		*--p = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	len = (size_t)(digits + sizeof(digits) - p);
	memcpy(out, p, len);
	return len;
}

void
buf_uint(struct buf *b, uint64_t number)
{
	char digits[BUF_UINT_BYTES];

	buf_add(b, digits, buf_format_uint(digits, number));
}

void
buf_printf(struct buf *b, const char *format, ...)
{
	va_list ap;
	char *room;
	int len;

	va_start(ap, format);
	len = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (len < 0 || (room = buf_reserve(b, (size_t)len + 1)) == NULL) {
		b->failed = true;
		return;
	}
	va_start(ap, format);
	vsnprintf(room, (size_t)len + 1, format, ap);
	va_end(ap);
	b->len += (size_t)len;
}
