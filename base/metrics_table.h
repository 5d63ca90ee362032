/* SPDX-License-Identifier: MIT */
/*
 * The table of metrics, and the values of their labels. To add a metric, add a row; GET /metrics then shows it. No
 * label holds what clients choose, such as a name of a model or a layer: the number of series is bounded by this file.
 */
#pragma once

/*
 * Values of labels: X(name, text). A metric's series is METRIC_<label>_<name>. Those of a call are known at the start
 * alone (metrics_name_calls).
 */
#define METRICS_PHASES(X) \
	X(RECEIVE, "receive") X(WAIT, "wait") X(COMPUTE, "compute") X(COMMIT, "commit") X(SEND, "send")

#define METRICS_SHEDS(X) \
	X(CONNECTIONS, "connections") \
	X(ADDRESS, "address") \
	X(MEMORY, "memory") \
	X(STORE_QUEUE, "store_queue") \
	X(BACKUPS, "backups") \
	X(SYNC_STEPS, "sync_steps") \
	X(RATE, "rate") \
	X(DRAINING, "draining")

#define METRICS_CLOSINGS(X) X(LATE, "late") X(ROOM, "room") X(ADDRESS, "address")

#define METRICS_OPERATIONS(X) \
	X(TRAIN, "train") \
	X(INFER, "infer") \
	X(INVERT, "invert") \
	X(BACKWARD, "backward") \
	X(REPORT, "report") \
	X(NORMALIZE, "normalize")

/* In the order of enum kind (layer/definition.h). */
#define METRICS_KINDS(X) \
	X(BATCH_NORM, "batch_norm") \
	X(LAYER_NORM, "layer_norm") \
	X(INSTANCE_NORM, "instance_norm") \
	X(GROUP_NORM, "group_norm") \
	X(RMS_NORM, "rms_norm")

#define METRICS_RESULTS(X) X(OK, "ok") X(FAILED, "failed")

/* UNKNOWN: inference had sent too few values to tell. */
#define METRICS_VERDICTS(X) X(UNKNOWN, "unknown") X(NONE, "none") X(POSSIBLE, "possible") X(DRIFT, "drift")

/* Every status that normd answers. */
#define METRICS_STATUSES(X) \
	X(200) \
	X(201) \
	X(204) \
	X(206) \
	X(304) \
	X(400) \
	X(401) \
	X(403) \
	X(404) \
	X(405) \
	X(406) \
	X(408) \
	X(409) \
	X(412) \
	X(413) \
	X(414) \
	X(415) \
	X(416) \
	X(422) \
	X(429) \
	X(431) \
	X(500) \
	X(501) \
	X(503) \
	X(505) \
	X(507)

/*
 * X(id, kind, name, labels, help). Kinds: COUNTER counts events, SECONDS is a histogram of durations, and TOTAL (a
 * counter) and GAUGE are set when they are read (metrics_set); one that was never set is not shown. Labels: a set of
 * metrics.c.
 */
#define METRICS_TABLE(X) \
	X(BUILD_INFO, GAUGE, "normd_build_info", BUILD, "The version of the program; the value is 1.") \
	X(REQUESTS, COUNTER, "normd_http_requests_total", CALL_STATUS, \
	    "Requests by route, method and status of the answer; status \"none\": the client was gone before.") \
	X(REQUEST_SECONDS, SECONDS, "normd_http_request_duration_seconds", CALL, \
	    "Time from a request's first line until its answer was handed to the kernel.") \
	X(PHASE_SECONDS, SECONDS, "normd_http_request_phase_seconds", PHASE, \
	    "The parts of that time, for requests that had the phase.") \
	X(ERRORS, COUNTER, "normd_http_errors_total", ERROR, \
	    "Requests that were answered with an error, by its code.") \
	X(SHED, COUNTER, "normd_requests_shed_total", SHED, \
	    "Requests that were refused because there was too much of something.") \
	X(BYTES_IN, COUNTER, "normd_http_received_bytes_total", NONE, "Bytes of the bodies of requests, as received.") \
	X(BYTES_OUT, COUNTER, "normd_http_sent_bytes_total", NONE, "Bytes of the bodies of answers, as sent.") \
	X(IN_FLIGHT, GAUGE, "normd_http_requests_in_flight", NONE, "Requests that are being served, with this one.") \
	X(CONNECTIONS_OPENED, COUNTER, "normd_connections_opened_total", NONE, "Connections that were accepted.") \
	X(CONNECTIONS_REFUSED, COUNTER, "normd_connections_refused_total", NONE, \
	    "Of these: beyond a limit, so their requests were refused.") \
	X(CONNECTIONS_CLOSED, COUNTER, "normd_connections_closed_total", CLOSING, \
	    "Connections that normd closed: of late clients, idle ones for room, of an address far beyond its limit.") \
	X(CONNECTIONS, GAUGE, "normd_connections", NONE, "Open connections.") \
	X(CONNECTIONS_LIMIT, GAUGE, "normd_connections_limit", NONE, \
	    "How many connections may be open; from seven eighths on new ones are refused.") \
	X(COMPUTING_QUEUE, GAUGE, "normd_computing_queue_length", NONE, \
	    "Long requests that wait for a computing thread.") \
	X(VALUES, COUNTER, "normd_tensor_values_total", OPERATION_KIND, \
	    "Values of tensors that were computed on, with padding, by operation and kind of layer.") \
	X(SYNC_WAITING, GAUGE, "normd_sync_calls_waiting", NONE, \
	    "Calls that wait for other ranks of synchronized steps.") \
	X(SYNC_STEPS, COUNTER, "normd_sync_steps_total", RESULT, "Synchronized steps that have ended.") \
	X(STORE_COMMITS, COUNTER, "normd_store_commits_total", NONE, "Transactions that were committed.") \
	X(STORE_FAILURES, COUNTER, "normd_store_commit_failures_total", NONE, \
	    "Transactions that failed, with all their changes.") \
	X(STORE_CHANGES, COUNTER, "normd_store_changes_total", RESULT, \
	    "Changes that were stored, or refused or failed; a transaction commits many.") \
	X(STORE_COMMIT_SECONDS, SECONDS, "normd_store_commit_duration_seconds", NONE, \
	    "Time of a transaction, from its beginning until it is on disk.") \
	X(STORE_HEALTHY, GAUGE, "normd_store_healthy", NONE, "1: the last transaction succeeded; 0: it failed.") \
	X(STORE_AWAY_SECONDS, GAUGE, "normd_store_away_seconds", NONE, \
	    "For how long the database cannot be reached, while inference goes on from the cache; 0: it can.") \
	X(STORE_QUEUE, GAUGE, "normd_store_queue_length", NONE, "Operations that wait for the store's thread.") \
	X(STORE_QUEUE_LIMIT, GAUGE, "normd_store_queue_limit", NONE, "How many may wait.") \
	X(STORE_FILE_BYTES, GAUGE, "normd_store_file_bytes", NONE, "Size of the database's file.") \
	X(STORE_WAL_BYTES, GAUGE, "normd_store_wal_bytes", NONE, "Size of its write-ahead log.") \
	X(STORE_FREE_BYTES, GAUGE, "normd_store_filesystem_available_bytes", NONE, \
	    "Space that is left on the store's file system.") \
	X(STORE_DISK_BYTES, GAUGE, "normd_store_filesystem_size_bytes", NONE, "Size of the store's file system.") \
	X(CACHE_HITS, COUNTER, "normd_cache_hits_total", NONE, "Calls whose layers' states were all in the cache.") \
	X(CACHE_MISSES, COUNTER, "normd_cache_misses_total", NONE, "Calls that had to ask the store for a state.") \
	X(CACHE_ENTRIES, GAUGE, "normd_cache_entries", NONE, "States and names in the cache.") \
	X(CACHE_BYTES, GAUGE, "normd_cache_bytes", NONE, "Bytes of these, with what is lent to sources and windows.") \
	X(CACHE_LIMIT_BYTES, GAUGE, "normd_cache_limit_bytes", NONE, "How many they may have.") \
	X(WINDOWS, GAUGE, "normd_windows_unsaved", NONE, "Windows of inference with values that are not saved yet.") \
	X(WINDOWS_BYTES, GAUGE, "normd_windows_bytes", NONE, "Bytes of these.") \
	X(WINDOWS_LEFT_OUT, COUNTER, "normd_windows_left_out_total", NONE, \
	    "Calls whose values were left out of a window for want of memory.") \
	X(DRIFT_VERDICTS, COUNTER, "normd_history_entries_total", VERDICT, \
	    "Entries of layers' history, by the verdict of drift at that moment.") \
	X(KEYS_STORED, COUNTER, "normd_idempotency_keys_stored_total", NONE, "Idempotency keys that were stored.") \
	X(KEYS_REPEATED, COUNTER, "normd_idempotency_repeats_total", NONE, \
	    "Requests that repeated a stored key, and changed nothing.") \
	X(KEYS_FORGOTTEN, COUNTER, "normd_idempotency_keys_forgotten_total", NONE, \
	    "Idempotency keys that were forgotten, because of their age or their number.") \
	X(BACKUPS, COUNTER, "normd_backups_total", RESULT, "Copies of the store that were made for GET /v1/backup.") \
	X(BACKUP_TIME, GAUGE, "normd_backup_last_success_timestamp_seconds", NONE, \
	    "When the last copy was complete; absent until there is one.") \
	X(MEMORY_LIMIT_BYTES, GAUGE, "normd_memory_limit_bytes", NONE, "The limit of the process, --max-memory.") \
	X(REQUESTS_BYTES, GAUGE, "normd_requests_memory_bytes", NONE, "Memory that requests have reserved.") \
	X(REQUESTS_LIMIT_BYTES, GAUGE, "normd_requests_memory_limit_bytes", NONE, "How much they may reserve.") \
	X(TLS_EXPIRY, GAUGE, "normd_tls_certificate_expiry_timestamp_seconds", NONE, \
	    "When the certificate in use expires, or one that it needs; absent without TLS.") \
	X(TLS_HANDSHAKES, COUNTER, "normd_tls_handshakes_total", RESULT, "Handshakes of TLS that have ended.") \
	X(TOKENS, GAUGE, "normd_tokens", NONE, "Tokens in use; absent without --tokens.") \
	X(RELOADS, COUNTER, "normd_reloads_total", RESULT, "Files that were read again after a SIGHUP.") \
	X(LOG_DROPPED, COUNTER, "normd_log_lines_dropped_total", NONE, \
	    "Lines of the log that were lost, because standard error did not take them.") \
	X(CPU_SECONDS, TOTAL, "process_cpu_seconds_total", NONE, "Total user and system CPU time spent in seconds.") \
	X(OPEN_FDS, GAUGE, "process_open_fds", NONE, "Number of open file descriptors.") \
	X(MAX_FDS, GAUGE, "process_max_fds", NONE, "Maximum number of open file descriptors.") \
	X(VIRTUAL_BYTES, GAUGE, "process_virtual_memory_bytes", NONE, "Virtual memory size in bytes.") \
	X(RESIDENT_BYTES, GAUGE, "process_resident_memory_bytes", NONE, "Resident memory size in bytes.") \
	X(THREADS, GAUGE, "process_threads", NONE, "Number of threads.") \
	X(START_TIME, GAUGE, "process_start_time_seconds", NONE, \
	    "Start time of the process since unix epoch in seconds.")

/* The upper ends of the buckets of every histogram, in microseconds, with their texts in seconds. */
#define METRICS_BUCKETS(X) \
	X(100, "0.0001") \
	X(250, "0.00025") \
	X(500, "0.0005") \
	X(1000, "0.001") \
	X(2500, "0.0025") \
	X(5000, "0.005") \
	X(10000, "0.01") \
	X(25000, "0.025") \
	X(50000, "0.05") \
	X(100000, "0.1") \
	X(250000, "0.25") \
	X(1000000, "1") \
	X(5000000, "5")
