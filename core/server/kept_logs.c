/* SPDX-License-Identifier: MIT */
#include "server/kept_logs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"
#include "log/ring.h"

enum { DEFAULT_BYTES = 256 * 1024, PART_MAX = 64 * 1024, WAIT_MAX_MS = 60 * 1000, RUN_LEN = 32 };

/* What a call asks for. */
struct question {
	ob_call *call; /* NULL: none */
	bool known;    /* offset is one of this run */
	uint64_t offset;
	size_t max;
};

struct obi_kept_logs {
	struct obi_job job; /* must be first */
	struct obi_kept_logs_setup setup;
	bool only;	      /* records go nowhere else */
	pthread_mutex_t lock; /* protects these: */
	struct obi_log_ring ring;
	bool posted; /* the job is on its way */
	bool wanted; /* a call waits */
	bool closed;
	/* Of the loop's thread. */
	struct question waiting;
	struct obi_timer timer;
	struct obi_buf part;
};

static void free_it(struct obi_kept_logs *logs)
{
	obi_log_ring_free(&logs->ring);
	obi_buf_free(&logs->part);
	obi_loop_unref(logs->setup.loop);
	pthread_mutex_destroy(&logs->lock);
	free(logs);
}

/* ---- Records ---- */

/* A record that is longer than all that is kept is named in its place. */
static void add_notice(struct obi_kept_logs *logs, size_t len)
{
	char text[128];
	int n = snprintf(text, sizeof text,
			 "{\"level\":\"WARN\",\"msg\":\"a record was too long to be kept\","
			 "\"bytes\":%zu}\n",
			 len);
	(void)obi_log_ring_add(&logs->ring, ob_bytes_of(text, (size_t)n));
}

static void on_line(void *user, struct ob_bytes line)
{
	struct obi_kept_logs *logs = user;
	pthread_mutex_lock(&logs->lock);
	if (!obi_log_ring_add(&logs->ring, line)) {
		add_notice(logs, line.len);
	}
	if (logs->wanted && !logs->posted) {
		logs->posted = obi_loop_post(logs->setup.loop, &logs->job);
	}
	pthread_mutex_unlock(&logs->lock);
}

/* ---- Answers ---- */

static const uint64_t *offset_of(const struct question *q)
{
	return q->known ? &q->offset : NULL;
}

static void answer(struct obi_kept_logs *logs, const struct question *q)
{
	obi_buf_truncate(&logs->part, 0);
	pthread_mutex_lock(&logs->lock);
	struct obi_log_ring_part part =
	    obi_log_ring_read(&logs->ring, offset_of(q), q->max, obi_buf_sink(&logs->part));
	pthread_mutex_unlock(&logs->lock);
	struct ob_bytes data = obi_buf_bytes(&logs->part);
	(void)ob_call_replyf(q->call, "{s:s,s:U,s:B,s:U}", "run", logs->setup.run, "offset",
			     part.offset, "data", data.data, data.len, "dropped", part.dropped);
}

static void answer_waiting(struct obi_kept_logs *logs)
{
	struct question q = logs->waiting;
	obi_timer_stop(&logs->timer);
	logs->waiting.call = NULL;
	pthread_mutex_lock(&logs->lock);
	logs->wanted = false;
	pthread_mutex_unlock(&logs->lock);
	if (q.call != NULL) {
		answer(logs, &q);
	}
}

static void on_timer(void *user)
{
	answer_waiting(user);
}

static void on_job(struct obi_job *job)
{
	struct obi_kept_logs *logs = (struct obi_kept_logs *)(void *)job;
	pthread_mutex_lock(&logs->lock);
	bool closed = logs->closed;
	logs->posted = false;
	pthread_mutex_unlock(&logs->lock);
	if (closed) {
		free_it(logs);
	} else {
		answer_waiting(logs);
	}
}

/* ---- The call ---- */

static bool is_optional_uint(const struct ob_value *value, uint64_t *ret)
{
	return ob_is_nil(value) || ob_get_uint(value, ret);
}

static bool read_question(const struct obi_kept_logs *logs, const struct ob_value *params,
			  struct question *q, uint64_t *ret_wait_ms)
{
	const struct ob_value *run = ob_params_get(params, 0, "run");
	struct ob_bytes text = {NULL, 0};
	uint64_t max = PART_MAX;
	/* As base64, in JSON, bytes take a third more. */
	size_t most = logs->setup.message_max / 2;
	bool good = (ob_is_nil(run) || ob_get_string(run, &text)) &&
		    is_optional_uint(ob_params_get(params, 1, "offset"), &q->offset) &&
		    is_optional_uint(ob_params_get(params, 2, "wait_ms"), ret_wait_ms) &&
		    is_optional_uint(ob_params_get(params, 3, "max"), &max) && max > 0;
	q->known = ob_bytes_is(text, logs->setup.run);
	q->max = max < PART_MAX ? (size_t)max : PART_MAX;
	q->max = q->max < most ? q->max : most;
	return good;
}

static bool has_news(struct obi_kept_logs *logs, const struct question *q)
{
	pthread_mutex_lock(&logs->lock);
	bool news = !obi_log_ring_is_read(&logs->ring, offset_of(q));
	logs->wanted = !news;
	pthread_mutex_unlock(&logs->lock);
	return news;
}

void obi_kept_logs_call(struct obi_kept_logs *logs, ob_call *call, const struct ob_value *params)
{
	struct question q = {.call = call};
	uint64_t wait_ms = 0;
	if (!read_question(logs, params, &q, &wait_ms)) {
		ob_call_fail(call, OB_RPC_INVALID_PARAMS,
			     "logs takes run (a string), offset, wait_ms and max (integers, not "
			     "below 0)");
		return;
	}
	/* One call waits at a time: that of a connection that was lost ends. */
	answer_waiting(logs);
	if (wait_ms == 0 || has_news(logs, &q)) {
		answer(logs, &q);
	} else if (ob_call_defer(call) != NULL) {
		logs->waiting = q;
		obi_timer_set(logs->setup.loop, &logs->timer,
			      wait_ms < WAIT_MAX_MS ? (int64_t)wait_ms : WAIT_MAX_MS);
	}
}

/* ---- Life ---- */

/* A child that was started with pipes writes there, unless its parent is to ask for its records. */
int obi_kept_logs_new(const struct obi_kept_logs_setup *setup, const struct ob_config *config,
		      struct obi_kept_logs **ret, struct ob_error *reterr)
{
	bool only = config->logs != NULL && strcmp(config->logs, "rpc") == 0;
	bool none = setup->bytes == UINT32_MAX;
	*ret = NULL;
	if (!only && (config->fifo_stdout != NULL || none)) {
		return OB_OK;
	}
	struct obi_kept_logs *logs = calloc(1, sizeof *logs);
	if (logs == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	logs->setup = *setup;
	logs->only = only;
	logs->setup.loop = obi_loop_ref(setup->loop);
	pthread_mutex_init(&logs->lock, NULL);
	obi_log_ring_init(&logs->ring, setup->bytes != 0 && !none ? setup->bytes : DEFAULT_BYTES);
	obi_buf_init(&logs->part, PART_MAX);
	logs->job.fn = on_job;
	logs->timer.fn = on_timer;
	logs->timer.user = logs;
	obi_logger_set_tap(setup->logger, on_line, logs, only);
	*ret = logs;
	return OB_OK;
}

/* Last words, which no parent has fetched. */
static void put_rest(struct obi_kept_logs *logs)
{
	struct obi_buf rest;
	obi_buf_init(&rest, logs->ring.max);
	(void)obi_log_ring_read(&logs->ring, &logs->ring.sent_end, logs->ring.max,
				obi_buf_sink(&rest));
	obi_logger_put(logs->setup.logger, obi_buf_bytes(&rest));
	obi_buf_free(&rest);
}

void obi_kept_logs_close(struct obi_kept_logs *logs)
{
	if (logs == NULL) {
		return;
	}
	bool asked = logs->waiting.call != NULL;
	obi_logger_set_tap(logs->setup.logger, NULL, NULL, false);
	answer_waiting(logs);
	if (asked) {
		obi_loop_drain(logs->setup.loop); /* while there is a connection */
	}
	if (logs->only) {
		put_rest(logs);
	}
	pthread_mutex_lock(&logs->lock);
	logs->closed = true;
	bool posted = logs->posted;
	pthread_mutex_unlock(&logs->lock);
	if (!posted) {
		free_it(logs);
	}
}
