/* SPDX-License-Identifier: MIT */
/*
 * Each operation, for n = 1, 2, 3, ... until n is more than it asks for: the n-th allocation fails, or it and all later
 * ones, and then
 *
 *   the answer is what it is with memory, and so is the state; or it is `overloaded` with Retry-After, and the state is
 *   as it was; and the same request once more, with memory, is done.
 *
 * Only where an allocation of libmicrohttpd's fails, or the client is a new one, may the connection be closed without
 * an answer; the state is then one of the two. And only where libmicrohttpd's fails may headers be missing that others
 * than HTTP parsers read.
 */
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/memory/numbers.h"
#include "tests/memory/service.h"
#include "tests/memory/sweeps.h"
#include "tests/memory/trial.h"

/* The operation's states and its answer when nothing fails, and those of now. */
static struct state before, after, now;
static struct answered wanted, got;

static struct message
message_of(const struct operation *o, const struct message *m)
{
	return o->versions ? numbers_fill(m) : *m;
}

static void
prepare(const struct operation *o)
{
	static const struct message clear = { "DELETE", MODEL, NULL, NULL, 0 };

	service_ask(&clear, &got);
	for (const struct message *m = o->before; m->method != NULL; m++) {
		const struct message filled = message_of(o, m);

		service_ask(&filled, &got);
		must(got.status < 300, got.bytes);
		numbers_note(&got);
	}
	if (o->cold) {
		service_stop();
		service_start();
	}
}

/* A packed body is unpacked where it lies, so that it can be held against one that there was no memory to pack. */
static void
unpack(struct answered *a)
{
	static char plain[ANSWER_BYTES_MAX];
	z_stream z = { .next_in = (Bytef *)(a->bytes + a->head_len), .avail_in = (uInt)a->body_len };

	if (!a->complete || a->body_len == 0 || !answered_has(a, "\r\nContent-Encoding: gzip"))
		return;
	z.next_out = (Bytef *)plain;
	z.avail_out = sizeof(plain);
	must(inflateInit2(&z, MAX_WBITS + 16) == Z_OK, "zlib");
	if (inflate(&z, Z_FINISH) == Z_STREAM_END) {
		a->body_len = sizeof(plain) - z.avail_out;
		memcpy(a->bytes + a->head_len, plain, a->body_len);
	}
	inflateEnd(&z);
}

/* When something happened is not the same each time. */
static void
hide_times(struct answered *a)
{
	static const char member[] = "\"time\":\"";

	if (a->complete && a->body_len > 0)
		for (char *t = a->bytes + a->head_len; (t = strstr(t, member)) != NULL; t += strlen(member))
			memset(t + strlen(member), '0', strcspn(t + strlen(member), "\""));
}

static void
normalize(const struct operation *o)
{
	unpack(&got);
	if (o->versions && got.complete)
		numbers_mask(&got);
}

static void
look(const struct operation *o, struct state *s)
{
	if (o->versions)
		state_look_versions(s);
	else
		state_look(s);
}

/* Whether the headers that mean something are the same. */
static bool
same_headers(const struct operation *o, bool may_miss)
{
	/* The first two are never missing. */
	static const char *const names[] = { "\r\nContent-Type: ", "\r\nConnection: ", "\r\nETag: ",
		"\r\nNormd-Revision: ", "\r\nNormd-Version: ", "\r\nNormd-Num-Batches-Tracked: ", "\r\nLocation: ",
		"\r\nAllow: ", "\r\nX-Request-Id: " };
	const char *x, *y;

	/* Who asked for gzip alone gets nothing else; else an answer may be unpacked for want of memory. */
	if (o->ask.headers != NULL && strstr(o->ask.headers, "identity;q=0") != NULL &&
	    answered_has(&got, "\r\nContent-Encoding: ") != answered_has(&wanted, "\r\nContent-Encoding: "))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		x = answered_value(&got, names[i]);
		y = answered_value(&wanted, names[i]);
		if (may_miss && i > 1 && *x == '\r')
			continue;
		if (strcspn(x, "\r") != strcspn(y, "\r") || strncmp(x, y, strcspn(x, "\r")) != 0)
			return false;
	}
	return true;
}

static bool
is_wanted(const struct operation *o, bool may_miss)
{
	return got.complete && got.status == wanted.status && got.body_len == wanted.body_len &&
	    memcmp(got.bytes + got.head_len, wanted.bytes + wanted.head_len, got.body_len) == 0 &&
	    same_headers(o, may_miss);
}

static bool
is_overloaded(const struct operation *o, bool may_miss)
{
	bool has_body = strcmp(o->ask.method, "HEAD") != 0;

	return got.complete && got.status == 503 && (may_miss || answered_has(&got, "\r\nRetry-After: ")) &&
	    (!has_body || strstr(got.bytes + got.head_len, "\"code\":\"overloaded\"") != NULL);
}

/* Asks while memory fails: a client that was there before, or a new one. */
static void
ask_without_memory(const struct operation *o)
{
	static const struct message probe = { "GET", "/v2/health/live", NULL, NULL, 0 };
	const struct message ask = message_of(o, &o->ask);
	int fd = -1;

	if (!o->new_client) {
		fd = client_connect(service.port);
		must(fd >= 0, "no connection");
		client_ask(fd, &probe, &got);
		must(got.complete, "no answer to a probe");
		service_wait_idle();
	}
	trial_arm();
	if (o->new_client)
		fd = client_connect(service.port);
	must(fd >= 0, "no connection");
	client_ask(fd, &ask, &got);
	service_wait_idle();
	trial_disarm();
	close(fd);
	normalize(o);
	hide_times(&got);
}

static void
judge(const struct operation *o)
{
	const bool http = fault_struck_http(), done = is_wanted(o, http), refused = !done && is_overloaded(o, http);
	const bool closed = !got.complete && !got.timed_out && got.status == 0 && (http || o->new_client);

	look(o, &now);
	if (!done && !refused && !closed)
		trial_complain(got.timed_out ? "no answer" :
			got.complete         ? "another answer" :
					       "a cut answer",
		    got.bytes);
	else if (done && !state_same(&now, &after))
		trial_complain("success is answered, and the state is not the new one", now.text);
	else if (refused && !state_same(&now, &before))
		trial_complain("an error is answered, and the state is not the old one", now.text);
	else if (closed && !state_same(&now, &before) && !state_same(&now, &after))
		trial_complain("closed, and the state is neither the old nor the new one", now.text);
}

/* The same once more, with memory. */
static void
repeat(const struct operation *o)
{
	const bool again = state_same(&now, &before) || o->once;

	const struct message ask = message_of(o, &o->ask);

	service_ask(&ask, &got);
	normalize(o);
	hide_times(&got);
	if (again ? !is_wanted(o, false) : got.status >= 500)
		trial_complain("with memory again, another answer", got.bytes);
	look(o, &now);
	if (again && !state_same(&now, &after))
		trial_complain("with memory again, the state is not the new one", now.text);
}

static void
sweep(const struct operation *o, enum fault_mode mode, enum fault_scope scope)
{
	trial_sweep(mode, scope);
	while (trial_next()) {
		if (o->cold || !state_same(&now, &before))
			prepare(o);
		ask_without_memory(o);
		judge(o);
		repeat(o);
	}
}

void
sweep_operation(const struct operation *o, bool full)
{
	trial_begin(o->name);
	prepare(o);
	look(o, &before);
	if (o->cold)
		prepare(o);
	ask_without_memory(o);
	wanted = got;
	look(o, &after);
	now = after;
	if (wanted.status != o->status || !wanted.complete) {
		trial_complain("though nothing fails, another status", wanted.bytes);
	} else {
		sweep(o, FAULT_ONCE, FAULT_HTTP_TOO);
		sweep(o, FAULT_FROM_THEN_ON, FAULT_OURS);
		if (full)
			sweep(o, FAULT_FROM_THEN_ON, FAULT_HTTP_TOO);
	}
	trial_end();
}
