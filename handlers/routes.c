/* SPDX-License-Identifier: MIT */
#include "handlers/routes.h"

#include <string.h>

#include "handlers/handlers.h"
#include "handlers/placeholders.h"

#define MODEL "/v1/models/{model}"
#define LAYER MODEL "/layers/{layer}"

/* A model of the Open Inference Protocol, and a version of one. */
#define OIP_MODEL "/v2/models/{model}"
#define OIP_VERSION OIP_MODEL "/versions/{version}"

/* The table is searched from the top, so the most frequent calls come first. */
const struct route routes[] = {
	{ "POST", LAYER "/train", .inputs = train_inputs, .body = BODY_INPUTS, .tensors_in = 1, .tensors_out = 1,
	    .needs_layer = true, .takes_key = true, .stores_values = true, .start = train_start, .joined = train_joined,
	    .meanwhile = train_meanwhile, .finish = train_finish },
	{ "POST", LAYER "/infer", .inputs = infer_inputs, .body = BODY_INPUTS, .tensors_in = 1, .tensors_out = 1,
	    .needs_layer = true, .reads_serving = true, .start = infer_start },
	{ "POST", OIP_MODEL "/infer", .body = BODY_OIP, .inputs = oip_infer_inputs, .any_query = true,
	    .takes_key = true, .stores_values = true, .start = oip_infer_start, .meanwhile = oip_infer_meanwhile,
	    .finish = oip_infer_finish, .end = oip_infer_end },
	{ "POST", OIP_VERSION "/infer", .body = BODY_OIP, .inputs = oip_infer_inputs, .any_query = true,
	    .takes_key = true, .stores_values = true, .start = oip_infer_start, .meanwhile = oip_infer_meanwhile,
	    .finish = oip_infer_finish, .end = oip_infer_end },
	{ "POST", LAYER "/backward", .inputs = backward_inputs, .body = BODY_INPUTS, .tensors_in = 2, .tensors_out = 3,
	    .needs_layer = true, .start = backward_start, .joined = backward_joined },
	{ "GET", "/", .start = root_get },
	{ "GET", "/openapi.json", .start = openapi_get },
	{ "GET", "/v2/health/live", .any_query = true, .probe = true, .start = health_get_live },
	{ "GET", "/v2/health/ready", .any_query = true, .probe = true, .start = health_get_ready },
	{ "GET", "/v2", .any_query = true, .start = oip_server_get },
	/* Before the model whose name is this word. */
	{ "GET", "/v2/models/stats", .any_query = true, .start = oip_stats_all, .answer_values = oip_stats_values },
	{ "GET", OIP_MODEL, .any_query = true, .start = oip_metadata_get, .finish = oip_describe_finish },
	{ "GET", OIP_VERSION, .any_query = true, .start = oip_metadata_get, .finish = oip_describe_finish },
	{ "GET", OIP_MODEL "/ready", .any_query = true, .start = oip_ready_get, .finish = oip_ready_get_finish },
	{ "GET", OIP_VERSION "/ready", .any_query = true, .start = oip_ready_get, .finish = oip_ready_get_finish },
	{ "GET", OIP_MODEL "/config", .any_query = true, .start = oip_config_get, .finish = oip_describe_finish },
	{ "GET", OIP_VERSION "/config", .any_query = true, .start = oip_config_get, .finish = oip_describe_finish },
	{ "GET", OIP_MODEL "/stats", .any_query = true, .start = oip_stats_get, .finish = oip_stats_get_finish,
	    .answer_values = oip_stats_values },
	{ "GET", OIP_VERSION "/stats", .any_query = true, .start = oip_stats_get, .finish = oip_stats_get_finish },
	{ "POST", "/v2/repository/index", .body = BODY_INPUTS, .inputs = oip_index_inputs, .body_optional = true,
	    .bytes_are_json = true, .any_query = true, .start = oip_index_post, .finish = oip_index_post_finish },
	{ "POST", "/v2/repository/models/{model}/load", .body = BODY_INPUTS, .inputs = oip_repository_inputs,
	    .body_optional = true, .bytes_are_json = true, .any_query = true, .start = oip_repository_post,
	    .finish = oip_load_finish },
	{ "POST", "/v2/repository/models/{model}/unload", .body = BODY_INPUTS, .inputs = oip_repository_inputs,
	    .body_optional = true, .bytes_are_json = true, .any_query = true, .start = oip_repository_post,
	    .finish = oip_unload_finish },
	{ "GET", "/v1/backup", .stream_type = "application/vnd.sqlite3", .start = backup_get,
	    .finish = backup_get_finish },
	{ "GET", "/v1/models", .inputs = page_inputs, .start = models_list, .finish = models_list_finish,
	    .answer_values = models_values },
	{ "GET", MODEL, .inputs = page_inputs, .start = model_get, .finish = model_get_finish,
	    .answer_values = layers_values },
	{ "DELETE", MODEL, .start = model_delete, .finish = no_content_finish, .end = model_delete_end },
	{ "PUT", MODEL "/frozen", .body = BODY_INPUTS, .inputs = model_frozen_inputs, .start = model_frozen_put,
	    .finish = model_frozen_put_finish },
	{ "POST", MODEL "/versions", .body = BODY_INPUTS, .inputs = version_create_inputs, .body_optional = true,
	    .takes_key = true, .start = version_create, .finish = version_create_finish,
	    .answer_values = states_values },
	{ "GET", MODEL "/versions", .inputs = page_numbered_inputs, .start = version_list,
	    .finish = version_list_finish, .answer_values = version_list_values },
	{ "GET", MODEL "/versions/{version}", .inputs = page_inputs, .start = version_get, .finish = version_get_finish,
	    .answer_values = states_values },
	{ "DELETE", MODEL "/versions/{version}", .start = version_delete, .finish = no_content_finish },
	{ "GET", MODEL "/serving", .start = serving_get, .finish = serving_get_finish },
	{ "PUT", MODEL "/serving", .body = BODY_INPUTS, .inputs = serving_put_inputs, .start = serving_put,
	    .finish = serving_put_finish },
	{ "GET", MODEL "/serving/history", .inputs = page_numbered_inputs, .start = serving_history,
	    .finish = serving_history_finish, .answer_values = serving_history_values },
	{ "GET", MODEL "/aliases", .inputs = page_inputs, .start = aliases_list, .finish = aliases_list_finish },
	{ "GET", MODEL "/aliases/{alias}", .start = alias_get, .finish = alias_get_finish },
	{ "PUT", MODEL "/aliases/{alias}", .body = BODY_INPUTS, .inputs = alias_put_inputs, .start = alias_put,
	    .finish = alias_put_finish },
	{ "DELETE", MODEL "/aliases/{alias}", .start = alias_delete, .finish = no_content_finish },
	{ "GET", MODEL "/state.safetensors", .inputs = export_inputs, .stream_type = "application/octet-stream",
	    .start = export_start, .finish = export_finish, .answer_values = export_values, .end = export_end },
	{ "PUT", MODEL "/state.safetensors", .body = BODY_FILE, .stores_values = true,
	    .header_known = import_header_known, .start = import_start, .finish = import_finish },
	{ "PUT", LAYER, .body = BODY_DEFINITION, .start = layer_put, .finish = layer_put_finish },
	{ "GET", LAYER, .inputs = layer_get_inputs, .needs_layer = true, .start = layer_get },
	{ "DELETE", LAYER, .start = layer_delete, .finish = no_content_finish },
	{ "GET", LAYER "/statistics", .inputs = statistics_get_inputs, .needs_layer = true, .start = statistics_get },
	{ "PUT", LAYER "/statistics", .body = BODY_INPUTS, .inputs = statistics_put_inputs, .needs_layer = true,
	    .stores_values = true, .start = statistics_put, .finish = statistics_put_finish },
	{ "DELETE", LAYER "/statistics", .needs_layer = true, .start = statistics_reset,
	    .finish = statistics_reset_finish },
	{ "POST", LAYER "/statistics/merge", .body = BODY_INPUTS, .inputs = statistics_merge_inputs,
	    .needs_layer = true, .takes_key = true, .stores_values = true, .start = statistics_merge,
	    .finish = counts_finish },
	{ "PUT", LAYER "/statistics/sources/{source}", .body = BODY_INPUTS, .inputs = source_put_inputs,
	    .needs_layer = true, .stores_values = true, .start = source_put, .finish = counts_finish },
	{ "GET", LAYER "/statistics/sources/{source}", .needs_layer = true, .start = source_get,
	    .finish = source_get_finish },
	{ "DELETE", LAYER "/statistics/sources/{source}", .needs_layer = true, .start = source_delete,
	    .finish = source_delete_finish },
	{ "POST", LAYER "/statistics/sources/compact", .body = BODY_INPUTS, .inputs = sources_compact_inputs,
	    .needs_layer = true, .takes_key = true, .start = sources_compact, .finish = counts_finish },
	{ "GET", LAYER "/statistics/sources", .inputs = page_inputs, .needs_layer = true, .start = sources_list,
	    .finish = sources_list_finish, .answer_values = sources_values },
	{ "GET", LAYER "/drift", .inputs = drift_inputs, .needs_layer = true, .reads_serving = true, .start = drift_get,
	    .finish = drift_get_finish },
	{ "DELETE", LAYER "/drift", .needs_layer = true, .start = drift_reset, .finish = no_content_finish },
	{ "POST", LAYER "/report", .inputs = report_inputs, .body = BODY_INPUTS, .tensors_in = 1, .needs_layer = true,
	    .reads_serving = true, .start = report_start },
	{ "GET", LAYER "/history", .inputs = page_numbered_inputs, .needs_layer = true, .start = history_get,
	    .finish = history_get_finish, .answer_values = history_values },
	{ "GET", LAYER "/parameters", .inputs = parameters_get_inputs, .needs_layer = true, .start = parameters_get,
	    .answer_values = parameters_values },
	{ "PUT", LAYER "/parameters", .body = BODY_INPUTS, .inputs = parameters_put_inputs, .needs_layer = true,
	    .stores_values = true, .start = parameters_put, .finish = parameters_put_finish,
	    .answer_values = parameters_values },
	{ "GET", LAYER "/frozen", .needs_layer = true, .start = frozen_get },
	{ "PUT", LAYER "/frozen", .body = BODY_INPUTS, .inputs = frozen_inputs, .needs_layer = true,
	    .start = frozen_put, .finish = frozen_put_finish },
	{ "GET", LAYER "/affine", .inputs = affine_inputs, .needs_layer = true, .reads_serving = true,
	    .start = affine_get },
	{ "POST", "/v1/normalize", .inputs = normalize_inputs, .body = BODY_DEFINITION, .tensors_in = 1,
	    .tensors_out = 1, .start = normalize_once },
};

const size_t routes_count = sizeof(routes) / sizeof(routes[0]);

/* The rest of a route's path after a word that is `segment`, or after a placeholder. NULL: another word. */
static const char *
skip_segment(const char *path, const char *segment)
{
	if (*path == '{') {
		while (*path != '/' && *path != '\0')
			path++;
		return path;
	}
	while (*path == *segment && *segment != '\0') {
		path++;
		segment++;
	}
	return *segment == '\0' && (*path == '/' || *path == '\0') ? path : NULL;
}

/* Whether the segments have the form of a route's path. */
static bool
path_matches(const char *path, const char *const *segments, size_t count)
{
	size_t i;

	if (count == 0)
		return strcmp(path, "/") == 0;
	for (i = 0; i < count && *path == '/'; i++) {
		path = skip_segment(path + 1, segments[i]);
		if (path == NULL)
			return false;
	}
	return i == count && *path == '\0';
}

static bool
method_matches(const struct route *route, const char *method)
{
	return strcmp(route->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

/* The answer has only the Allow header. */
static int
say_methods(struct request *rq, struct err *e)
{
	(void)rq, (void)e;
	return 0;
}

static const struct route methods_route = { "OPTIONS", "*", .any_query = true, .start = say_methods };

static bool
is_options(const char *method)
{
	return strcmp(method, methods_route.method) == 0;
}

/* Two rows may have the path and the method, where a name is also a word. */
static bool
has_method(const struct buf *allow, const char *method)
{
	return allow->len > 0 && memmem(allow->bytes, allow->len, method, strlen(method)) != NULL;
}

static void
add_method(struct buf *allow, const char *method)
{
	if (has_method(allow, method))
		return;
	buf_printf(allow, "%s%s", allow->len == 0 ? "" : ", ", method);
	if (strcmp(method, "GET") == 0)
		buf_text(allow, ", HEAD");
}

int
routes_find_any(struct request *rq, const char *method, struct buf *allow, struct err *e)
{
	if (!is_options(method))
		return err_fail(e, ERR_BAD_PARAMETER, "the target * has the method OPTIONS alone, not %.32s", method);
	rq->route = &methods_route;
	buf_text(allow, ROUTES_METHODS);
	return allow->failed ? err_fail_memory(e) : 0;
}

/* No route has the path and the method. `allow` has the methods of routes with the path, if there are any. */
static int
find_no_method(struct request *rq, const char *method, struct buf *allow, struct err *e)
{
	if (allow->failed)
		return err_fail_memory(e);
	if (allow->len == 0)
		return err_fail(e, ERR_NO_SUCH_ROUTE, "there is no such route");
	add_method(allow, methods_route.method);
	if (allow->failed)
		return err_fail_memory(e);
	if (!is_options(method))
		return err_fail(e, ERR_METHOD_NOT_ALLOWED, "this path has the methods %.*s, not %.32s", (int)allow->len,
		    allow->bytes, method);
	rq->route = &methods_route;
	return 0;
}

int
routes_find(
    struct request *rq, const char *method, const char *const *segments, size_t count, struct buf *allow, struct err *e)
{
	for (size_t i = 0; i < routes_count && rq->route == NULL; i++) {
		if (!path_matches(routes[i].path, segments, count))
			continue;
		placeholders_take(rq, routes[i].path, segments);
		if (method_matches(&routes[i], method))
			rq->route = &routes[i];
		else
			add_method(allow, routes[i].method);
	}
	if (rq->route == NULL && find_no_method(rq, method, allow, e) < 0)
		return -1;
	if (rq->route != &methods_route)
		allow->len = 0;
	return placeholders_check(rq, e);
}
