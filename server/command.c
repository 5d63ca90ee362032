/* SPDX-License-Identifier: MIT */
#include "server/command.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

static const struct command *const commands[] = { &command_check, &command_restore };

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static size_t
option_count(const struct command *c)
{
	size_t n = 0;

	while (n < COMMAND_OPTIONS_MAX && c->options[n].flag != NULL)
		n++;
	return n;
}

static int
refuse_option(const struct command *c, const char *arg, size_t len, struct err *e)
{
	char word[64], near[SUGGEST_BYTES];
	struct suggest s;

	snprintf(word, sizeof(word), "%.*s", (int)(len < sizeof(word) ? len : sizeof(word) - 1), arg);
	suggest_begin(&s, word);
	for (size_t k = 0; k < option_count(c); k++)
		suggest_try(&s, c->options[k].flag);
	return err_fail(e, ERR_BAD_PARAMETER, "normd %s has no option \"%.64s\" (see normd %s --help)%s", c->name, arg,
	    c->name, suggest_text(&s, near));
}

static int
refuse_command(const char *name, struct err *e)
{
	char near[SUGGEST_BYTES];
	struct suggest s;

	suggest_begin(&s, name);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		suggest_try(&s, commands[i]->name);
	return err_fail(
	    e, ERR_BAD_PARAMETER, "there is no command \"%.64s\" (see normd --help)%s", name, suggest_text(&s, near));
}

/* "--flag value" or "--flag=value"; moves *i past the value. */
static int
parse_argument(const struct command *c, int argc, char *const *argv, int *i, const char **values, struct err *e)
{
	const char *arg = argv[*i], *equals = strchr(arg, '=');
	size_t len = equals != NULL ? (size_t)(equals - arg) : strlen(arg), k = 0, n = option_count(c);

	while (k < n && (strlen(c->options[k].flag) != len || strncmp(c->options[k].flag, arg, len) != 0))
		k++;
	if (k == n)
		return refuse_option(c, arg, len, e);
	if (equals == NULL && *i + 1 >= argc)
		return err_fail(e, ERR_BAD_PARAMETER, "%s needs a value (%s)", c->options[k].flag, c->options[k].takes);
	values[k] = equals != NULL ? equals + 1 : argv[++*i];
	return 0;
}

static int
parse(const struct command *c, int argc, char *const *argv, const char **values, bool *help, struct err *e)
{
	const char *env;

	for (size_t k = 0; k < option_count(c); k++) {
		env = c->options[k].env != NULL ? getenv(c->options[k].env) : NULL;
		values[k] = env != NULL && *env != '\0' ? env : c->options[k].fallback;
	}
	for (int i = 2; i < argc; i++) {
		*help = *help || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
		if (!*help && parse_argument(c, argc, argv, &i, values, e) < 0)
			return -1;
	}
	for (size_t k = 0; !*help && k < option_count(c); k++)
		if (values[k] == NULL)
			return err_fail(e, ERR_BAD_PARAMETER, "normd %s needs %s %s", c->name, c->options[k].flag,
			    c->options[k].takes);
	return 0;
}

static void
print_help(const struct command *c)
{
	char flag[64];

	printf("normd %s: %s\n\nusage: normd %s [OPTION VALUE]...\n\n", c->name, c->help, c->name);
	for (size_t k = 0; k < option_count(c); k++) {
		const struct command_option *o = &c->options[k];

		snprintf(flag, sizeof(flag), "%s %s", o->flag, o->takes);
		printf("  %-25s %s\n", flag, o->help);
		if (o->env != NULL)
			printf("  %-25s   (%s%s%s)\n", "", o->env, o->fallback != NULL ? "; default " : "",
			    o->fallback != NULL ? o->fallback : "");
	}
	printf("  --help                    print this\n\n"
	       "Exits 0 when all is well, 1 when not, 2 when it was called wrongly. On a terminal it shows how far it "
	       "is.\n");
}

enum exit_code
command_run(int argc, char *const *argv)
{
	const struct command *c = find_command(argv[1]);
	const char *values[COMMAND_OPTIONS_MAX] = { 0 };
	struct err e = { 0 };
	enum exit_code code = EXIT_USAGE;
	bool help = false;

	if (c == NULL)
		(void)refuse_command(argv[1], &e);
	else if (parse(c, argc, argv, values, &help, &e) == 0 && help)
		print_help(c);
	else if (e.code == ERR_NONE)
		code = c->run(values, &e);
	if (e.code != ERR_NONE)
		fprintf(stderr, "normd: %s\n", e.detail);
	/* An argument that turns out to be wrong only when it is used. */
	return help ? EXIT_DONE : e.code == ERR_BAD_PARAMETER ? EXIT_USAGE : code;
}

void
command_list(FILE *out)
{
	fputs("\nCommands for when no daemon has the store; each has a --help of its own:\n", out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  normd %-19s %s\n", commands[i]->name, commands[i]->help);
}
