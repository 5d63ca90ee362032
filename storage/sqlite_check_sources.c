/* SPDX-License-Identifier: MIT */
#include "storage/sqlite_check_sources.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

const char sources_check_sql[] =
    "SELECT l.id, m.name, l.name, s.sources, s.features, s.count, s.running_mean, s.running_var,"
    " o.name, o.count, o.mean, o.var FROM state s JOIN layer l ON l.id = s.layer_id JOIN model m ON m.id = l.model_id"
    " LEFT JOIN source o ON o.layer_id = s.layer_id WHERE s.sources <> 0 OR o.id IS NOT NULL ORDER BY s.layer_id";

enum { ID, MODEL, LAYER, SOURCES, FEATURES, COUNT, MEAN, VAR, SOURCE, SOURCE_COUNT, SOURCE_MEAN, SOURCE_VAR };

static void PRINTF_LIKE(2, 3) damaged(struct sources_check *c, const char *format, ...)
{
	char text[512];
	size_t len = (size_t)snprintf(text, sizeof(text), "layer \"%s\" of model \"%s\": ", c->layer, c->model);
	va_list ap;

	va_start(ap, format);
	vsnprintf(text + len, sizeof(text) - len, format, ap);
	va_end(ap);
	c->damaged = true;
	c->found(c->arg, text);
}

static void
copy_name(char out[STORE_NAME_MAX + 1], sqlite3_stmt *row, int column)
{
	const char *name = (const char *)sqlite3_column_text(row, column);

	memset(out, 0, STORE_NAME_MAX + 1);
	if (name != NULL)
		memcpy(out, name, strnlen(name, STORE_NAME_MAX));
}

/* False: the list has another length, or a value that is not finite or is below `least`. */
static bool
read_list(sqlite3_stmt *row, int column, size_t features, double least, double *out)
{
	const void *blob = sqlite3_column_blob(row, column);

	if (blob == NULL || (size_t)sqlite3_column_bytes(row, column) != features * sizeof(double))
		return false;
	bytes_get_doubles(out, blob, features);
	for (size_t i = 0; i < features; i++)
		if (!isfinite(out[i]) || out[i] < least)
			return false;
	return true;
}

/* A count and two lists, in columns that follow each other. NULL without memory. */
static struct source *
read_totals(sqlite3_stmt *row, int column, size_t features, const char *name, bool *sound)
{
	const int64_t count = sqlite3_column_int64(row, column);
	struct source *source = source_new(features, name, 0);

	if (source == NULL)
		return NULL;
	source->own.count = (uint64_t)count;
	*sound = count >= 0 && read_list(row, column + 1, features, -INFINITY, source->own.mean) &&
	    read_list(row, column + 2, features, 0, source->own.var);
	return source;
}

/* The features are believed if the first source has as many values. */
static void
begin_layer(struct sources_check *c, sqlite3_stmt *row)
{
	const size_t features = (size_t)sqlite3_column_bytes(row, SOURCE_MEAN) / sizeof(double);
	bool sound;

	c->layer_id = sqlite3_column_int64(row, ID);
	copy_name(c->model, row, MODEL);
	copy_name(c->layer, row, LAYER);
	c->expected = sqlite3_column_int64(row, SOURCES);
	c->trained = sqlite3_column_type(row, MEAN) != SQLITE_NULL;
	c->damaged = false;
	c->tree = sources_new(features);
	c->state = read_totals(row, COUNT, features, "", &sound);
	if (c->tree == NULL || c->state == NULL)
		c->no_memory = true;
	else if (sqlite3_column_type(row, SOURCE) != SQLITE_NULL &&
	    (sqlite3_column_int64(row, FEATURES) != (int64_t)features || (c->trained && !sound)))
		damaged(c, "its sources and its statistics do not have one value per feature");
}

static void
take_source(struct sources_check *c, sqlite3_stmt *row)
{
	char name[STORE_NAME_MAX + 1];
	struct source *source;
	bool sound;

	if (sqlite3_column_type(row, SOURCE) == SQLITE_NULL)
		return;
	copy_name(name, row, SOURCE);
	if (sqlite3_column_bytes(row, SOURCE) > STORE_NAME_MAX)
		damaged(c, "the name of its source \"%s\" is too long", name);
	source = read_totals(row, SOURCE_COUNT, c->tree->features, name, &sound);
	if (source == NULL) {
		c->no_memory = true;
		return;
	}
	if (!sound)
		damaged(c, "the totals of its source \"%s\" are impossible", name);
	sources_load(c->tree, source);
}

/* With the divisor of `ddof`. Callers try both, because only the definition says which is the layer's. */
static bool
gives_state(const struct sources_check *c, unsigned ddof)
{
	const size_t bytes = c->tree->features * sizeof(double);
	struct statistics s = { .mean = source_spare(c->state), .var = source_spare(c->state) + c->tree->features };

	if (sources_statistics(c->tree, ddof, &s) != UPDATE_APPLIED || (s.mean != NULL) != c->trained ||
	    s.count != c->state->own.count)
		return false;
	return s.mean == NULL ||
	    (memcmp(s.mean, c->state->own.mean, bytes) == 0 && memcmp(s.var, c->state->own.var, bytes) == 0);
}

static void
end_layer(struct sources_check *c)
{
	if (c->tree != NULL && c->state != NULL && !c->no_memory) {
		if ((int64_t)c->tree->count != c->expected)
			damaged(c, "it has %zu sources, and says %lld", c->tree->count, (long long)c->expected);
		if (c->tree->count == 0 && c->tree->part != NULL)
			damaged(c, "it has no sources, but a part without one");
		if (!c->damaged &&
		    (sources_pool_all(c->tree) != UPDATE_APPLIED || (!gives_state(c, 0) && !gives_state(c, 1))))
			damaged(c, "its statistics are not the pool of its sources");
	}
	sources_free(c->tree);
	source_free(c->state);
	c->tree = NULL;
	c->state = NULL;
}

void
sources_check_row(struct sources_check *c, sqlite3_stmt *row)
{
	if (c->no_memory)
		return;
	if (c->tree == NULL || c->layer_id != sqlite3_column_int64(row, ID)) {
		end_layer(c);
		begin_layer(c, row);
	}
	if (!c->no_memory)
		take_source(c, row);
}

int
sources_check_end(struct sources_check *c, struct err *e)
{
	end_layer(c);
	return c->no_memory ? err_fail_memory(e) : 0;
}
