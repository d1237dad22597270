/* SPDX-License-Identifier: MIT */
#include "cli/status/row.h"

#include <stdio.h>

#include "base/text.h"
#include "cli/status/usage.h"

struct obi_row *obi_rows_add(struct obi_rows *rows, struct ob_arena *arena)
{
	struct obi_row *row = ob_arena_alloc(arena, sizeof *row);
	if (row == NULL) {
		return NULL;
	}
	*row = (struct obi_row){.status = {.size = sizeof row->status,
					   .uptime_ms = -1,
					   .healthy = -1,
					   .next_try_ms = -1,
					   .usage = {-1, -1, -1, -1, -1}}};
	if (rows->last != NULL) {
		rows->last->next = row;
	} else {
		rows->first = row;
	}
	rows->last = row;
	return row;
}

static const char blocked[] = "blocked";

const char *obi_row_state(const struct obi_row *row)
{
	return row->blocked ? blocked : ob_state_name(row->status.state);
}

/* ---- To a value ---- */

static void build_known_int(struct ob_builder *b, const char *key, bool known, int64_t value)
{
	ob_build_key(b, key);
	ob_build_value(b, known ? ob_int(value) : ob_nil());
}

static void build_text(struct ob_builder *b, const char *key, const char *text)
{
	size_t len = strlen(text);
	ob_build_key(b, key);
	if (len == 0) {
		ob_build_nil(b);
		return;
	}
	char *copy = ob_arena_alloc(b->arena, len + 1);
	if (copy == NULL) {
		b->error = OB_ENOMEM; /* a row without its name or state would be another one */
		return;
	}
	memcpy(copy, text, len + 1);
	obi_text_clean(copy); /* a path may not be UTF-8, and a text may be cut */
	ob_build_stringn(b, copy, len);
}

void obi_row_build(struct ob_builder *b, const struct obi_row *row)
{
	const struct ob_status *s = &row->status;
	ob_build_map(b);
	build_text(b, "name", row->name);
	build_text(b, "state", obi_row_state(row));
	build_text(b, "link", row->link_unknown ? "" : ob_link_name(s->link));
	build_known_int(b, "pid", s->pid != 0, s->pid);
	build_text(b, "where", row->where != NULL ? row->where : "");
	build_known_int(b, "inner_pid", s->inner_pid != 0, s->inner_pid);
	build_known_int(b, "uptime_ms", s->uptime_ms >= 0, s->uptime_ms);
	ob_build_key(b, "restarts");
	ob_build_uint(b, s->restarts);
	ob_build_key(b, "healthy");
	ob_build_value(b, s->healthy >= 0 ? ob_bool(s->healthy != 0) : ob_nil());
	ob_build_key(b, "version");
	ob_build_value(b, s->version != 0 ? ob_uint(s->version) : ob_nil());
	ob_build_key(b, "adopted");
	ob_build_bool(b, s->adopted);
	ob_build_key(b, "stale");
	ob_build_bool(b, s->stale);
	ob_build_key(b, "supervised");
	ob_build_bool(b, row->supervised);
	build_text(b, "address", s->address);
	build_text(b, "client_address", s->client_address);
	build_text(b, "last_error", s->last_error);
	build_known_int(b, "next_try_ms", s->next_try_ms >= 0, s->next_try_ms);
	ob_build_key(b, "cgroup");
	obi_usage_build(b, &s->usage);
	build_text(b, "data_path", row->data_path);
	ob_build_end(b);
}

/* ---- From a value ---- */

static void read_text(const struct ob_value *value, char *text, size_t size)
{
	struct ob_bytes bytes = {NULL, 0};
	(void)ob_get_string(value, &bytes);
	size_t len = bytes.len < size ? bytes.len : size - 1;
	if (len > 0) {
		memcpy(text, bytes.data, len);
	}
	text[len] = '\0';
}

static const char *copy_text(const struct ob_value *value, struct ob_arena *arena)
{
	struct ob_bytes bytes;
	if (!ob_get_string(value, &bytes) || bytes.len == 0) {
		return NULL;
	}
	char *copy = ob_arena_alloc(arena, bytes.len + 1);
	if (copy != NULL) {
		memcpy(copy, bytes.data, bytes.len);
		copy[bytes.len] = '\0';
	}
	return copy;
}

/* The number that has this name according to name_of(); count: none. */
static uint32_t number_of(const struct ob_value *value, const char *(*name_of)(uint32_t),
			  uint32_t count)
{
	struct ob_bytes text;
	uint32_t i = 0;
	if (!ob_get_string(value, &text)) {
		return count;
	}
	while (i < count && !ob_bytes_is(text, name_of(i))) {
		i++;
	}
	return i;
}

static void read_numbers(const struct ob_value *value, struct ob_status *s)
{
	int64_t pid = 0, inner_pid = 0;
	uint64_t restarts = 0;
	bool healthy;
	(void)ob_get_int(ob_value_find(value, "pid"), &pid);
	(void)ob_get_int(ob_value_find(value, "inner_pid"), &inner_pid);
	(void)ob_get_int(ob_value_find(value, "uptime_ms"), &s->uptime_ms);
	(void)ob_get_int(ob_value_find(value, "next_try_ms"), &s->next_try_ms);
	(void)ob_get_uint(ob_value_find(value, "restarts"), &restarts);
	(void)ob_get_uint(ob_value_find(value, "version"), &s->version);
	(void)ob_get_bool(ob_value_find(value, "adopted"), &s->adopted);
	(void)ob_get_bool(ob_value_find(value, "stale"), &s->stale);
	obi_usage_read(ob_value_find(value, "cgroup"), &s->usage);
	s->pid = (int32_t)pid;
	s->inner_pid = (int32_t)inner_pid;
	s->restarts = (uint32_t)restarts;
	s->healthy = ob_get_bool(ob_value_find(value, "healthy"), &healthy) ? healthy : -1;
}

bool obi_row_read(const struct ob_value *value, struct ob_arena *arena, struct obi_row *ret)
{
	struct ob_status *s = &ret->status;
	struct ob_bytes state;
	ret->name = copy_text(ob_value_find(value, "name"), arena);
	ret->data_path = copy_text(ob_value_find(value, "data_path"), arena);
	ret->where = copy_text(ob_value_find(value, "where"), arena);
	s->state =
	    number_of(ob_value_find(value, "state"), ob_state_name, OB_STATE_RECONNECTING + 1);
	ret->blocked =
	    ob_get_string(ob_value_find(value, "state"), &state) && ob_bytes_is(state, blocked);
	s->state = ret->blocked ? OB_STATE_IDLE : s->state;
	uint32_t link =
	    number_of(ob_value_find(value, "link"), ob_link_name, OB_LINK_UNRESPONSIVE + 1);
	if (ret->name == NULL || ret->data_path == NULL || s->state > OB_STATE_RECONNECTING) {
		return false;
	}
	ret->link_unknown = link > OB_LINK_UNRESPONSIVE;
	s->link = ret->link_unknown ? OB_LINK_DOWN : link;
	read_numbers(value, s);
	(void)ob_get_bool(ob_value_find(value, "supervised"), &ret->supervised);
	read_text(ob_value_find(value, "address"), s->address, sizeof s->address);
	read_text(ob_value_find(value, "client_address"), s->client_address,
		  sizeof s->client_address);
	read_text(ob_value_find(value, "last_error"), s->last_error, sizeof s->last_error);
	return true;
}
