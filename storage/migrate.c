/* SPDX-License-Identifier: MIT */
/*
 * Copies a store, table by table in a fixed order, and notes with each commit how far it is, so that it goes on there
 * after it was killed. Then it reads both and compares the digests of all layers and versions; only then the copy is a
 * store.
 */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "storage/migrate_compare.h"
#include "storage/offline.h"
#include "storage/pg_url.h"
#include "storage/rows.h"
#include "storage/sqlite_url.h"

/* What is committed at once. */
#define ROWS_AT_ONCE ((uint64_t)1000)
#define BYTES_AT_ONCE ((size_t)4 << 20)

struct migration {
	const struct offline_work *work;
	struct rows *from, *to;
	struct rows_progress progress;
	uint64_t totals[ROWS_TABLES_MAX]; /* rows of each table */
};

struct rows *
rows_open_source(const char *url, struct err *e)
{
	const char *path = pg_url_is(url) ? NULL : sqlite_url_path(url, e);

	if (pg_url_is(url))
		return rows_pg_source(url, e);
	return path == NULL ? NULL : rows_sqlite_source(path, e);
}

struct rows *
rows_open_target(const char *url, struct rows_progress *p, struct err *e)
{
	const char *path = pg_url_is(url) ? NULL : sqlite_url_path(url, e);

	if (pg_url_is(url))
		return rows_pg_target(url, p, e);
	return path == NULL ? NULL : rows_sqlite_target(path, p, e);
}

/* ---- what it is a copy of */

static void
add_cell(struct digest *hash, const struct cell *c)
{
	digest_add(hash, &c->null, sizeof(c->null));
	digest_add(hash, &c->number, sizeof(c->number));
	digest_add(hash, &c->real, sizeof(c->real));
	if (c->type == 'T' || c->type == 'B') {
		digest_add(hash, &c->length, sizeof(c->length));
		digest_add(hash, c->bytes, c->length);
	}
}

static int
add_rows(struct migration *m, const struct rows_query *q, struct digest *hash, uint64_t *count, struct err *e)
{
	struct cell cells[ROW_CELLS_MAX];
	bool found;

	*count = 0;
	if (m->from->ops->read(m->from, q, 0, e) < 0)
		return -1;
	while (true) {
		if (m->from->ops->next(m->from, cells, &found, e) < 0)
			return -1;
		if (!found)
			return 0;
		for (size_t i = 0; q->types[i] != '\0'; i++)
			add_cell(hash, &cells[i]);
		if (++*count % ROWS_AT_ONCE == 0)
			m->work->progress(m->work->arg, "reading", *count, 0);
	}
}

/*
 * By all that is copied. Less would not do: an alias, a key that is forgotten, or a window changes no layer's revision,
 * but the rows that a copy which goes on would skip.
 */
static int
identify(struct migration *m, char source[ROWS_SOURCE_BYTES], struct err *e)
{
	unsigned char digest[DIGEST_BYTES];
	struct digest *hash = digest_new();
	int result = 0;

	if (hash == NULL)
		return err_fail_memory(e);
	for (size_t i = 0; result == 0 && i < rows_table_count; i++) {
		result = add_rows(m, &rows_tables[i].read, hash, &m->totals[i], e);
		digest_add(hash, &m->totals[i], sizeof(m->totals[i]));
	}
	digest_get(hash, digest);
	digest_free(hash);
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		snprintf(source + 2 * i, 3, "%02x", digest[i]);
	return result;
}

/* A copy that was begun goes on if it is one of this store, as it was. */
static int
check_source(struct migration *m, struct err *e)
{
	char source[sizeof(m->progress.source)];

	if (identify(m, source, e) < 0)
		return -1;
	if (m->progress.source[0] != '\0' && strcmp(m->progress.source, source) != 0)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE,
		    "the target is an unfinished copy of another store, or this one has changed since: remove the "
		    "target, and begin anew");
	memcpy(m->progress.source, source, sizeof(source));
	return m->to->ops->commit(m->to, &m->progress, e);
}

/* ---- copying */

static size_t
bytes_of(const struct rows_table *t, const struct cell *cells)
{
	size_t bytes = 0;

	for (size_t i = 0; t->read.types[i] != '\0'; i++)
		bytes += cells[i].length;
	return bytes;
}

static int
copy_table(struct migration *m, const struct rows_table *t, struct err *e)
{
	struct cell cells[ROW_CELLS_MAX];
	size_t bytes = 0;
	bool found = true;

	if (m->from->ops->read(m->from, &t->read, m->progress.rows, e) < 0)
		return -1;
	while (true) {
		if (m->from->ops->next(m->from, cells, &found, e) < 0)
			return -1;
		if (!found)
			return 0;
		if (m->to->ops->put(m->to, t, cells, e) < 0)
			return -1;
		bytes += bytes_of(t, cells);
		if (++m->progress.rows % ROWS_AT_ONCE != 0 && bytes < BYTES_AT_ONCE)
			continue;
		bytes = 0;
		if (m->to->ops->commit(m->to, &m->progress, e) < 0)
			return -1;
		m->work->progress(m->work->arg, t->name, m->progress.rows, m->totals[m->progress.table]);
	}
}

static int
copy_all(struct migration *m, struct err *e)
{
	while (m->progress.table < rows_table_count) {
		const struct rows_table *t = &rows_tables[m->progress.table];

		m->work->progress(m->work->arg, t->name, m->progress.rows, m->totals[m->progress.table]);
		if (copy_table(m, t, e) < 0)
			return -1;
		m->progress.table++;
		m->progress.rows = 0;
		if (m->to->ops->commit(m->to, &m->progress, e) < 0)
			return -1;
	}
	return 0;
}

static int
migrate(struct migration *m, struct offline_report *report, struct err *e)
{
	if (check_source(m, e) < 0 || copy_all(m, e) < 0 || migrate_compare(m->from, m->to, m->work, report, e) < 0)
		return -1;
	return m->to->ops->finish(m->to, e);
}

int
store_migrate(
    const char *from, const char *to, const struct offline_work *u, struct offline_report *report, struct err *e)
{
	struct migration m = { .work = u };
	int result = -1;

	memset(report, 0, sizeof(*report));
	m.from = rows_open_source(from, e);
	if (m.from == NULL) {
		err_prepend(e, "--from: ");
		return -1;
	}
	m.to = rows_open_target(to, &m.progress, e);
	if (m.to == NULL) {
		err_prepend(e, "--to: ");
	} else {
		result = migrate(&m, report, e);
		m.to->ops->close(m.to);
	}
	m.from->ops->close(m.from);
	return result;
}
