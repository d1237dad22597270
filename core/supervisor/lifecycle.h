/* SPDX-License-Identifier: MIT */
/*
 * supervisor/lifecycle - the life of one child as a pure function: (phase, event) -> (phase,
 * actions).
 *
 * It touches nothing. The shell (supervisor/supervisor) holds the process, the locks and one timer,
 * feeds events one at a time, and does what the actions say. A phase is a public state (enum
 * ob_state) and, where it matters, why we are in it; that is all the memory there is, so what a
 * phase cannot say cannot happen:
 *
 *  - whether a start request is open (it finishes when such a phase is left, once),
 *  - whether there is a process of ours (left only by its exit, or by letting it go),
 *  - what follows when a process that is being stopped has ended.
 *
 * FIRST: somebody waits for this start; when it fails, it ends in `stopped` and with an error.
 * AGAIN: the restart policy is at work; when it fails, the policy goes on. The link to the child is
 * no matter of this machine.
 *
 * Rules for the shell:
 *
 *  1. Events are fed one after the other, never from within an action. What an action finds out at
 * once (PROBE, SPAWN, ARM_BACKOFF) is fed before any other event.
 *  2. There is one timer. ARM_... sets it anew, DISARM stops it. Its event is that of the phase it
 * was armed in.
 *  3. Actions of a step are done in the order of their bits.
 *  4. CLEANUP, SAVE and RELEASE do nothing while parent.lock is not ours.
 *  5. NEVER means that the shell broke a rule: an event that this phase cannot have. The phase
 * stays.
 */
#ifndef OBI_SUPERVISOR_LIFECYCLE_H
#define OBI_SUPERVISOR_LIFECYCLE_H

#include <outboard/outboard.h>

enum obi_phase {
	OBI_PHASE_IDLE = 0,
	/* Waiting for what PROBE finds; for which request: */
	OBI_PHASE_WAIT_START,
	OBI_PHASE_WAIT_RECONNECT,
	OBI_PHASE_WAIT_EITHER,
	OBI_PHASE_WAIT_AGAIN,
	/* Leftovers of a dead child hold outboard.lock; they were killed, and we wait for the lock,
	   looking again and again. */
	OBI_PHASE_CLEAR_START,
	OBI_PHASE_CLEAR_EITHER,
	OBI_PHASE_CLEAR_AGAIN,
	/* SPAWN was said and is not answered yet. */
	OBI_PHASE_SPAWN_FIRST,
	OBI_PHASE_SPAWN_AGAIN,
	/* There is a process; it is not ready yet. */
	OBI_PHASE_STARTING_FIRST,
	OBI_PHASE_STARTING_AGAIN,
	/* There is a process that somebody else started; we try to take it over. */
	OBI_PHASE_ADOPTING_RECONNECT,
	OBI_PHASE_ADOPTING_EITHER,
	OBI_PHASE_ADOPTING_AGAIN,
	OBI_PHASE_READY,
	/* The process is being ended. When it is dead: */
	OBI_PHASE_STOP_ASKED,	/* stopped, as asked */
	OBI_PHASE_STOP_CLOSE,	/* closed, as asked */
	OBI_PHASE_STOP_FAILED,	/* stopped, and the start has failed */
	OBI_PHASE_STOP_REPLACE, /* start a new one for the request that is open */
	OBI_PHASE_STOP_RETRY,	/* let the restart policy go on, counted */
	OBI_PHASE_STOP_VERSION, /* restart at once, uncounted */
	OBI_PHASE_STOPPED,
	OBI_PHASE_BACKOFF,
	OBI_PHASE_FAILED,
	OBI_PHASE_DETACHED, /* a child may live, but it is not watched by us */
	OBI_PHASE_CLOSED,
	OBI_PHASE_COUNT
};

enum obi_life_event {
	/* Requests. */
	OBI_LIFE_START = 0,
	OBI_LIFE_RECONNECT,
	OBI_LIFE_START_OR_RECONNECT,
	OBI_LIFE_SUPERVISE, /* start or adopt, and follow the restart policy from the first failure
			       on; nobody waits */
	OBI_LIFE_STOP,
	OBI_LIFE_DETACH,
	OBI_LIFE_CLOSE,
	OBI_LIFE_CANCEL, /* who waits for the start has timed out or cancelled */
	OBI_LIFE_KILL,	 /* who waits for the stop has: end it now */
	/* What PROBE found: parent.lock taken, and outboard.lock ... */
	OBI_LIFE_LOCK_FREE, /* also in CLEAR, when the leftovers are gone */
	OBI_LIFE_LOCK_LIVE, /* held, and the recorded process lives: its pidfd is open, its procid
			       has matched */
	OBI_LIFE_LOCK_LEFTOVERS, /* held, and the recorded process is dead */
	OBI_LIFE_LOCK_FAILED,	 /* parent.lock is another's, or the directory cannot be used */
	/* What SPAWN led to. */
	OBI_LIFE_SPAWNED,
	OBI_LIFE_SPAWN_FAILED,
	/* The child. */
	OBI_LIFE_BECAME_READY,
	OBI_LIFE_READY_TIMEOUT, /* it never became ready */
	OBI_LIFE_ADOPT_OK,
	OBI_LIFE_ADOPT_FAILED, /* it was ready once, lives, and cannot be taken over: refused, or
				  silent for too long */
	OBI_LIFE_EXITED,       /* its pidfd says so */
	OBI_LIFE_STOP_TIMEOUT,
	OBI_LIFE_BACKOFF_OVER,
	OBI_LIFE_GAVE_UP,     /* what ARM_BACKOFF may lead to */
	OBI_LIFE_UNWELL,      /* health says restart, or it is of the wrong version even when new */
	OBI_LIFE_VERSION_OLD, /* it answered checkVersion with needs_restart, and shuts down by
				 itself */
	OBI_LIFE_COUNT
};

enum obi_life_action {
	OBI_DO_NEVER = 1 << 0, /* rule 5 */
	OBI_DO_REFUSE =
	    1 << 1, /* end the new request with obi_lifecycle_refusal(); what runs is not touched */
	OBI_DO_FORGIVE = 1 << 2, /* obi_restart_state_clear() */
	OBI_DO_DISARM = 1 << 3,
	OBI_DO_SIGNAL_STOP = 1 << 4, /* the stop signal, then SIGCONT, to the process */
	OBI_DO_KILL_GROUP = 1 << 5,  /* SIGKILL to its process group */
	OBI_DO_KILL_LEFTOVERS =
	    1 << 6, /* SIGKILL to the group of the dead recorded process, if one is recorded */
	OBI_DO_REAP = 1 << 7, /* it is dead: kill the rest of its group, drain its logs, reap, close
				 link and pidfd */
	OBI_DO_LET_GO = 1 << 8, /* it lives: close link, pidfd and logs, touch nothing */
	OBI_DO_EMIT_EXITED = 1 << 9,
	OBI_DO_EMIT_RESTARTING = 1 << 10, /* at once: with a delay of 0 */
	OBI_DO_PROBE = 1 << 11, /* take parent.lock if it is not ours yet, look at outboard.lock;
				   answer LOCK_... */
	OBI_DO_REPLACE_LOCK =
	    1 << 12, /* unlink outboard.lock: whoever holds the old one no longer counts */
	OBI_DO_SPAWN =
	    1 << 13, /* clean the directory up, make files, spawn; answer SPAWNED or SPAWN_FAILED */
	OBI_DO_ADOPT =
	    1 << 14, /* open the FIFOs that are there, dial, authenticate, ask health and version */
	OBI_DO_ARM_READY = 1 << 15, /* the ready timeout; and, after a spawn, watch for what the
				       ready mode waits for */
	OBI_DO_ARM_STOP = 1 << 16,  /* the stop timeout */
	OBI_DO_ARM_BACKOFF =
	    1 << 17, /* ask supervisor/backoff: arm, and emit `restarting`; or answer GAVE_UP */
	OBI_DO_CLEANUP = 1 << 18, /* remove outboard.json, the FIFOs and the socket */
	OBI_DO_SAVE = 1 << 19,	  /* write state.json */
	OBI_DO_RELEASE = 1 << 20, /* give parent.lock back */
	OBI_DO_EMIT_STARTING = 1 << 21,
	OBI_DO_EMIT_READY = 1 << 22,
	OBI_DO_EMIT_ADOPTED = 1 << 23,
	OBI_DO_EMIT_DETACHED = 1 << 24,
	OBI_DO_EMIT_FAILED = 1 << 25,
	OBI_DO_EMIT_STOPPED = 1 << 26,
	OBI_DO_START_OK = 1 << 27,   /* finish the open start request */
	OBI_DO_START_FAIL = 1 << 28, /* the same, with the error that the shell noted */
	OBI_DO_STOP_DONE =
	    1 << 29, /* finish every open stop and detach request, if there are any */
	OBI_DO_CLOSE_DONE = 1 << 30, /* the connector may be freed */
};

struct obi_step {
	uint8_t next;	  /* enum obi_phase */
	uint32_t actions; /* enum obi_life_action, or-ed */
};

/* The machine. A new connector is in OBI_PHASE_IDLE. */
struct obi_step obi_lifecycle_step(enum obi_phase phase, enum obi_life_event event);

/* The enum ob_state that a user sees; CLOSED shows as stopped. */
uint32_t obi_lifecycle_state(enum obi_phase phase);

/* Whether a process of ours exists: its pidfd is open and watched. */
bool obi_lifecycle_has_process(enum obi_phase phase);

/* Whether there is a process that was started and is not ready yet; or one that we try to take
 * over. */
static inline bool obi_lifecycle_is_starting(enum obi_phase phase)
{
	return phase == OBI_PHASE_STARTING_FIRST || phase == OBI_PHASE_STARTING_AGAIN;
}

static inline bool obi_lifecycle_is_adopting(enum obi_phase phase)
{
	return phase >= OBI_PHASE_ADOPTING_RECONNECT && phase <= OBI_PHASE_ADOPTING_AGAIN;
}

/* Whether a start, reconnect or start-or-reconnect request is open. */
bool obi_lifecycle_start_open(enum obi_phase phase);

/* The OB_E... code of a refused request. */
int obi_lifecycle_refusal(enum obi_phase phase, enum obi_life_event event);

/* For messages and tests: "STOP_ASKED", "LOCK_FREE". */
const char *obi_phase_name(enum obi_phase phase);
const char *obi_life_event_name(enum obi_life_event event);

#endif
