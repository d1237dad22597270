/* SPDX-License-Identifier: MIT */
#include "place/agent_log_reader.h"

#include <stdio.h>

enum { WAIT_MS = 20000, BUSY_WAIT_MS = 1000, RETRY_MS = 500, PACE_MS = 10, ANSWER_MAX = 1 << 20 };

static void ask(struct obi_agent_log_reader *logs);

static void end_call(struct obi_agent_log_reader *logs)
{
	if (logs->call != NULL && logs->waits) {
		obi_agent_hub_end_poll(logs->setup.hub);
	}
	logs->call = NULL;
}

static void drop_call(struct obi_agent_log_reader *logs)
{
	obi_agent_call_drop(logs->call);
	end_call(logs);
}

static void later(struct obi_agent_log_reader *logs, int64_t ms)
{
	if (logs->instance[0] != '\0') {
		obi_timer_set(logs->setup.loop, &logs->timer, ms);
	}
}

/* Report the chunks. Whether there were any; nothing more is reported once the reader was stopped.
 */
static bool report(struct obi_agent_log_reader *logs, const struct ob_value *chunks)
{
	uint32_t stops = logs->stops;
	struct obi_agent_chunk chunk;
	bool any = false;
	for (uint32_t i = 0; i < OBI_AGENT_CHUNKS_MAX && logs->stops == stops; i++) {
		const struct ob_value *value = ob_value_at(chunks, i);
		if (value == NULL || obi_agent_chunk_read(value, &chunk, NULL) < 0) {
			break;
		}
		any = any || chunk.bytes.len > 0 || chunk.lost > 0;
		logs->setup.log(logs->setup.user, chunk.stream, chunk.bytes, chunk.lost);
	}
	return any;
}

static void finish_drain(struct obi_agent_log_reader *logs)
{
	if (logs->draining) {
		logs->draining = false;
		logs->setup.drained(logs->setup.user);
	}
}

/* The agent has forgotten the child, or does not have its logs: there is nothing to wait for. */
static void refused(struct obi_agent_log_reader *logs, const struct ob_error *err)
{
	if (err->remote_code == OB_RPC_BUSY || err->remote_code == OB_RPC_CLOSING ||
	    err->remote_code == OB_RPC_CANCELED || err->remote_code == OBI_AGENT_TAKEN) {
		later(logs, RETRY_MS);
		return;
	}
	uint32_t stops = logs->stops;
	finish_drain(logs);
	if (logs->stops == stops) {
		later(logs, WAIT_MS);
	}
}

static void on_answer(void *user, int result, const struct ob_value *value,
		      const struct ob_error *err)
{
	struct obi_agent_log_reader *logs = user;
	uint64_t next = logs->offset;
	uint32_t stops = logs->stops;
	bool waited = logs->waits;
	end_call(logs);
	if (result != OB_OK) {
		if (result == OB_EREMOTE) {
			refused(logs, err);
		} else {
			later(logs, RETRY_MS);
		}
		return;
	}
	(void)ob_get_uint(ob_value_find(value, "next"), &next);
	bool any = report(logs, ob_value_find(value, "chunks"));
	if (logs->stops != stops) {
		return;
	}
	bool forward = next > logs->offset;
	logs->offset = next;
	if (any && forward) {
		ask(logs);
		return;
	}
	if (!waited) {
		finish_drain(logs);
	}
	if (logs->stops == stops) {
		later(logs, PACE_MS);
	}
}

/* With many children behind one agent the calls that wait make room for each other. */
static int64_t wait_for(const struct obi_agent_log_reader *logs)
{
	return logs->draining				   ? 0
	       : obi_agent_hub_is_crowded(logs->setup.hub) ? BUSY_WAIT_MS
							   : WAIT_MS;
}

/* The offsets of another process of the agent begin anew. */
static void follow_run(struct obi_agent_log_reader *logs)
{
	const char *run = obi_agent_hub_run(logs->setup.hub);
	if (strcmp(logs->run, run) != 0) {
		snprintf(logs->run, sizeof logs->run, "%s", run);
		logs->offset = 0;
	}
}

static void ask(struct obi_agent_log_reader *logs)
{
	struct obi_agent_hub *hub = logs->setup.hub;
	follow_run(logs);
	int64_t wait_ms = wait_for(logs);
	uint32_t max = logs->setup.answer_max / 4;
	const struct ob_pair pairs[] = {
	    {ob_string("host"), ob_string(obi_agent_hub_host(hub))},
	    {ob_string("name"), ob_string(logs->setup.name)},
	    {ob_string("instance"), ob_string(logs->instance)},
	    {ob_string("offset"), ob_uint(logs->offset)},
	    {ob_string("wait_ms"), ob_int(wait_ms)},
	    {ob_string("max"), ob_int(max < ANSWER_MAX ? max : ANSWER_MAX)}};
	const struct ob_value params = ob_map(pairs, sizeof pairs / sizeof pairs[0]);
	if (logs->instance[0] == '\0' || logs->call != NULL ||
	    obi_agent_hub_link(hub) != OBI_AGENT_UP) {
		return;
	}
	obi_timer_stop(&logs->timer);
	logs->waits = wait_ms > 0;
	if (logs->waits && !obi_agent_hub_begin_poll(hub)) {
		later(logs, RETRY_MS);
		return;
	}
	if (obi_agent_hub_call(hub, "logs", &params, wait_ms + OBI_AGENT_CALL_MS, on_answer, logs,
			       &logs->call, NULL) < 0) {
		if (logs->waits) {
			obi_agent_hub_end_poll(hub);
		}
		later(logs, RETRY_MS);
	}
}

static void on_timer(void *user)
{
	ask(user);
}

void obi_agent_log_reader_init(struct obi_agent_log_reader *logs,
			       const struct obi_agent_log_reader_setup *setup)
{
	*logs = (struct obi_agent_log_reader){.setup = *setup};
	logs->timer.fn = on_timer;
	logs->timer.user = logs;
}

void obi_agent_log_reader_start(struct obi_agent_log_reader *logs, const char *instance)
{
	obi_agent_log_reader_stop(logs);
	snprintf(logs->instance, sizeof logs->instance, "%s", instance);
	logs->offset = 0;
	ask(logs);
}

void obi_agent_log_reader_stop(struct obi_agent_log_reader *logs)
{
	logs->stops++;
	obi_agent_log_reader_pause(logs);
	logs->instance[0] = '\0';
	logs->draining = false;
}

void obi_agent_log_reader_resume(struct obi_agent_log_reader *logs)
{
	ask(logs);
}

void obi_agent_log_reader_pause(struct obi_agent_log_reader *logs)
{
	obi_timer_stop(&logs->timer);
	drop_call(logs);
}

/* What the call that waits would bring is read again. */
void obi_agent_log_reader_drain(struct obi_agent_log_reader *logs)
{
	if (!logs->draining) {
		logs->draining = true;
		if (logs->waits) {
			drop_call(logs);
		}
		ask(logs);
	}
}
