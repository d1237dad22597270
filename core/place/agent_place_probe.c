/* SPDX-License-Identifier: MIT */
#include "place/agent_place_probe.h"

#include <stdio.h>

#include "base/error.h"

static const char *agent_name(const struct obi_agent_place *a)
{
	return obi_agent_hub_name(a->setup.hub);
}

void obi_agent_probe_answer(struct obi_agent_place *a, const struct obi_place_facts *facts,
			    const struct ob_error *err)
{
	uint64_t op = a->probe_op;
	struct obi_statefile state = a->state;
	bool has_state = a->has_state && err == NULL;
	a->probe_op = 0;
	a->has_state = false;
	explicit_bzero(&a->state, sizeof a->state);
	a->place.events->probed(a->place.user, op, facts, has_state ? &state : NULL, err);
	explicit_bzero(&state, sizeof state);
}

/* How it ended when no supervisor was there is kept with the state. */
static void take_exit(struct obi_agent_place *a)
{
	if (obi_agent_place_is_ours(a) && a->facts.exit.known) {
		a->state.last_exit = a->facts.exit.how;
	}
	obi_agent_place_tell(a, "ack_exit", a->facts.instance);
	a->ack_due = false;
}

static void judge_probe(struct obi_agent_place *a)
{
	struct obi_place_facts facts = {.child = obi_agent_place_process(a)};
	switch (a->facts.state) {
	case OBI_AGENT_RUNNING:
		facts.alive = obi_agent_place_is_ours(a);
		facts.held = true;
		break;
	case OBI_AGENT_LINGERING:
	case OBI_AGENT_HELD:
	case OBI_AGENT_FAILED:
		facts.held = true;
		break;
	case OBI_AGENT_ENDED:
		take_exit(a);
		break;
	case OBI_AGENT_ABSENT:
	case OBI_AGENT_PREPARED:
		break;
	}
	obi_agent_probe_answer(a, &facts, NULL);
}

void obi_agent_place_set_lost(struct obi_agent_place *a, bool lost, const char *why)
{
	struct ob_error err;
	if (a->lost == lost) {
		return;
	}
	a->lost = lost;
	if (lost) {
		obi_fail(&err, OB_ECONNLOST, 0, "%s: %s", agent_name(a), why);
		a->place.events->lost(a->place.user, &err);
	} else {
		a->place.events->back(a->place.user);
	}
}

static int read_inspected(const struct obi_agent_place *a, const struct ob_value *result,
			  struct obi_agent_facts *ret, struct ob_error *reterr)
{
	int r = obi_agent_facts_read(result, ret, reterr);
	if (r == OB_OK && strcmp(ret->name, obi_agent_place_name(a)) != 0) {
		r = obi_fail(reterr, OB_EPROTO, 0, "facts: of another child");
	}
	return r < 0 ? obi_wrap(reterr, "%s: inspect", agent_name(a)) : r;
}

void obi_agent_place_lose(struct obi_agent_place *a)
{
	char cause[OBI_AGENT_TEXT_SIZE];
	snprintf(cause, sizeof cause, a->fresh ? "%.100s is gone" : "%.100s does not know it",
		 agent_name(a));
	obi_agent_place_vanish(a, cause);
}

void obi_agent_place_inspected(void *user, const struct obi_agent_request *request,
			       const struct ob_value *result, const struct ob_error *err)
{
	struct obi_agent_place *a = user;
	struct obi_agent_facts facts;
	struct ob_error own;
	(void)request;
	if (err == NULL && read_inspected(a, result, &facts, &own) < 0) {
		err = &own;
	}
	if (err != NULL) {
		if (a->probe_op != 0) {
			obi_agent_probe_answer(a, NULL, err);
		}
		return;
	}
	a->facts = facts;
	a->known = true;
	obi_agent_place_set_lost(a, false, NULL);
	bool has_process = a->life == OBI_AGENT_WATCHED || a->life == OBI_AGENT_DEAD;
	if (a->probe_op != 0) {
		judge_probe(a);
	} else if (has_process && !obi_agent_place_is_ours(a)) {
		obi_agent_place_lose(a);
	} else {
		obi_agent_place_step(a);
	}
}

static void keep_state(struct obi_agent_place *a, const struct obi_statefile *state)
{
	a->has_state = true;
	a->state = *state;
	if (state->record[0] != '\0' && !obi_is_agent_record(state->record)) {
		/* What is known of another place says nothing about this child. */
		explicit_bzero(&a->state, sizeof a->state);
		a->state.restart = state->restart;
	}
	memcpy(a->instance, a->state.instance, sizeof a->instance);
}

/* A child whose agent cannot be reached is waited for. */
void obi_agent_probe_charged(void *user, const struct obi_statefile *state,
			     const struct ob_error *err)
{
	struct obi_agent_place *a = user;
	enum obi_agent_link link = obi_agent_hub_link(a->setup.hub);
	if (err != NULL) {
		obi_agent_probe_answer(a, NULL, err);
		return;
	}
	if (state != NULL) {
		keep_state(a, state);
	}
	if (link == OBI_AGENT_TAKEN_OVER) {
		a->member.taken(a, obi_agent_hub_why(a->setup.hub));
		return;
	}
	obi_agent_place_set_lost(a, link != OBI_AGENT_UP, obi_agent_hub_why(a->setup.hub));
	obi_agent_place_inspect(a);
	obi_agent_hub_charge(&a->member, true);
}
