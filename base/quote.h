/* JSON strings: the one place that quotes. */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include "base/buf.h"

/*
 * Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 (a message cut in the middle of a character, a client's
 * percent-encoded rubbish) become U+FFFD, so that the result is always valid.
 */
void quote_json(struct buf *b, const char *text);

#endif
