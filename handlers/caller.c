/* SPDX-License-Identifier: MIT */
#include "handlers/caller.h"

#include <stdio.h>
#include <string.h>

const struct caller caller_anyone = { .role = ACCESS_ADMIN };

/* No model's name begins so. */
static const char *const no_models[] = { "/" };
const struct caller caller_nobody = { .role = ACCESS_OPEN, .prefixes = no_models, .prefix_count = 1 };

const char *
caller_role_name(enum access role)
{
	return role <= ACCESS_OPEN ? "none" : role == ACCESS_INFER ? "infer" : role == ACCESS_TRAIN ? "train" : "admin";
}

/* The prefix that the model's name begins with, if there is one, is the last that is not above the name. */
bool
caller_has_model(const struct caller *c, const char *model)
{
	size_t low = 0, high = c->prefix_count, middle;

	if (c->prefix_count == 0)
		return true;
	while (low < high) {
		middle = low + (high - low) / 2;
		if (strcmp(c->prefixes[middle], model) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && strncmp(c->prefixes[low - 1], model, strlen(c->prefixes[low - 1])) == 0;
}

int
caller_check_role(const struct caller *c, enum access needed, struct err *e)
{
	if (needed == ACCESS_UNSAID)
		return err_fail(e, ERR_FORBIDDEN, "nobody may make this call");
	if (needed == ACCESS_SERVER && c->role == ACCESS_ADMIN && c->prefix_count > 0)
		return err_fail(e, ERR_FORBIDDEN,
		    "this call concerns the whole server: it needs a token that is not limited to some models");
	if (c->role >= needed || (needed == ACCESS_SERVER && c->role == ACCESS_ADMIN))
		return 0;
	return err_fail(e, ERR_FORBIDDEN,
	    "this call needs a token with the role \"%s\"%s; the request's token has the role \"%s\"",
	    caller_role_name(needed), needed < ACCESS_ADMIN ? " or a higher one" : "", caller_role_name(c->role));
}

/* The caller's prefixes as a list, as far as there is room. */
static void
list_prefixes(const struct caller *c, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < c->prefix_count; i++) {
		const size_t need = strlen(c->prefixes[i]) + sizeof(", \"\", ...");

		if (len + need > size) {
			snprintf(out + len, size - len, "%s...", i > 0 ? ", " : "");
			return;
		}
		len += (size_t)snprintf(out + len, size - len, "%s\"%s\"", i > 0 ? ", " : "", c->prefixes[i]);
	}
}

int
caller_check_model(const struct caller *c, const char *model, struct err *e)
{
	char list[160];

	if (caller_has_model(c, model))
		return 0;
	list_prefixes(c, list, sizeof(list));
	return err_fail(e, ERR_FORBIDDEN,
	    "the request's token is limited to models whose names begin with %s; \"%.128s\" does not", list, model);
}
