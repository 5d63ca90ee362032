#include "server/compute.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Against an event loop on the same core such a thread gets a quarter of the time: enough that large requests never starve. */
#define NICENESS 5

struct compute {
	/* The starter's. */
	unsigned thread_count;

	/* Guarded by `lock`; `wake` is signalled for each job, and for all when it stops. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct compute_job *first, **last;
	bool stopping;

	pthread_t threads[];
};

/* The next job; blocks while there is none. NULL: stopping, and all is done. */
static struct compute_job *
take_job(struct compute *c)
{
	struct compute_job *job;

	pthread_mutex_lock(&c->lock);
	while (c->first == NULL && !c->stopping)
		pthread_cond_wait(&c->wake, &c->lock);
	job = c->first;
	if (job != NULL)
		c->first = job->next;
	if (c->first == NULL)
		c->last = &c->first;
	pthread_mutex_unlock(&c->lock);
	return job;
}

static void *
compute_main(void *arg)
{
	struct compute *c = arg;
	struct compute_job *job;

	(void)pthread_setname_np(pthread_self(), "compute"); /* for who looks with top */
	/* Linux has a priority for each thread. Where it cannot be lowered, the threads compete as equals. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, (id_t)gettid()) + NICENESS);
	while ((job = take_job(c)) != NULL)
		job->run(job->arg);
	return NULL;
}

struct compute *
compute_start(unsigned thread_count, struct err *e)
{
	struct compute *c = calloc(1, sizeof(*c) + thread_count * sizeof(c->threads[0]));
	int rc = 0;

	if (c == NULL) {
		(void)err_set_memory(e);
		return NULL;
	}
	c->last = &c->first;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	while (rc == 0 && c->thread_count < thread_count) {
		rc = pthread_create(&c->threads[c->thread_count], NULL, compute_main, c);
		c->thread_count += rc == 0;
	}
	if (rc == 0)
		return c;
	(void)err_set(e, ERR_OVERLOADED, "the computing threads cannot be started: %s", strerror(rc));
	compute_free(c);
	return NULL;
}

void
compute_run(struct compute *c, struct compute_job *job)
{
	bool taken;

	job->next = NULL;
	pthread_mutex_lock(&c->lock);
	taken = !c->stopping;
	if (taken) {
		*c->last = job;
		c->last = &job->next;
		pthread_cond_signal(&c->wake);
	}
	pthread_mutex_unlock(&c->lock);
	if (!taken)
		job->run(job->arg);
}

void
compute_stop(struct compute *c)
{
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_broadcast(&c->wake);
	pthread_mutex_unlock(&c->lock);
	for (; c->thread_count > 0; c->thread_count--)
		pthread_join(c->threads[c->thread_count - 1], NULL);
}

void
compute_free(struct compute *c)
{
	if (c == NULL)
		return;
	compute_stop(c);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->wake);
	free(c);
}
