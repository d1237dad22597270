/* SPDX-License-Identifier: MIT */
#include "supervisor/log_fetch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "supervisor/attach.h"

enum {
	WAIT_MS = 20000,      /* how long the child may keep a call while it has nothing */
	GRACE_MS = 10000,     /* and how much later its answer may come */
	EMPTY_AGAIN_MS = 100, /* after an answer without records */
	FAILED_AGAIN_MS = 1000,
	PART_MAX = 64 * 1024
};

static void ask(struct obi_log_fetch *f);

static bool is_wanted(const struct obi_log_fetch *f)
{
	bool attached = obi_is_attached(f->options);
	return f->lines.fn != NULL && (f->options->logs == OB_LOGS_RPC ||
				       (f->options->logs == OB_LOGS_DEFAULT && attached));
}

static void ask_later(struct obi_log_fetch *f, int64_t ms)
{
	if (f->link != NULL) {
		obi_timer_set(f->loop, &f->again, ms);
	}
}

/* ---- Answers ---- */

/* A line as the child's logger would write it. */
static void tell_dropped(struct obi_log_fetch *f, uint64_t lines)
{
	char text[128];
	int n =
	    snprintf(text, sizeof text,
		     "{\"level\":\"WARN\",\"msg\":\"log records were dropped\",\"dropped\":%llu}\n",
		     (unsigned long long)lines);
	obi_log_splitter_feed(&f->lines, ob_bytes_of(text, (size_t)n));
}

struct part {
	char run[OBI_RUN_SIZE];
	uint64_t offset;
	uint64_t dropped;
	struct ob_bytes data;
};

static bool read_part(const struct ob_value *value, struct part *p)
{
	struct ob_bytes run;
	const struct ob_value *data = ob_value_find(value, "data");
	p->dropped = 0;
	(void)ob_get_uint(ob_value_find(value, "dropped"), &p->dropped);
	return ob_get_string(ob_value_find(value, "run"), &run) && obi_run_id_read(run, p->run) &&
	       ob_get_uint(ob_value_find(value, "offset"), &p->offset) &&
	       (ob_get_binary(data, &p->data) || ob_get_string(data, &p->data)) &&
	       p->offset <= UINT64_MAX - p->data.len;
}

/* Whether it goes on where the last part ended; else an incomplete line has no end. */
static void place(struct obi_log_fetch *f, const struct part *p)
{
	bool same = strcmp(f->run, p->run) == 0;
	if (!same || p->offset > f->offset) {
		obi_log_splitter_end(&f->lines);
	}
	if (!same) {
		memcpy(f->run, p->run, sizeof f->run);
		f->offset = p->offset;
	}
	if (p->dropped > 0) {
		tell_dropped(f, p->dropped);
	}
	f->offset = p->offset > f->offset ? p->offset : f->offset;
}

/* What was read already is not read again, whatever the child sends. */
static void take(struct obi_log_fetch *f, struct part *p)
{
	place(f, p);
	uint64_t twice = f->offset - p->offset;
	if (twice < p->data.len) {
		struct ob_bytes data = ob_bytes_of(p->data.data + twice, p->data.len - twice);
		f->offset += data.len;
		obi_log_splitter_feed(&f->lines, data);
	}
}

/* The link may have been lost, and another one may be up, when user code has seen the records. */
static void on_answer(void *user, int code, const struct ob_value *value,
		      const struct ob_error *err)
{
	struct obi_log_fetch *f = user;
	struct obi_connection *link = f->link;
	struct part p;
	(void)err;
	if (link == NULL || code == OB_ECONNLOST || code == OB_ECLOSED) {
		return;
	}
	if (code == OB_EREMOTE) {
		f->unsupported = true;
		return;
	}
	if (code != OB_OK || !read_part(value, &p)) {
		ask_later(f, FAILED_AGAIN_MS);
		return;
	}
	bool empty = p.data.len == 0;
	take(f, &p);
	if (f->link != link) {
		return;
	}
	if (empty) {
		ask_later(f, EMPTY_AGAIN_MS);
	} else {
		ask(f);
	}
}

static void ask(struct obi_log_fetch *f)
{
	uint32_t most = f->options->message_max / 4;
	struct ob_pair pairs[] = {
	    {ob_string("run"), ob_string(f->run)},
	    {ob_string("offset"), ob_uint(f->offset)},
	    {ob_string("wait_ms"), ob_uint(WAIT_MS)},
	    {ob_string("max"), ob_uint(most < PART_MAX ? most : PART_MAX)},
	};
	struct ob_value params = ob_map(pairs, 4);
	int r = obi_connection_call(f->link, ob_bytes_text("outboard-control.logs"), &params,
				    obi_now_ms() + WAIT_MS + GRACE_MS, on_answer, f, NULL, NULL);
	if (r < 0) {
		ask_later(f, EMPTY_AGAIN_MS);
	}
}

static void on_again(void *user)
{
	struct obi_log_fetch *f = user;
	if (f->link != NULL && !f->unsupported) {
		ask(f);
	}
}

/* ---- Life ---- */

void obi_log_fetch_init(struct obi_log_fetch *f, struct obi_loop *loop,
			const struct ob_connector_options *options, ob_log_fn *log, void *user)
{
	*f = (struct obi_log_fetch){.loop = loop, .options = options};
	f->again.fn = on_again;
	f->again.user = f;
	obi_log_splitter_init(&f->lines, loop, options->name, 1, log, user);
}

void obi_log_fetch_link(struct obi_log_fetch *f, struct obi_connection *link)
{
	if (!is_wanted(f)) {
		return;
	}
	obi_timer_stop(&f->again);
	f->link = link;
	f->unsupported = false;
	ask_later(f, 0); /* behind the first questions of the link */
}

void obi_log_fetch_end(struct obi_log_fetch *f)
{
	f->link = NULL;
	obi_timer_stop(&f->again);
	obi_log_splitter_end(&f->lines);
}

void obi_log_fetch_stop(struct obi_log_fetch *f)
{
	f->link = NULL;
	obi_timer_stop(&f->again);
	obi_log_splitter_stop(&f->lines);
}
