/* SPDX-License-Identifier: MIT */
#include "place/state_charge.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "place/state_renewal.h"

enum { PARENT_LOOK_MS = 50 };

bool obi_state_charge_is_ours(const struct obi_state_charge *charge)
{
	return charge->dir.parent_lock >= 0;
}

/* It is made for a reconnect, too: that the child lives does not depend on it. */
static int open_dir(struct obi_state_charge *c, struct ob_error *reterr)
{
	if (c->dir.fd >= 0) {
		return OB_OK;
	}
	return obi_statedir_open(c->options->state_path, true, geteuid(), &c->dir, reterr);
}

/* The config was another one before: its process must not be forgotten. */
static int check_no_process(const struct obi_state_charge *c, const struct obi_statefile *state,
			    struct ob_error *reterr)
{
	struct obi_procid known = obi_statefile_procid(state);
	struct obi_runner runner = {.process = OBI_PROCESS_NONE};
	int r = obi_statedir_probe(&c->dir, &known, &runner, reterr);
	bool left = runner.alive || runner.held || state->local.cleanup.pending;
	if (r == OB_OK && left) {
		r = obi_fail(reterr, OB_EEXIST, 0,
			     "a process that was started as %s %s (pid %d): stop that with its "
			     "command in the config before attaching to another one",
			     c->options->name,
			     runner.alive || runner.held ? "still runs"
							 : "was not cleaned up after",
			     (int)runner.process.id.pid);
	}
	obi_process_close(&runner.process);
	return r;
}

/* *ret_fresh: it was not ours before, and there is a state that can be read. */
static int take(struct obi_state_charge *c, struct obi_statefile *ret, bool *ret_fresh,
		struct ob_error *reterr)
{
	bool was_ours = obi_state_charge_is_ours(c);
	*ret_fresh = false;
	int r = open_dir(c, reterr);
	r = r == OB_OK ? obi_statedir_lock(&c->dir, reterr) : r;
	if (r == OB_OK && !was_ours) {
		r = obi_state_take(&c->dir, geteuid(), c->agent, ret, ret_fresh, reterr);
		r = r == OB_OK ? check_no_process(c, ret, reterr) : r;
	}
	return r;
}

/* Whether it goes on later: the lock is another supervisor's, which may be about to let go. */
static bool tries_again(struct obi_state_charge *c, int r)
{
	int64_t left = c->until - obi_now_ms();
	if (r != OB_EBUSY || left <= 0) {
		return false;
	}
	obi_timer_set(c->loop, &c->timer, left < PARENT_LOOK_MS ? left : PARENT_LOOK_MS);
	return true;
}

static void try_take(void *user)
{
	struct obi_state_charge *c = user;
	struct obi_statefile state = {0};
	struct ob_error err = {0};
	bool fresh = false;
	int r = take(c, &state, &fresh, &err);
	if (tries_again(c, r)) {
		return;
	}
	if (r < 0) {
		obi_statedir_close(&c->dir); /* what it says is not overwritten */
	}
	c->taken(c->user, r == OB_OK && fresh ? &state : NULL, r < 0 ? &err : NULL);
	explicit_bzero(&state, sizeof state);
}

void obi_state_charge_init(struct obi_state_charge *charge)
{
	charge->dir = OBI_STATEDIR_NONE;
	charge->timer.fn = try_take;
	charge->timer.user = charge;
}

void obi_state_charge_begin(struct obi_state_charge *charge)
{
	charge->until = obi_now_ms() + charge->options->lock_wait_ms;
	try_take(charge);
}

/* A path that does not fit is left out: then clients cannot reach the child, and that it may run at
 * another agent is not known. */
static void complete(const struct obi_state_charge *charge, struct obi_statefile *state)
{
	const char *agent = charge->agent != NULL ? charge->agent : "";
	bool fits = strlen(agent) < sizeof state->agent;
	snprintf(state->agent, sizeof state->agent, "%s", fits ? agent : "");
	obi_statefile_note_boot(state);
	state->local = (struct obi_local_state){.uid = geteuid(), .gid = getegid()};
}

void obi_state_charge_save(struct obi_state_charge *charge, const struct obi_statefile *given)
{
	struct obi_statefile state = *given;
	if (obi_state_charge_is_ours(charge)) {
		complete(charge, &state);
		(void)obi_statefile_write(&charge->dir, &state, NULL);
	}
	explicit_bzero(&state, sizeof state);
}

int obi_state_charge_renew(struct obi_state_charge *charge, const struct obi_statefile *given,
			   bool lives, bool *ret_renewed, struct ob_error *reterr)
{
	struct obi_statefile state = *given;
	*ret_renewed = false;
	complete(charge, &state);
	int r = obi_state_charge_is_ours(charge)
		    ? obi_state_renew(&charge->dir, charge->options->state_path, &state, lives,
				      ret_renewed, reterr)
		    : OB_OK;
	explicit_bzero(&state, sizeof state);
	return r;
}

void obi_state_charge_release(struct obi_state_charge *charge)
{
	obi_timer_stop(&charge->timer);
	obi_statedir_close(&charge->dir);
}
