/* SPDX-License-Identifier: MIT */
#include "server/oip_header.h"

#include <inttypes.h>
#include <stdbool.h>

#include "server/octets.h"

int
oip_header_parse(const char *value, const struct oip_body *body, size_t *bytes, struct err *e)
{
	const char *end = value;
	uint64_t n;

	*bytes = 0;
	if (value == NULL)
		return 0;
	if (!octets_number(&end, &n) || *end != '\0')
		return err_fail(
		    e, ERR_BAD_PARAMETER, OIP_HEADER " is \"%.40s\"; it must be a number of bytes, digits only", value);
	if (n == 0)
		return err_fail(e, ERR_BAD_PARAMETER,
		    OIP_HEADER
		    " is 0: a body of raw tensor bytes is not supported; begin the body with the request's JSON, "
		    "and say how many bytes that has");
	if (n > body->bytes_max)
		return err_fail(e, ERR_BAD_PARAMETER, OIP_HEADER " is %.40s, but the body %s %" PRIu64 " bytes", value,
		    body->exact ? "has" : "may have at most", body->bytes_max);
	*bytes = (size_t)n;
	return 0;
}
