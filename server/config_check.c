/* SPDX-License-Identifier: MIT */
#include "server/config_check.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "server/certificate.h"
#include "server/config_file.h"
#include "server/listener.h"
#include "server/sandbox_places.h"
#include "server/server.h"
#include "server/tokens_file.h"
#include "storage/store.h"

/* The column of the comments. */
#define NOTE_COLUMN 44

/* The address is not bound: a daemon may be listening. */
static int
check_listen(const struct config *c, struct err *e)
{
	int loopback = listener_names_loopback(c->listen.host, e);

	return loopback < 0 ? -1 : server_check_exposure(c, c->listen.host, loopback, e);
}

static int
check_port_file(const struct config *c, struct err *e)
{
	return *c->port_file == '\0' ? 0 : listener_check_port_file(c->port_file, e);
}

static int
check_tokens(const struct config *c, struct err *e)
{
	struct tokens *tokens;

	if (*c->tokens == '\0')
		return 0;
	tokens = tokens_file_read(c->tokens, e);
	tokens_free(tokens);
	return tokens == NULL ? -1 : 0;
}

static int
check_store(const struct config *c, struct err *e)
{
	return store_check_place(c->store, e);
}

/* Also if a row alone is right: the key must be the certificate's. */
static int
check_certificate(const struct config *c, struct err *e)
{
	struct certificate *certificate;

	if (*c->tls_cert == '\0')
		return 0;
	certificate = certificate_load(c->tls_cert, c->tls_key, clock_realtime_s(), e);
	certificate_unref(certificate);
	return certificate == NULL ? -1 : 0;
}

static int
check_web_root(const struct config *c, struct err *e)
{
	return *c->web_root == '\0' ? 0 : web_check_root(c->web_root, e);
}

/* What a daemon would warn of, it warns of here. */
static int
check_sandbox(const struct config *c, struct err *e)
{
	struct sandbox_places places;

	if (c->sandbox == CONFIG_SANDBOX_OFF)
		return 0;
	sandbox_places_find(&places, c);
	if (sandbox_places_check(&places, e) == 0)
		return 0;
	if (c->sandbox == CONFIG_SANDBOX_REQUIRE)
		return -1;
	fprintf(stderr, "normd: warning: %s\n", e->detail);
	*e = (struct err){ 0 };
	return 0;
}

/* What a daemon would open at its start. */
static const struct check {
	enum config_option row; /* the setting that names it */
	int (*check)(const struct config *c, struct err *e);
} checks[] = {
	{ CONFIG_listen, check_listen },
	{ CONFIG_port_file, check_port_file },
	{ CONFIG_tokens, check_tokens },
	{ CONFIG_web_root, check_web_root },
	{ CONFIG_store, check_store },
	{ CONFIG_tls_cert, check_certificate },
	{ CONFIG_sandbox, check_sandbox },
};

static void
tell_of_stray(void *arg, const char *name, const char *meant)
{
	(void)arg;
	fprintf(stderr, "normd: warning: %s is not a setting; did you mean %s?\n", name, meant);
}

/* As config_file.h reads it. */
static int
print_value(const char *text)
{
	const char *quote = strchr(text, '"') != NULL ? "'" : "\"";

	/* Without blanks, quotes and # anything is read back as it is. */
	if (*text != '\0' && strpbrk(text, " \t\"'#") == NULL)
		quote = "";
	return printf("%s%s%s", quote, text, quote);
}

static void
print_source(const struct config *c, enum config_option row)
{
	char shown[CONFIG_FILE_SHOWN];

	switch (c->texts[row].source) {
	case CONFIG_FROM_DEFAULT:
		fputs("default", stdout);
		break;
	case CONFIG_FROM_FILE:
		printf("%s:%u", config_file_show(c->config_file, shown), c->texts[row].line);
		break;
	case CONFIG_FROM_ENVIRONMENT:
		fputs(config_row(row)->env, stdout);
		break;
	case CONFIG_FROM_COMMAND_LINE:
		fputs("command line", stdout);
		break;
	}
}

/* What the machine has made of a setting. */
static void
print_outcome(const struct config *c, enum config_option row)
{
	const bool left_to_it = strcmp(c->texts[row].text, "0") == 0;

	if (row == CONFIG_threads && left_to_it)
		printf("; here %u", c->thread_count);
	else if (row == CONFIG_max_memory && left_to_it)
		printf("; here %zuMiB", c->memory.total >> 20);
	else if (row == CONFIG_max_body && c->memory.body_lowered)
		printf("; here %zuMiB", c->memory.body_max >> 20);
}

static void
print_setting(const struct config *c, enum config_option row)
{
	int used = printf("%s = ", config_row(row)->flag + 2);
	char store[STORE_URL_SHOWN];

	used += print_value(row == CONFIG_store ? store_show_url(c->texts[row].text, store) : c->texts[row].text);
	printf("%*s # ", used < NOTE_COLUMN ? NOTE_COLUMN - used : 0, "");
	print_source(c, row);
	print_outcome(c, row);
	putchar('\n');
}

/* Says what is wrong. */
static enum exit_code
run_check(const struct config *c, const struct check *check)
{
	char place[CONFIG_PLACE_BYTES];
	struct err e = { 0 };

	if (check->check(c, &e) < 0)
		fprintf(stderr, "normd: %s: %s\n", config_place(c, check->row, place), e.detail);
	return exit_code_of(&e);
}

enum exit_code
config_check(const struct config *c)
{
	enum exit_code result = EXIT_DONE, code;

	config_find_strays(tell_of_stray, NULL);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		code = run_check(c, &checks[i]);
		result = code > result ? code : result;
	}
	if (result != EXIT_DONE)
		return result;
	puts("# the configuration is valid");
	for (enum config_option row = 0; row < CONFIG_OPTION_COUNT; row++)
		if (row != CONFIG_config)
			print_setting(c, row);
	if (fflush(stdout) == 0)
		return EXIT_DONE;
	fprintf(stderr, "normd: the settings cannot be printed: %s\n", strerror(errno));
	return EXIT_FAILED;
}
