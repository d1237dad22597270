/* SPDX-License-Identifier: MIT */
/*
 * supervisor/lifecycle - the life of one child as a pure function: (phase, event) -> (phase,
 * actions).
 *
 * supervisor/machine runs it, supervisor/shell does the actions. A phase is a public state (enum
 * ob_state) and, where it matters, the reason for it. The phase is the only memory, so it tells:
 *
 *  - whether a start request is open: it is finished once, when these phases are left,
 *  - whether there is a process of ours: it is left by its exit, or by letting it go,
 *  - what follows when a process that is being ended is gone.
 *
 * A process can be dead, and yet not all that it started: only when nothing is left (GONE) has the
 * child stopped, and only then may another one be started.
 *
 * FIRST: a request waits for this start; if it fails, it ends in `stopped` and with an error.
 * AGAIN: the restart policy is at work, and goes on after a failure. The link to the child does not
 * belong to this machine.
 *
 * Rules:
 *
 *  1. An event is handled when the step before it is complete (supervisor/machine).
 *  2. There is one timer. ARM_... sets it anew, DISARM stops it. The phase decides which event it
 *     raises.
 *  3. The actions of a step are done in the order of their bits.
 *  4. PROBE, SPAWN and ADOPT may be answered late. Requests may come before that.
 *  5. CLEANUP, SAVE and RELEASE do nothing unless we hold parent.lock.
 *  6. NEVER marks an event that is impossible in this phase: a fault of this library. The phase
 *     stays.
 */
#ifndef OBI_SUPERVISOR_LIFECYCLE_H
#define OBI_SUPERVISOR_LIFECYCLE_H

#include <outboard/outboard.h>

enum obi_phase {
	OBI_PHASE_IDLE = 0,
	/* Waiting for the answer to PROBE; for this request: */
	OBI_PHASE_WAIT_START,
	OBI_PHASE_WAIT_RECONNECT,
	OBI_PHASE_WAIT_EITHER,
	OBI_PHASE_WAIT_AGAIN,
	OBI_PHASE_WAIT_STOP, /* to stop what a failed child may have left */
	/* Something of an earlier start is left, and is dealt with. After that: */
	OBI_PHASE_CLEAR_START,
	OBI_PHASE_CLEAR_EITHER,
	OBI_PHASE_CLEAR_AGAIN,
	OBI_PHASE_CLEAR_STOP,  /* stopped, as asked */
	OBI_PHASE_CLEAR_CLOSE, /* closed, as asked */
	/* SPAWN is not answered yet. */
	OBI_PHASE_SPAWN_FIRST,
	OBI_PHASE_SPAWN_AGAIN,
	/* There is a process; it is not ready yet. */
	OBI_PHASE_STARTING_FIRST,
	OBI_PHASE_STARTING_AGAIN,
	/* A process of an earlier parent is being taken over. */
	OBI_PHASE_ADOPTING_RECONNECT,
	OBI_PHASE_ADOPTING_EITHER,
	OBI_PHASE_ADOPTING_AGAIN,
	OBI_PHASE_READY,
	/* SPAWN is not answered yet, and its process is not wanted any more: it is ended as soon
	   as it is there. After that: */
	OBI_PHASE_DROP_ASKED, /* stopped */
	OBI_PHASE_DROP_CLOSE, /* closed, as asked */
	/* The process is being ended, or is dead and what it left is dealt with. After that: */
	OBI_PHASE_STOP_ASKED,	/* stopped, as asked */
	OBI_PHASE_STOP_CLOSE,	/* closed, as asked */
	OBI_PHASE_STOP_FAILED,	/* stopped, and the start has failed */
	OBI_PHASE_STOP_REPLACE, /* start a new one for the open request */
	OBI_PHASE_STOP_RETRY,	/* let the restart policy go on, counted */
	OBI_PHASE_STOP_VERSION, /* restart at once, uncounted */
	OBI_PHASE_LINGER,	/* it died unasked; let the restart policy go on */
	OBI_PHASE_STOPPED,
	OBI_PHASE_BACKOFF,
	OBI_PHASE_FAILED,
	OBI_PHASE_DONE,	    /* it ended well, and the restart policy wants no more */
	OBI_PHASE_DETACHED, /* a child may live, but is not watched */
	OBI_PHASE_CLOSED,
	OBI_PHASE_COUNT
};

enum obi_life_event {
	/* Requests. */
	OBI_LIFE_START = 0,
	OBI_LIFE_RECONNECT,
	OBI_LIFE_START_OR_RECONNECT,
	OBI_LIFE_SUPERVISE, /* start or adopt, and follow the restart policy from the first failure
			       on; no request waits */
	OBI_LIFE_STOP,
	OBI_LIFE_DETACH,
	OBI_LIFE_CLOSE,
	OBI_LIFE_CANCEL, /* the start request was aborted */
	OBI_LIFE_KILL,	 /* a stop request was aborted: kill at once */
	/* Answers to PROBE: parent.lock is ours, and of an earlier start ... */
	OBI_LIFE_LOCK_FREE,	 /* nothing is left; also in CLEAR */
	OBI_LIFE_LOCK_LIVE,	 /* the recorded process lives; also in CLEAR */
	OBI_LIFE_LOCK_LEFTOVERS, /* the recorded process is dead, and something is left */
	OBI_LIFE_LOCK_FAILED,	 /* another parent is in charge, or the directory cannot be used */
	/* Answers to SPAWN. */
	OBI_LIFE_SPAWNED,
	OBI_LIFE_SPAWN_FAILED,
	/* The child. */
	OBI_LIFE_BECAME_READY,
	OBI_LIFE_READY_TIMEOUT, /* it never became ready */
	OBI_LIFE_ADOPT_OK,
	OBI_LIFE_ADOPT_FAILED, /* it lives, and cannot be taken over: it refused, or was silent
				  for too long */
	OBI_LIFE_EXITED,       /* its process is dead; GONE or NOT_GONE follows */
	OBI_LIFE_GONE,	       /* nothing of it is left */
	OBI_LIFE_NOT_GONE,     /* something is left, and nothing is done about it; also in CLEAR */
	OBI_LIFE_STUCK,	       /* the process cannot be ended */
	OBI_LIFE_STOP_TIMEOUT, /* the time of one step of a stop is over */
	OBI_LIFE_BACKOFF_OVER,
	OBI_LIFE_GAVE_UP,     /* ARM_BACKOFF: no more restarts */
	OBI_LIFE_DONE,	      /* ARM_BACKOFF: it ended well, and no restart is wanted */
	OBI_LIFE_UNWELL,      /* health demands a restart, or its version is too old again */
	OBI_LIFE_VERSION_OLD, /* its version is too old, for the first time; it ends itself */
	OBI_LIFE_PLACE_LOST,  /* the process cannot be reached: nothing is known of it */
	OBI_LIFE_COUNT
};

/* Each action is a bit of a step's mask. */
enum obi_life_action {
	OBI_ACT_NEVER = 0, /* rule 6 */
	OBI_ACT_REFUSE,	   /* end the new request with obi_lifecycle_refusal(); the phase stays */
	OBI_ACT_FORGIVE,   /* obi_restart_state_clear() */
	OBI_ACT_DISARM,
	OBI_ACT_END_LEFTOVERS, /* deal with what an earlier start left; answer: LOCK_FREE,
				  LOCK_LIVE or NOT_GONE */
	OBI_ACT_REAP,	       /* it is dead: note how it ended, close the link */
	OBI_ACT_LET_GO,	       /* it lives: close the link, forget the process */
	OBI_ACT_EMIT_EXITED,
	OBI_ACT_EMIT_RESTARTING, /* with a delay of 0 */
	OBI_ACT_PROBE,		 /* take parent.lock, look at outboard.lock; answer: LOCK_... */
	OBI_ACT_SPAWN,		 /* make the files, spawn; answer: SPAWNED or SPAWN_FAILED */
	OBI_ACT_DROP_SPAWN,  /* the spawn is not wanted: SPAWN_FAILED at once, if that is true */
	OBI_ACT_ADOPT,	     /* open the FIFOs that exist, dial, ask for health and version */
	OBI_ACT_ARM_READY,   /* the ready timeout; after a spawn, wait for readiness */
	OBI_ACT_ARM_BACKOFF, /* ask supervisor/backoff: arm and emit `restarting`, GAVE_UP or DONE
			      */
	OBI_ACT_CLEANUP,     /* remove outboard.json, the FIFOs and the socket */
	OBI_ACT_SAVE,	     /* write state.json */
	OBI_ACT_RELEASE,     /* release parent.lock */
	OBI_ACT_EMIT_STARTING,
	OBI_ACT_STOP,	   /* the first step of a stop, with its timeout */
	OBI_ACT_STOP_NEXT, /* the next step; after the last one: STUCK */
	OBI_ACT_KILL,	   /* the last step at once: SIGKILL, also to what is left */
	OBI_ACT_AWAIT_END, /* it ends itself: arm the timeout of a stop */
	OBI_ACT_EMIT_READY,
	OBI_ACT_EMIT_ADOPTED,
	OBI_ACT_EMIT_DETACHED,
	OBI_ACT_EMIT_FAILED,
	OBI_ACT_EMIT_DONE,
	OBI_ACT_EMIT_STOPPED,
	OBI_ACT_START_OK,   /* finish the open start request */
	OBI_ACT_START_FAIL, /* the same, with the error that the shell noted */
	OBI_ACT_STOP_FAIL,  /* finish every open stop, detach and close request with the error
			       that the shell noted */
	OBI_ACT_STOP_DONE,  /* finish every open stop and detach request */
	OBI_ACT_CLOSE_DONE, /* finish the close request: the connector may be freed */
	OBI_ACT_COUNT
};

/* The bit of an action: OBI_DO(SPAWN). */
#define OBI_DO(action) (UINT64_C(1) << OBI_ACT_##action)

struct obi_step {
	uint8_t next;	  /* enum obi_phase */
	uint64_t actions; /* OBI_DO(...), or-ed */
};

/* The step for an event. The first phase is OBI_PHASE_IDLE. */
struct obi_step obi_lifecycle_step(enum obi_phase phase, enum obi_life_event event);

/* The enum ob_state that a user sees; CLOSED shows as stopped. */
uint32_t obi_lifecycle_state(enum obi_phase phase);

/* Whether there is a process of ours, or something that it left: EXITED and GONE are reported. */
bool obi_lifecycle_has_process(enum obi_phase phase);

/* Whether there is a process that was started and is not ready yet; or one that is being taken
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
