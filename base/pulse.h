/* SPDX-License-Identifier: MIT */
/*
 * The pulse of threads: a proof that none of them hangs. A thread that has a pulse says when it waits for work and when
 * it has some. A thread that waits is alive, however long; one that has been at the same piece of work for too long is
 * stuck. No thread is woken for this, and none reads a clock: it counts, and whoever asks compares.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Gives the calling thread a pulse until it ends; it is at work. `name`, which is not copied, says which thread it is,
 * to top and to debuggers too; it has at most 15 bytes.
 * If there are more than PULSE_MAX, it has none, and the calls below do nothing.
 */
#define PULSE_MAX 1024
void pulse_begin(const char *name);
bool pulse_has(void); /* whether the calling thread has one */

/* The calling thread waits for work; it has some, or begins the next piece. Nothing without a pulse. */
void pulse_wait(void);
void pulse_work(void);

/*
 * The name of a thread that has been at one piece of work since a call of this at least `bound_us` ago; NULL if there
 * is none. One thread calls it, again and again.
 */
const char *pulse_find_stuck(uint64_t now_us, uint64_t bound_us);

/*
 * For another purpose: mark notes what each thread is at; passed says whether all of them have waited, or begun another
 * piece, since. So what they had begun at the mark is done. One thread calls them.
 */
void pulse_mark(void);
bool pulse_passed(void);
