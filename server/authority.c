/* SPDX-License-Identifier: MIT */
#include "server/authority.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

static bool
is_alphanumeric(char c)
{
	char lower = (char)(c | 0x20);

	return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

/*
 * The length of the host that the text begins with: a registered name or an IPv4 address; or an IPv6 address in
 * brackets.
 */
static size_t
host_length(const char *text, size_t len)
{
	static const char marks[] = "-._~%!$&'()*+;=", address_marks[] = ":.%";
	const bool bracket = len > 0 && *text == '[';
	const char *also = bracket ? address_marks : marks;
	size_t n = bracket;

	while (n < len && text[n] != '\0' && (is_alphanumeric(text[n]) || strchr(also, text[n]) != NULL))
		n++;
	if (bracket)
		return n < len && text[n] == ']' ? n + 1 : 0;
	return n;
}

int
authority_parse(const char *text, size_t len, struct authority *out)
{
	size_t n = host_length(text, len);

	*out = (struct authority){ .host = text, .host_len = n };
	if (n == len)
		return len > 0 ? 0 : -1;
	if (n == 0 || text[n++] != ':')
		return -1;
	for (; n < len; n++) {
		if (text[n] < '0' || text[n] > '9')
			return -1;
		out->port = out->port * 10 + (unsigned)(text[n] - '0');
		if (out->port > 65535)
			return -1;
	}
	return 0;
}

bool
authority_equal(const struct authority *a, const struct authority *b, unsigned default_port)
{
	return a->host_len == b->host_len && strncasecmp(a->host, b->host, a->host_len) == 0 &&
	    (a->port == 0 ? default_port : a->port) == (b->port == 0 ? default_port : b->port);
}

bool
authority_is_loopback_six(const struct in6_addr *six)
{
	return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == IN_LOOPBACKNET);
}

static bool
is_loopback_address(const char *text)
{
	struct in6_addr six;
	struct in_addr four;

	if (*text != '[')
		return inet_pton(AF_INET, text, &four) == 1 && ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
	return inet_pton(AF_INET6, text + 1, &six) == 1 && authority_is_loopback_six(&six);
}

static bool
ends_in(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && strncasecmp(text + len - n, end, n) == 0;
}

bool
authority_is_loopback(const struct authority *a)
{
	char text[INET6_ADDRSTRLEN + 1];
	size_t len = a->host_len;

	if (len > 0 && a->host[len - 1] == '.') /* the root of all names */
		len--;
	if ((len == strlen("localhost") && ends_in(a->host, len, "localhost")) || ends_in(a->host, len, ".localhost"))
		return true;
	len = a->host_len;
	if (len == 0 || len >= sizeof(text))
		return false;
	len -= a->host[len - 1] == ']';
	memcpy(text, a->host, len);
	text[len] = '\0';
	return is_loopback_address(text);
}

bool
authority_is_usual_loopback(const char *host)
{
	static const char address[] = "127.0.0.1", name[] = "localhost";
	size_t at = sizeof(address) - 1, digits = 0;

	_Static_assert(sizeof(address) == sizeof(name), "both are of one length");
	if (strncmp(host, address, at) != 0 && strncmp(host, name, at) != 0)
		return false;
	if (host[at] == '\0')
		return true;
	while (host[at + 1 + digits] >= '0' && host[at + 1 + digits] <= '9')
		digits++;
	/* Ports from 60000 on are left to authority_parse, which knows how far they go. */
	return host[at] == ':' && digits > 0 && host[at + 1 + digits] == '\0' &&
	    (digits < 5 || (digits == 5 && host[at + 1] < '6'));
}
