/* SPDX-License-Identifier: MIT */
/*
 * files/statefile - state.json: what the next parent needs, and what `outboard status` shows. Only
 * the holder of parent.lock writes it; every process of the same user may read it.
 */
#ifndef OBI_FILES_STATEFILE_H
#define OBI_FILES_STATEFILE_H

#include "base/placeholders.h"
#include "files/restart_state.h"
#include "files/datadir.h"
#include "files/statedir.h"
#include "process/cgroup.h"

#define OBI_PLACE_RECORD_SIZE 128
#define OBI_FILE_STATE	      "state.json"
#define OBI_TOKEN_SIZE	      65   /* 64 hex digits */
#define OBI_ADDRESS_SIZE      1024 /* of the longest address of a child, with its NUL */
#define OBI_PLUGIN_NAME_SIZE  32
#define OBI_LISTS_SIZE	      256 /* of the names of eight mechanisms, with commas */
#define OBI_INSTANCE_SIZE     33  /* 32 hex digits: which start of the child it is */
#define OBI_RUN_SIZE	      33  /* 32 hex digits: which process answers */

/* What the child says of the process that answers its calls; zeroed: nothing. Nothing is signalled
 * by it. */
struct obi_child_run {
	char id[OBI_RUN_SIZE]; /* `run` of health; "": it has none */
	int32_t pid;	       /* as the child sees it; 0: not known */
	int64_t uptime_ms;     /* when it answered last; 0: not known */
};

#define OBI_CLEANUP_SIZE     512 /* of the cleanup command with its arguments */
#define OBI_CLEANUP_ARGS_MAX 32

/* The command that cleans up after the process of this start. */
struct obi_cleanup_state {
	/* Its arguments, each with its NUL, and an empty one at the end. Empty: none. */
	char argv[OBI_CLEANUP_SIZE];
	int64_t timeout_ms;
	bool pending;			    /* it has not succeeded yet */
	char record[OBI_PLACE_RECORD_SIZE]; /* the process that runs it; "": none */
};

/* Copy argv, which is ended by NULL and may be NULL itself. OB_EINVAL: it is too long. */
int obi_cleanup_state_set(struct obi_cleanup_state *state, const char *const *argv,
			  struct ob_error *reterr);
/* The arguments, ended by NULL; they point into state. */
void obi_cleanup_argv(const struct obi_cleanup_state *state,
		      const char *argv[OBI_CLEANUP_ARGS_MAX + 1]);

/* What the local place keeps of a start. */
struct obi_local_state {
	uint32_t uid; /* of the child */
	uint32_t gid;
	struct obi_lock_id lock;     /* of this start's outboard.lock */
	struct obi_cgroup_id cgroup; /* of this start; path "": none, or it was removed */
	struct obi_cleanup_state cleanup;
	uint32_t leftover;	      /* enum ob_leftover of this start */
	struct obi_directory_id made; /* the data directory, if we made it */
};

enum obi_desired { OBI_DESIRED_STOPPED = 0, OBI_DESIRED_RUNNING };

struct obi_statefile {
	uint32_t state; /* enum ob_state when it was written */
	enum obi_desired desired;
	char record[OBI_PLACE_RECORD_SIZE]; /* by which its place finds the process again; "": none
					     */
	char instance[OBI_INSTANCE_SIZE];
	/* How the child of this start is reached: what its outboard.json was made with. */
	char token[OBI_TOKEN_SIZE];
	char listen[OBI_ADDRESS_SIZE];
	char codec[OBI_PLUGIN_NAME_SIZE];
	char auth[OBI_LISTS_SIZE];	      /* names, joined by commas */
	char transport[OBI_PLUGIN_NAME_SIZE]; /* "": by the scheme */
	bool allow_plaintext;
	struct obi_numbers numbers;   /* that were allocated to it; they are kept after its end */
	uint32_t message_max;	      /* 0: the default */
	struct obi_local_state local; /* the place fills it in */
	struct obi_restart_state restart;
	char restart_boot[OBI_BOOT_ID_SIZE]; /* the boot that restart.last_ms belongs to */
	char config_hash[65];		     /* of the options that the child was started with */
	int64_t started_ms;		     /* of the process, CLOCK_REALTIME */
	int64_t started_boot_ms;	     /* the same, CLOCK_BOOTTIME */
	bool adopted;
	bool was_ready;
	uint64_t version; /* reported by the child; 0: not known */
	struct obi_child_run run;
	char address[OBI_ADDRESS_SIZE]; /* where it is dialled */
	/* Where the parent listens for the child, which dials; "": it is dialled. */
	char accept[OBI_ADDRESS_SIZE];
	/* Where others are said to dial: to be shown. "": nowhere, or not known. */
	char client_address[OBI_ADDRESS_SIZE];
	/* The state directory of the agent that the child is behind; its place fills it in. "": it
	 * is behind none, or the path is too long. Of a record of another place it says nothing. */
	char agent[OBI_ADDRESS_SIZE];
	struct obi_exit last_exit;
	char last_error[256];
};

/* Read it. OB_ENOENT: it is missing. OB_EINVAL, OB_ETOOBIG, OB_EPERM: it is malformed, or not ours.
 * Restart counters of another boot are cleared. */
int obi_statefile_read(const struct obi_statedir *dir, struct obi_statefile *ret,
		       struct ob_error *reterr);

/* The same for whoever goes on without one: *ret_has is false, and *ret as it was, if there is none
 * that can be believed. Fails if that cannot be told: OB_ENOMEM, OB_EIO. */
int obi_statefile_find(const struct obi_statedir *dir, struct obi_statefile *ret, bool *ret_has,
		       struct ob_error *reterr);

/* Set restart_boot: the restart counters that are to be written are of this boot. */
void obi_statefile_note_boot(struct obi_statefile *state);

/* Write it, without fsync: after a power loss its content is void. */
int obi_statefile_write(const struct obi_statedir *dir, const struct obi_statefile *state,
			struct ob_error *reterr);

/* Copy the `run` of a child. False: it is not 32 hex digits. */
bool obi_run_id_read(struct ob_bytes text, char ret[OBI_RUN_SIZE]);

/* The process of a record that the local place wrote; pid 0: there is none, or it is of another
 * place. */
struct obi_procid obi_statefile_procid(const struct obi_statefile *state);

/* The text of the file, and back. */
int obi_statefile_parse(struct ob_bytes text, struct obi_statefile *ret, struct ob_error *reterr);
int obi_statefile_format(const struct obi_statefile *state, struct ob_sink *out,
			 struct ob_error *reterr);

#endif
