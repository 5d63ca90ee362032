/* SPDX-License-Identifier: MIT */
#include "server/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

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
	suggest_try(&s, "--help");
	suggest_try(&s, "--version");
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
	if (equals == NULL && *i + 1 >= argc)
		return err_fail(e, ERR_BAD_PARAMETER, "%s needs a value (%s)", a->table[k].flag, a->table[k].takes);
	values[k] = equals != NULL ? equals + 1 : argv[++*i];
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
arguments_print(const struct arguments *a, FILE *out)
{
	char flag[64];

	for (size_t k = 0; k < a->count; k++) {
		const struct argument *row = &a->table[k];
		const bool has_default = row->fallback != NULL && *row->fallback != '\0';

		snprintf(flag, sizeof(flag), "%s %s", row->flag, row->takes);
		fprintf(out, "  %-25s %s\n", flag, row->help);
		if (row->env != NULL)
			fprintf(out, "  %-25s   (%s%s%s)\n", "", row->env, has_default ? "; default " : "",
			    has_default ? row->fallback : "");
	}
}

bool
arguments_ask_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}
