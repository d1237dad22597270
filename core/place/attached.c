/* SPDX-License-Identifier: MIT */
#include "place/attached.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "place/state_charge.h"

struct attached_place {
	struct obi_place place; /* must be first */
	struct obi_state_charge charge;
	uint64_t probe_op;
	bool adopted; /* `exited` is still to come, if the child is ended */
};

static struct attached_place *attached_of(struct obi_place *place)
{
	return (struct attached_place *)place;
}

/* ---- Probe ---- */

/* What is known of a process that was started here says nothing about this child. */
static void forget_other(struct obi_statefile *state)
{
	struct obi_statefile none = {.restart = state->restart};
	if (strcmp(state->record, OBI_ATTACHED_RECORD) != 0) {
		explicit_bzero(state->token, sizeof state->token);
		*state = none;
	}
}

static void on_taken(void *user, const struct obi_statefile *known, const struct ob_error *err)
{
	static const struct obi_place_facts facts = {
	    .alive = true, .held = true, .child = {.record = OBI_ATTACHED_RECORD}};
	struct attached_place *a = user;
	struct obi_place *place = &a->place;
	struct obi_statefile state = {0};
	if (known != NULL) {
		state = *known;
		forget_other(&state);
	}
	place->events->probed(place->user, a->probe_op, err == NULL ? &facts : NULL,
			      known != NULL ? &state : NULL, err);
	explicit_bzero(&state, sizeof state);
}

static void attached_probe(struct obi_place *place, uint64_t op, bool create)
{
	struct attached_place *a = attached_of(place);
	(void)create;
	a->probe_op = op;
	obi_state_charge_begin(&a->charge);
}

/* ---- Nothing is started or touched ---- */

static int not_here(const struct attached_place *a, struct ob_error *reterr)
{
	return obi_fail(reterr, OB_ENOTSUP, 0,
			"outboard process %s is started by others: it has no command",
			a->charge.options->name);
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

static void attached_save(struct obi_place *place, const struct obi_statefile *state)
{
	obi_state_charge_save(&attached_of(place)->charge, state);
}

static int attached_renew(struct obi_place *place, const struct obi_statefile *state,
			  bool *ret_renewed, struct ob_error *reterr)
{
	struct attached_place *a = attached_of(place);
	return obi_state_charge_renew(&a->charge, state, a->adopted, ret_renewed, reterr);
}

static void attached_clear(struct obi_place *place)
{
	(void)place;
}

static void attached_detach(struct obi_place *place)
{
	struct attached_place *a = attached_of(place);
	a->adopted = false;
	obi_state_charge_release(&a->charge);
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
	a->place.ops = &ops;
	a->charge = (struct obi_state_charge){
	    .loop = loop, .options = options, .taken = on_taken, .user = a};
	obi_state_charge_init(&a->charge);
	*ret = &a->place;
	return OB_OK;
}
