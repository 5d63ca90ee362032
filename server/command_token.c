/* SPDX-License-Identifier: MIT */
/*
 * `normd token`: makes a token, prints it once, and adds its hash to the file of tokens. Only the token goes to
 * standard output (and the line for the file if none is named), so that a script can take it from there.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "server/command.h"
#include "server/tokens_file.h"

enum { ROLE, MODELS, TOKENS };

static int
say(const char *text, struct err *e)
{
	if (printf("%s\n", text) >= 0 && fflush(stdout) == 0)
		return 0;
	return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the token cannot be printed (%s): nothing was added to the file",
	    strerror(errno));
}

static int
say_token(void *token, struct err *e)
{
	return say(token, e);
}

/* The line of a token for the file, with its newline. */
static int
make_line(const char *token, const char *const *values, char out[TOKENS_LINE_MAX + 2], struct err *e)
{
	unsigned char digest[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];
	int len;

	token_digest(token, strlen(token), digest);
	sha256_format(digest, text);
	len = snprintf(out, TOKENS_LINE_MAX + 2, "%s %s %s\n", strchr(text, ':') + 1, values[ROLE], values[MODELS]);
	if (len > (int)TOKENS_LINE_MAX)
		return err_fail(e, ERR_BAD_PARAMETER, "--models is too long: a line of the file has at most %zu bytes",
		    TOKENS_LINE_MAX);
	return 0;
}

static int
check(const char *const *values, struct err *e)
{
	enum access role;

	if (token_parse_role(values[ROLE], strlen(values[ROLE]), &role, e) < 0) {
		err_prepend(e, "--role: ");
		return -1;
	}
	if (token_check_models(values[MODELS], strlen(values[MODELS]), e) == 0)
		return 0;
	err_prepend(e, "--models: ");
	return -1;
}

static void
advise(const char *path, const char *line)
{
	if (*path != '\0')
		fprintf(stderr,
		    "normd: the token's hash was added to %s. The token is shown this once: keep it as a secret. A "
		    "daemon that\nruns takes it after a SIGHUP; one that starts needs --tokens %s\n",
		    path, path);
	else
		fprintf(stderr,
		    "normd: the first line is the token, which is shown this once: keep it as a secret. Add the second "
		    "line to the\nfile of --tokens (%.8s... is its hash)\n",
		    line);
}

static enum exit_code
run(const char *const *values, struct err *e)
{
	char token[TOKEN_TEXT_BYTES], line[TOKENS_LINE_MAX + 2];
	const char *path = values[TOKENS];
	int result;

	/* A reader that is gone must not kill this between the file and the print: the hash would stay in the file. */
	signal(SIGPIPE, SIG_IGN);
	if (check(values, e) < 0 || token_make(token, e) < 0 || make_line(token, values, line, e) < 0)
		return EXIT_FAILED;
	if (*path != '\0') {
		result = tokens_file_append(path, line, say_token, token, e);
	} else {
		result = say(token, e);
		if (result == 0 && (fputs(line, stdout) == EOF || fflush(stdout) != 0))
			result = err_fail(
			    e, ERR_STORAGE_UNAVAILABLE, "the line for the file cannot be printed: %s", strerror(errno));
	}
	if (result < 0)
		return EXIT_FAILED;
	advise(path, line);
	return EXIT_DONE;
}

const struct command command_token = {
	.name = "token",
	.help = "make a token, add its hash to the file of tokens, and print it once",
	.options = { { "--role", "ROLE", NULL, NULL,
			 "what the token may do: infer (read), train (and update), admin (and delete and publish)" },
	    { "--models", "PREFIXES", NULL, "*",
		"how the names of its models begin: prefixes with commas between them; *: all models" },
	    { "--tokens", "FILE", "NORMD_TOKENS", "", "the file of tokens; without one, the line for it is printed" } },
	.run = run,
};
