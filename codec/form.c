/* SPDX-License-Identifier: MIT */
#include "codec/form.h"

#include <stdio.h>

static const struct form_ops *const forms[FORM_COUNT] = {
	[FORM_JSON] = &form_json,
	[FORM_NPY] = &form_npy,
	[FORM_OIP] = &form_oip,
};

const struct form_ops *
form_ops(enum form form)
{
	return forms[form];
}

unsigned
form_carrying(unsigned tensors)
{
	unsigned set = 0;

	for (unsigned form = 0; form < FORM_COUNT; form++)
		if (!forms[form]->by_route && (forms[form]->document || tensors > 0))
			set |= 1u << form;
	return set;
}

bool
form_in(unsigned set, enum form form)
{
	return (set >> form & 1) != 0;
}

unsigned
form_holding(enum datatype datatype)
{
	unsigned set = 0;

	for (unsigned form = 0; form < FORM_COUNT; form++)
		if (!forms[form]->by_route && forms[form]->holds(datatype))
			set |= 1u << form;
	return set;
}

const char *
form_list(unsigned set, char out[FORM_LIST_BYTES])
{
	size_t len = 0;

	*out = '\0';
	for (unsigned form = 0; form < FORM_COUNT && len < FORM_LIST_BYTES; form++) {
		const bool last = set >> form == 1;

		if (form_in(set, form))
			len += (size_t)snprintf(out + len, FORM_LIST_BYTES - len, "%s%s",
			    len == 0 ? "" :
				last ? " and " :
				       ", ",
			    forms[form]->media_type);
	}
	return out;
}
