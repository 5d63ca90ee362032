/* SPDX-License-Identifier: MIT */
#include "base/metrics.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/metrics_text.h"

#define BUCKET_ENTRY(us, text) us,
static const uint64_t bucket_us[] = { METRICS_BUCKETS(BUCKET_ENTRY) };
#define BUCKET_TEXT(us, text) text,
static const char *const bucket_texts[] = { METRICS_BUCKETS(BUCKET_TEXT) };
#define BUCKET_COUNT (sizeof(bucket_us) / sizeof(bucket_us[0]))

/* Behind the statuses: none, and whatever is missing in the table. */
#define STATUS_ENTRY(status) status,
static const unsigned short statuses[] = { METRICS_STATUSES(STATUS_ENTRY) };
#define STATUS_TEXT(status) #status,
static const char *const status_texts[] = { METRICS_STATUSES(STATUS_TEXT) "none", "other" };
#define STATUS_COUNT (sizeof(status_texts) / sizeof(status_texts[0]))

/* A label: its name and the texts of its values. */
struct label {
	const char *name;
	size_t count;
	const char *const *texts;
};

#define VALUE_TEXT(name, text) text,
static const char *const phase_texts[] = { METRICS_PHASES(VALUE_TEXT) };
static const char *const shed_texts[] = { METRICS_SHEDS(VALUE_TEXT) };
static const char *const closing_texts[] = { METRICS_CLOSINGS(VALUE_TEXT) };
static const char *const operation_texts[] = { METRICS_OPERATIONS(VALUE_TEXT) };
static const char *const kind_texts[] = { METRICS_KINDS(VALUE_TEXT) };
static const char *const result_texts[] = { METRICS_RESULTS(VALUE_TEXT) };
static const char *const verdict_texts[] = { METRICS_VERDICTS(VALUE_TEXT) };
#define ERROR_TEXT(name, code, status, title) code,
static const char *const error_texts[] = { "none", ERR_TABLE(ERROR_TEXT) };

#define LABEL(name, texts) \
	{ \
		name, sizeof(texts) / sizeof((texts)[0]), texts \
	}
static const struct label no_label = { NULL, 1, NULL };
static const struct label call_label = { "call", METRICS_CALLS_MAX, NULL }; /* two labels, named later */
static const struct label status_label = LABEL("status", status_texts);
static const struct label phase_label = LABEL("phase", phase_texts);
static const struct label shed_label = LABEL("reason", shed_texts);
static const struct label closing_label = LABEL("reason", closing_texts);
static const struct label operation_label = LABEL("operation", operation_texts);
static const struct label kind_label = LABEL("kind", kind_texts);
static const struct label result_label = LABEL("result", result_texts);
static const struct label verdict_label = LABEL("verdict", verdict_texts);
static const struct label error_label = LABEL("code", error_texts);
static const struct label build_label = { "version", 1, NULL }; /* named later */

/* The sets of labels: X(id, first label, second label, how many series, whether series that are 0 are left out). */
#define SETS(X) \
	X(NONE, no_label, no_label, 1, false) \
	X(BUILD, build_label, no_label, 1, false) \
	X(CALL, call_label, no_label, METRICS_CALLS_MAX, true) \
	X(CALL_STATUS, call_label, status_label, METRICS_CALLS_MAX *STATUS_COUNT, true) \
	X(ERROR, error_label, no_label, ERR_COUNT, true) \
	X(PHASE, phase_label, no_label, METRIC_PHASE_COUNT, false) \
	X(SHED, shed_label, no_label, METRIC_SHED_COUNT, false) \
	X(CLOSING, closing_label, no_label, METRIC_CLOSING_COUNT, false) \
	X(OPERATION_KIND, operation_label, kind_label, (int)METRIC_OPERATION_COUNT *METRIC_KIND_COUNT, true) \
	X(RESULT, result_label, no_label, METRIC_RESULT_COUNT, false) \
	X(VERDICT, verdict_label, no_label, METRIC_VERDICT_COUNT, false)

enum set {
#define SET_ID(id, first, second, series, sparse) SET_##id,
	SETS(SET_ID)
};

enum {
#define SET_SERIES(id, first, second, series, sparse) SERIES_##id = (series),
	SETS(SET_SERIES)
};

static const struct {
	const struct label *first, *second;
	size_t series;
	bool sparse;
} sets[] = {
#define SET_ROW(id, first, second, series, sparse) { &first, &second, SERIES_##id, sparse },
	SETS(SET_ROW)
};

/* How a metric's kind is stored and shown. A histogram's cells: those of its buckets, those beyond, the sum in us. */
enum kind { KIND_COUNTER, KIND_SECONDS, KIND_TOTAL, KIND_GAUGE };
enum { CELLS_COUNTER = 1, CELLS_SECONDS = BUCKET_COUNT + 2, CELLS_TOTAL = 1, CELLS_GAUGE = 1 };
static const char *const kind_types[] = { "counter", "histogram", "counter", "gauge" };

/* Where the cells of a metric begin. */
enum {
#define FIRST_CELL(id, kind, name, labels, help) \
	FIRST_##id, LAST_##id = FIRST_##id + CELLS_##kind * SERIES_##labels - 1,
	METRICS_TABLE(FIRST_CELL) CELL_COUNT
};

static const struct row {
	const char *name, *help;
	unsigned first;
	enum kind kind;
	enum set set;
} rows[METRIC_COUNT] = {
#define ROW(id, kind, name, labels, help) { name, help, FIRST_##id, KIND_##kind, SET_##labels },
	METRICS_TABLE(ROW)
};

/* The cells of one thread, and, as the last, those of all threads that got none of their own. */
typedef _Atomic uint64_t cell;
struct shard {
	_Alignas(64) cell cells[CELL_COUNT];
};
static struct shard shards[METRICS_SHARDS];
static atomic_uint shards_taken;
static _Thread_local struct shard *own;

/* What metrics_set has set: the bits of a double, of which those of this NaN stand for "never". */
#define NEVER UINT64_C(0x7ff8bad000000000)
static cell values[CELL_COUNT];

static struct {
	pthread_mutex_t lock; /* of a scrape */
	void (*read)(void *arg);
	void *arg;
	const struct metrics_call *calls; /* immutable once set, like the version */
	size_t call_count;
	const char *version;
} reading = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The last shard is never taken, so that it is shared from the beginning. */
static struct shard *
take_shard(void)
{
	const unsigned turn = atomic_fetch_add_explicit(&shards_taken, 1, memory_order_relaxed);

	own = &shards[turn < METRICS_SHARDS - 1 ? turn : METRICS_SHARDS - 1];
	return own;
}

/* A thread that has the cells alone needs no atomic addition, only stores that are whole. */
static inline void
add(struct shard *s, size_t at, uint64_t n)
{
	cell *c = &s->cells[at];

	if (s == &shards[METRICS_SHARDS - 1])
		atomic_fetch_add_explicit(c, n, memory_order_relaxed);
	else
		atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline struct shard *
own_shard(void)
{
	return own != NULL ? own : take_shard();
}

void
metrics_add(enum metric metric, size_t series, uint64_t n)
{
	const struct row *row = &rows[metric];

	assert(row->kind == KIND_COUNTER && series < sets[row->set].series);
	add(own_shard(), row->first + series, n);
}

void
metrics_count(enum metric metric)
{
	metrics_add(metric, 0, 1);
}

void
metrics_observe_us(enum metric metric, size_t series, uint64_t us)
{
	const struct row *row = &rows[metric];
	const size_t first = row->first + series * CELLS_SECONDS;
	struct shard *s = own_shard();
	size_t i = 0;

	assert(row->kind == KIND_SECONDS && series < sets[row->set].series);
	while (i < BUCKET_COUNT && us > bucket_us[i])
		i++;
	add(s, first + i, 1);
	add(s, first + BUCKET_COUNT + 1, us);
}

void
metrics_set(enum metric metric, size_t series, double value)
{
	const struct row *row = &rows[metric];
	uint64_t bits;

	assert((row->kind == KIND_GAUGE || row->kind == KIND_TOTAL) && series < sets[row->set].series);
	memcpy(&bits, &value, sizeof(bits));
	atomic_store_explicit(&values[row->first + series], bits ^ NEVER, memory_order_relaxed);
}

size_t
metrics_series_status(size_t call, unsigned status)
{
	size_t i = 0;

	while (i < STATUS_COUNT - 2 && statuses[i] != status)
		i++;
	return call * STATUS_COUNT + (i == STATUS_COUNT - 2 && status != 0 ? i + 1 : i);
}

size_t
metrics_series_kind(enum metric_operation operation, enum metric_kind kind)
{
	return (size_t)operation * METRIC_KIND_COUNT + kind;
}

void
metrics_name_calls(const struct metrics_call *calls, size_t count)
{
	assert(count <= METRICS_CALLS_MAX);
	pthread_mutex_lock(&reading.lock);
	reading.calls = calls;
	reading.call_count = count;
	pthread_mutex_unlock(&reading.lock);
}

void
metrics_name_version(const char *version)
{
	pthread_mutex_lock(&reading.lock);
	reading.version = version;
	pthread_mutex_unlock(&reading.lock);
	metrics_set(METRIC_BUILD_INFO, 0, 1);
}

void
metrics_read_by(void (*read)(void *arg), void *arg)
{
	pthread_mutex_lock(&reading.lock);
	reading.read = read;
	reading.arg = arg;
	pthread_mutex_unlock(&reading.lock);
}

/* The sum over all threads. */
static uint64_t
sum(size_t at)
{
	const unsigned taken = atomic_load_explicit(&shards_taken, memory_order_relaxed);
	const unsigned used = taken < METRICS_SHARDS ? taken : METRICS_SHARDS;
	uint64_t all = 0;

	for (unsigned i = 0; i < used; i++)
		all += atomic_load_explicit(&shards[i].cells[at], memory_order_relaxed);
	return all;
}

static void
add_label_locked(struct buf *labels, const struct label *label, size_t value)
{
	if (label == &call_label && value < reading.call_count) {
		metrics_text_label(labels, "route", reading.calls[value].route);
		metrics_text_label(labels, "method", reading.calls[value].method);
	} else if (label == &build_label) {
		metrics_text_label(labels, label->name, reading.version != NULL ? reading.version : "");
	} else if (label->texts != NULL) {
		metrics_text_label(labels, label->name, label->texts[value]);
	}
}

/* A histogram's buckets, each with those before it. The count is the last of them, so the two always agree. */
static void
write_histogram(struct buf *out, const struct row *row, size_t first, const struct buf *labels)
{
	struct metrics_text_sample s = { row->name, "_bucket", NULL };
	struct buf with_end;
	uint64_t count = 0;

	for (size_t i = 0; i <= BUCKET_COUNT; i++) {
		buf_init(&with_end, 4096);
		buf_add(&with_end, labels->bytes, labels->len);
		metrics_text_label(&with_end, "le", i < BUCKET_COUNT ? bucket_texts[i] : "+Inf");
		count += sum(first + i);
		s.labels = &with_end;
		out->failed = out->failed || with_end.failed;
		metrics_text_uint(out, &s, count);
		buf_fini(&with_end);
	}
	s.labels = labels;
	s.suffix = "_sum";
	metrics_text_us(out, &s, sum(first + BUCKET_COUNT + 1));
	s.suffix = "_count";
	metrics_text_uint(out, &s, count);
}

/* Whether a series has ever been counted. */
static bool
is_zero(const struct row *row, size_t first)
{
	const size_t cells = row->kind == KIND_SECONDS ? CELLS_SECONDS : 1;
	size_t i = 0;

	while (i < cells && sum(first + i) == 0)
		i++;
	return i == cells;
}

static void
write_value(struct buf *out, const struct row *row, size_t at, const struct buf *labels)
{
	const struct metrics_text_sample s = { row->name, "", labels };
	uint64_t bits = atomic_load_explicit(&values[at], memory_order_relaxed);
	double value;

	if (bits == 0)
		return;
	bits ^= NEVER;
	memcpy(&value, &bits, sizeof(value));
	metrics_text_double(out, &s, value);
}

static void
write_series_locked(struct buf *out, const struct row *row, size_t series)
{
	const struct label *first = sets[row->set].first, *second = sets[row->set].second;
	const size_t at = row->first + series * (row->kind == KIND_SECONDS ? CELLS_SECONDS : 1);
	struct buf labels;

	if (row->kind != KIND_GAUGE && row->kind != KIND_TOTAL && sets[row->set].sparse && is_zero(row, at))
		return;
	buf_init(&labels, 4096);
	add_label_locked(&labels, first, series / second->count);
	add_label_locked(&labels, second, series % second->count);
	out->failed = out->failed || labels.failed;
	if (row->kind == KIND_SECONDS)
		write_histogram(out, row, at, &labels);
	else if (row->kind == KIND_COUNTER)
		metrics_text_uint(out, &(struct metrics_text_sample){ row->name, "", &labels }, sum(at));
	else
		write_value(out, row, at, &labels);
	buf_fini(&labels);
}

/* A family without samples is left out. */
static void
write_family_locked(struct buf *out, const struct row *row)
{
	const size_t before = out->len;
	size_t header;

	metrics_text_family(out, row->name, kind_types[row->kind], row->help);
	header = out->len;
	for (size_t i = 0; i < sets[row->set].series; i++)
		write_series_locked(out, row, i);
	if (out->len == header)
		out->len = before;
}

void
metrics_write(struct buf *out)
{
	pthread_mutex_lock(&reading.lock);
	if (reading.read != NULL)
		reading.read(reading.arg);
	for (const struct row *row = rows; row < rows + METRIC_COUNT; row++)
		write_family_locked(out, row);
	pthread_mutex_unlock(&reading.lock);
}
