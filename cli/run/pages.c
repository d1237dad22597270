/* SPDX-License-Identifier: MIT */
#include "cli/run/pages.h"

#include "base/arena.h"
#include "cli/run/answer.h"
#include "cli/run/order.h"
#include "cli/status/row.h"

/* What a page may take of a message of 4 MiB: rows, and memory. */
enum { ANSWER_MEMORY = 64 << 20, PAGE_ROWS = 256, PAGE_MEMORY = 1 << 20 };

enum { WAITING_NAMES = 8 };

static void build_row(struct ob_builder *b, const struct obi_member *member)
{
	const struct ob_connector_options *o = member->options;
	struct obi_row row = {.name = o->name, .data_path = o->data_path, .supervised = true};
	row.status.size = sizeof row.status;
	obi_member_status(member, &row.status);
	row.where = obi_member_where_name(member);
	row.blocked = member->held;
	if (row.blocked) {
		obi_order_reason(member, row.status.last_error, sizeof row.status.last_error);
	}
	obi_row_build(b, &row);
}

static void build_page(struct ob_builder *b, const struct obi_arena *arena,
		       const struct obi_members *members, uint64_t after)
{
	const struct obi_member *member = obi_members_behind(members, after);
	ob_build_map(b);
	ob_build_key(b, "children");
	ob_build_array(b);
	for (uint32_t i = 0; member != NULL && i < PAGE_ROWS && arena->used < PAGE_MEMORY; i++) {
		build_row(b, member);
		after = member->number;
		member = obi_members_behind(members, after);
	}
	ob_build_end(b);
	ob_build_key(b, "next");
	ob_build_value(b, member != NULL ? ob_uint(after) : ob_nil());
	ob_build_end(b);
}

void obi_page_answer(const struct obi_members *members, ob_call *call,
		     const struct ob_value *params)
{
	const struct ob_value *given = ob_params_get(params, 0, "after");
	struct obi_arena arena;
	struct ob_builder b;
	uint64_t after = 0;
	if (!ob_is_nil(given) && !ob_get_uint(given, &after)) {
		(void)ob_call_fail(call, OB_RPC_INVALID_PARAMS, "after must be a number");
		return;
	}
	obi_arena_init(&arena, ANSWER_MEMORY);
	ob_builder_init(&b, &arena.ob);
	build_page(&b, &arena, members, after);
	obi_answer_built(call, &b);
	obi_arena_free(&arena);
}

/* ---- Who is waited for ---- */

static bool is_awaited(const struct obi_member *member)
{
	return member != NULL && (member->waiting != NULL || member->stopping > 0);
}

/* Each child once, however many requests wait for it. Returns the number of all. */
static uint64_t find_awaited(const struct obi_members *members, const char *names[WAITING_NAMES])
{
	uint64_t count = 0;
	for (uint32_t i = 0; i < members->count; i++) {
		if (is_awaited(members->list[i]) && count++ < WAITING_NAMES) {
			names[count - 1] = members->list[i]->options->name;
		}
	}
	for (const struct obi_member *m = members->leaving; m != NULL; m = m->next_leaving) {
		const char *name = m->options->name;
		if (is_awaited(m) && !is_awaited(obi_members_find(members, ob_bytes_text(name))) &&
		    count++ < WAITING_NAMES) {
			names[count - 1] = name;
		}
	}
	return count;
}

void obi_waiting_answer(const struct obi_members *members, ob_call *call)
{
	const char *names[WAITING_NAMES + 1] = {NULL};
	uint64_t count = find_awaited(members, names);
	struct obi_arena arena;
	struct ob_builder b;
	obi_arena_init(&arena, ANSWER_MEMORY);
	ob_builder_init(&b, &arena.ob);
	ob_build(&b, "{s:U,s:[", "count", count, "names");
	for (size_t i = 0; names[i] != NULL; i++) {
		ob_build(&b, "s", names[i]);
	}
	ob_build(&b, "]}");
	obi_answer_built(call, &b);
	obi_arena_free(&arena);
}
