/* SPDX-License-Identifier: MIT */
#include "server/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

/* Where the help of an option begins. */
#define HELP_COLUMN 28

void
arguments_set_defaults(const struct arguments *a, const char **values)
{
	const char *env;

	for (size_t k = 0; k < a->count; k++) {
		env = a->table[k].env != NULL ? getenv(a->table[k].env) : NULL;
		values[k] = env != NULL && *env != '\0' ? env : a->table[k].fallback;
	}
}

static int
refuse(const struct arguments *a, const char *arg, size_t len, struct err *e)
{
	char word[64], near[SUGGEST_BYTES];
	struct suggest s;

	snprintf(word, sizeof(word), "%.*s", (int)(len < sizeof(word) ? len : sizeof(word) - 1), arg);
	suggest_begin(&s, word);
	for (size_t k = 0; k < a->count; k++)
		suggest_try(&s, a->table[k].flag);
	for (size_t k = 0; a->modes[k] != NULL; k++)
		suggest_try(&s, a->modes[k]);
	return err_fail(e, ERR_BAD_PARAMETER, "%s has no option \"%.64s\" (see %s --help)%s", a->program, arg,
	    a->program, suggest_text(&s, near));
}

int
arguments_take(const struct arguments *a, int argc, char *const *argv, int *i, const char **values, struct err *e)
{
	const char *arg = argv[*i], *equals = strchr(arg, '=');
	const size_t len = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
	size_t k = 0;

	while (k < a->count && (strlen(a->table[k].flag) != len || strncmp(a->table[k].flag, arg, len) != 0))
		k++;
	if (k == a->count)
		return refuse(a, arg, len, e);
	if (equals != NULL)
		values[k] = equals + 1;
	else if (a->table[k].takes == NULL)
		values[k] = "true";
	else if (*i + 1 < argc)
		values[k] = argv[++*i];
	else
		return err_fail(e, ERR_BAD_PARAMETER, "%s needs a value (%s)", a->table[k].flag, a->table[k].takes);
	return (int)k;
}

int
arguments_check(const struct arguments *a, const char *const *values, struct err *e)
{
	for (size_t k = 0; k < a->count; k++)
		if (values[k] == NULL)
			return err_fail(
			    e, ERR_BAD_PARAMETER, "%s needs %s %s", a->program, a->table[k].flag, a->table[k].takes);
	return 0;
}

void
arguments_print_row(const struct argument *row, FILE *out)
{
	const bool has_default = row->takes != NULL && row->fallback != NULL && *row->fallback != '\0';
	char flag[64];

	snprintf(flag, sizeof(flag), "%s%s%s", row->flag, row->takes != NULL ? " " : "",
	    row->takes != NULL ? row->takes : "");
	/* A long option has a line of its own. */
	if (strlen(flag) > HELP_COLUMN - 3)
		fprintf(out, "  %s\n  %-*s ", flag, HELP_COLUMN - 3, "");
	else
		fprintf(out, "  %-*s ", HELP_COLUMN - 3, flag);
	fprintf(out, "%s\n", row->help);
	if (row->env != NULL)
		fprintf(out, "  %-*s   (%s%s%s)\n", HELP_COLUMN - 3, "", row->env, has_default ? "; default " : "",
		    has_default ? row->fallback : "");
}

void
arguments_print(const struct arguments *a, FILE *out)
{
	for (size_t k = 0; k < a->count; k++)
		arguments_print_row(&a->table[k], out);
}

bool
arguments_ask_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}
