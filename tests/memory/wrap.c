/* SPDX-License-Identifier: MIT */
/*
 * Where allocations come from: the linker turns our calls of malloc and its like into calls of what is here (--wrap,
 * which works beside the sanitizers, as taking malloc's place would not). SQLite, cJSON and zlib are shared libraries,
 * which are told by their own hooks. Of libmicrohttpd the calls that take memory fail as a whole.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/memory/fault.h"

static atomic_long live;

long
fault_live(void)
{
	return atomic_load(&live);
}

bool
fault_is_within_libraries(void)
{
	return false;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *block);

static void *
counted(void *block)
{
	if (block != NULL)
		atomic_fetch_add(&live, 1);
	return block;
}

static void *
out_of_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *
__wrap_malloc(size_t size)
{
	return fault_strikes(false) ? out_of_memory() : counted(__real_malloc(size));
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fault_strikes(false) ? out_of_memory() : counted(__real_calloc(count, size));
}

void *
__wrap_realloc(void *block, size_t size)
{
	if (fault_strikes(false))
		return out_of_memory();
	return block == NULL ? counted(__real_malloc(size)) : __real_realloc(block, size);
}

char *
__wrap_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = __wrap_malloc(size);

	return copy == NULL ? NULL : memcpy(copy, text, size);
}

void
__wrap_free(void *block)
{
	if (block != NULL)
		atomic_fetch_sub(&live, 1);
	__real_free(block);
}

/* A thread that cannot be started is memory too: that of its stack. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	return fault_strikes(false) ? EAGAIN : __real_pthread_create(thread, attr, start, arg);
}

/* SQLite: the block's size stands before it, as in SQLite's own. */
#define SIZE_BYTES ((size_t)16)

static void *
sqlite_place(void *block, int size)
{
	if (block == NULL)
		return NULL;
	memcpy(block, &size, sizeof(size));
	return (char *)block + SIZE_BYTES;
}

static void *
sqlite_malloc(int size)
{
	return sqlite_place(__wrap_malloc((size_t)size + SIZE_BYTES), size);
}

static void
sqlite_free(void *place)
{
	__wrap_free((char *)place - SIZE_BYTES);
}

static void *
sqlite_realloc(void *place, int size)
{
	return sqlite_place(__wrap_realloc((char *)place - SIZE_BYTES, (size_t)size + SIZE_BYTES), size);
}

static int
sqlite_size(void *place)
{
	int size = 0;

	if (place != NULL)
		memcpy(&size, (char *)place - SIZE_BYTES, sizeof(size));
	return size;
}

static int
sqlite_roundup(int size)
{
	return (size + 7) & ~7;
}

static int
sqlite_init(void *arg)
{
	(void)arg;
	return SQLITE_OK;
}

static void
sqlite_shutdown(void *arg)
{
	(void)arg;
}

void
fault_install(void)
{
	static const struct sqlite3_mem_methods methods = { sqlite_malloc, sqlite_free, sqlite_realloc, sqlite_size,
		sqlite_roundup, sqlite_init, sqlite_shutdown, NULL };
	cJSON_Hooks hooks = { __wrap_malloc, __wrap_free };

	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK)
		abort();
	cJSON_InitHooks(&hooks);
}

/* zlib. */
static void *
zlib_alloc(void *arg, unsigned count, unsigned size)
{
	(void)arg;
	return __wrap_calloc(count, size);
}

static void
zlib_free(void *arg, void *block)
{
	(void)arg;
	__wrap_free(block);
}

int __real_inflateInit2_(z_streamp z, int window, const char *version, int size);
int __wrap_inflateInit2_(z_streamp z, int window, const char *version, int size);
int __real_deflateInit2_(
    z_streamp z, int level, int method, int window, int memory, int strategy, const char *version, int size);
int __wrap_deflateInit2_(
    z_streamp z, int level, int method, int window, int memory, int strategy, const char *version, int size);

int
__wrap_inflateInit2_(z_streamp z, int window, const char *version, int size)
{
	z->zalloc = zlib_alloc;
	z->zfree = zlib_free;
	return __real_inflateInit2_(z, window, version, size);
}

int
__wrap_deflateInit2_(
    z_streamp z, int level, int method, int window, int memory, int strategy, const char *version, int size)
{
	z->zalloc = zlib_alloc;
	z->zfree = zlib_free;
	return __real_deflateInit2_(z, level, method, window, memory, strategy, version, size);
}

/* libmicrohttpd. A buffer that it is to free comes back to be counted. */
typedef struct MHD_Response response_t;

struct MHD_Daemon *__wrap_MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback policy,
    void *policy_arg, MHD_AccessHandlerCallback handler, void *handler_arg, ...);

struct MHD_Daemon *
__wrap_MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback policy, void *policy_arg,
    MHD_AccessHandlerCallback handler, void *handler_arg, ...)
{
	struct MHD_Daemon *daemon;
	va_list options;

	if (fault_strikes(true))
		return out_of_memory();
	va_start(options, handler_arg);
	daemon = MHD_start_daemon_va(flags, port, policy, policy_arg, handler, handler_arg, options);
	va_end(options);
	return daemon;
}

response_t *__real_MHD_create_response_from_callback(
    uint64_t size, size_t block, MHD_ContentReaderCallback read, void *arg, MHD_ContentReaderFreeCallback done);
response_t *__wrap_MHD_create_response_from_callback(
    uint64_t size, size_t block, MHD_ContentReaderCallback read, void *arg, MHD_ContentReaderFreeCallback done);
response_t *__real_MHD_create_response_from_iovec(
    const struct MHD_IoVec *pieces, unsigned count, MHD_ContentReaderFreeCallback done, void *arg);
response_t *__wrap_MHD_create_response_from_iovec(
    const struct MHD_IoVec *pieces, unsigned count, MHD_ContentReaderFreeCallback done, void *arg);
response_t *__real_MHD_create_response_from_buffer(size_t size, void *bytes, enum MHD_ResponseMemoryMode mode);
response_t *__wrap_MHD_create_response_from_buffer(size_t size, void *bytes, enum MHD_ResponseMemoryMode mode);
enum MHD_Result __real_MHD_add_response_header(response_t *response, const char *name, const char *value);
enum MHD_Result __wrap_MHD_add_response_header(response_t *response, const char *name, const char *value);

response_t *
__wrap_MHD_create_response_from_callback(
    uint64_t size, size_t block, MHD_ContentReaderCallback read, void *arg, MHD_ContentReaderFreeCallback done)
{
	return fault_strikes(true) ? NULL : __real_MHD_create_response_from_callback(size, block, read, arg, done);
}

response_t *
__wrap_MHD_create_response_from_iovec(
    const struct MHD_IoVec *pieces, unsigned count, MHD_ContentReaderFreeCallback done, void *arg)
{
	return fault_strikes(true) ? NULL : __real_MHD_create_response_from_iovec(pieces, count, done, arg);
}

response_t *
__wrap_MHD_create_response_from_buffer(size_t size, void *bytes, enum MHD_ResponseMemoryMode mode)
{
	if (fault_strikes(true))
		return NULL;
	if (mode == MHD_RESPMEM_MUST_FREE)
		return MHD_create_response_from_buffer_with_free_callback(size, bytes, __wrap_free);
	return __real_MHD_create_response_from_buffer(size, bytes, mode);
}

enum MHD_Result
__wrap_MHD_add_response_header(response_t *response, const char *name, const char *value)
{
	return fault_strikes(true) ? MHD_NO : __real_MHD_add_response_header(response, name, value);
}
