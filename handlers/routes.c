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
	ROUTE("POST", LAYER "/train", TRAIN, .inputs = train_inputs, .body = BODY_INPUTS, .tensors_in = 1,
	    .tensors_out = 1, .needs_layer = true, .takes_key = true, .stores_values = true, .start = train_start,
	    .joined = train_joined, .meanwhile = train_meanwhile, .finish = train_finish),
	ROUTE("POST", LAYER "/infer", INFER, .inputs = infer_inputs, .body = BODY_INPUTS, .tensors_in = 1,
	    .tensors_out = 1, .needs_layer = true, .reads_serving = true, .start = infer_start),
	ROUTE("POST", OIP_MODEL "/infer", INFER, .body = BODY_OIP, .inputs = oip_infer_inputs, .any_query = true,
	    .takes_key = true, .stores_values = true, .start = oip_infer_start, .meanwhile = oip_infer_meanwhile,
	    .finish = oip_infer_finish, .end = oip_infer_end),
	ROUTE("POST", OIP_VERSION "/infer", INFER, .body = BODY_OIP, .inputs = oip_infer_inputs, .any_query = true,
	    .takes_key = true, .stores_values = true, .start = oip_infer_start, .meanwhile = oip_infer_meanwhile,
	    .finish = oip_infer_finish, .end = oip_infer_end),
	ROUTE("POST", LAYER "/backward", TRAIN, .inputs = backward_inputs, .body = BODY_INPUTS, .tensors_in = 2,
	    .tensors_out = 3, .needs_layer = true, .start = backward_start, .joined = backward_joined),
	ROUTE("GET", "/", OPEN, .web = WEB_ROUTE_PAGE_OR_JSON, .no_state = true, .start = root_get),
	ROUTE("GET", "/play", OPEN, .web = WEB_ROUTE_PAGE, .any_query = true, .no_state = true, .start = web_play_get),
	ROUTE("GET", "/web/{file}", OPEN, .web = WEB_ROUTE_PAGE, .any_query = true, .no_state = true,
	    .start = web_file_get),
	ROUTE("GET", "/web/{folder}/{file}", OPEN, .web = WEB_ROUTE_PAGE, .any_query = true, .no_state = true,
	    .start = web_file_get),
	ROUTE("GET", "/openapi.json", OPEN, .no_state = true, .start = openapi_get),
	ROUTE("GET", "/v2/health/live", OPEN, .any_query = true, .probe = true, .start = health_get_live),
	ROUTE("GET", "/v2/health/ready", OPEN, .any_query = true, .probe = true, .start = health_get_ready),
	ROUTE("GET", "/metrics", INFER, .may_be_open = true, .any_query = true, .probe = true,
	    .text_type = "text/plain; version=0.0.4; charset=utf-8", .start = metrics_get,
	    .answer_values = metrics_values),
	ROUTE("GET", "/v2", INFER, .any_query = true, .start = oip_server_get),
	/* Before the model whose name is this word. */
	ROUTE("GET", "/v2/models/stats", INFER, .any_query = true, .start = oip_stats_all,
	    .answer_values = oip_stats_values),
	ROUTE("GET", OIP_MODEL, INFER, .any_query = true, .start = oip_metadata_get, .finish = oip_describe_finish),
	ROUTE("GET", OIP_VERSION, INFER, .any_query = true, .start = oip_metadata_get, .finish = oip_describe_finish),
	ROUTE("GET", OIP_MODEL "/ready", INFER, .any_query = true, .start = oip_ready_get,
	    .finish = oip_ready_get_finish),
	ROUTE("GET", OIP_VERSION "/ready", INFER, .any_query = true, .start = oip_ready_get,
	    .finish = oip_ready_get_finish),
	ROUTE("GET", OIP_MODEL "/config", INFER, .any_query = true, .start = oip_config_get,
	    .finish = oip_describe_finish),
	ROUTE("GET", OIP_VERSION "/config", INFER, .any_query = true, .start = oip_config_get,
	    .finish = oip_describe_finish),
	ROUTE("GET", OIP_MODEL "/stats", INFER, .any_query = true, .start = oip_stats_get,
	    .finish = oip_stats_get_finish, .answer_values = oip_stats_values),
	ROUTE("GET", OIP_VERSION "/stats", INFER, .any_query = true, .start = oip_stats_get,
	    .finish = oip_stats_get_finish),
	ROUTE("POST", "/v2/repository/index", INFER, .body = BODY_INPUTS, .inputs = oip_index_inputs,
	    .body_optional = true, .bytes_are_json = true, .any_query = true, .start = oip_index_post,
	    .finish = oip_index_post_finish),
	ROUTE("POST", "/v2/repository/models/{model}/load", ADMIN, .body = BODY_INPUTS, .inputs = oip_repository_inputs,
	    .body_optional = true, .bytes_are_json = true, .any_query = true, .start = oip_repository_post,
	    .finish = oip_load_finish),
	ROUTE("POST", "/v2/repository/models/{model}/unload", ADMIN, .body = BODY_INPUTS,
	    .inputs = oip_repository_inputs, .body_optional = true, .bytes_are_json = true, .any_query = true,
	    .start = oip_repository_post, .finish = oip_unload_finish),
	ROUTE("GET", "/v1/backup", SERVER, .stream_type = "application/vnd.sqlite3", .start = backup_get,
	    .finish = backup_get_finish),
	ROUTE("GET", "/v1/log-level", SERVER, .start = log_level_get),
	ROUTE("PUT", "/v1/log-level", SERVER, .body = BODY_INPUTS, .inputs = log_level_inputs, .start = log_level_put),
	ROUTE("GET", "/v1/models", INFER, .inputs = page_inputs, .start = models_list, .finish = models_list_finish,
	    .answer_values = models_values),
	ROUTE("GET", MODEL, INFER, .inputs = page_inputs, .start = model_get, .finish = model_get_finish,
	    .answer_values = layers_values),
	ROUTE("DELETE", MODEL, ADMIN, .start = model_delete, .finish = no_content_finish, .end = model_delete_end),
	ROUTE("PUT", MODEL "/frozen", TRAIN, .body = BODY_INPUTS, .inputs = model_frozen_inputs,
	    .start = model_frozen_put, .finish = model_frozen_put_finish),
	ROUTE("POST", MODEL "/versions", TRAIN, .body = BODY_INPUTS, .inputs = version_create_inputs,
	    .body_optional = true, .takes_key = true, .start = version_create, .finish = version_create_finish,
	    .answer_values = states_values),
	ROUTE("GET", MODEL "/versions", INFER, .inputs = page_numbered_inputs, .start = version_list,
	    .finish = version_list_finish, .answer_values = version_list_values),
	ROUTE("GET", MODEL "/versions/{version}", INFER, .inputs = page_inputs, .start = version_get,
	    .finish = version_get_finish, .answer_values = states_values),
	ROUTE("DELETE", MODEL "/versions/{version}", ADMIN, .start = version_delete, .finish = no_content_finish),
	ROUTE("GET", MODEL "/serving", INFER, .start = serving_get, .finish = serving_get_finish),
	ROUTE("PUT", MODEL "/serving", ADMIN, .body = BODY_INPUTS, .inputs = serving_put_inputs, .start = serving_put,
	    .finish = serving_put_finish),
	ROUTE("GET", MODEL "/serving/history", INFER, .inputs = page_numbered_inputs, .start = serving_history,
	    .finish = serving_history_finish, .answer_values = serving_history_values),
	ROUTE("GET", MODEL "/aliases", INFER, .inputs = page_inputs, .start = aliases_list,
	    .finish = aliases_list_finish),
	ROUTE("GET", MODEL "/aliases/{alias}", INFER, .start = alias_get, .finish = alias_get_finish),
	ROUTE("PUT", MODEL "/aliases/{alias}", ADMIN, .body = BODY_INPUTS, .inputs = alias_put_inputs,
	    .start = alias_put, .finish = alias_put_finish),
	ROUTE("DELETE", MODEL "/aliases/{alias}", ADMIN, .start = alias_delete, .finish = no_content_finish),
	ROUTE("GET", MODEL "/state.safetensors", INFER, .inputs = export_inputs,
	    .stream_type = "application/octet-stream", .start = export_start, .finish = export_finish,
	    .answer_values = export_values, .end = export_end),
	ROUTE("PUT", MODEL "/state.safetensors", TRAIN, .body = BODY_FILE, .stores_values = true,
	    .header_known = import_header_known, .start = import_start, .finish = import_finish),
	ROUTE("PUT", LAYER, TRAIN, .body = BODY_DEFINITION, .start = layer_put, .finish = layer_put_finish),
	ROUTE("GET", LAYER, INFER, .inputs = layer_get_inputs, .needs_layer = true, .start = layer_get),
	ROUTE("DELETE", LAYER, ADMIN, .start = layer_delete, .finish = no_content_finish),
	ROUTE("GET", LAYER "/statistics", INFER, .inputs = statistics_get_inputs, .needs_layer = true,
	    .start = statistics_get),
	ROUTE("PUT", LAYER "/statistics", TRAIN, .body = BODY_INPUTS, .inputs = statistics_put_inputs,
	    .needs_layer = true, .stores_values = true, .start = statistics_put, .finish = statistics_put_finish),
	ROUTE("DELETE", LAYER "/statistics", TRAIN, .needs_layer = true, .start = statistics_reset,
	    .finish = statistics_reset_finish),
	ROUTE("POST", LAYER "/statistics/merge", TRAIN, .body = BODY_INPUTS, .inputs = statistics_merge_inputs,
	    .needs_layer = true, .takes_key = true, .stores_values = true, .start = statistics_merge,
	    .finish = counts_finish),
	ROUTE("PUT", LAYER "/statistics/sources/{source}", TRAIN, .body = BODY_INPUTS, .inputs = source_put_inputs,
	    .needs_layer = true, .stores_values = true, .start = source_put, .finish = counts_finish),
	ROUTE("GET", LAYER "/statistics/sources/{source}", INFER, .needs_layer = true, .start = source_get,
	    .finish = source_get_finish),
	ROUTE("DELETE", LAYER "/statistics/sources/{source}", TRAIN, .needs_layer = true, .start = source_delete,
	    .finish = source_delete_finish),
	ROUTE("POST", LAYER "/statistics/sources/compact", TRAIN, .body = BODY_INPUTS, .inputs = sources_compact_inputs,
	    .needs_layer = true, .takes_key = true, .start = sources_compact, .finish = counts_finish),
	ROUTE("GET", LAYER "/statistics/sources", INFER, .inputs = page_inputs, .needs_layer = true,
	    .start = sources_list, .finish = sources_list_finish, .answer_values = sources_values),
	ROUTE("GET", LAYER "/drift", INFER, .inputs = drift_inputs, .needs_layer = true, .reads_serving = true,
	    .start = drift_get, .finish = drift_get_finish),
	ROUTE("DELETE", LAYER "/drift", TRAIN, .needs_layer = true, .start = drift_reset, .finish = no_content_finish),
	ROUTE("POST", LAYER "/report", INFER, .inputs = report_inputs, .body = BODY_INPUTS, .tensors_in = 1,
	    .needs_layer = true, .reads_serving = true, .start = report_start),
	ROUTE("GET", LAYER "/history", INFER, .inputs = page_numbered_inputs, .needs_layer = true, .start = history_get,
	    .finish = history_get_finish, .answer_values = history_values),
	ROUTE("GET", LAYER "/parameters", INFER, .inputs = parameters_get_inputs, .needs_layer = true,
	    .start = parameters_get, .answer_values = parameters_values),
	ROUTE("PUT", LAYER "/parameters", TRAIN, .body = BODY_INPUTS, .inputs = parameters_put_inputs,
	    .needs_layer = true, .stores_values = true, .start = parameters_put, .finish = parameters_put_finish,
	    .answer_values = parameters_values),
	ROUTE("GET", LAYER "/frozen", INFER, .needs_layer = true, .start = frozen_get),
	ROUTE("PUT", LAYER "/frozen", TRAIN, .body = BODY_INPUTS, .inputs = frozen_inputs, .needs_layer = true,
	    .start = frozen_put, .finish = frozen_put_finish),
	ROUTE("GET", LAYER "/affine", INFER, .inputs = affine_inputs, .needs_layer = true, .reads_serving = true,
	    .start = affine_get),
	ROUTE("POST", "/v1/normalize", INFER, .inputs = normalize_inputs, .body = BODY_DEFINITION, .tensors_in = 1,
	    .tensors_out = 1, .start = normalize_once),
};

const size_t routes_count = sizeof(routes) / sizeof(routes[0]);

/*
 * The rest of a route's path after a word that is `segment`, or after a placeholder. NULL: another word. A slash that
 * was percent-encoded is a part of its segment, and so of no word.
 */
static const char *
skip_segment(const char *path, const char *segment)
{
	if (*path == '{') {
		while (*path != '/' && *path != '\0')
			path++;
		return path;
	}
	while (*path == *segment && *segment != '/' && *segment != '\0') {
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

static const struct route methods_route = ROUTE("OPTIONS", "*", OPEN, .any_query = true, .start = say_methods);

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
