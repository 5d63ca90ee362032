/* SPDX-License-Identifier: MIT */
/* Metrics: counting on many threads, and the text that Prometheus reads. Each test counts what no other does. */
#include "tests/unit/unit.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/metrics.h"
#include "base/metrics_text.h"

/* All metrics as a text, which ends with a NUL. */
static const char *
scrape(void)
{
	static struct buf b;

	buf_fini(&b);
	buf_init(&b, 1 << 24);
	metrics_write(&b);
	buf_byte(&b, '\0');
	ck_assert(!b.failed);
	return b.bytes;
}

/* How often a line that begins so is in the text. */
static unsigned
lines(const char *text, const char *begin)
{
	const size_t len = strlen(begin);
	unsigned count = 0;

	for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
		count += strncmp(line, begin, len) == 0;
	return count;
}

static void
expect_line(const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s\n", line);
	ck_assert_msg(lines(scrape(), whole) == 1, "%s is not in\n%s", line, scrape());
}

START_TEST(texts_are_escaped)
{
	struct buf b, labels;

	buf_init(&b, 4096);
	buf_init(&labels, 4096);
	metrics_text_family(&b, "x_total", "counter", "A \"quoted\" \\ text\nof two lines.");
	metrics_text_label(&labels, "a", "back\\slash, \"quotes\",\nline");
	metrics_text_label(&labels, "b", "");
	metrics_text_uint(&b, &(struct metrics_text_sample){ "x", "_total", &labels }, UINT64_MAX);
	buf_byte(&b, '\0');
	ck_assert_str_eq(b.bytes,
	    "# HELP x_total A \"quoted\" \\\\ text\\nof two lines.\n# TYPE x_total counter\n"
	    "x_total{a=\"back\\\\slash, \\\"quotes\\\",\\nline\",b=\"\"} 18446744073709551615\n");
	buf_fini(&b);
	buf_fini(&labels);
}
END_TEST

START_TEST(numbers_are_written_without_loss)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = { { 0, "x 0\n" }, { 1.0 / 3, "x 0.3333333333333333\n" }, { 1e18, "x 1e+18\n" },
		{ INFINITY, "x +Inf\n" }, { -INFINITY, "x -Inf\n" }, { NAN, "x NaN\n" } };
	const struct buf none = { 0 };
	const struct metrics_text_sample s = { "x", "", &none };
	struct buf b;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_init(&b, 4096);
		metrics_text_double(&b, &s, cases[i].value);
		buf_byte(&b, '\0');
		ck_assert_str_eq(b.bytes, cases[i].text);
		buf_fini(&b);
	}
	buf_init(&b, 4096);
	metrics_text_us(&b, &s, 1234000056);
	buf_byte(&b, '\0');
	ck_assert_str_eq(b.bytes, "x 1234.000056\n");
	buf_fini(&b);
}
END_TEST

START_TEST(a_family_is_described_once)
{
	const char *text;
	char begin[128];

	metrics_add(METRIC_SHED, METRIC_SHED_MEMORY, 1);
	text = scrape();
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
		if (strncmp(line, "# HELP ", 7) != 0)
			continue;
		snprintf(begin, sizeof(begin), "%.*s ", (int)(7 + strcspn(line + 7, " ")), line);
		ck_assert_uint_eq(lines(text, begin), 1);
		memcpy(begin, "# TYPE", 6);
		ck_assert_uint_eq(lines(text, begin), 1);
	}
	ck_assert_uint_eq(lines(text, "normd_requests_shed_total{"), METRIC_SHED_COUNT);
}
END_TEST

START_TEST(a_histogram_has_every_duration_once)
{
	static const uint64_t durations_us[] = { 0, 100, 101, 2500, 5000000, 5000001 };

	for (size_t i = 0; i < sizeof(durations_us) / sizeof(durations_us[0]); i++)
		metrics_observe_us(METRIC_STORE_COMMIT_SECONDS, 0, durations_us[i]);
	expect_line("normd_store_commit_duration_seconds_bucket{le=\"0.0001\"} 2");
	expect_line("normd_store_commit_duration_seconds_bucket{le=\"0.00025\"} 3");
	expect_line("normd_store_commit_duration_seconds_bucket{le=\"0.001\"} 3");
	expect_line("normd_store_commit_duration_seconds_bucket{le=\"0.0025\"} 4");
	expect_line("normd_store_commit_duration_seconds_bucket{le=\"1\"} 4");
	expect_line("normd_store_commit_duration_seconds_bucket{le=\"5\"} 5");
	expect_line("normd_store_commit_duration_seconds_bucket{le=\"+Inf\"} 6");
	expect_line("normd_store_commit_duration_seconds_count 6");
	expect_line("normd_store_commit_duration_seconds_sum 10.002702");
}
END_TEST

START_TEST(what_was_never_set_is_not_shown)
{
	ck_assert_uint_eq(lines(scrape(), "normd_backup_last_success_timestamp_seconds"), 0);
	ck_assert_uint_eq(lines(scrape(), "# TYPE normd_backup_last_success_timestamp_seconds"), 0);
	metrics_set(METRIC_BACKUP_TIME, 0, 0);
	expect_line("normd_backup_last_success_timestamp_seconds 0");
	metrics_set(METRIC_BACKUP_TIME, 0, 1700000000.25);
	expect_line("normd_backup_last_success_timestamp_seconds 1700000000.25");
}
END_TEST

/* More threads than have cells of their own. */
enum { THREADS = METRICS_SHARDS + 20, TIMES = 2000 };

static void *
count_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < TIMES; i++)
		metrics_count(METRIC_CACHE_HITS);
	return NULL;
}

START_TEST(no_count_of_any_thread_is_lost)
{
	pthread_t threads[THREADS];
	char line[64];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count_often, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	snprintf(line, sizeof(line), "normd_cache_hits_total %d", THREADS * TIMES);
	expect_line(line);
}
END_TEST

START_TEST(statuses_have_series_of_their_own)
{
	static const struct metrics_call calls[] = { { "/a/{b}", "GET" }, { "none", "\"" } };
	static const unsigned others[] = { 0, 200, 201, 204, 206, 304 };

	metrics_name_calls(calls, 2);
	for (int code = ERR_NONE + 1; code < ERR_COUNT; code++)
		ck_assert_uint_ne(
		    metrics_series_status(0, err_row((enum err_code)code)->status), metrics_series_status(0, 999));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_uint_ne(metrics_series_status(0, others[i]), metrics_series_status(0, 999));
	metrics_add(METRIC_REQUESTS, metrics_series_status(0, 200), 3);
	metrics_add(METRIC_REQUESTS, metrics_series_status(1, 0), 4);
	metrics_add(METRIC_REQUESTS, metrics_series_status(1, 999), 5);
	expect_line("normd_http_requests_total{route=\"/a/{b}\",method=\"GET\",status=\"200\"} 3");
	expect_line("normd_http_requests_total{route=\"none\",method=\"\\\"\",status=\"none\"} 4");
	expect_line("normd_http_requests_total{route=\"none\",method=\"\\\"\",status=\"other\"} 5");
	ck_assert_uint_eq(lines(scrape(), "normd_http_requests_total"), 3);
}
END_TEST

static void
set_threads(void *arg)
{
	metrics_set(METRIC_THREADS, 0, *(const double *)arg);
}

START_TEST(gauges_are_read_when_they_are_shown)
{
	double threads = 5;

	metrics_read_by(set_threads, &threads);
	expect_line("process_threads 5");
	threads = 6;
	expect_line("process_threads 6");
	metrics_read_by(NULL, NULL);
	threads = 7;
	expect_line("process_threads 6");
}
END_TEST

START_TEST(memory_that_runs_out_is_seen)
{
	struct buf b;

	buf_init(&b, 100);
	metrics_write(&b);
	ck_assert(b.failed);
	buf_fini(&b);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("metrics");
	TCase *t = tcase_create("metrics");

	tcase_add_test(t, texts_are_escaped);
	tcase_add_test(t, numbers_are_written_without_loss);
	tcase_add_test(t, a_family_is_described_once);
	tcase_add_test(t, a_histogram_has_every_duration_once);
	tcase_add_test(t, what_was_never_set_is_not_shown);
	tcase_add_test(t, no_count_of_any_thread_is_lost);
	tcase_add_test(t, statuses_have_series_of_their_own);
	tcase_add_test(t, gauges_are_read_when_they_are_shown);
	tcase_add_test(t, memory_that_runs_out_is_seen);
	suite_add_tcase(s, t);
	return s;
}
