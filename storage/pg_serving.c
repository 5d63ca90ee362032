/* SPDX-License-Identifier: MIT */
#include "storage/pg_serving.h"

#include <stdlib.h>
#include <string.h>

#include "storage/pg_backend.h"
#include "storage/pg_states.h"

static int
load_serving(struct backend *b, const char *model, struct pointer *out, bool *found, struct err *e)
{
	struct pg_model_row row;

	if (pg_states_model(b, model, &row, e) < 0)
		return -1;
	*found = row.id != 0;
	if (*found)
		*out = (struct pointer){ row.serving, row.mark };
	return 0;
}

int
pg_load_pointer(struct backend *b, const char *model, const char *name, struct pointer *out, bool *found, struct err *e)
{
	static const char sql[] = "SELECT number FROM normd_alias WHERE model = $1 AND name = $2";
	struct pg_params p = { 0 };
	int64_t number = 0;

	if (*name == '\0')
		return load_serving(b, model, out, found, e);
	pg_text(&p, model);
	pg_text(&p, name);
	if (pg_ask_int(b, sql, &p, &number, e) < 0)
		return -1;
	*found = number != 0;
	if (*found)
		*out = (struct pointer){ .number = (uint64_t)number };
	return 0;
}

int
pg_add_switch(struct backend *b, const char *model, struct store_switch *added, struct err *e)
{
	static const char insert[] = "INSERT INTO normd_serving(model, id, time_s, from_number, to_number, note)"
				     " VALUES($1, $2, $3, $4, $5, $6)",
			  point[] =
			      "UPDATE normd_model SET switch_last = $2, switch = $2, serving = $3 WHERE name = $1";
	struct pg_params row = { 0 }, to = { 0 };
	struct pg_model_row now;

	if (pg_states_model(b, model, &now, e) < 0)
		return -1;
	added->id = now.switch_last + 1;
	pg_text(&row, model);
	pg_int(&row, added->id);
	pg_int(&row, added->time_s);
	pg_int(&row, (int64_t)added->from);
	pg_int(&row, (int64_t)added->to);
	pg_text(&row, added->note);
	pg_send(b, insert, &row);
	pg_text(&to, model);
	pg_int(&to, added->id);
	pg_int(&to, (int64_t)added->to);
	pg_send(b, point, &to);
	pg_held_forget_model(&pg_self(b)->held, model);
	return 0;
}

static int
read_switch(const PGresult *r, int row, void *entry, struct err *e)
{
	struct store_switch *out = entry;

	(void)e;
	out->id = pg_get_int(r, row, 0);
	out->time_s = pg_get_int(r, row, 1);
	out->from = (uint64_t)pg_get_int(r, row, 2);
	out->to = (uint64_t)pg_get_int(r, row, 3);
	pg_get_text(r, row, 4, out->note, sizeof(out->note));
	return 0;
}

int
pg_list_switches(struct backend *b, struct store_switches *list, struct err *e)
{
	static const char sql[] = "SELECT id, time_s, from_number, to_number, note FROM normd_serving"
				  " WHERE model = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
	struct pg_list rows = { .limit = list->limit, .entry_bytes = sizeof(*list->entries) };
	struct pg_params p = { 0 };
	int result;

	pg_text(&p, list->model);
	pg_int(&p, list->before != 0 ? list->before : INT64_MAX);
	pg_int(&p, (int64_t)list->limit + 1);
	result = pg_ask_list(b, sql, &p, read_switch, &rows, e);
	list->entries = rows.entries;
	list->count = rows.count;
	list->more = rows.more;
	return result;
}

int
pg_put_alias(struct backend *b, const char *model, const char *alias, uint64_t number, struct err *e)
{
	static const char sql[] = "INSERT INTO normd_alias(model, name, number) VALUES($1, $2, $3)"
				  " ON CONFLICT (model, name) DO UPDATE SET number = excluded.number";
	struct pg_params p = { 0 };

	(void)e;
	pg_text(&p, model);
	pg_text(&p, alias);
	pg_int(&p, (int64_t)number);
	pg_send(b, sql, &p);
	return 0;
}

int
pg_delete_alias(struct backend *b, const char *model, const char *alias, bool *deleted, struct err *e)
{
	static const char sql[] = "DELETE FROM normd_alias WHERE model = $1 AND name = $2";
	struct pg_params p = { 0 };
	size_t rows;

	pg_text(&p, model);
	pg_text(&p, alias);
	if (pg_change(b, sql, &p, &rows, e) < 0)
		return -1;
	*deleted = rows > 0;
	return 0;
}

static int
read_alias(const PGresult *r, int row, void *entry, struct err *e)
{
	struct store_alias *out = entry;

	(void)e;
	pg_get_text(r, row, 0, out->name, sizeof(out->name));
	out->number = (uint64_t)pg_get_int(r, row, 1);
	return 0;
}

int
pg_list_aliases(struct backend *b, struct store_aliases *list, struct err *e)
{
	static const char sql[] =
	    "SELECT name, number FROM normd_alias WHERE model = $1 AND name > $2 ORDER BY name LIMIT $3";
	struct pg_list rows = { .limit = list->limit, .entry_bytes = sizeof(*list->entries) };
	struct pg_params p = { 0 };
	int result;

	pg_text(&p, list->model);
	pg_text(&p, list->after != NULL ? list->after : "");
	pg_int(&p, (int64_t)list->limit + 1);
	result = pg_ask_list(b, sql, &p, read_alias, &rows, e);
	list->entries = rows.entries;
	list->count = rows.count;
	list->more = rows.more;
	return result;
}

int
pg_find_alias(
    struct backend *b, const char *model, uint64_t number, struct store_alias *out, bool *found, struct err *e)
{
	static const char sql[] =
	    "SELECT name, number FROM normd_alias WHERE model = $1 AND number = $2 ORDER BY name LIMIT 1";
	struct pg_params p = { 0 };
	PGresult *r;

	pg_text(&p, model);
	pg_int(&p, (int64_t)number);
	if (pg_ask(b, sql, &p, &r, e) < 0)
		return -1;
	*found = PQntuples(r) > 0;
	if (*found)
		(void)read_alias(r, 0, out, e);
	PQclear(r);
	return 0;
}
