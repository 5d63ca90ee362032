/*
 * Headers that libmicrohttpd lets through and that must not be: request smuggling begins with framing that two parties read differently.
 */
#ifndef SERVER_GUARD_H
#define SERVER_GUARD_H

#include <microhttpd.h>

#include "base/err.h"

/*
 * Looks over all headers of a request (RFC 9110, RFC 9112): names are tokens; values hold no control characters; on HTTP/1.1
 * exactly one Host; at most one Content-Length, all digits; at most one Transfer-Encoding, which is "chunked", on HTTP/1.1, and without
 * Content-Length. bad_parameter otherwise: answer it and close the connection.
 */
int guard_headers(struct MHD_Connection *connection, const char *version, struct err *e) MUST_CHECK;

#endif
