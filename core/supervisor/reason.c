/* SPDX-License-Identifier: MIT */
#include "supervisor/reason.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/text.h"
#include "supervisor/shell.h"
#include "supervisor/supervisor.h"

int64_t obi_supervisor_next_try(const struct obi_supervisor *sup)
{
	if (sup->machine.phase != OBI_PHASE_BACKOFF || sup->timer.loop == NULL) {
		return -1;
	}
	int64_t left = sup->timer.at - obi_now_ms();
	return left > 0 ? left : 0;
}

/* To tenths of a second, and above a minute to seconds: nobody reads more digits. */
static void write_delay(int64_t ms, char *text, size_t size)
{
	int64_t unit = ms < 1000 ? 1 : ms < 60000 ? 100 : 1000;
	obi_duration_text((ms + unit - 1) / unit * unit, text, size);
}

/* The last error; an exit, which is what it mostly is, without the number of the process. */
static void write_error(const struct obi_supervisor *sup, char *text, size_t size)
{
	const struct obi_instance *in = &sup->instance;
	const char *error =
	    in->lingering ? obi_kept_text(&sup->reports.cause) : in->state.last_error;
	char process[32];
	int n = snprintf(process, sizeof process, "process %d ", in->pid);
	bool is_exit = n > 0 && strncmp(error, process, (size_t)n) == 0 &&
		       strstr(error, "out of memory") == NULL;
	if (is_exit && in->exit.kind == OB_EXIT_CODE) {
		snprintf(text, size, "exit status %d", in->exit.value);
	} else if (is_exit && in->exit.kind == OB_EXIT_SIGNAL) {
		snprintf(text, size, "killed by signal %d", in->exit.value);
	} else {
		snprintf(text, size, "%s", error);
	}
}

static void join(char *text, size_t size, const char *what, const char *between, const char *why)
{
	snprintf(text, size, "%s%s%s", what, why[0] != '\0' ? between : "", why);
}

static void write_state(const struct obi_supervisor *sup, char *text, size_t size)
{
	uint32_t state = obi_supervisor_state(sup);
	const char *link = obi_kept_text(&sup->link.error);
	char what[64], last[256];
	write_error(sup, last, sizeof last);
	snprintf(what, sizeof what, "the child is %s", ob_state_name(state));
	switch (state) {
	case OB_STATE_IDLE:
		join(text, size, "the child was not started", "", "");
		break;
	case OB_STATE_WAITING:
		join(text, size, "the child waits for an earlier one, or its parent, to end", "",
		     "");
		break;
	case OB_STATE_BACKOFF:
		strcpy(what, "restarting in ");
		write_delay(obi_supervisor_next_try(sup), what + strlen(what), 48);
		join(text, size, what, ", ", last);
		break;
	case OB_STATE_FAILED:
		join(text, size, "failed", ": ", last);
		break;
	case OB_STATE_READY:
		join(text, size, "link down", ": ", link);
		break;
	case OB_STATE_ADOPTING:
		join(text, size, "the child is being adopted", ": ", link);
		break;
	case OB_STATE_STARTING:
	case OB_STATE_STOPPING:
	case OB_STATE_DONE:
		join(text, size, what, "", "");
		break;
	default:
		/* A request that was carried out is the reason; an error before it is history. */
		join(text, size, what, ": ", sup->settled ? "" : last);
		break;
	}
}

void obi_supervisor_reason(const struct obi_supervisor *sup, char *text, size_t size)
{
	char raw[320];
	if (sup->instance.lost) {
		snprintf(raw, sizeof raw, "the place of the child is lost: %s",
			 obi_kept_text(&sup->instance.lost_error));
	} else {
		write_state(sup, raw, sizeof raw);
	}
	obi_text_show(raw, text, size);
}
