/* SPDX-License-Identifier: MIT */
/*
 * supervisor/instance - the process of a child at its place, from the probe to its end. One struct
 * serves all the processes that follow each other.
 */
#ifndef OBI_SUPERVISOR_INSTANCE_H
#define OBI_SUPERVISOR_INSTANCE_H

#include <outboard/outboard.h>
#include <stdio.h>

#include "base/kept_text.h"
#include "log/splitter.h"
#include "place/place.h"
#include "supervisor/lifecycle.h"
#include "supervisor/number_source.h"

struct obi_instance_events {
	/* Required. The events that answer PROBE, SPAWN and ADOPT; BECAME_READY and READY_TIMEOUT
	 * where the link does not decide about readiness; EXITED, then GONE or NOT_GONE; STUCK;
	 * PLACE_LOST. err: why, for a failure; may be NULL. */
	void (*happened)(void *user, enum obi_life_event event, const struct ob_error *err);
	/* Required. instance.address can be dialled. */
	void (*reachable)(void *user);
	/* Required. The token of the process: authenticate with it. uid: its user, where an earlier
	 * parent saved it; (uint32_t)-1: that of the options. */
	int (*token)(void *user, const char *token, uint32_t uid, struct ob_error *reterr);
	/* Required. The child is going to dial: listen there, until it is gone. */
	int (*listen)(void *user, const char *uri, struct ob_error *reterr);
	/* Required. The process is dead, and this is left of it, or is done about it. */
	void (*remains)(void *user, const char *text);
	/* Required. The place was lost, or is back. */
	void (*changed)(void *user);
	void *user;
};

struct obi_instance_setup {
	struct obi_loop *loop;
	struct obi_place *place; /* owned by the instance */
	const struct ob_connector_options *options;
	const char *config_hash;      /* of the options, 64 hex digits */
	const char *listen_transport; /* for the child's config; NULL: by scheme */
	struct obi_number_source numbers;
	ob_log_fn *log; /* NULL: logs are dropped */
	void *log_user;
	struct obi_instance_events events;
};

/* What the process was told last, to be told again after the place was lost. ASKED: by a call, or
 * it has said itself that it ends. */
enum obi_instance_demand { OBI_DEMAND_NONE = 0, OBI_DEMAND_ASKED, OBI_DEMAND_STOP, OBI_DEMAND_END };

struct obi_instance {
	struct obi_instance_setup setup;
	struct obi_statefile state; /* for state.json */
	bool forgiven;	      /* the restart counters of state.json are void when it is read */
	int32_t pid;	      /* of the process, dead or alive; 0: none */
	bool watched;	      /* it is spawned or adopted, and `exited` is still to come */
	bool leaving;	      /* it is dead, and `gone` is still to come */
	bool lingering;	      /* of these two, and something was said about what is left */
	struct obi_exit exit; /* of the last process */
	struct obi_kept_text exit_cause; /* of the same, where its place knows; "": it does not */
	struct ob_cgroup_usage usage;	 /* of its cgroup, as it was read last */
	bool was_ended;			 /* that one was being ended when it exited */
	char *address; /* where to dial, or where the child dials; NULL: not known yet */
	struct obi_place_child found;	 /* by the probe, to be adopted */
	bool unlocked;			 /* it lives, and has closed the descriptor of its lock */
	uint64_t last_op;		 /* the last number given to an operation */
	uint64_t op;			 /* probe, prepare, spawn or adopt; 0: none is due */
	bool preparing;			 /* op is prepare */
	uint64_t resolve_op;		 /* 0: none is due */
	enum obi_life_event unreachable; /* what to report if resolve fails */
	bool ending_holders;		 /* of an earlier start; `gone` is still to come */
	enum obi_instance_demand demand;
	bool quiet; /* `exited` is not reported: obi_instance_end_now() waits for it */
	bool lost;
	struct obi_kept_text lost_error; /* why */
	struct obi_log_splitter out, err, cleanup;
};

void obi_instance_init(struct obi_instance *instance, const struct obi_instance_setup *setup);
void obi_instance_free(struct obi_instance *instance);

/* Take charge and look for a process. create: make the data directory if it is missing. Leads to
 * LOCK_FREE, LOCK_LIVE, LOCK_LEFTOVERS or LOCK_FAILED, unless it is released first. */
void obi_instance_probe(struct obi_instance *instance, bool create);

/* Deal with what an earlier start left. Leads to LOCK_FREE, LOCK_LIVE or NOT_GONE, unless it is
 * released or started first. */
void obi_instance_end_holders(struct obi_instance *instance);

/* Make files, spawn. Leads to SPAWNED or SPAWN_FAILED. */
void obi_instance_spawn(struct obi_instance *instance);
/* The spawn is not wanted any more. Leads to SPAWN_FAILED at once, unless the place has begun. */
void obi_instance_drop_spawn(struct obi_instance *instance);
/* After SPAWNED: wait for readiness as the ready mode says. */
void obi_instance_await_ready(struct obi_instance *instance);
/* After LOCK_LIVE: take the process over. May lead to ADOPT_OK or ADOPT_FAILED. */
void obi_instance_adopt(struct obi_instance *instance);

/* The process is about to end by itself. */
static inline void obi_instance_expect_end(struct obi_instance *instance)
{
	instance->demand = OBI_DEMAND_ASKED;
}
/* An event of the place: why the process has exited. */
static inline void obi_instance_note_cause(void *user, const char *text)
{
	struct obi_instance *in = (struct obi_instance *)user;
	obi_kept_text_set(&in->exit_cause, text);
}
/* Send the stop signal. */
void obi_instance_stop(struct obi_instance *instance);
/* Send SIGKILL to it, or to what it left. May lead to STUCK. */
void obi_instance_end(struct obi_instance *instance);
/* End it and wait for at most ms. Whether it is dead. EXITED is not reported. */
bool obi_instance_end_now(struct obi_instance *instance, int64_t ms);
/* Forget a process that lives; obi_instance_release() lets go of it. */
void obi_instance_let_go(struct obi_instance *instance);

static inline void obi_instance_clear(struct obi_instance *instance)
{
	instance->setup.place->ops->clear(instance->setup.place);
}

void obi_instance_save(struct obi_instance *instance, uint32_t state);
/* Make what was saved anew, where somebody removed it. */
int obi_instance_renew(struct obi_instance *instance, bool *ret_renewed, struct ob_error *reterr);
void obi_instance_release(struct obi_instance *instance);

#endif
