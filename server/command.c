/* SPDX-License-Identifier: MIT */
#include "server/command.h"

#include <stdbool.h>
#include <string.h>

#include "base/suggest.h"

static const struct command *const commands[] = { &command_check, &command_restore, &command_migrate, &command_token };

static const char *const modes[] = { "--help", NULL };

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

const struct command *
command_at(size_t i)
{
	return i < COMMAND_COUNT ? commands[i] : NULL;
}

size_t
command_option_count(const struct command *c)
{
	size_t n = 0;

	while (n < COMMAND_OPTIONS_MAX && c->options[n].flag != NULL)
		n++;
	return n;
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

static int
parse(const struct arguments *a, int argc, char *const *argv, const char **values, bool *help, struct err *e)
{
	arguments_set_defaults(a, values);
	for (int i = 2; i < argc && !*help; i++) {
		*help = arguments_ask_help(argv[i]);
		if (!*help && arguments_take(a, argc, argv, &i, values, e) < 0)
			return -1;
	}
	return *help ? 0 : arguments_check(a, values, e);
}

static void
print_help(const struct command *c, const struct arguments *a)
{
	printf("%s: %s\n\nusage: %s [OPTION VALUE]...\n\n", a->program, c->help, a->program);
	arguments_print(a, stdout);
	printf("  --help                    print this\n\n"
	       "Exits with 0 if all is well, 1 if not, 2 if the command line is wrong. On a terminal it shows its "
	       "progress.\n");
}

enum exit_code
command_run(int argc, char *const *argv)
{
	const struct command *c = find_command(argv[1]);
	char program[64];
	struct arguments a = { .program = program, .modes = modes };
	const char *values[COMMAND_OPTIONS_MAX] = { 0 };
	struct err e = { 0 };
	enum exit_code code = EXIT_DONE;
	bool help = false;

	snprintf(program, sizeof(program), "normd %s", argv[1]);
	if (c != NULL) {
		a.table = c->options;
		a.count = command_option_count(c);
	}
	if (c == NULL)
		(void)refuse_command(argv[1], &e);
	else if (parse(&a, argc, argv, values, &help, &e) == 0 && help)
		print_help(c, &a);
	else if (e.code == ERR_NONE)
		code = c->run(values, &e);
	if (e.code == ERR_NONE)
		return code;
	fprintf(stderr, "normd: %s\n", e.detail);
	return exit_code_of(&e);
}

void
command_list(FILE *out)
{
	fputs("\nCommands; each has its own --help:\n", out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  normd %-19s %s\n", commands[i]->name, commands[i]->help);
}
