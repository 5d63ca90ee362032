/* SPDX-License-Identifier: MIT */
/*
 * The server that is tested, in this process, and its state as clients see it. Nothing here is called while memory
 * fails.
 */
#pragma once

#include "server/server.h"
#include "tests/memory/client.h"

extern struct server service;
extern const struct config service_config;

/* Makes a folder for the store and names it in service_config; takes both away. */
void service_make_store(void);
void service_remove_store(void);

/* Removes the store's files alone. */
void service_remove_files(void);

void service_start(void);

/* -1 with `e`: it did not start. */
int service_try_start(struct err *e) MUST_CHECK;
void service_stop(void);

/* Until what runs for a request has ended, its log line too. */
void service_wait_idle(void);

/* Asks, by a connection that stays. A body that is a text needs no length. */
void service_ask(const struct message *m, struct answered *out);

/* What the models and the one layer that is worked on say of themselves. */
struct state {
	size_t len;
	char text[1 << 20];
};

void state_look(struct state *s);

/* With the model's versions, what serves and its aliases, all without numbers and times. */
void state_look_versions(struct state *s);
bool state_same(const struct state *a, const struct state *b);
