/* SPDX-License-Identifier: MIT */
#include "base/pulse.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

/* Apart from each other: each thread writes its own all the time. */
struct pulse {
	_Alignas(64) atomic_uint count; /* the thread's to write: odd: at work; even: it waits */
	_Atomic(const char *) name;     /* NULL: free */

	/* Of the thread that asks. */
	unsigned seen; /* the count at the last look, which is the same since seen_us */
	unsigned marked;
	uint64_t seen_us;
};

static struct pulse pulses[PULSE_MAX];
static _Thread_local struct pulse *mine;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t ending; /* its destructor frees a thread's pulse */
static bool has_key;

static void
move(struct pulse *p, unsigned count)
{
	atomic_store_explicit(&p->count, count, memory_order_release);
}

static unsigned
count_of(struct pulse *p)
{
	return atomic_load_explicit(&p->count, memory_order_acquire);
}

static bool
is_at_work(unsigned count)
{
	return (count & 1) != 0;
}

void
pulse_wait(void)
{
	if (mine != NULL)
		move(mine, (count_of(mine) + 1) & ~1u);
}

void
pulse_work(void)
{
	if (mine != NULL)
		move(mine, (count_of(mine) + 1) | 1u);
}

bool
pulse_has(void)
{
	return mine != NULL;
}

/* The count goes on where it is: a look at the place's next thread sees that it has moved. */
static void
end(void *pulse)
{
	struct pulse *p = pulse;

	pulse_wait();
	mine = NULL;
	atomic_store(&p->name, NULL);
}

static void
make_key(void)
{
	has_key = pthread_key_create(&ending, end) == 0;
}

void
pulse_begin(const char *name)
{
	const char *none;

	(void)pthread_setname_np(pthread_self(), name);
	(void)pthread_once(&once, make_key);
	for (size_t i = 0; has_key && mine == NULL && i < PULSE_MAX; i++) {
		none = NULL;
		if (atomic_compare_exchange_strong(&pulses[i].name, &none, name))
			mine = &pulses[i];
	}
	if (mine != NULL && pthread_setspecific(ending, mine) != 0)
		end(mine); /* else it would never be free again */
	pulse_work();
}

const char *
pulse_find_stuck(uint64_t now_us, uint64_t bound_us)
{
	const char *stuck = NULL;

	for (size_t i = 0; i < PULSE_MAX; i++) {
		struct pulse *p = &pulses[i];
		const char *name = atomic_load(&p->name);
		const unsigned count = count_of(p);

		if (name == NULL)
			continue;
		if (count != p->seen) {
			p->seen = count;
			p->seen_us = now_us;
		} else if (is_at_work(count) && now_us - p->seen_us >= bound_us) {
			stuck = name;
		}
	}
	return stuck;
}

void
pulse_mark(void)
{
	for (size_t i = 0; i < PULSE_MAX; i++)
		pulses[i].marked = count_of(&pulses[i]);
}

bool
pulse_passed(void)
{
	for (size_t i = 0; i < PULSE_MAX; i++) {
		struct pulse *p = &pulses[i];

		if (atomic_load(&p->name) != NULL && is_at_work(p->marked) && count_of(p) == p->marked)
			return false;
	}
	return true;
}
