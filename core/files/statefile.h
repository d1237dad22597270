/* SPDX-License-Identifier: MIT */
/*
 * files/statefile - state.json: what a parent must leave to the next one, and what `outboard
 * status` shows. Only the holder of parent.lock writes it; anybody of the same user reads it.
 */
#ifndef OBI_FILES_STATEFILE_H
#define OBI_FILES_STATEFILE_H

#include "files/restart_state.h"
#include "files/datadir.h"

#define OBI_RECORD_SIZE	  128
#define OBI_INSTANCE_SIZE 33 /* 32 hex digits: which start of the child it is */

enum obi_desired { OBI_DESIRED_STOPPED = 0, OBI_DESIRED_RUNNING };

struct obi_statefile {
	uint32_t state; /* enum ob_state when it was written */
	enum obi_desired desired;
	char record[OBI_RECORD_SIZE]; /* finds the process again; of its place; "": none */
	char instance[OBI_INSTANCE_SIZE];
	struct obi_restart_state restart;
	char restart_boot[OBI_BOOT_ID_SIZE]; /* the boot that restart.last_ms belongs to */
	char config_hash[65];		     /* of the options that the child was started with */
	int64_t started_ms;		     /* of the process, CLOCK_REALTIME; for people */
	int64_t started_boot_ms;	     /* the same, CLOCK_BOOTTIME */
	bool adopted;
	bool was_ready;
	uint64_t version;  /* what the child last said; 0: not known */
	char address[256]; /* where it listens */
	struct obi_exit last_exit;
	char last_error[256];
};

/* Read it. OB_ENOENT: there is none. OB_EINVAL: it cannot be understood (the caller goes on as if
 * there were none). Restart counters of another boot come back forgiven. */
int obi_statefile_read(const struct obi_datadir *dir, struct obi_statefile *ret,
		       struct ob_error *reterr);

/* Write it, not synced: after a power loss nothing in it is true any more. */
int obi_statefile_write(const struct obi_datadir *dir, const struct obi_statefile *state,
			struct ob_error *reterr);

/* The process of a record that the local place wrote; pid 0: there is none, or it is of another
 * place. */
struct obi_procid obi_statefile_procid(const struct obi_statefile *state);

/* The bytes of it, and back. */
int obi_statefile_parse(struct ob_bytes text, struct obi_statefile *ret, struct ob_error *reterr);
int obi_statefile_format(const struct obi_statefile *state, struct ob_sink *out,
			 struct ob_error *reterr);

#endif
