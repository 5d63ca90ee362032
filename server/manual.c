/* SPDX-License-Identifier: MIT */
/*
 * A program of the build. `manual page VERSION DATE <normd.8.in` writes the manual page, in mdoc: it copies its input
 * and writes the tables of settings and commands where lines that begin with @ ask for them. `manual example` writes
 * the example of a file of settings.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/command.h"
#include "server/config.h"

/* Where the example's comments end. */
#define EXAMPLE_COLUMNS 80

static const struct mode {
	const char *flag;
	const char *help;
} modes[] = {
#define MANUAL_MODE(member, flag, help) { flag, help },
	CONFIG_MODES(MANUAL_MODE)
#undef MANUAL_MODE
};

/* Text between macros: what roff would take for itself is escaped, and hyphens stay ASCII. */
static void
put_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
}

/* A help's phrase as a sentence, which is a line of its own. */
static void
put_sentence(const char *help)
{
	const char first[] = { (char)toupper((unsigned char)*help), '\0' };

	/* Not a value's name: "debug, info". */
	put_text(first);
	put_text(help + 1);
	puts(".");
}

/* ".It Fl -listen Ar ADDR:PORT" */
static void
put_option(const struct argument *row)
{
	printf(".It Fl %s", row->flag + 1);
	if (row->takes != NULL)
		printf(" Ar %s", row->takes);
	putchar('\n');
	put_sentence(row->help);
}

static void
put_setting(const struct argument *row)
{
	put_option(row);
	if (row->takes != NULL && *row->fallback != '\0') {
		fputs("The default is\n.Cm ", stdout);
		put_text(row->fallback);
		puts(" .");
	}
	printf("The variable is\n.Ev %s .\n", row->env);
}

static void
put_settings(void)
{
	enum config_group group = CONFIG_GROUP_COUNT;

	for (enum config_option row = 0; row < CONFIG_OPTION_COUNT; row++) {
		if (config_group_of(row) != group) {
			if (group != CONFIG_GROUP_COUNT)
				puts(".El");
			group = config_group_of(row);
			printf(".Ss %s\n.Bl -tag -width indent\n", config_group_title(group));
		}
		put_setting(config_row(row));
	}
	puts(".El");
}

static void
put_modes(void)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		put_option(&(struct argument){ .flag = modes[i].flag, .help = modes[i].help });
}

/* A command's options in a synopsis: those that may be left out in brackets. */
static void
put_usage(const struct command *c)
{
	printf(".Nm\n.Cm %s\n", c->name);
	for (size_t i = 0; i < command_option_count(c); i++) {
		const struct argument *row = &c->options[i];

		printf(row->fallback == NULL ? ".Fl %s" : ".Op Fl %s", row->flag + 1);
		if (row->takes != NULL)
			printf(" Ar %s", row->takes);
		putchar('\n');
	}
}

static void
put_synopsis(void)
{
	for (size_t i = 0; command_at(i) != NULL; i++)
		put_usage(command_at(i));
}

static void
put_commands(void)
{
	for (size_t i = 0; command_at(i) != NULL; i++) {
		const struct command *c = command_at(i);

		printf(".Ss normd %s\n", c->name);
		put_sentence(c->help);
		puts(".Bl -tag -width indent");
		for (size_t k = 0; k < command_option_count(c); k++) {
			put_option(&c->options[k]);
			if (c->options[k].env != NULL)
				printf("Without it,\n.Ev %s\ncounts.\n", c->options[k].env);
		}
		puts(".El");
	}
}

/* Writes what a line asks for. False: nothing. */
static bool
put_asked(const char *line)
{
	static const struct {
		const char *asked;
		void (*put)(void);
	} parts[] = { { "@SYNOPSIS@\n", put_synopsis }, { "@SETTINGS@\n", put_settings }, { "@MODES@\n", put_modes },
		{ "@COMMANDS@\n", put_commands } };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcmp(parts[i].asked, line) == 0) {
			parts[i].put();
			return true;
		}
	return false;
}

/* False: a line asks for what is not known. */
static bool
write_page(const char *version, const char *date)
{
	char line[256];

	while (fgets(line, sizeof(line), stdin) != NULL)
		if (strcmp(line, ".Dd @DATE@\n") == 0)
			printf(".Dd %s\n", date);
		else if (strcmp(line, ".Os normd @VERSION@\n") == 0)
			printf(".Os normd %s\n", version);
		else if (*line != '@')
			fputs(line, stdout);
		else if (!put_asked(line))
			return false;
	return true;
}

/* A comment, broken between words. */
static void
put_comment(const char *text)
{
	size_t used = (size_t)printf("#");

	while (*text != '\0') {
		const size_t len = strcspn(text, " ");

		if (used > 1 && used + 1 + len > EXAMPLE_COLUMNS)
			used = (size_t)printf("\n#") - 1;
		used += (size_t)printf(" %.*s", (int)len, text);
		text += len + strspn(text + len, " ");
	}
	putchar('\n');
}

static void
write_example(void)
{
	enum config_group group = CONFIG_GROUP_COUNT;

	puts("# Settings of normd: see normd(8). The values here are the defaults. The environment\n"
	     "# (such as NORMD_LISTEN) and the command line (--listen) win over this file.\n"
	     "#\n"
	     "# After a change, check it by `normd --check-config --config FILE` and restart normd.");
	for (enum config_option row = 0; row < CONFIG_OPTION_COUNT; row++) {
		const struct argument *option = config_row(row);

		if (row == CONFIG_config) /* it names this file */
			continue;
		if (config_group_of(row) != group) {
			group = config_group_of(row);
			printf("\n\n# %s\n", config_group_title(group));
		}
		putchar('\n');
		put_comment(option->help);
		printf("#%s = %s\n", option->flag + 2, *option->fallback == '\0' ? "\"\"" : option->fallback);
	}
}

int
main(int argc, char **argv)
{
	bool done = argc > 1;

	if (argc == 4 && strcmp(argv[1], "page") == 0)
		done = write_page(argv[2], argv[3]);
	else if (argc == 2 && strcmp(argv[1], "example") == 0)
		write_example();
	else
		done = false;
	return done && fflush(stdout) == 0 && !ferror(stdin) && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}
