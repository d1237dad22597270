/* SPDX-License-Identifier: MIT */
#include "place/attached.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "place/state_renewal.h"

enum { PARENT_LOOK_MS = 50 };

struct attached_place {
	struct obi_place place; /* must be first */
	struct obi_loop *loop;
	const struct ob_connector_options *options;
	struct obi_statedir state_dir;
	bool adopted; /* `exited` is still to come, if the child is ended */
	struct {
		struct obi_timer timer; /* tries parent.lock again */
		uint64_t op;
		int64_t until; /* obi_now_ms() */
	} probe;
};

static struct attached_place *attached_of(struct obi_place *place)
{
	return (struct attached_place *)place;
}

static bool is_in_charge(const struct attached_place *a)
{
	return a->state_dir.parent_lock >= 0;
}

/* ---- Probe ---- */

/* It is made for a reconnect, too: that the child lives does not depend on it. */
static int open_state_dir(struct attached_place *a, struct ob_error *reterr)
{
	const char *path = a->options->state_path;
	if (a->state_dir.fd >= 0) {
		return OB_OK;
	}
	return obi_statedir_open(path, true, geteuid(), &a->state_dir, reterr);
}

/* The config had a command before: its process must not be forgotten. */
static int check_no_process(const struct attached_place *a, const struct obi_statefile *state,
			    struct ob_error *reterr)
{
	struct obi_procid known = obi_statefile_procid(state);
	struct obi_runner runner = {.process = OBI_PROCESS_NONE};
	int r = obi_statedir_probe(&a->state_dir, &known, &runner, reterr);
	bool left = runner.alive || runner.held || state->local.cleanup.pending;
	if (r == OB_OK && left) {
		r = obi_fail(reterr, OB_EEXIST, 0,
			     "a process that was started as %s %s (pid %d): stop that with its "
			     "command in the config before attaching to another one",
			     a->options->name,
			     runner.alive || runner.held ? "still runs"
							 : "was not cleaned up after",
			     (int)runner.process.id.pid);
	}
	obi_process_close(&runner.process);
	return r;
}

/* *ret_fresh: it was not ours before, and there is a state that can be read. */
static int take_charge(struct attached_place *a, struct obi_statefile *ret, bool *ret_fresh,
		       struct ob_error *reterr)
{
	bool was_in_charge = is_in_charge(a);
	*ret_fresh = false;
	int r = open_state_dir(a, reterr);
	r = r == OB_OK ? obi_statedir_lock(&a->state_dir, reterr) : r;
	if (r == OB_OK && !was_in_charge) {
		r = obi_state_take(&a->state_dir, geteuid(), ret, ret_fresh, reterr);
		r = r == OB_OK ? check_no_process(a, ret, reterr) : r;
	}
	return r;
}

/* Whether the probe goes on later: the lock is another supervisor's, which may be about to let go.
 */
static bool tries_again(struct attached_place *a, int r)
{
	int64_t left = a->probe.until - obi_now_ms();
	if (r != OB_EBUSY || left <= 0) {
		return false;
	}
	obi_timer_set(a->loop, &a->probe.timer, left < PARENT_LOOK_MS ? left : PARENT_LOOK_MS);
	return true;
}

/* What is known of a process that was started here says nothing about this child. */
static void forget_other(struct obi_statefile *state)
{
	struct obi_statefile none = {.restart = state->restart};
	if (strcmp(state->record, OBI_ATTACHED_RECORD) != 0) {
		explicit_bzero(state->token, sizeof state->token);
		*state = none;
	}
}

static void try_probe(void *user)
{
	static const struct obi_place_facts facts = {
	    .alive = true, .held = true, .child = {.record = OBI_ATTACHED_RECORD}};
	struct attached_place *a = user;
	struct obi_place *place = &a->place;
	struct obi_statefile state = {0};
	struct ob_error err = {0};
	bool fresh = false;
	int r = take_charge(a, &state, &fresh, &err);
	if (tries_again(a, r)) {
		return;
	}
	if (r < 0) {
		obi_statedir_close(&a->state_dir); /* what it says is not overwritten */
		place->events->probed(place->user, a->probe.op, NULL, NULL, &err);
	} else {
		forget_other(&state);
		place->events->probed(place->user, a->probe.op, &facts, fresh ? &state : NULL,
				      NULL);
	}
	explicit_bzero(&state, sizeof state);
}

static void attached_probe(struct obi_place *place, uint64_t op, bool create)
{
	struct attached_place *a = attached_of(place);
	(void)create;
	a->probe.op = op;
	a->probe.until = obi_now_ms() + a->options->lock_wait_ms;
	try_probe(a);
}

/* ---- Nothing is started or touched ---- */

static int not_here(const struct attached_place *a, struct ob_error *reterr)
{
	return obi_fail(reterr, OB_ENOTSUP, 0,
			"outboard process %s is started by others: it has no command",
			a->options->name);
}

static void attached_prepare(struct obi_place *place, uint64_t op, struct ob_config *config,
			     uint32_t flags)
{
	struct ob_error err;
	(void)config;
	(void)flags;
	(void)not_here(attached_of(place), &err);
	place->events->prepared(place->user, op, &err);
}

static void attached_spawn(struct obi_place *place, uint64_t op)
{
	struct ob_error err;
	(void)not_here(attached_of(place), &err);
	place->events->spawned(place->user, op, NULL, &err);
}

static void attached_adopt(struct obi_place *place, uint64_t op, const char *record, uint32_t flags)
{
	(void)record;
	(void)flags;
	attached_of(place)->adopted = true;
	place->events->adopted(place->user, op, NULL);
}

static void attached_read_config(struct obi_place *place)
{
	struct ob_error err;
	(void)not_here(attached_of(place), &err);
	place->events->config(place->user, NULL, &err);
}

static void attached_unwatch(struct obi_place *place)
{
	(void)place;
}

static void attached_resolve(struct obi_place *place, uint64_t op, const char *address)
{
	place->events->resolved(place->user, op, address, NULL);
}

static void attached_signal(struct obi_place *place, int signal)
{
	(void)place;
	(void)signal;
}

static void attached_end(struct obi_place *place, int64_t wait_ms)
{
	struct attached_place *a = attached_of(place);
	const struct obi_exit how = {OB_EXIT_UNKNOWN, 0};
	const struct obi_place_facts facts = {.alive = false};
	(void)wait_ms;
	if (a->adopted) {
		a->adopted = false;
		place->events->exited(place->user, &how);
		place->events->gone(place->user, &facts, NULL);
	}
}

static void attached_end_holders(struct obi_place *place)
{
	const struct obi_place_facts facts = {.alive = false};
	place->events->gone(place->user, &facts, NULL);
}

/* ---- State, and the end ---- */

static void attached_save(struct obi_place *place, const struct obi_statefile *given)
{
	struct attached_place *a = attached_of(place);
	struct obi_statefile state = *given;
	if (is_in_charge(a)) {
		obi_statefile_note_boot(&state);
		state.local = (struct obi_local_state){.uid = geteuid(), .gid = getegid()};
		(void)obi_statefile_write(&a->state_dir, &state, NULL);
	}
	explicit_bzero(&state, sizeof state);
}

static int attached_renew(struct obi_place *place, const struct obi_statefile *given,
			  bool *ret_renewed, struct ob_error *reterr)
{
	struct attached_place *a = attached_of(place);
	struct obi_statefile state = *given;
	*ret_renewed = false;
	obi_statefile_note_boot(&state);
	state.local = (struct obi_local_state){.uid = geteuid(), .gid = getegid()};
	return is_in_charge(a) ? obi_state_renew(&a->state_dir, a->options->state_path, &state,
						 a->adopted, ret_renewed, reterr)
			       : OB_OK;
}

static void attached_clear(struct obi_place *place)
{
	(void)place;
}

static void attached_detach(struct obi_place *place)
{
	struct attached_place *a = attached_of(place);
	obi_timer_stop(&a->probe.timer);
	a->adopted = false;
	obi_statedir_close(&a->state_dir);
}

static void attached_free(struct obi_place *place)
{
	attached_detach(place);
	free(attached_of(place));
}

static const struct obi_place_ops ops = {
    .probe = attached_probe,
    .prepare = attached_prepare,
    .spawn = attached_spawn,
    .adopt = attached_adopt,
    .read_config = attached_read_config,
    .unwatch = attached_unwatch,
    .resolve = attached_resolve,
    .signal = attached_signal,
    .end = attached_end,
    .end_holders = attached_end_holders,
    .save = attached_save,
    .renew = attached_renew,
    .clear = attached_clear,
    .detach = attached_detach,
    .free = attached_free,
};

int obi_place_attached_new(struct obi_loop *loop, const struct ob_connector_options *options,
			   struct obi_place **ret, struct ob_error *reterr)
{
	struct attached_place *a = calloc(1, sizeof *a);
	if (a == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	a->loop = loop;
	a->options = options;
	a->place.ops = &ops;
	a->state_dir = OBI_STATEDIR_NONE;
	a->probe.timer.fn = try_probe;
	a->probe.timer.user = a;
	*ret = &a->place;
	return OB_OK;
}
