/* SPDX-License-Identifier: MIT */
#include "agent/agent_waits.h"

enum { TREE_MAX = 4 << 20 };

/* ---- Changes ---- */

/* The child with the lowest version above `seen`; NULL: none. */
static const struct obi_agent_child *next_changed(const struct ob_agent *agent, uint64_t seen)
{
	const struct obi_agent_child *next = NULL;
	for (const struct obi_agent_child *c = agent->first; c != NULL; c = c->next) {
		if (c->facts.version > seen &&
		    (next == NULL || c->facts.version < next->facts.version)) {
			next = c;
		}
	}
	return next;
}

static uint64_t build_changes(const struct ob_agent *agent, struct ob_builder *b,
			      struct obi_agent_facts *facts, uint64_t seen, uint32_t max)
{
	ob_build_array(b);
	for (uint32_t i = 0; i < max; i++) {
		const struct obi_agent_child *child = next_changed(agent, seen);
		if (child == NULL) {
			break;
		}
		facts[i] = obi_agent_child_facts(child);
		obi_agent_facts_build(b, &facts[i]);
		seen = child->facts.version;
	}
	ob_build_end(b);
	return seen;
}

/* The answer has a key more than its parts: `children` is built before `next` is known. */
static void answer_changes(const struct ob_agent *agent, struct ob_call *call, uint64_t seen,
			   uint32_t max)
{
	struct obi_agent_facts facts[OBI_AGENT_CHANGES_MAX];
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value children = ob_nil();
	obi_arena_init(&arena, TREE_MAX);
	ob_builder_init(&b, &arena.ob);
	uint64_t next = build_changes(agent, &b, facts, seen, max);
	if (ob_builder_finish(&b, &children) < 0) {
		ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
	} else {
		ob_call_replyf(call, "{s:s,s:U,s:v}", "run", agent->run, "next", next, "children",
			       &children);
	}
	obi_arena_free(&arena);
}

/* The call that waits, which waits no more. */
static struct ob_call *take_changes(struct ob_agent *agent)
{
	struct ob_call *call = agent->changes.call;
	agent->changes.call = NULL;
	obi_timer_stop(&agent->changes.timer);
	obi_task_stop(&agent->changes.task);
	return call;
}

static void answer_waiting(void *user)
{
	struct ob_agent *agent = user;
	uint64_t seen = agent->changes.seen;
	uint32_t max = agent->changes.max;
	struct ob_call *call = take_changes(agent);
	if (call != NULL) {
		answer_changes(agent, call, seen, max);
	}
}

void obi_agent_changes_wake(struct ob_agent *agent)
{
	if (agent->changes.call != NULL) {
		agent->changes.task.fn = answer_waiting;
		agent->changes.task.user = agent;
		obi_task_queue(agent->rt->loop, &agent->changes.task);
	}
}

void obi_agent_changes(struct ob_agent *agent, struct ob_call *call, uint64_t seen, int64_t wait_ms,
		       uint32_t max)
{
	struct obi_agent_change_wait *wait = &agent->changes;
	struct ob_call *earlier = take_changes(agent);
	if (earlier != NULL) {
		answer_changes(agent, earlier, wait->seen, 0);
	}
	if (wait_ms == 0 || next_changed(agent, seen) != NULL) {
		answer_changes(agent, call, seen, max);
	} else if (ob_call_defer(call) != NULL) {
		wait->call = call;
		wait->seen = seen;
		wait->max = max;
		wait->timer.fn = answer_waiting;
		wait->timer.user = agent;
		obi_timer_set(agent->rt->loop, &wait->timer, wait_ms);
	}
}

/* ---- Logs ---- */

static void answer_logs(struct obi_agent_child *child, struct ob_call *call, uint64_t offset,
			size_t max)
{
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value chunks = ob_nil();
	uint64_t first, next;
	obi_arena_init(&arena, TREE_MAX);
	ob_builder_init(&b, &arena.ob);
	obi_agent_spool_read(&child->spool, offset, max, &b, &first, &next);
	if (ob_builder_finish(&b, &chunks) < 0) {
		ob_call_fail(call, OB_RPC_INTERNAL, "out of memory");
	} else {
		ob_call_replyf(call, "{s:U,s:U,s:v}", "first", first, "next", next, "chunks",
			       &chunks);
	}
	obi_arena_free(&arena);
}

static struct ob_call *take_logs(struct obi_agent_child *child)
{
	struct ob_call *call = child->waiting.call;
	child->waiting.call = NULL;
	child->waiting.due = false;
	obi_timer_stop(&child->waiting.timer);
	return call;
}

static void answer_waiting_logs(void *user)
{
	struct obi_agent_child *child = user;
	struct ob_call *call = take_logs(child);
	if (call != NULL) {
		answer_logs(child, call, child->waiting.offset, child->waiting.max);
	}
}

void obi_agent_logs_wake(struct obi_agent_child *child)
{
	/* Not within the event: what comes in the same turn goes with it. */
	if (child->waiting.call != NULL && !child->waiting.due) {
		child->waiting.due = true;
		obi_timer_set(child->setup->rt->loop, &child->waiting.timer, 0);
	}
}

void obi_agent_logs_end(struct obi_agent_child *child)
{
	answer_waiting_logs(child);
}

void obi_agent_logs(struct obi_agent_child *child, struct ob_call *call, uint64_t offset,
		    int64_t wait_ms, size_t max)
{
	struct obi_agent_log_wait *wait = &child->waiting;
	obi_agent_logs_end(child);
	if (wait_ms == 0 || obi_agent_spool_has(&child->spool, offset)) {
		answer_logs(child, call, offset, max);
	} else if (ob_call_defer(call) != NULL) {
		wait->call = call;
		wait->offset = offset;
		wait->max = max;
		wait->timer.fn = answer_waiting_logs;
		wait->timer.user = child;
		obi_timer_set(child->setup->rt->loop, &wait->timer, wait_ms);
	}
}

void obi_agent_waits_end(struct ob_agent *agent,
			 void (*answer)(const struct ob_agent *agent, struct ob_call *call))
{
	struct ob_call *call = take_changes(agent);
	if (call != NULL) {
		answer(agent, call);
	}
	for (struct obi_agent_child *child = agent->first; child != NULL; child = child->next) {
		call = take_logs(child);
		if (call != NULL) {
			answer(agent, call);
		}
	}
}
