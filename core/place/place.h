/* SPDX-License-Identifier: MIT */
/*
 * place/place - where a child runs. A supervisor reaches the process of a child, its files and its
 * pipes through the operations of a place only; one struct obi_place serves one child.
 *
 * The rules for every place, be it this machine or an agent behind a connection:
 *
 *  - Operations do not wait, except `end` with wait_ms. They are carried out in the order in which
 *    they were called.
 *  - An operation with an answer is given a number, and its answer brings the number back. There
 *    is exactly one answer, also where the place is lost meanwhile: then it is an error, or comes
 *    when the place is back. It may come before the operation returns. A caller that does not want
 *    an answer any more ignores its number.
 *  - Other operations may be called while an answer is due.
 *  - Events of a process come after the answer to the spawn or the call of adopt. `exited` comes
 *    once; all that the process wrote was logged before it. It is followed by `remains` as often as
 *    there is something to say, and by one `gone`, which is the last.
 *  - A place that is lost says nothing about the process. Signals that were sent meanwhile may be
 *    lost.
 *  - After `detach` no answer and no event follows until the next operation. A process whose spawn
 *    was not answered yet is ended by the place.
 */
#ifndef OBI_PLACE_PLACE_H
#define OBI_PLACE_PLACE_H

#include <outboard/config.h>

#include "files/statefile.h"

struct obi_place;

/* A process at a place. */
struct obi_place_child {
	int32_t pid;			    /* 0: none */
	char record[OBI_PLACE_RECORD_SIZE]; /* finds it again, also for the next parent; "": none */
};

/* Which processes of the child there are. */
struct obi_place_facts {
	bool alive; /* `child` lives and can be adopted */
	bool held;  /* something of an earlier start lives, or must be cleaned up */
	struct obi_place_child child; /* the last one that is known, dead or alive */
};

enum obi_place_flag {
	OBI_PLACE_WATCH = 1 << 0, /* report when the child changes its config */
};

/* What a place reports. All are required. err: NULL: it was done. No event may free the place. */
struct obi_place_events {
	/* state: what an earlier parent saved; NULL: nothing, or the place was ours already. */
	void (*probed)(void *user, uint64_t op, const struct obi_place_facts *facts,
		       const struct obi_statefile *state, const struct ob_error *err);
	void (*prepared)(void *user, uint64_t op, const struct ob_error *err);
	void (*spawned)(void *user, uint64_t op, const struct obi_place_child *child,
			const struct ob_error *err);
	void (*adopted)(void *user, uint64_t op, const struct ob_error *err);
	void (*resolved)(void *user, uint64_t op, const char *address, const struct ob_error *err);

	/* The process is dead, and this is still there, or is done about it. */
	void (*remains)(void *user, const char *text);
	/* What the place keeps in the state has changed: save it. */
	void (*unsaved)(void *user);
	/*
	 * Nothing of the child is left; or after end_holders: its process lives after all, as the
	 * facts say. err: something is left, and nothing is done about it any more; facts is NULL
	 * then.
	 */
	void (*gone)(void *user, const struct obi_place_facts *facts, const struct ob_error *err);
	/* The process cannot be ended: it may not be signalled. */
	void (*stuck)(void *user, const struct ob_error *err);
	/* The config as it is now; err: it cannot be read, and config is NULL. */
	void (*config)(void *user, const struct ob_config *config, const struct ob_error *err);
	/* stream: 1: stdout, 2: stderr, 3: the cleanup command. lost: so many bytes are missing
	 * before the chunk. */
	void (*log)(void *user, int stream, struct ob_bytes chunk, uint64_t lost);
	/* What its cgroup uses: from time to time, and before `exited`. Not called without a
	 * cgroup. */
	void (*usage)(void *user, const struct ob_cgroup_usage *usage);
	/* Just before `exited`: why, as one line for a person, where the place knows more than
	 * `how` says. */
	void (*cause)(void *user, const char *text);
	void (*exited)(void *user, const struct obi_exit *how);
	void (*lost)(void *user, const struct ob_error *err);
	void (*back)(void *user);
};

struct obi_place_ops {
	/* Take charge of the child, and find out whether it lives. create: make the data directory
	 * if it is missing. Answer: probed; OB_EBUSY: another parent has it, and had it for
	 * lock_wait_ms. */
	void (*probe)(struct obi_place *place, uint64_t op, bool create);

	/* Make config and pipes for a start; the place adds the names of the pipes to the config.
	 * flags: enum obi_place_flag. Answer: prepared. */
	void (*prepare)(struct obi_place *place, uint64_t op, struct ob_config *config,
			uint32_t flags);

	/* Start the process. Answer: spawned. */
	void (*spawn)(struct obi_place *place, uint64_t op);

	/* Watch a process that the probe or end_holders reported as alive, and open its pipes. If
	 * it is dead, `exited` follows. Answer: adopted; on an error the process is watched all
	 * the same. */
	void (*adopt)(struct obi_place *place, uint64_t op, const char *record, uint32_t flags);

	/* Report the config now. Event: config. */
	void (*read_config)(struct obi_place *place);
	/* Changes of the config need not be reported any more. */
	void (*unwatch)(struct obi_place *place);

	/* Where to dial what the child calls by this address. Answer: resolved. */
	void (*resolve)(struct obi_place *place, uint64_t op, const char *address);

	/* Send a signal to the process. It may be lost. */
	void (*signal)(struct obi_place *place, int signal);
	/* Kill the process, its group and its cgroup, and wait for at most wait_ms for the event
	 * `exited`. After it, and after end_holders: kill what is left. Event: stuck, if that is
	 * not permitted. */
	void (*end)(struct obi_place *place, int64_t wait_ms);

	/* Deal with what an earlier start left, as the option `leftover` says. Events: remains,
	 * gone. */
	void (*end_holders)(struct obi_place *place);

	/* Keep the state for the next parent. These three do nothing unless we are in charge. */
	void (*save)(struct obi_place *place, const struct obi_statefile *state);
	/* Make what was saved anew, where somebody removed it: in *ret_renewed whether something
	 * was made. OB_OK also where nothing is saved, or a place cannot tell. */
	int (*renew)(struct obi_place *place, const struct obi_statefile *state, bool *ret_renewed,
		     struct ob_error *reterr);
	/* Remove the files of the dead process. */
	void (*clear)(struct obi_place *place);

	/* Let go of the process, if there is one, and be in charge no more. */
	void (*detach)(struct obi_place *place);
	/* Detach and free. */
	void (*free)(struct obi_place *place);
};

/* The beginning of every place. */
struct obi_place {
	const struct obi_place_ops *ops;
	const struct obi_place_events *events; /* set by its user before the first operation */
	void *user;			       /* of the events */
};

#endif
