/* SPDX-License-Identifier: MIT */
#include "server/access.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "handlers/request.h"
#include "handlers/routes.h"
#include "server/headers.h"
#include "server/tokens_file.h"

#define SECOND_NS UINT64_C(1000000000)

struct access_table {
	struct access_options options; /* immutable */
	atomic_uint generation;        /* from 1: how often the tokens were read */

	pthread_mutex_t lock;
	struct tokens *tokens; /* guarded by `lock`, in which it is looked into for a moment */
};

struct access_table *
access_new(const struct access_options *options, struct err *e)
{
	struct access_table *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		err_set_memory(e);
		return NULL;
	}
	a->tokens = tokens_file_read(options->path, e);
	if (a->tokens == NULL) {
		free(a);
		return NULL;
	}
	a->options = *options;
	a->generation = 1;
	metrics_set(METRIC_TOKENS, 0, (double)a->tokens->count);
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

void
access_free(struct access_table *a)
{
	if (a == NULL)
		return;
	tokens_free(a->tokens);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

int
access_reload(struct access_table *a, struct err *e)
{
	struct tokens *tokens = tokens_file_read(a->options.path, e), *old;

	if (tokens == NULL)
		return -1;
	tokens_keep(tokens, a->tokens);
	metrics_set(METRIC_TOKENS, 0, (double)tokens->count);
	pthread_mutex_lock(&a->lock);
	old = a->tokens;
	a->tokens = tokens;
	atomic_fetch_add(&a->generation, 1);
	pthread_mutex_unlock(&a->lock);
	tokens_free(old);
	return 0;
}

void
access_seen_fini(struct access_seen *seen)
{
	token_unref(seen->token);
	seen->token = NULL;
}

/* The token that Authorization shows (RFC 6750, section 2.1); NULL: there is none, or more than one. */
static const char *
shown_token(const struct headers *headers)
{
	static const char scheme[] = "Bearer ";
	const char *text = headers->value[HEADER_AUTHORIZATION];

	if (text == NULL || headers->count[HEADER_AUTHORIZATION] != 1 ||
	    strncasecmp(text, scheme, sizeof(scheme) - 1) != 0)
		return NULL;
	text += sizeof(scheme) - 1;
	text += strspn(text, " ");
	return *text != '\0' ? text : NULL;
}

/* Looks a token up; a reference, or NULL. */
static struct token *
look_up(struct access_table *a, const char *text, size_t len, unsigned *generation)
{
	unsigned char digest[SHA256_BYTES];
	struct token *token;

	token_digest(text, len, digest);
	pthread_mutex_lock(&a->lock);
	*generation = atomic_load(&a->generation);
	token = tokens_find(a->tokens, digest);
	if (token != NULL)
		(void)token_ref(token);
	pthread_mutex_unlock(&a->lock);
	return token;
}

const struct caller *
access_identify(struct access_table *a, struct access_seen *seen, const struct headers *headers)
{
	const char *text = a == NULL ? NULL : shown_token(headers);
	struct token *token;
	unsigned generation;
	size_t len;

	if (text == NULL)
		return a == NULL ? &caller_anyone : &caller_nobody;
	len = strlen(text);
	if (seen->token != NULL && len == seen->len && seen->generation == atomic_load(&a->generation) &&
	    secret_equal(seen->text, text, len))
		return &seen->token->caller;
	token = look_up(a, text, len, &generation);
	if (token == NULL)
		return &caller_nobody;
	token_unref(seen->token);
	seen->token = token;
	seen->generation = generation;
	seen->len = len <= ACCESS_TEXT_MAX ? len : 0;
	memcpy(seen->text, text, seen->len);
	return &token->caller;
}

static bool
is_open(const struct access_table *a, const struct route *route)
{
	return route != NULL && (route->access == ACCESS_OPEN || (route->may_be_open && a->options.open_metrics));
}

int
access_check_rate(struct access_seen *seen, const struct request *rq, unsigned per_second, struct err *e)
{
	uint64_t wait_ns;

	if (per_second == 0 || rq->caller == &caller_anyone || rq->caller == &caller_nobody ||
	    (rq->route != NULL && rq->route->access == ACCESS_OPEN))
		return 0;
	wait_ns = rate_take(&seen->token->rate, per_second, clock_monotonic_us() * 1000);
	if (wait_ns == 0)
		return 0;
	err_set(e, ERR_TOO_MANY_REQUESTS,
	    "the token %s may make %u requests a second and has made more (--max-requests-per-second)",
	    rq->caller->name, per_second);
	err_set_shed(e, METRIC_SHED_RATE);
	e->retry_after_s = (unsigned)((wait_ns + SECOND_NS - 1) / SECOND_NS);
	return -1;
}

int
access_check(const struct access_table *a, const struct request *rq, int result, struct err *e)
{
	const struct route *route = rq->route;

	if (a == NULL || is_open(a, route))
		return result;
	if (rq->caller == &caller_nobody)
		return err_fail(e, ERR_UNAUTHENTICATED,
		    "this server asks for a token that it knows, in the header Authorization: Bearer TOKEN");
	if (route == NULL)
		return result;
	if (caller_check_role(rq->caller, route->access, e) < 0 ||
	    (rq->model != NULL && caller_check_model(rq->caller, rq->model, e) < 0))
		return -1;
	return result;
}

bool
access_refused(const struct err *e)
{
	return e->code == ERR_UNAUTHENTICATED || e->code == ERR_FORBIDDEN || e->code == ERR_TOO_MANY_REQUESTS;
}
