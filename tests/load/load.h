/* SPDX-License-Identifier: MIT */
/*
 * The load generator: many clients of one daemon in one thread, each with a script of its own by its role, which know
 * what they were acknowledged, go on through every kind of failure, and are counted. main.c says how it is called and
 * what it answers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two features a row; the second is the first's negative. */
#define ROWS_MAX 512u
#define LAYERS_MAX 64u
#define REQUEST_MAX ((size_t)16 * 1024)
#define ANSWER_MAX ((size_t)32 * 1024)

/*
 * What the clients of a kind do. A role's clients are spread over the layers ROLE-0, ROLE-1, ... of the model "load".
 */
struct role {
	const char *name;
	bool
	    /* updates have Idempotency-Keys and are sent again until they are acknowledged; train and merge in turns */
	    keyed;
	bool infers;    /* else it trains */
	bool in_pieces; /* a request comes in several pieces */
	bool brief;     /* a connection for each request */
	bool vanishes;  /* hangs up while its request is under way */
};

/* What became of a role's requests. */
struct counts {
	uint64_t ok;
	uint64_t repeated;      /* sent again after they were acknowledged, and answered */
	uint64_t differing;     /* of these, answered otherwise than at first */
	uint64_t in_flight;     /* 409 idempotency_in_flight */
	uint64_t shutting_down; /* 503 */
	uint64_t unexpected;    /* any other status, or no HTTP at all */
	uint64_t dropped;       /* sent wholly over a connection that had carried an answer, and not answered */
	uint64_t dropped_first; /* the same, the first of its connection */
	uint64_t cut;           /* the connection was lost before the request was sent wholly */
	uint64_t hung_up;       /* by the client */
	uint64_t connections;
	uint64_t refused_connections;
	uint64_t stalled; /* not answered within the bound */
	uint64_t slowest_us;
};

/* What the clients of a layer know of it. */
struct tally {
	unsigned clients;
	uint64_t acknowledged; /* updates */
	uint64_t unknown;      /* updates without a key that may or may not have happened */
	uint64_t sum;          /* of the first feature over all rows of the acknowledged updates */
};

/* The clients of one role. */
struct group {
	const struct role *role;
	unsigned client_count;
	struct counts counts;
	struct tally tallies[LAYERS_MAX];
};

enum client_state {
	CLIENT_DOWN, /* no connection; another try at `due_us` */
	CLIENT_CONNECTING,
	CLIENT_IDLE, /* connected; the next request at `due_us` */
	CLIENT_SENDING,
	CLIENT_WAITING,
};

struct client {
	struct load *load;
	struct group *group;
	struct tally *tally;
	unsigned index, layer;
	uint64_t random;

	int fd;
	enum client_state state;
	uint64_t due_us;
	unsigned answers; /* on this connection */

	/*
	 * The update that is under way, and whether it is not over yet; one that was acknowledged may be sent once
	 * more.
	 */
	uint64_t number;
	bool pending;
	bool repeating;
	uint64_t turn; /* in bursts: how many it has had */

	char *request;
	size_t request_len, sent;
	uint64_t sent_us;    /* when all of it was */
	uint64_t hang_up_us; /* 0: it waits for the answer */
	bool stalled;

	char *answer, *first;
	size_t answer_len, first_len;
};

struct load {
	/* Immutable. */
	const char *port_file;
	const char *name; /* begins every key */
	unsigned layer_count, rows;
	uint64_t bound_us;
	bool bursts;
	int epoll_fd;
	struct group *groups;
	size_t group_count;
	struct client *clients;
	size_t client_count;

	bool holding;   /* nothing new is sent */
	bool finishing; /* only what is pending is sent */
	bool reported;  /* since the last command, or there is nothing to report */
	uint64_t turn;  /* in bursts: how many every client may have had */
};

/* ---- request.c: what is sent, and what an answer means */

const struct role *role_find(const char *name);

/* Writes the client's request: a new update, or the pending one once more. */
void request_make(struct client *c);

/* The value of the update, in every row; the first of its two features. */
uint64_t request_value(const struct client *c);

/* How much of the answer is missing: 0: it is whole; -1: it is no answer. */
long answer_missing(const struct client *c);

/* The answer is whole: counts it, and decides what the client sends next. True when the connection can be used on. */
bool answer_judge(struct client *c, uint64_t now_us);

/* The connection was lost with the request under way. */
void request_lost(struct client *c);

/* ---- client.c: a client's connection */

void client_init(struct client *c, struct load *load, struct group *group, unsigned index);

/* Its socket is readable or writable (epoll's flags). */
void client_event(struct client *c, uint32_t events, uint64_t now_us);

/* Time has passed: connects, begins, sends the next piece, hangs up. */
void client_tick(struct client *c, uint64_t now_us);

/* Nothing of it is under way. */
bool client_is_quiet(const struct client *c);

/* ---- report.c */

/* One line of JSON with all counts on standard output. */
void report(const struct load *load);
