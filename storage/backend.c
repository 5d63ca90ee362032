/* SPDX-License-Identifier: MIT */
#include "storage/backend.h"

#include <string.h>

int
backend_list_models(struct backend *b, struct store_list *list,
    int (*one)(struct backend *b, struct store_list *list, const char *prefix, struct err *e), struct err *e)
{
	if (list->prefix_count == 0)
		return one(b, list, "", e);
	for (size_t i = 0; i < list->prefix_count && !list->more; i++)
		if (one(b, list, list->prefixes[i], e) < 0)
			return -1;
	return 0;
}

int
backend_need_model(struct backend *b, const char *model, struct err *e)
{
	bool exists;

	if (b->ops->model_exists(b, model, &exists, e) < 0)
		return -1;
	return exists ? 0 : err_fail(e, ERR_NO_SUCH_MODEL, "there is no model \"%s\"", model);
}

int
backend_refuse_layer(struct backend *b, const char *model, const char *layer, struct err *e)
{
	if (backend_need_model(b, model, e) < 0)
		return -1;
	return err_fail(e, ERR_NO_SUCH_LAYER, "model \"%s\" has no layer \"%s\"", model, layer);
}

int
backend_refuse_source(const char *layer, const char *source, struct err *e)
{
	return err_fail(e, ERR_NO_SUCH_SOURCE, "layer \"%s\" has no source \"%s\"", layer, source);
}

int
backend_refuse_version(const char *model, const char *version, struct err *e)
{
	return err_fail(e, ERR_NO_SUCH_VERSION, "model \"%s\" has no version %s", model, version);
}

int
backend_refuse_alias(const char *model, const char *alias, struct err *e)
{
	return err_fail(e, ERR_NO_SUCH_ALIAS, "model \"%s\" has no alias \"%s\"%s", model, alias,
	    strcmp(alias, "previous") == 0 ? "; only PUT .../serving takes \"previous\"" : "");
}
