/* SPDX-License-Identifier: MIT */
/* place/state_charge - the state directory of a child whose process is not here: taken charge of,
 * and written. For places other than the local one. */
#ifndef OBI_PLACE_STATE_CHARGE_H
#define OBI_PLACE_STATE_CHARGE_H

#include <outboard/connector.h>

#include "files/statefile.h"
#include "loop/loop.h"

struct obi_state_charge {
	struct obi_loop *loop;
	const struct ob_connector_options *options; /* name, state_path, lock_wait_ms */
	/* We are in charge. state: what an earlier parent saved; NULL: nothing, or we were in
	 * charge already. err: we are not, and why: OB_EBUSY, another parent is, and was so for
	 * lock_wait_ms; OB_EEXIST, a process that was started here, or behind
	 * another agent, may still run. */
	void (*taken)(void *user, const struct obi_statefile *state, const struct ob_error *err);
	void *user;
	const char *agent; /* obi_statefile.agent; NULL: none */
	struct obi_statedir dir;
	struct obi_timer timer; /* tries parent.lock again */
	int64_t until;		/* obi_now_ms() */
};

void obi_state_charge_init(struct obi_state_charge *charge);

/* Take charge: make the directory, lock it, read the state. Leads to `taken`, mostly before this
 * returns. */
void obi_state_charge_begin(struct obi_state_charge *charge);

bool obi_state_charge_is_ours(const struct obi_state_charge *charge);

/* Write the state, if we are in charge. */
void obi_state_charge_save(struct obi_state_charge *charge, const struct obi_statefile *state);

/* As `renew` of a place. lives: there is a process. */
int obi_state_charge_renew(struct obi_state_charge *charge, const struct obi_statefile *state,
			   bool lives, bool *ret_renewed, struct ob_error *reterr);

/* Be in charge no more, and try no more. */
void obi_state_charge_release(struct obi_state_charge *charge);

#endif
