#include "server/guard.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "handlers/idempotency.h"

struct framing {
	unsigned host_count, length_count, encoding_count, key_count;
	const char *problem; /* the first thing that was wrong, or NULL */
};

static bool
is_token(const char *text, size_t len)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < len; i++) {
		char c = text[i], lower = (char)(c | 0x20);

		if (!(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'z') && (c == '\0' || strchr(marks, c) == NULL))
			return false;
	}
	return len > 0;
}

static bool
is_value(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
			return false;
	return true;
}

static bool
is_length(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return len > 0 && len < 19;
}

static bool
named(const char *name, size_t len, const char *wanted)
{
	return strlen(wanted) == len && strncasecmp(name, wanted, len) == 0;
}

static enum MHD_Result
look(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value, size_t value_len)
{
	struct framing *f = arg;

	(void)kind;
	if (value == NULL)
		value = "";
	if (!is_token(name, name_len))
		f->problem = "a header's name is not a token";
	else if (!is_value(value, value_len))
		f->problem = "a header's value holds a control character";
	else if (named(name, name_len, "Host"))
		f->host_count++;
	else if (named(name, name_len, IDEMPOTENCY_HEADER))
		f->key_count++;
	else if (named(name, name_len, "Content-Length")) {
		f->length_count++;
		if (!is_length(value, value_len))
			f->problem = "Content-Length is not a number";
	} else if (named(name, name_len, "Transfer-Encoding")) {
		f->encoding_count++;
		if (!named(value, value_len, "chunked"))
			f->problem = "the only Transfer-Encoding that is taken is chunked";
	}
	return f->problem == NULL ? MHD_YES : MHD_NO;
}

int
guard_headers(struct MHD_Connection *connection, const char *version, struct err *e)
{
	struct framing f = { 0 };
	bool is_1_1 = strcmp(version, MHD_HTTP_VERSION_1_1) == 0;

	MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look, &f);
	if (f.problem == NULL && (f.host_count > 1 || (is_1_1 && f.host_count == 0)))
		f.problem = "there must be one Host header";
	if (f.problem == NULL && f.key_count > 1)
		f.problem = "there is more than one Idempotency-Key";
	if (f.problem == NULL && f.length_count > 1)
		f.problem = "there is more than one Content-Length";
	if (f.problem == NULL && f.encoding_count > 0 && (f.encoding_count > 1 || f.length_count > 0 || !is_1_1))
		f.problem = "Transfer-Encoding stands twice, beside Content-Length, or on HTTP/1.0";
	return f.problem == NULL ? 0 : err_set(e, ERR_BAD_PARAMETER, "%s", f.problem);
}
