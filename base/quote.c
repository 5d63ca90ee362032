#include "base/quote.h"

#include <stdio.h>
#include <string.h>

/* The length of the UTF-8 character at `p` (NUL-terminated), or 0 when there is none. RFC 3629, section 4. */
static size_t
character(const unsigned char *p)
{
	size_t len = p[0] < 0x80        ? 1 :
	    p[0] >= 0xc2 && p[0] < 0xe0 ? 2 :
	    (p[0] & 0xf0) == 0xe0       ? 3 :
	    p[0] >= 0xf0 && p[0] < 0xf5 ? 4 :
					  0;

	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static void
quote_ascii(struct buf *b, unsigned char c)
{
	static const char escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *at = strchr(escaped, c);

	if (at != NULL && c != '\0') {
		buf_byte(b, '\\');
		buf_byte(b, letters[at - escaped]);
	} else if (c < 0x20 || c == 0x7f) {
		buf_printf(b, "\\u%04x", c);
	} else {
		buf_byte(b, (char)c);
	}
}

void
quote_json(struct buf *b, const char *text)
{
	size_t len;

	buf_byte(b, '"');
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p += len) {
		len = character(p);
		if (len == 1)
			quote_ascii(b, *p);
		else if (len > 1)
			buf_add(b, p, len);
		else
			buf_text(b, "\xef\xbf\xbd");
		len = len == 0 ? 1 : len;
	}
	buf_byte(b, '"');
}
