/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/load/load.h"

#define RETRY_US 3000u
#define PIECES 3u
#define PIECE_PAUSE_US 2000u
/* Every so many requests of a keyed client it hangs up before the answer, and sends the request again. */
#define HANG_UP_EVERY 16u
#define HANG_UP_WITHIN_US 3000u

/* xorshift64*: a client's own sequence, the same in every run. */
static uint64_t
draw(struct client *c, uint64_t below)
{
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return (c->random * 0x2545f4914f6cdd1dULL >> 32) % below;
}

void
client_init(struct client *c, struct load *load, struct group *group, unsigned index)
{
	*c = (struct client){ .load = load, .group = group, .index = index, .fd = -1, .random = index + 1 };
	c->layer = group->client_count++ % load->layer_count;
	c->tally = &group->tallies[c->layer];
	c->tally->clients++;
	c->request = malloc(REQUEST_MAX);
	c->answer = calloc(1, ANSWER_MAX + 1);
	c->first = malloc(ANSWER_MAX);
	if (c->request == NULL || c->answer == NULL || c->first == NULL)
		abort();
}

bool
client_is_quiet(const struct client *c)
{
	return c->state == CLIENT_DOWN || c->state == CLIENT_IDLE;
}

static bool
may_begin(const struct client *c)
{
	const struct load *load = c->load;

	if (load->holding || (load->finishing && !c->pending))
		return false;
	return !load->bursts || c->turn < load->turn;
}

static void
watch(struct client *c, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };

	if (epoll_ctl(c->load->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) < 0)
		abort();
}

/* A request is over, one way or another. In bursts a client's turn is over when nothing is pending. */
static void
end_turn(struct client *c)
{
	if (!c->pending)
		c->turn++;
}

/* Closes; with a reset rather than an end where `reset`. */
static void
close_connection(struct client *c, bool reset, uint64_t retry_at_us)
{
	static const struct linger drop = { .l_onoff = 1, .l_linger = 0 };

	if (reset)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop));
	close(c->fd);
	c->fd = -1;
	c->state = CLIENT_DOWN;
	c->due_us = retry_at_us;
}

/* The connection is gone, or is given up, with whatever was under way. */
static void
lose(struct client *c, bool reset, uint64_t now_us)
{
	if (c->state == CLIENT_SENDING || c->state == CLIENT_WAITING) {
		request_lost(c);
		end_turn(c);
	}
	close_connection(c, reset, now_us + RETRY_US);
}

/* The port that the daemon listens on now; 0: it is down. */
static in_port_t
read_port(const struct load *load)
{
	FILE *file = fopen(load->port_file, "re");
	char line[16] = "";

	if (file == NULL)
		return 0;
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	fclose(file);
	return (in_port_t)strtoul(line, NULL, 10);
}

static void
open_connection(struct client *c, uint64_t now_us)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = c };
	in_port_t port = read_port(c->load);
	int one = 1;

	c->due_us = now_us + RETRY_US;
	if (port == 0)
		return;
	address.sin_port = htons(port);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return;
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if ((connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS) ||
	    epoll_ctl(c->load->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) {
		c->group->counts.refused_connections++;
		close_connection(c, false, now_us + RETRY_US);
		return;
	}
	c->state = CLIENT_CONNECTING;
	c->answers = 0;
}

static void
send_some(struct client *c, uint64_t now_us)
{
	size_t piece = c->group->role->in_pieces ? c->request_len / PIECES + 1 : c->request_len;
	size_t len = c->request_len - c->sent < piece ? c->request_len - c->sent : piece;
	ssize_t n = send(c->fd, c->request + c->sent, len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		lose(c, false, now_us);
		return;
	}
	c->sent += n < 0 ? 0 : (size_t)n;
	if (c->sent < c->request_len) {
		c->due_us = now_us + (c->group->role->in_pieces ? draw(c, PIECE_PAUSE_US) : 0);
		return;
	}
	c->state = CLIENT_WAITING;
	c->sent_us = now_us;
	c->stalled = false;
	c->hang_up_us = 0;
	if (c->group->role->vanishes || (c->group->role->keyed && draw(c, HANG_UP_EVERY) == 0))
		c->hang_up_us = now_us + draw(c, HANG_UP_WITHIN_US);
}

static void
begin(struct client *c, uint64_t now_us)
{
	if (!c->pending) {
		c->number++;
		c->pending = true;
	}
	request_make(c);
	c->answer_len = 0;
	c->state = CLIENT_SENDING;
	watch(c, EPOLLIN);
	send_some(c, now_us);
}

/*
 * After an answer: on with the next request, unless the server or the role wants another connection for it, or it was
 * refused.
 */
static void
go_on(struct client *c, bool usable, uint64_t now_us)
{
	bool refused = c->pending && !c->repeating;

	c->state = CLIENT_IDLE;
	c->due_us = now_us + (refused ? RETRY_US : 0);
	end_turn(c);
	if (c->group->role->brief)
		close_connection(c, draw(c, 2) == 0, now_us);
	else if (!usable)
		close_connection(c, false, c->due_us);
	else if (!refused && may_begin(c))
		begin(c, now_us);
}

static void
receive(struct client *c, uint64_t now_us)
{
	ssize_t n = recv(c->fd, c->answer + c->answer_len, ANSWER_MAX - c->answer_len, 0);
	long missing;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || (c->state != CLIENT_WAITING && c->state != CLIENT_SENDING)) {
		lose(c, false, now_us);
		return;
	}
	c->answer_len += (size_t)n;
	c->answer[c->answer_len] = '\0';
	missing = answer_missing(c);
	if (missing < 0) {
		c->group->counts.unexpected++;
		lose(c, true, now_us);
	} else if (missing == 0) {
		if (c->state == CLIENT_SENDING) /* refused before all of it was sent */
			c->sent_us = now_us;
		go_on(c, answer_judge(c, now_us) && c->state == CLIENT_WAITING, now_us);
	}
}

static void
connected(struct client *c, uint64_t now_us)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0) {
		c->group->counts.refused_connections++;
		close_connection(c, false, now_us + RETRY_US);
		return;
	}
	c->group->counts.connections++;
	c->state = CLIENT_IDLE;
	c->due_us = now_us;
	watch(c, EPOLLIN);
	if (may_begin(c))
		begin(c, now_us);
}

void
client_event(struct client *c, uint32_t events, uint64_t now_us)
{
	if (c->fd < 0)
		return;
	if (c->state == CLIENT_CONNECTING)
		connected(c, now_us);
	else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(c, now_us);
}

/* While it waits for an answer. */
static void
wait_on(struct client *c, uint64_t now_us)
{
	if (c->hang_up_us != 0 && now_us >= c->hang_up_us) {
		lose(c, draw(c, 2) == 0, now_us);
	} else if (!c->stalled && now_us - c->sent_us > c->load->bound_us) {
		c->stalled = true;
		c->group->counts.stalled++;
		fprintf(stderr, "load: %s-%u waits\n", c->group->role->name, c->index);
	}
}

void
client_tick(struct client *c, uint64_t now_us)
{
	if (c->state == CLIENT_WAITING)
		wait_on(c, now_us);
	else if (c->state == CLIENT_SENDING && now_us >= c->due_us)
		send_some(c, now_us);
	else if (c->state == CLIENT_DOWN && now_us >= c->due_us && may_begin(c))
		open_connection(c, now_us);
	else if (c->state == CLIENT_IDLE && now_us >= c->due_us && may_begin(c))
		begin(c, now_us);
}
