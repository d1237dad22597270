/* SPDX-License-Identifier: MIT */
#include "cli/run/pages.h"

#include "base/arena.h"
#include "cli/status/row.h"

/* What a page may take of a message of 4 MiB: rows, and memory. */
enum { ANSWER_MEMORY = 64 << 20, PAGE_ROWS = 256, PAGE_MEMORY = 1 << 20 };

static void build_row(struct ob_builder *b, const struct obi_member *member)
{
	const struct ob_connector_options *o = member->options;
	struct obi_row row = {.name = o->name, .data_path = o->data_path, .supervised = true};
	row.status.size = sizeof row.status;
	obi_member_status(member, &row.status);
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
	struct ob_value page;
	uint64_t after = 0;
	if (!ob_is_nil(given) && !ob_get_uint(given, &after)) {
		(void)ob_call_fail(call, OB_RPC_INVALID_PARAMS, "after must be a number");
		return;
	}
	obi_arena_init(&arena, ANSWER_MEMORY);
	ob_builder_init(&b, &arena.ob);
	build_page(&b, &arena, members, after);
	if (ob_builder_finish(&b, &page) == OB_OK) {
		(void)ob_call_reply(call, &page);
	} else {
		(void)ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
	}
	obi_arena_free(&arena);
}
