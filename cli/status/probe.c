/* SPDX-License-Identifier: MIT */
#include "cli/status/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* How long a child may take to answer. Those that do answer share the processors: so there is some
 * time more for each. */
enum { ASK_MS = 2000, ASK_MORE_MS = 2 };

/* Descriptors for all else: the files of one child, plugins, the loop. */
enum { OTHER_DESCRIPTORS = 64 };

/* All rows of one runtime. */
struct round {
	ob_runtime *rt;
	struct obi_row *next; /* none before it is to be asked any more */
	uint64_t room;	      /* so many connections at once */
	uint64_t open;
	int64_t patience_ms;
};

/* One child that is being asked. */
struct question {
	struct round *round;
	struct obi_row *row;
	ob_client *client;
	int64_t end_ms;
	uint32_t open; /* calls */
};

static void begin_some(struct round *round);

static void finish(struct question *q)
{
	struct round *round = q->round;
	ob_client_free(q->client);
	free(q);
	round->open--;
	begin_some(round);
	if (round->open == 0) {
		ob_runtime_stop(round->rt);
	}
}

/* ---- What the child says ---- */

static void answered(struct question *q)
{
	if (--q->open == 0) {
		finish(q);
	}
}

static void tell_failure(struct obi_row *row, int result, const struct ob_error *err)
{
	row->status.link = result == OB_ETIMEDOUT ? OB_LINK_UNRESPONSIVE : OB_LINK_DOWN;
	snprintf(row->status.last_error, sizeof row->status.last_error, "%.255s", err->text);
}

static void on_health(void *user, int result, const struct ob_health *health,
		      const struct ob_error *err)
{
	struct question *q = user;
	struct ob_status *status = &q->row->status;
	if (result == OB_OK) {
		bool is_inner = health->pid > 0 && health->pid <= INT32_MAX && status->pid != 0 &&
				health->pid != status->pid;
		status->healthy = health->healthy;
		status->inner_pid = is_inner ? (int32_t)health->pid : 0;
		snprintf(status->last_error, sizeof status->last_error, "%s",
			 health->healthy ? "" : health->last_error);
	} else if (result == OB_ETIMEDOUT) {
		status->link = OB_LINK_UNRESPONSIVE;
	} else if (result == OB_ECONNLOST || result == OB_EDOWN) {
		tell_failure(q->row, result, err);
	}
	answered(q);
}

static void on_version(void *user, int result, uint64_t current, bool needs_restart,
		       const struct ob_error *err)
{
	struct question *q = user;
	(void)needs_restart;
	(void)err;
	if (result == OB_OK) {
		q->row->status.version = current;
	}
	answered(q);
}

/* Both at once: a child that hangs costs one timeout. */
static void ask(struct question *q)
{
	int64_t left = q->end_ms - obi_now_ms();
	left = left > 0 ? left : 1;
	q->row->status.link = OB_LINK_UP;
	q->open = 1;
	q->open += ob_control_health_async(q->client, left, on_health, q, NULL) == OB_OK;
	/* No version is below 0, so this call never makes the child end. */
	q->open += ob_control_check_version_async(q->client, 0, left, on_version, q, NULL) == OB_OK;
	answered(q);
}

/* ---- The connection ---- */

static void on_connected(void *user, ob_client *client, int result, const struct ob_error *err)
{
	struct question *q = user;
	if (result == OB_OK) {
		q->client = client;
		ask(q);
	} else {
		tell_failure(q->row, result, err);
		finish(q);
	}
}

static void begin(struct round *round, struct obi_row *row)
{
	struct ob_error err = {.text = "out of memory"};
	struct question *q = calloc(1, sizeof *q);
	int r = OB_ENOMEM;
	row->rt = NULL;
	if (q != NULL) {
		*q = (struct question){
		    .round = round, .row = row, .end_ms = obi_now_ms() + round->patience_ms};
		const struct ob_child_connect_options options = {.size = sizeof options,
								 .data_path = row->data_path,
								 .state_path = row->state_path,
								 .settings = row->settings,
								 .agent_settings =
								     row->agent_settings,
								 .timeout_ms = round->patience_ms};
		r = ob_child_connect_with_async(round->rt, &options, on_connected, q, &err);
	}
	if (r < 0) {
		tell_failure(row, r, &err);
		free(q);
	} else {
		round->open++;
	}
}

static void begin_some(struct round *round)
{
	while (round->next != NULL && round->open < round->room) {
		struct obi_row *row = round->next;
		round->next = row->next;
		if (row->rt == round->rt) {
			begin(round, row);
		}
	}
}

void obi_status_ask(ob_runtime *rt, const struct obi_rows *rows)
{
	struct round round = {.rt = rt, .next = rows->first, .patience_ms = ASK_MS};
	uint64_t limit = 0;
	for (const struct obi_row *row = rows->first; row != NULL; row = row->next) {
		round.patience_ms += row->rt == rt ? ASK_MORE_MS : 0;
	}
	(void)ob_raise_descriptor_limit(&limit, NULL);
	round.room = limit > 2 * OTHER_DESCRIPTORS ? limit - OTHER_DESCRIPTORS : limit / 2;
	round.room = round.room > 0 ? round.room : 1;
	begin_some(&round);
	while (round.open > 0) {
		(void)ob_runtime_run(rt, -1);
	}
}

/* Its process is elsewhere: whether it lives is known by asking it. */
static bool is_behind_agent(const struct ob_status *s)
{
	return s->state == OB_STATE_DETACHED && strncmp(s->address, "via://", 6) == 0;
}

int obi_status_probe(ob_runtime *rt, const struct ob_connector_options *options,
		     struct obi_row *row, struct ob_error *reterr)
{
	row->settings = options != NULL ? options->settings : NULL;
	int r = ob_child_status(rt, row->data_path, row->state_path, options, &row->status,
				&row->supervised, reterr);
	struct ob_status *s = &row->status;
	bool runs = r == OB_OK && (s->pid != 0 || is_behind_agent(s));
	row->rt = runs ? rt : NULL;
	if (runs && (s->state == OB_STATE_DETACHED || s->state == OB_STATE_READY)) {
		s->last_error[0] = '\0'; /* of an earlier process, or it is told again */
	}
	return r;
}
