/* SPDX-License-Identifier: MIT */
/*
 * files/statefile - state.json: what the next parent needs, and what `outboard status` shows. Only
 * the holder of parent.lock writes it; every process of the same user may read it.
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
	char record[OBI_RECORD_SIZE]; /* by which its place finds the process again; "": none */
	char instance[OBI_INSTANCE_SIZE];
	struct obi_restart_state restart;
	char restart_boot[OBI_BOOT_ID_SIZE]; /* the boot that restart.last_ms belongs to */
	char config_hash[65];		     /* of the options that the child was started with */
	int64_t started_ms;		     /* of the process, CLOCK_REALTIME */
	int64_t started_boot_ms;	     /* the same, CLOCK_BOOTTIME */
	bool adopted;
	bool was_ready;
	uint64_t version;  /* reported by the child; 0: not known */
	char address[256]; /* where it listens */
	struct obi_exit last_exit;
	char last_error[256];
};

/* Read it. OB_ENOENT: it is missing. OB_EINVAL: it is malformed; the caller goes on as if it were
 * missing. Restart counters of another boot are cleared. */
int obi_statefile_read(const struct obi_datadir *dir, struct obi_statefile *ret,
		       struct ob_error *reterr);

/* Write it, without fsync: after a power loss its content is void. */
int obi_statefile_write(const struct obi_datadir *dir, const struct obi_statefile *state,
			struct ob_error *reterr);

/* The process of a record that the local place wrote; pid 0: there is none, or it is of another
 * place. */
struct obi_procid obi_statefile_procid(const struct obi_statefile *state);

/* The text of the file, and back. */
int obi_statefile_parse(struct ob_bytes text, struct obi_statefile *ret, struct ob_error *reterr);
int obi_statefile_format(const struct obi_statefile *state, struct ob_sink *out,
			 struct ob_error *reterr);

#endif
