/* SPDX-License-Identifier: MIT */
#include "tests/memory/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/limits.h"
#include "tests/memory/numbers.h"
#include "tests/memory/operations.h"
#include "tests/memory/trial.h"

static char directory[64], url[96];
static int connection = -1;

struct server service;
const struct config service_config = { .listen = { .host = "127.0.0.1", .port = "0" },
	.port_file = "",
	.tls_cert = "",
	.tls_key = "",
	.tokens = "",
	.web = CONFIG_ON,
	.web_root = "",
	.store = url,
	.thread_count = 1,
	.connections_per_address_max = 1000,
	.max_body_bytes = MAX_BODY_BYTES,
	.max_import_bytes = MAX_BODY_BYTES,
	.client_timeout_s = 60,
	.sync_timeout_max_s = 600,
	.memory = { .cache = 64 << 20,
	    .sources = 32 << 20,
	    .connections = 64 << 20,
	    .connection = CONNECTION_BYTES,
	    .requests = 256 << 20,
	    .body_max = 1 << 20 } };

void
service_make_store(void)
{
	const char *memory = "/dev/shm"; /* where flushing costs nothing: power cuts are others' matter */

	snprintf(directory, sizeof(directory), "%s/normd-fault-XXXXXX", access(memory, W_OK) == 0 ? memory : "/tmp");
	must(mkdtemp(directory) != NULL, directory);
	snprintf(url, sizeof(url), "sqlite:%s/s.db", directory);
}

void
service_remove_files(void)
{
	static const char *const suffixes[] = { "", "-wal", "-journal" };
	char path[128];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(path, sizeof(path), "%s/s.db%s", directory, suffixes[i]);
		unlink(path);
	}
}

void
service_remove_store(void)
{
	service_remove_files();
	must(rmdir(directory) == 0, directory);
}

int
service_try_start(struct err *e)
{
	return server_listen(&service, &service_config, e) < 0 ? -1 : server_start(&service, &service_config, e);
}

void
service_start(void)
{
	struct err e = { 0 };

	must(service_try_start(&e) == 0, e.detail);
}

void
service_stop(void)
{
	if (connection >= 0)
		close(connection);
	connection = -1;
	service_wait_idle();
	server_drain(&service);
	must(server_stop(&service) == 0, "a request never ended");
}

void
service_wait_idle(void)
{
	unsigned long active = 1;

	for (unsigned i = 0; active > 0; i++) {
		must(i < 300000, "a request never ends");
		if (i > 0)
			usleep(100);
		active = atomic_load(&service.active);
	}
}

void
service_ask(const struct message *m, struct answered *out)
{
	struct message whole = *m;

	if (whole.body != NULL && whole.body_len == 0)
		whole.body_len = strlen(whole.body);
	out->complete = false;
	/* Again where the connection turns out to have been closed after the last answer. */
	for (int attempt = 0; attempt < 2 && !out->complete; attempt++) {
		if (connection < 0)
			connection = client_connect(service.port);
		must(connection >= 0, "no connection");
		client_ask(connection, &whole, out);
		if (!out->complete || answered_has(out, "\r\nConnection: close")) {
			close(connection);
			connection = -1;
		}
	}
	must(out->complete, "no answer though there is memory");
}

/* Appends what the state looks like from one side. */
static void
look(struct state *s, const char *target)
{
	static struct answered a;

	service_ask(&(struct message){ "GET", target, NULL, NULL, 0 }, &a);
	must(s->len + a.body_len + 2 <= sizeof(s->text), "the state is too large for this test");
	memcpy(s->text + s->len, a.bytes + a.head_len, a.body_len);
	s->len += a.body_len;
	s->text[s->len++] = '\n';
	s->text[s->len] = '\0';
}

void
state_look(struct state *s)
{
	s->len = 0;
	look(s, "/v1/models");
	look(s, MODEL);
	look(s, LAYER "/statistics");
	look(s, LAYER "/parameters");
}

void
state_look_versions(struct state *s)
{
	state_look(s);
	look(s, MODEL "/versions");
	look(s, MODEL "/serving");
	look(s, MODEL "/serving/history");
	look(s, MODEL "/aliases");
	look(s, LAYER "/statistics?version=champion");
	s->len = numbers_mask_text(s->text, s->len);
	s->text[s->len] = '\0';
}

bool
state_same(const struct state *a, const struct state *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}
