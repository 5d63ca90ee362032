/* Media types: what a body claims to be, and what a client will take. Pure. */
#ifndef SERVER_NEGOTIATE_H
#define SERVER_NEGOTIATE_H

#include <stdbool.h>

/*
 * Whether a Content-Type is JSON: application/json, anything with +json, none at all (NULL), or what curl -d says when it is not told
 * (application/x-www-form-urlencoded). Parameters such as charset are passed over.
 */
bool negotiate_is_json(const char *content_type);

/* Whether an Accept header (NULL: there is none) takes application/json: RFC 9110, section 12.5.1. */
bool negotiate_accepts_json(const char *accept);

#endif
