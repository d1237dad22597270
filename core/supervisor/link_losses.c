/* SPDX-License-Identifier: MIT */
#include "supervisor/link_losses.h"

#include <stdio.h>

#include "base/clock.h"

enum {
	STABLE_MS = 5000,    /* a connection that breaks earlier makes the next dial slower, */
	SHORT_LIVES_MAX = 7, /* doubled with each in a row, at most so often */
	PATIENCE_MS = 500    /* for the end of a process whose connection has ended */
};

static void report(struct obi_link_monitor *m, enum ob_event_type type, const char *why)
{
	m->setup.events.report(m->setup.events.user, type, why);
}

static void report_loss(struct obi_link_monitor *m)
{
	obi_timer_stop(&m->patience);
	m->lost = m->told = false;
	report(m, OB_EVENT_LINK_DOWN, obi_kept_text(&m->lost_error));
}

static void on_patience_over(void *user)
{
	report_loss(user);
}

void obi_link_losses_note(struct obi_link_monitor *m, const struct ob_error *why)
{
	int64_t now = obi_now_ms();
	if (!m->renewing) {
		bool is_short = now - m->up_at < STABLE_MS;
		m->short_lives = is_short ? m->short_lives + (m->short_lives < SHORT_LIVES_MAX) : 0;
		m->failures = m->short_lives;
	}
	if (m->told) {
		m->lost = true;
		m->lost_at = now;
		obi_kept_text_set(&m->lost_error, why->text);
		obi_timer_set(m->setup.loop, &m->patience, PATIENCE_MS);
	}
}

/* The link is up, perhaps again. Before the child was good nobody is told: `good` tells it. */
void obi_link_losses_over(struct obi_link_monitor *m)
{
	char why[64] = "connected";
	if (m->lost && m->renewing) {
		obi_timer_stop(&m->patience);
		m->lost = false;
	} else if (m->lost) {
		report_loss(m);
	}
	if (m->lost_at != 0) {
		snprintf(why, sizeof why, "connected again after %lld ms",
			 (long long)(obi_now_ms() - m->lost_at));
		m->lost_at = 0;
	}
	m->renewing = false;
	if (m->judged && !m->told) {
		m->told = true;
		report(m, OB_EVENT_LINK_UP, why);
	}
}

void obi_link_losses_init(struct obi_link_monitor *m)
{
	m->patience.fn = on_patience_over;
	m->patience.user = m;
}
