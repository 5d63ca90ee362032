/* SPDX-License-Identifier: MIT */
/*
 * libmicrohttpd copies a header's value, refuses one with ends of lines, and sends the copy as it is. So it gets blanks
 * for the ends of lines between the headers, which are put into its copy: malloc's memory, which this response alone
 * has. It still refuses ends of lines within a value.
 */
#include "server/answer_headers.h"

#include <string.h>

#include "base/buf.h"

static void
append(struct answer_headers *h, const char *bytes, size_t len)
{
	memcpy(h->text + h->len, bytes, len);
	h->len += len;
}

void
answer_headers_init(struct answer_headers *h, struct MHD_Response *response)
{
	h->response = response;
	h->first = NULL;
	h->len = h->count = 0;
}

void
answer_headers_add(struct answer_headers *h, const char *name, const char *value)
{
	const size_t name_len = strlen(name), value_len = strlen(value);

	if (h->count == ANSWER_HEADERS_MAX || name_len + value_len + sizeof("\r\n: ") > sizeof(h->text) - h->len) {
		/* Fails for want of memory only: the answer is then as good as it can be. */
		(void)MHD_add_response_header(h->response, name, value);
		return;
	}
	if (h->first == NULL) {
		h->first = name;
	} else {
		h->ends[h->count++] = h->len;
		append(h, "  ", 2);
		append(h, name, name_len);
		append(h, ": ", 2);
	}
	append(h, value, value_len);
}

void
answer_headers_add_number(struct answer_headers *h, const char *name, uint64_t number, bool quoted)
{
	char text[BUF_UINT_BYTES + 3], *end = text;

	*end = '"';
	end += quoted;
	end += buf_format_uint(end, number);
	*end = '"';
	end += quoted;
	*end = '\0';
	answer_headers_add(h, name, text);
}

bool
answer_headers_put(struct answer_headers *h)
{
	char *copy;

	if (h->first == NULL)
		return true;
	h->text[h->len] = '\0';
	if (MHD_add_response_header(h->response, h->first, h->text) != MHD_YES)
		return false;
	copy = (char *)(uintptr_t)MHD_get_response_header(h->response, h->first);
	for (size_t i = 0; i < h->count; i++)
		memcpy(copy + h->ends[i], "\r\n", 2);
	return true;
}
