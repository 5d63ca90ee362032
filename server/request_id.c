/* SPDX-License-Identifier: MIT */
#include "server/request_id.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t base;
static atomic_uint_fast64_t next;

/* Without entropy the numbers begin at 0: still unlike each other. */
static void
choose_base(void)
{
	if (getrandom(&base, sizeof(base), GRND_NONBLOCK) != (ssize_t)sizeof(base))
		base = 0;
}

static bool
is_sane(const char *id)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/=+@-";
	size_t len = strlen(id);

	return len > 0 && len < REQUEST_ID_BYTES && strspn(id, allowed) == len;
}

/* Sixteen digits and a NUL. */
static void
format_hex(char *out, uint64_t number)
{
	out[16] = '\0';
	for (int i = 16; i-- > 0; number >>= 4)
		out[i] = "0123456789abcdef"[number & 15];
}

void
request_id_make(char out[REQUEST_ID_BYTES], const char *offered)
{
	if (offered != NULL && is_sane(offered)) {
		memcpy(out, offered, strlen(offered) + 1);
		return;
	}
	pthread_once(&once, choose_base);
	/* An odd factor maps the counter one to one. */
	format_hex(out, (base + atomic_fetch_add(&next, 1)) * UINT64_C(0x9e3779b97f4a7c15));
}
