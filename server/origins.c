/* SPDX-License-Identifier: MIT */
#include "server/origins.h"

#include <string.h>
#include <strings.h>

#include "server/limits.h"
#include "server/oip_header.h"

/*
 * Headers that a page may read, and send, beyond those that are always allowed (the Fetch standard: CORS-safelisted).
 */
#define EXPOSED \
	"Age, ETag, Location, Allow, Retry-After, Content-Range, Content-Disposition, Normd-Version, Normd-Revision, " \
	"Normd-Num-Batches-Tracked, Normd-Seed, X-Request-Id, " OIP_HEADER
#define SENDABLE \
	"Authorization, Content-Type, Content-Encoding, If-Match, If-None-Match, If-Range, Range, Idempotency-Key, " \
	"Normd-Min-Revision, X-Request-Id, traceparent, " OIP_HEADER
#define PREFLIGHT_S "7200"

static unsigned
default_port(const struct origin *o)
{
	return o->scheme_len == 4 ? 80 : 443; /* http, https; of other schemes it is the same for both sides */
}

static int
parse_origin(const char *text, size_t len, struct origin *out)
{
	const char *colon = memmem(text, len, "://", 3);

	if (len > ORIGIN_BYTES_MAX || colon == NULL || colon == text)
		return -1;
	*out = (struct origin){ .scheme = text, .scheme_len = (size_t)(colon - text) };
	return authority_parse(colon + 3, len - out->scheme_len - 3, &out->authority);
}

static bool
same_origin(const struct origin *a, const struct origin *b)
{
	return a->scheme_len == b->scheme_len && strncasecmp(a->scheme, b->scheme, a->scheme_len) == 0 &&
	    authority_equal(&a->authority, &b->authority, default_port(a));
}

int
origins_parse(const char *text, struct origins *out, struct err *e)
{
	size_t len;

	*out = (struct origins){ .any = strcmp(text, "*") == 0 };
	for (const char *p = text + strspn(text, ", "); *p != '\0' && !out->any; p += len + strspn(p + len, ", ")) {
		len = strcspn(p, ", ");
		if (out->count == ORIGINS_MAX)
			return err_fail(e, ERR_BAD_PARAMETER, "names more than %d origins", ORIGINS_MAX);
		if (memchr(p, '*', len) != NULL)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "has \"%.*s\"; each origin must be named in full; * alone allows all",
			    (int)(len < 80 ? len : 80), p);
		if (parse_origin(p, len, &out->list[out->count++]) < 0)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "has \"%.*s\"; an origin is a scheme, a host and optionally a port, such as "
			    "https://app.example or http://localhost:3000, without a path; * allows all",
			    (int)(len < 80 ? len : 80), p);
	}
	return 0;
}

static bool
is_allowed(const struct origins *allowed, const struct authority *host, const char *text, bool *own)
{
	const char *scheme = allowed->https ? "https" : "http";
	const struct origin ours = { .scheme = scheme, .scheme_len = strlen(scheme), .authority = *host };
	struct origin theirs;
	bool parsed = parse_origin(text, strlen(text), &theirs) == 0;

	*own = parsed && host->host_len > 0 && same_origin(&ours, &theirs);
	if (*own || allowed->any)
		return true;
	for (unsigned i = 0; i < allowed->count && parsed; i++)
		if (same_origin(&allowed->list[i], &theirs))
			return true;
	return false;
}

int
origins_check(const struct origins *allowed, const struct authority *host, const char *origin,
    struct origins_grant *grant, struct err *e)
{
	bool own;

	if (allowed->loopback_only && host->host_len > 0 && !authority_is_loopback(host))
		return err_fail(e, ERR_FORBIDDEN,
		    "the request's host is \"%.*s\"; while normd listens on a loopback address, it serves localhost "
		    "and loopback addresses only (a proxy in front must send such a Host)",
		    (int)(host->host_len < 100 ? host->host_len : 100), host->host);
	if (origin == NULL)
		return 0;
	if (!is_allowed(allowed, host, origin, &own))
		return allowed->refuse_none ?
		    0 :
		    err_fail(e, ERR_FORBIDDEN,
			"pages of the origin \"%.100s\" may not call this server; its operator can allow them with "
			"--cors-origin",
			origin);
	if (!own)
		grant->origin = origin;
	return 0;
}

int
origins_check_site(const struct origins *allowed, const char *origin, const char *site, struct err *e)
{
	if (origin != NULL || site == NULL || allowed->any || strcmp(site, "cross-site") != 0)
		return 0;
	return err_fail(e, ERR_FORBIDDEN,
	    "pages of other sites may not make this call by an image or a link (Sec-Fetch-Site is cross-site); a page "
	    "of an origin that --cors-origin allows can make it by a script");
}

void
origins_add_headers(
    const struct origins *allowed, const struct origins_grant *grant, const char *methods, problem_add *add, void *arg)
{
	/* A cache must not give an answer to one origin to another, or one that no page may read to a page. */
	if (allowed->count > 0 || allowed->any)
		(void)add(arg, MHD_HTTP_HEADER_VARY, "Origin");
	if (grant->origin == NULL)
		return;
	(void)add(arg, "Access-Control-Allow-Origin", allowed->any ? "*" : grant->origin);
	if (!grant->preflight) {
		(void)add(arg, "Access-Control-Expose-Headers", EXPOSED);
		return;
	}
	(void)add(arg, "Access-Control-Allow-Methods", methods);
	(void)add(arg, "Access-Control-Allow-Headers", SENDABLE);
	(void)add(arg, "Access-Control-Max-Age", PREFLIGHT_S);
}
