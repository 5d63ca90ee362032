/* SPDX-License-Identifier: MIT */
#include "server/metrics_read.h"

#include <stdatomic.h>

#include "base/metrics.h"
#include "server/connections.h"
#include "server/process_figures.h"
#include "server/server.h"
#include "server/workers.h"
#include "storage/store.h"
#include "sync/sync.h"

static void
set(enum metric metric, double value)
{
	metrics_set(metric, 0, value);
}

static void
read_store(struct store *store)
{
	struct store_figures f;

	store_measure(store, &f);
	set(METRIC_STORE_HEALTHY, store_healthy(store));
	set(METRIC_STORE_AWAY_SECONDS, (double)f.away_us / 1e6);
	set(METRIC_STORE_QUEUE, (double)f.queue);
	set(METRIC_STORE_QUEUE_LIMIT, (double)f.queue_max);
	set(METRIC_CACHE_ENTRIES, (double)f.cache_entries);
	set(METRIC_CACHE_BYTES, (double)f.cache_bytes);
	set(METRIC_CACHE_LIMIT_BYTES, (double)f.cache_bytes_max);
	set(METRIC_WINDOWS_BYTES, (double)f.windows_bytes);
	set(METRIC_STORE_FILE_BYTES, (double)f.file_bytes);
	set(METRIC_STORE_WAL_BYTES, (double)f.wal_bytes);
	if (f.disk_bytes == 0)
		return;
	set(METRIC_STORE_DISK_BYTES, (double)f.disk_bytes);
	set(METRIC_STORE_FREE_BYTES, (double)f.disk_free_bytes);
}

static void
read_process(void)
{
	struct process_figures f;

	process_measure(&f);
	set(METRIC_CPU_SECONDS, f.cpu_s);
	set(METRIC_MAX_FDS, f.descriptors_max);
	if (f.has_descriptors)
		set(METRIC_OPEN_FDS, f.descriptors);
	if (!f.has_stat)
		return;
	set(METRIC_VIRTUAL_BYTES, f.virtual_bytes);
	set(METRIC_RESIDENT_BYTES, f.resident_bytes);
	set(METRIC_THREADS, f.threads);
	set(METRIC_START_TIME, f.started_s);
}

static void
read_server(void *arg)
{
	struct server *s = arg;

	set(METRIC_IN_FLIGHT, (double)atomic_load(&s->active));
	set(METRIC_CONNECTIONS, connections_open(s->connections));
	set(METRIC_CONNECTIONS_LIMIT, s->connections_max);
	set(METRIC_COMPUTING_QUEUE, (double)workers_waiting(s->workers));
	set(METRIC_SYNC_WAITING, sync_waiting(s->sync));
	set(METRIC_MEMORY_LIMIT_BYTES, (double)s->memory_max);
	set(METRIC_REQUESTS_BYTES, (double)atomic_load(&s->memory.bytes));
	set(METRIC_REQUESTS_LIMIT_BYTES, (double)s->memory.bytes_max);
	read_store(s->store);
	read_process();
}

void
metrics_of_server(struct server *s)
{
	metrics_read_by(read_server, s);
}

void
metrics_forget_server(void)
{
	metrics_read_by(NULL, NULL);
}
