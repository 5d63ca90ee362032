/* SPDX-License-Identifier: MIT */
/* How a method and a path find their row of the table of routes, and what the rows' columns say together. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "handlers/placeholders.h"
#include "handlers/handlers.h"
#include "handlers/routes.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SEGMENTS_MAX 8

static struct budget memory;
static struct claims *claims;

/* A request whose method and path were looked up; `path` is cut into segments as url_parse cuts it. */
struct found {
	struct request rq;
	struct buf allow;
	struct err e;
	char path[512];
	int result;
};

static void
find(struct found *f, const char *method, const char *path)
{
	const char *segments[SEGMENTS_MAX];
	size_t count = 0;
	char *rest = f->path;

	ck_assert_uint_lt(strlen(path), sizeof(f->path));
	memcpy(f->path, path, strlen(path) + 1);
	while (*rest == '/' && rest[1] != '\0') {
		*rest++ = '\0';
		segments[count++] = rest;
		rest += strcspn(rest, "/");
	}
	memset(&f->e, 0, sizeof(f->e));
	buf_init(&f->allow, 1000);
	request_init(&f->rq, NULL, claims, NULL, &memory, 1000);
	f->result = routes_find(&f->rq, method, segments, count, &f->allow, &f->e);
}

static void
end(struct found *f)
{
	buf_fini(&f->allow);
	request_fini(&f->rq);
}

static void
setup(void)
{
	budget_init(&memory, 1 << 20);
	claims = claims_new();
	ck_assert_ptr_nonnull(claims);
}

static void
teardown(void)
{
	claims_free(claims);
}

/* As a segment that was percent-encoded may have one. */
START_TEST(a_slash_within_a_segment_separates_nothing)
{
	static const char *const segments[] = { "v1/models" }, *const probe[] = { "v2", "health/live" };
	struct found f = { 0 };

	buf_init(&f.allow, 1000);
	request_init(&f.rq, NULL, claims, NULL, &memory, 1000);
	ck_assert_int_eq(routes_find(&f.rq, "GET", segments, COUNT(segments), &f.allow, &f.e), -1);
	ck_assert_int_eq(f.e.code, ERR_NO_SUCH_ROUTE);
	ck_assert_int_eq(routes_find(&f.rq, "GET", probe, COUNT(probe), &f.allow, &f.e), -1);
	ck_assert_int_eq(f.e.code, ERR_NO_SUCH_ROUTE);
	end(&f);
}
END_TEST

START_TEST(paths)
{
	static const struct {
		const char *method, *path, *route, *model, *layer;
	} cases[] = {
		{ "GET", "/", "/", NULL, NULL },
		{ "GET", "/v1/models", "/v1/models", NULL, NULL },
		{ "HEAD", "/v1/models", "/v1/models", NULL, NULL },
		{ "DELETE", "/v1/models/a", "/v1/models/{model}", "a", NULL },
		{ "PUT", "/v1/models/a/layers/b", "/v1/models/{model}/layers/{layer}", "a", "b" },
		{ "POST", "/v1/models/a/layers/b/train", "/v1/models/{model}/layers/{layer}/train", "a", "b" },
		/* A name may be a word of a path. */
		{ "GET", "/v1/models/models/layers/layers/affine", "/v1/models/{model}/layers/{layer}/affine", "models",
		    "layers" },
		{ "POST", "/v1/models/a/layers/b/statistics/merge",
		    "/v1/models/{model}/layers/{layer}/statistics/merge", "a", "b" },
		{ "OPTIONS", "/v1/models/a/layers/b", "*", "a", "b" },
		/* A word comes before a name. */
		{ "GET", "/v2/models/stats", "/v2/models/stats", NULL, NULL },
		{ "GET", "/v2/models/stats/stats", "/v2/models/{model}/stats", "stats", NULL },
		{ "GET", "/v2/models/a", "/v2/models/{model}", "a", NULL },
	};
	char path[PLACEHOLDERS_PATH_BYTES];
	struct found f;

	for (size_t i = 0; i < COUNT(cases); i++) {
		find(&f, cases[i].method, cases[i].path);
		ck_assert_msg(f.result == 0, "%s: %s", cases[i].path, f.e.detail);
		ck_assert_str_eq(f.rq.route->path, cases[i].route);
		ck_assert_pstr_eq(f.rq.model, cases[i].model);
		ck_assert_pstr_eq(f.rq.layer, cases[i].layer);
		placeholders_fill(&f.rq, path);
		ck_assert_str_eq(path, strcmp(cases[i].method, "OPTIONS") == 0 ? "*" : cases[i].path);
		end(&f);
	}
}
END_TEST

START_TEST(refused_paths)
{
	static const struct {
		const char *method, *path;
		enum err_code code;
		const char *detail, *allow;
	} cases[] = {
		{ "GET", "/v1", ERR_NO_SUCH_ROUTE, "no such route", "" },
		{ "GET", "/v1/model", ERR_NO_SUCH_ROUTE, "no such route", "" },
		{ "GET", "/v1/modelsx", ERR_NO_SUCH_ROUTE, "no such route", "" },
		{ "GET", "/v1/models/a/layers", ERR_NO_SUCH_ROUTE, "no such route", "" },
		{ "POST", "/v1/models/a/layers/b/train/c", ERR_NO_SUCH_ROUTE, "no such route", "" },
		{ "POST", "/v1/models/a", ERR_METHOD_NOT_ALLOWED, "", "GET, HEAD, DELETE, OPTIONS" },
		{ "POST", "/v2/models/stats", ERR_METHOD_NOT_ALLOWED, "", "GET, HEAD, OPTIONS" },
		{ "get", "/v1/backup", ERR_METHOD_NOT_ALLOWED, "", "GET, HEAD, OPTIONS" },
		/* Each placeholder has a check of its own, and is named. */
		{ "DELETE", "/v1/models/.a", ERR_BAD_NAME, "\".a\" is not a valid model name", "" },
		{ "PUT", "/v1/models/a/layers/b c", ERR_BAD_NAME, "\"b c\" is not a valid layer name", "" },
		{ "OPTIONS", "/v1/models/a/layers/_", ERR_BAD_NAME, "\"_\" is not a valid layer name", NULL },
	};
	struct found f;

	for (size_t i = 0; i < COUNT(cases); i++) {
		find(&f, cases[i].method, cases[i].path);
		ck_assert_int_eq(f.result, -1);
		ck_assert_int_eq(f.e.code, cases[i].code);
		ck_assert_msg(strstr(f.e.detail, cases[i].detail) != NULL, "%s", f.e.detail);
		if (cases[i].allow != NULL)
			ck_assert_uint_eq(f.allow.len, strlen(cases[i].allow));
		if (cases[i].allow != NULL && f.allow.len > 0)
			ck_assert_mem_eq(f.allow.bytes, cases[i].allow, f.allow.len);
		end(&f);
	}
}
END_TEST

START_TEST(names_have_a_length)
{
	char path[300] = "/v1/models/";
	struct found f;

	for (int over = 0; over <= 1; over++) {
		memset(path + strlen("/v1/models/"), 'n', STORE_NAME_MAX + over);
		find(&f, "GET", path);
		ck_assert_int_eq(f.e.code, over ? ERR_BAD_NAME : ERR_NONE);
		end(&f);
	}
}
END_TEST

/* A placeholder that the table of placeholders does not have would stop the daemon at the first request. */
START_TEST(every_row_is_found_by_its_path)
{
	char path[100], *c;
	struct found f;

	for (size_t i = 0; i < routes_count; i++) {
		snprintf(path, sizeof(path), "%s", routes[i].path);
		while ((c = strpbrk(path, "{}")) != NULL)
			*c = 'x';
		find(&f, routes[i].method, path);
		ck_assert_msg(f.result == 0, "%s: %s", path, f.e.detail);
		ck_assert_ptr_eq(f.rq.route, &routes[i]);
		end(&f);
	}
}
END_TEST

START_TEST(columns)
{
	struct json_slot slots[JSON_SLOTS_MAX];
	size_t probes = 0, tensors;

	for (size_t i = 0; i < routes_count; i++) {
		const struct route *r = &routes[i];

		/* What is answered to too many must need neither the store nor memory. */
		probes += r->probe;
		ck_assert_msg(
		    !r->probe || (!r->needs_layer && r->finish == NULL && r->body == BODY_NONE), "%s", r->path);
		ck_assert_msg(!r->needs_layer || strstr(r->path, "{layer}") != NULL, "%s", r->path);
		/* A key belongs to a layer, to a model's versions, or to a call of several layers. */
		ck_assert_msg(!r->takes_key ||
			(r->finish != NULL &&
			    (r->needs_layer || r->start == version_create || r->start == oip_infer_start)),
		    "%s", r->path);
		tensors = inputs_slots(r->inputs, slots);
		ck_assert_msg(r->body != BODY_NONE || (tensors == 0 && r->tensors_in == 0), "%s", r->path);
		ck_assert_msg(r->tensors_in <= tensors, "%s", r->path);
		/* Else any member would be accepted. */
		ck_assert_msg(r->body != BODY_INPUTS || r->inputs != NULL, "%s", r->path);
		ck_assert_msg(r->start != NULL, "%s", r->path);
		ck_assert_msg(r->access != ACCESS_UNSAID, "%s", r->path);
		/* What is open to everybody only reads; what concerns the whole daemon is not below a model. */
		ck_assert_msg(r->access != ACCESS_OPEN || strcmp(r->method, "GET") == 0, "%s", r->path);
		ck_assert_msg(
		    (r->access != ACCESS_OPEN && r->access != ACCESS_SERVER) || strstr(r->path, "{model}") == NULL,
		    "%s", r->path);
	}
	ck_assert_uint_eq(probes, 3); /* two of health, and the metrics */
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("routes");
	TCase *all = tcase_create("routes");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, paths);
	tcase_add_test(all, a_slash_within_a_segment_separates_nothing);
	tcase_add_test(all, refused_paths);
	tcase_add_test(all, names_have_a_length);
	tcase_add_test(all, every_row_is_found_by_its_path);
	tcase_add_test(all, columns);
	suite_add_tcase(suite, all);
	return suite;
}
