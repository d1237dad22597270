/* SPDX-License-Identifier: MIT */
#include "cli/call/why_down.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/value.h"
#include "cli/call/connect.h"
#include "cli/status/row.h"

enum { ROWS_MEMORY = 64 << 20, PATIENCE_MS = 2000 };

struct search {
	ob_client *client;
	ob_reply *reply;
	const char *data_path;
	int64_t began_ms;
	struct obi_arena arena; /* of the rows */
};

/* The row of the child in this page; NULL: it is not there. */
static struct obi_row *find_row(struct search *s, const struct ob_value *list)
{
	struct obi_rows rows = {.first = NULL};
	for (uint32_t i = 0; list != NULL && list->type == OB_ARRAY && i < list->count; i++) {
		struct obi_row *row = obi_rows_add(&rows, &s->arena.ob);
		if (row == NULL || !obi_row_read(&list->as.items[i], &s->arena.ob, row)) {
			return NULL;
		}
		if (strcmp(row->data_path, s->data_path) == 0) {
			return row;
		}
	}
	return NULL;
}

static struct obi_row *ask(struct search *s)
{
	struct ob_value items[1] = {ob_uint(0)};
	struct ob_value params = ob_array(items, 1);
	uint64_t before = 0, cursor = 0;
	struct obi_row *row = NULL;
	do {
		int64_t left = obi_time_left(PATIENCE_MS, s->began_ms);
		before = cursor;
		if (ob_client_call(s->client, "run.status", &params, left, NULL, s->reply, NULL) <
		    0) {
			return NULL;
		}
		const struct ob_value *page = ob_reply_value(s->reply);
		row = find_row(s, ob_value_find(page, "children"));
		if (!ob_get_uint(ob_value_find(page, "next"), &cursor)) {
			cursor = 0;
		}
		items[0] = ob_uint(cursor);
	} while (row == NULL && cursor > before);
	return row;
}

void obi_explain_down(ob_runtime *rt, const char *root, const char *data_path, struct ob_error *err)
{
	struct search s = {.data_path = data_path, .began_ms = obi_now_ms()};
	struct ob_error unreachable;
	if (obi_connect_supervisor(rt, root, &s.client, NULL, &unreachable) < 0) {
		return;
	}
	obi_arena_init(&s.arena, ROWS_MEMORY);
	const struct obi_row *row = ob_reply_new(&s.reply, NULL) == OB_OK ? ask(&s) : NULL;
	if (row != NULL && row->blocked) {
		obi_fail(err, err->code, 0, "%s: blocked: %s", row->name, row->status.last_error);
	}
	ob_reply_free(s.reply);
	ob_client_free(s.client);
	obi_arena_free(&s.arena);
}
