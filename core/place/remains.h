/* SPDX-License-Identifier: MIT */
/*
 * place/remains - what a child leaves behind when its process is dead: processes that still hold
 * its lock, and what its cleanup command has to clean up. A child is gone when the lock is free and
 * the command has succeeded; only then may another one be started.
 *
 *  1. The process group was killed by the caller. Grandchildren take some ms to die: wait 100 ms.
 *  2. If the lock is still held, the child is lingering. Its holders are searched for and named.
 *  3. The cleanup command runs, if there is one. It runs for a free lock, too: what it ends may
 *     not have inherited the lock.
 *  4. What still holds the lock is treated as the option `leftover` says. To kill means SIGKILL to
 *     those holders that are the child's beyond doubt (process/holders). Others are named and left
 *     alone, and do not count any more after stop_timeout.
 *
 * Who is in the child's cgroup counts as a holder that is the child's, with or without the lock.
 * When the child is gone, its cgroup is removed.
 */
#ifndef OBI_PLACE_REMAINS_H
#define OBI_PLACE_REMAINS_H

#include "files/statefile.h"
#include "place/cleanup.h"
#include "place/holder_search.h"

/* Of a runtime. */
struct obi_remains_hub {
	struct obi_holder_hub holders;
	struct obi_cleanup_hub cleanups;
};

enum obi_lock_look { OBI_LOOK_FREE = 0, OBI_LOOK_HELD, OBI_LOOK_ALIVE };

/* All are required. Only done may free the remains, or begin them anew. */
struct obi_remains_events {
	/* Who holds the lock. OBI_LOOK_ALIVE: the child's process lives after all. */
	enum obi_lock_look (*look)(void *user);
	/* Who holds the lock does not count any more. */
	void (*forget_lock)(void *user);
	/* Something that a person should know. */
	void (*said)(void *user, const char *text);
	/* Output of the cleanup command. */
	void (*log)(void *user, struct ob_bytes chunk);
	/* state->cleanup has changed, and must be saved. */
	void (*changed)(void *user);
	/* The child is gone, or lives after all; err: it is not gone, and nothing is done about
	 * it any more. */
	void (*done)(void *user, const struct ob_error *err);
	void *user;
};

struct obi_remains_setup {
	struct obi_loop *loop;
	struct obi_remains_hub *hub;
	struct obi_local_state
	    *state; /* uid, lock, cgroup and cleanup are read; cleanup, cgroup are written */
	const char *config_path; /* OUTBOARD_CONFIG of the child */
	/* env, env_clear (of the cleanup command) and stop_timeout_ms. */
	const struct ob_connector_options *options;
	struct obi_remains_events events;
};

struct obi_remains {
	struct obi_remains_setup setup;
	struct obi_holder_search search;
	struct obi_cleanup cleanup;
	struct obi_timer timer; /* looks at the lock */
	bool active;
	bool hurry;
	bool lingering;	    /* the 100 ms are over */
	bool searched;	    /* its holders were searched for once */
	bool cleaned;	    /* the command has run, or there is none */
	bool exited_well;   /* the dead process ended with status 0 */
	bool lives;	    /* by the last look: its process lives after all */
	bool only_cgroup;   /* by the last look: the lock is free */
	int32_t session;    /* that the dead process led; 0: not known */
	int64_t settle_at;  /* until then no more than looking */
	int64_t search_at;  /* when to search next */
	int64_t deadline;   /* when to give up */
	bool complete;	    /* the last search saw all that can be seen */
	bool thorough;	    /* and it did not stop at the first place with a holder */
	int64_t cleanup_by; /* until then a command that cannot be started is tried again */
	bool ours_live;	    /* the last search found holders that may be killed */
	char holders[160];  /* what the last search found */
	uint64_t said;	    /* a key of the last text */
};

void obi_remains_init(struct obi_remains *remains, const struct obi_remains_setup *setup);
void obi_remains_free(struct obi_remains *remains);

/* A process of this child lives. It leads its session. */
void obi_remains_note_living(struct obi_remains *remains, int32_t pid);

enum obi_remains_flag {
	OBI_REMAINS_WELL = 1 << 0,  /* the process ended with status 0 */
	OBI_REMAINS_HURRY = 1 << 1, /* as obi_remains_hurry() */
};

/*
 * The process is dead, and its group was killed. pid: of the process, 0: not known. Leads to one
 * `done`, unless it is stopped first; the call of done may come before this returns.
 */
void obi_remains_begin(struct obi_remains *remains, int32_t pid, uint32_t flags);

/* Kill what may be killed now, whatever `leftover` says, and wait no longer than needed. */
void obi_remains_hurry(struct obi_remains *remains);

void obi_remains_stop(struct obi_remains *remains);

static inline bool obi_remains_is_active(const struct obi_remains *remains)
{
	return remains->active;
}

#endif
