/* SPDX-License-Identifier: MIT */
/* The log: lines that a terminal can be shown, of bounded length, and none that is missing without being counted. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_line.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The line without its stamp and its line feed, as a C string. */
static const char *
line_of(enum log_format format, const char *message, const struct log_field *fields, size_t count)
{
	static struct log_line line;
	const char *behind_stamp = format == LOG_JSON ? "\"level\"" : " info  ";

	log_line_make(&line, format, LOG_INFO, message, fields, count);
	ck_assert_int_eq(line.bytes[line.len - 1], '\n');
	line.bytes[line.len - 1] = '\0';
	return strstr(line.bytes, behind_stamp);
}

START_TEST(a_line_has_its_fields_in_both_formats)
{
	const struct log_field fields[] = { { .name = "target", .text = "/v1/models?limit=3" },
		{ .name = "status", .number = 200 }, { .name = "duration_ms", .number = 1.2345 },
		{ .name = "code", .text = "" } };

	ck_assert_str_eq(line_of(LOG_JSON, "request", fields, COUNT(fields)),
	    "\"level\":\"info\",\"message\":\"request\",\"target\":\"/v1/models?limit=3\",\"status\":200,"
	    "\"duration_ms\":1.235,\"code\":\"\"}");
	ck_assert_str_eq(line_of(LOG_TEXT, "is ready", fields, COUNT(fields)),
	    " info  is ready target=\"/v1/models?limit=3\" status=200 duration_ms=1.235 code=\"\"");
}
END_TEST

START_TEST(numbers_have_up_to_three_decimals)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = { { 0, "0" }, { 0.0004, "0" }, { 0.0005, "0.001" }, { 0.01, "0.01" }, { 0.1, "0.1" },
		{ 0.999, "0.999" }, { 0.9996, "1" }, { 12.34, "12.34" }, { 4294967296.0, "4294967296" },
		{ 9007199254740992.0, "9.00719925474099e+15" }, { -2.5, "-2.5" } };
	char wanted[64];

	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(wanted, sizeof(wanted), " info  m n=%s", cases[i].text);
		ck_assert_str_eq(
		    line_of(LOG_TEXT, "m", &(struct log_field){ .name = "n", .number = cases[i].number }, 1), wanted);
	}
	ck_assert_str_eq(line_of(LOG_JSON, "m", &(struct log_field){ .name = "n", .number = 1.0 / 0.0 }, 1),
	    "\"level\":\"info\",\"message\":\"m\",\"n\":null}");
}
END_TEST

START_TEST(only_printable_ascii_is_written)
{
	/* ESC [ 2 J clears a terminal, and so does U+009B; U+202E turns the text's direction. */
	static const char *const cases[][2] = {
		{ "\x1b[2J", "\\u001b[2J" },
		{ "a\nb\r\tc", "a\\nb\\r\\tc" },
		{ "\x7f", "\\u007f" },
		{ "\xc2\x9b"
		  "2J",
		    "\\u009b2J" },
		{ "\xe2\x80\xae", "\\u202e" },
		{ "\xf0\x9d\x84\x9e", "\\ud834\\udd1e" },
		{ "\xff\xc2", "\\ufffd\\ufffd" },
		{ "\"\\", "\\\"\\\\" },
	};
	char wanted[128];

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct log_field field = { .name = "t", .text = cases[i][0] };

		snprintf(wanted, sizeof(wanted), " info  \"%s\" t=\"%s\"", cases[i][1], cases[i][1]);
		ck_assert_str_eq(line_of(LOG_TEXT, cases[i][0], &field, 1), wanted);
		snprintf(wanted, sizeof(wanted), "\"level\":\"info\",\"message\":\"%s\",\"t\":\"%s\"}", cases[i][1],
		    cases[i][1]);
		ck_assert_str_eq(line_of(LOG_JSON, cases[i][0], &field, 1), wanted);
	}
}
END_TEST

START_TEST(the_longest_line_fits)
{
	struct log_field fields[LOG_FIELDS_MAX];
	static char text[3001];
	const char *line;

	memset(text, 1, sizeof(text) - 1);
	for (size_t i = 0; i < COUNT(fields); i++)
		fields[i] = (struct log_field){ .name = "a_name_of_thirty-two_characters_", .text = text };
	for (enum log_format format = LOG_JSON; format <= LOG_TEXT; format++) {
		line = line_of(format, text, fields, COUNT(fields));
		ck_assert_ptr_nonnull(strstr(line, "\\u0001... (3000 bytes)\""));
		ck_assert_ptr_null(strchr(line, 1));
	}
	memset(text, 'x', sizeof(text) - 1);
	ck_assert_ptr_nonnull(strstr(line_of(LOG_TEXT, text, fields, COUNT(fields)), "xxx... (3000 bytes)\""));
}
END_TEST

#define LETTERS "abcdefghijABCDEFGHIJ0123456789-_abcdefghijA"
#define STARS "*******************************************"

START_TEST(tokens_are_masked)
{
	static const char *const cases[][2] = { { "/a?t=normd_" LETTERS "&b", "/a?t=normd_" STARS "&b" },
		{ "normd_" LETTERS, "normd_" STARS }, { "normd_normd_" LETTERS, "normd_******" STARS },
		{ "normd_" LETTERS " normd_" LETTERS, "normd_" STARS " normd_" STARS },
		{ "normd_a_name_of_a_model", "normd_a_name_of_a_model" }, { "normd_", "normd_" } };
	struct log_field field = { .name = "t" };
	char wanted[200];

	for (size_t i = 0; i < COUNT(cases); i++) {
		field.text = cases[i][0];
		snprintf(wanted, sizeof(wanted), "\"message\":\"m\",\"t\":\"%s\"}", cases[i][1]);
		ck_assert_str_eq(strstr(line_of(LOG_JSON, "m", &field, 1), "\"message\""), wanted);
	}
}
END_TEST

/* Standard error as a pipe, while the log runs. */
static int saved_stderr, reading;

static void
begin_log(void)
{
	int ends[2];

	saved_stderr = dup(STDERR_FILENO);
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
	close(ends[1]);
	reading = ends[0];
	ck_assert_int_eq(log_start(LOG_INFO, LOG_TEXT), 0);
}

/*
 * What was written to the pipe until every writer has closed it; counts lines, and what the notes of dropped lines add
 * up to.
 */
static struct {
	unsigned long lines, reported, torn;
} seen;

static void *
read_lines(void *arg)
{
	FILE *in = fdopen(reading, "r");
	char line[400];
	const char *count;

	(void)arg;
	memset(&seen, 0, sizeof(seen));
	while (fgets(line, sizeof(line), in) != NULL) {
		count = strstr(line, "warn  log lines dropped count=");
		if (count != NULL)
			seen.reported += strtoul(strchr(count, '=') + 1, NULL, 10);
		else if (strstr(line, "info  line ") != NULL && strchr(line, '\n') != NULL && line[4] == '-')
			seen.lines++;
		else
			seen.torn++;
	}
	fclose(in);
	return NULL;
}

static void
end_log(void)
{
	log_stop();
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
}

#define LINES_EACH 5000u

static void *
write_lines(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < LINES_EACH; i++)
		log_printf(LOG_INFO, "line %0200u", i);
	return NULL;
}

/* Four threads write far more than may wait while nobody reads. */
START_TEST(lines_that_do_not_fit_are_counted)
{
	pthread_t writers[4], reader;

	begin_log();
	for (size_t i = 0; i < COUNT(writers); i++)
		ck_assert_int_eq(pthread_create(&writers[i], NULL, write_lines, NULL), 0);
	for (size_t i = 0; i < COUNT(writers); i++)
		pthread_join(writers[i], NULL);
	ck_assert_int_eq(pthread_create(&reader, NULL, read_lines, NULL), 0);
	end_log();
	pthread_join(reader, NULL);
	ck_assert_uint_eq(seen.lines + seen.reported, COUNT(writers) * LINES_EACH);
	ck_assert_uint_gt(seen.reported, 0);
	ck_assert_uint_eq(seen.torn, 0);
}
END_TEST

START_TEST(a_pipe_that_does_not_block_tears_no_line)
{
	pthread_t writers[4], reader;

	begin_log();
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK), 0); /* as some supervisors leave it */
	ck_assert_int_eq(pthread_create(&reader, NULL, read_lines, NULL), 0);
	for (unsigned round = 0; round < 5; round++) {
		for (size_t i = 0; i < COUNT(writers); i++)
			ck_assert_int_eq(pthread_create(&writers[i], NULL, write_lines, NULL), 0);
		for (size_t i = 0; i < COUNT(writers); i++)
			pthread_join(writers[i], NULL);
	}
	end_log();
	pthread_join(reader, NULL);
	ck_assert_uint_eq(seen.lines + seen.reported, 5 * COUNT(writers) * LINES_EACH);
	ck_assert_uint_eq(seen.torn, 0);
}
END_TEST

/*
 * A file that is full in the middle of a line, as on a full disk: when there is room again the line is ended, and the
 * others are counted.
 */
START_TEST(a_full_file_tears_no_line)
{
	const struct rlimit full = { 1000, RLIM_INFINITY }, roomy = { RLIM_INFINITY, RLIM_INFINITY };
	FILE *file = tmpfile();

	saved_stderr = dup(STDERR_FILENO);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
	ck_assert_int_eq(log_start(LOG_INFO, LOG_TEXT), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
	for (unsigned i = 0; i < 10; i++)
		log_printf(LOG_INFO, "line %0200u", i);
	while (lseek(fileno(file), 0, SEEK_END) < 1000)
		usleep(1000);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &roomy), 0);
	for (unsigned i = 0; i < 10; i++)
		log_printf(LOG_INFO, "line %0200u", i);
	end_log();
	reading = dup(fileno(file));
	lseek(reading, 0, SEEK_SET);
	read_lines(NULL);
	fclose(file);
	ck_assert_uint_eq(seen.lines + seen.reported, 20);
	ck_assert_uint_eq(seen.torn, 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *lines = tcase_create("lines"), *thread = tcase_create("thread");

	tcase_add_test(lines, a_line_has_its_fields_in_both_formats);
	tcase_add_test(lines, numbers_have_up_to_three_decimals);
	tcase_add_test(lines, only_printable_ascii_is_written);
	tcase_add_test(lines, the_longest_line_fits);
	tcase_add_test(lines, tokens_are_masked);
	suite_add_tcase(suite, lines);
	tcase_add_test(thread, lines_that_do_not_fit_are_counted);
	tcase_add_test(thread, a_pipe_that_does_not_block_tears_no_line);
	tcase_add_test(thread, a_full_file_tears_no_line);
	suite_add_tcase(suite, thread);
	return suite;
}
