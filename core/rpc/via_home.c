/* SPDX-License-Identifier: MIT */
#include "rpc/via_home.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

enum { HOME_MS = 5000, PAIRS = 4 };

/* Lives until the call is answered, which may be after the end of the dial. */
struct obi_via_home_asked {
	struct obi_via_home_dial *dial; /* NULL: it has ended */
};

static void wake(struct obi_via_home_dial *dial)
{
	(void)eventfd_write(dial->event, 1);
}

static void fail(struct obi_via_home_dial *dial, int code, const char *why)
{
	if (!dial->failed) {
		dial->failed = true;
		obi_fail(&dial->err, code, 0, "%s", why);
		wake(dial);
	}
}

static void on_arrived(void *user, struct obi_raw_stream *raw)
{
	struct obi_via_home_dial *dial = user;
	if (raw == NULL) {
		fail(dial, OB_ECONNLOST, "a connection of the agent broke");
	} else {
		dial->raw = *raw;
		wake(dial);
	}
}

/* After `true` its connection is to come. */
static void on_answer(void *user, int code, const struct ob_value *value,
		      const struct ob_error *err)
{
	struct obi_via_home_asked *asked = user;
	struct obi_via_home_dial *dial = asked->dial;
	bool yes = false;
	free(asked);
	if (dial == NULL) {
		return;
	}
	dial->asked = NULL;
	if (code == OB_EREMOTE) {
		fail(dial, OB_EREFUSED, err->text);
	} else if (code != OB_OK) {
		fail(dial, OB_ECONNLOST, err->text);
	} else if (!ob_get_bool(value, &yes) || !yes) {
		fail(dial, OB_EPROTO, "malformed answer to outboard-agent.connect_home");
	}
}

static int ask(struct obi_via_home_dial *dial, const struct obi_via_setup *via,
	       struct ob_error *reterr)
{
	struct ob_pair pairs[PAIRS] = {{ob_string("name"), ob_string(via->child)},
				       {ob_string("host"), ob_string(via->host_id)},
				       {ob_string("ticket"), ob_string(dial->ticket.text)}};
	uint32_t count = PAIRS - 1;
	if (via->instance != NULL) {
		pairs[count++] = (struct ob_pair){ob_string("instance"), ob_string(via->instance)};
	}
	struct ob_value params = ob_map(pairs, count);
	dial->asked = calloc(1, sizeof *dial->asked);
	if (dial->asked == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	dial->asked->dial = dial;
	int r = via->home->ask(via->home->user, &params, HOME_MS, on_answer, dial->asked, reterr);
	if (r < 0) {
		free(dial->asked);
		dial->asked = NULL;
	}
	return r;
}

int obi_via_home_begin(struct obi_via_home_dial *dial, const struct obi_via_setup *setup,
		       struct ob_want *ret_want, struct ob_error *reterr)
{
	dial->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dial->deadline = obi_now_ms() + HOME_MS;
	dial->ticket.arrived = on_arrived;
	dial->ticket.user = dial;
	if (dial->event < 0) {
		return obi_fail(reterr, OB_EIO, errno, "eventfd");
	}
	int r = obi_stream_ticket_issue(setup->home->tickets, &dial->ticket, reterr);
	r = r == OB_OK ? ask(dial, setup, reterr) : r;
	*ret_want =
	    (struct ob_want){.fd = dial->event, .events = OB_READABLE, .deadline = dial->deadline};
	return r;
}

int obi_via_home_step(struct obi_via_home_dial *dial, struct ob_want *ret_want,
		      struct ob_error *reterr)
{
	eventfd_t count;
	(void)eventfd_read(dial->event, &count);
	if (dial->raw.transport != NULL) {
		return OB_OK;
	}
	if (dial->failed) {
		return obi_fail(reterr, dial->err.code, 0, "%s", dial->err.text);
	}
	if (obi_now_ms() >= dial->deadline) {
		return obi_fail(reterr, OB_ETIMEDOUT, 0,
				"it has not dialled home for the stream in %d s", HOME_MS / 1000);
	}
	*ret_want =
	    (struct ob_want){.fd = dial->event, .events = OB_READABLE, .deadline = dial->deadline};
	return OB_EAGAIN;
}

void obi_via_home_end(struct obi_via_home_dial *dial)
{
	obi_stream_ticket_end(&dial->ticket);
	if (dial->asked != NULL) {
		dial->asked->dial = NULL;
		dial->asked = NULL;
	}
	obi_raw_stream_end(&dial->raw);
	if (dial->event >= 0) {
		close(dial->event);
	}
	dial->event = -1;
}
