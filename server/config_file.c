/* SPDX-License-Identifier: MIT */
#include "server/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"

static const char mark[] = "\xef\xbb\xbf"; /* U+FEFF */

const char *
config_file_show(const char *path, char out[CONFIG_FILE_SHOWN])
{
	const size_t len = strlen(path);

	if (len < CONFIG_FILE_SHOWN)
		memcpy(out, path, len + 1);
	else
		snprintf(out, CONFIG_FILE_SHOWN, "...%s", path + len - (CONFIG_FILE_SHOWN - 4));
	return out;
}

/* Up to `size` bytes. Their number, or -1 with errno. */
static ssize_t
read_up_to(int fd, char *out, size_t size)
{
	size_t used = 0;
	ssize_t n;

	do {
		n = read(fd, out + used, size - used);
		if (n > 0)
			used += (size_t)n;
	} while ((n > 0 && used < size) || (n < 0 && errno == EINTR));
	return n < 0 ? -1 : (ssize_t)used;
}

/* One byte more than is allowed is read, so that an endless file ends here. */
static ssize_t
load(const char *path, char *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;
	int error;

	if (fd < 0)
		return -1;
	n = read_up_to(fd, out, CONFIG_FILE_BYTES_MAX + 1);
	error = errno;
	close(fd);
	errno = error;
	return n;
}

/* What is wrong with a text's byte; NULL: nothing. */
static const char *
judge(struct utf8 *u, unsigned char c)
{
	if (c == '\0')
		return "there is a NUL byte; the file must be a text in UTF-8";
	if (!utf8_next(u, c))
		return "this is not UTF-8";
	if ((c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
		return "there is a control character";
	return NULL;
}

static int
check_text(const char *path, const char *text, size_t len, struct err *e)
{
	char shown[CONFIG_FILE_SHOWN];
	struct utf8 u = { 0 };
	const char *wrong;
	unsigned line = 1;

	for (size_t i = 0; i < len; i++) {
		wrong = judge(&u, (unsigned char)text[i]);
		if (wrong == NULL && i + 1 == len && u.left > 0)
			wrong = "this is not UTF-8";
		if (wrong == NULL && text[i] == '\r' && i + 1 < len && text[i + 1] != '\n')
			wrong = "there is a carriage return within the line; lines must end in LF or CR LF";
		if (wrong != NULL)
			return err_fail(e, ERR_BAD_PARAMETER, "%s:%u: %s", config_file_show(path, shown), line, wrong);
		line += text[i] == '\n';
	}
	return 0;
}

int
config_file_read(const char *path, char **text, struct err *e)
{
	char shown[CONFIG_FILE_SHOWN];
	char *out = malloc(CONFIG_FILE_BYTES_MAX + 2);
	ssize_t len;

	if (out == NULL)
		return err_fail_memory(e);
	len = load(path, out);
	if (len < 0)
		err_set(e, ERR_BAD_PARAMETER, "the configuration file \"%s\" cannot be read: %s",
		    config_file_show(path, shown), strerror(errno));
	else if ((size_t)len > CONFIG_FILE_BYTES_MAX)
		err_set(e, ERR_BAD_PARAMETER, "the configuration file \"%s\" is larger than %zu bytes",
		    config_file_show(path, shown), CONFIG_FILE_BYTES_MAX);
	else if (check_text(path, out, (size_t)len, e) == 0) {
		out[len] = '\0';
		*text = out;
		return 0;
	}
	free(out);
	return -1;
}

struct config_line
config_file_begin(char *text)
{
	const size_t skipped = strncmp(text, mark, sizeof(mark) - 1) == 0 ? sizeof(mark) - 1 : 0;

	return (struct config_line){ .next = text + skipped };
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static char *
skip_blanks(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/* Ends the text at `end`, without the blanks before it. */
static void
trim(const char *begin, char *end)
{
	while (end > begin && is_blank(end[-1]))
		end--;
	*end = '\0';
}

/* The end of a text: the comment, or the line's end. */
static char *
find_end(char *p)
{
	const char *begin = p;

	while (*p != '\0' && (*p != '#' || (p > begin && !is_blank(p[-1]))))
		p++;
	return p;
}

static int
take_quoted(struct config_line *line, char *p, struct err *e)
{
	char *end = strchr(p + 1, *p), *rest;

	if (end == NULL)
		return err_fail(e, ERR_BAD_PARAMETER, "%s has a value whose closing %c is missing", line->name, *p);
	*end = '\0';
	rest = skip_blanks(end + 1);
	if (*rest != '\0' && *rest != '#')
		return err_fail(
		    e, ERR_BAD_PARAMETER, "%s has \"%.40s\" after the value's closing quote", line->name, rest);
	line->value = p + 1;
	return 0;
}

static int
take_value(struct config_line *line, char *p, struct err *e)
{
	if (*p == '"' || *p == '\'')
		return take_quoted(line, p, e);
	trim(p, find_end(p));
	line->value = p;
	if (*p == '\0')
		return err_fail(e, ERR_BAD_PARAMETER, "%s has no value; an empty one is written as \"\"", line->name);
	return 0;
}

/* One line, without its end. */
static int
take_line(struct config_line *line, char *p, struct err *e)
{
	char *end = find_end(p), *equals = memchr(p, '=', (size_t)(end - p));

	line->name = p;
	if (equals == NULL) {
		trim(p, end);
		return err_fail(e, ERR_BAD_PARAMETER, "\"%.80s\" is not a setting; expected NAME = VALUE", p);
	}
	trim(p, equals);
	if (*p == '\0')
		return err_fail(e, ERR_BAD_PARAMETER, "there is no name before the =; expected NAME = VALUE");
	return take_value(line, skip_blanks(equals + 1), e);
}

int
config_file_next(struct config_line *line, struct err *e)
{
	char *p, *end;

	while (*line->next != '\0') {
		p = skip_blanks(line->next);
		end = strchrnul(p, '\n');
		line->next = *end == '\0' ? end : end + 1;
		*end = '\0';
		line->number++;
		if (*p != '\0' && *p != '#')
			return take_line(line, p, e) < 0 ? -1 : 1;
	}
	return 0;
}
