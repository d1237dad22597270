/* SPDX-License-Identifier: MIT */
/* process/process - a process whose procid matched: signals, death and exit status. */
#ifndef OBI_PROCESS_PROCESS_H
#define OBI_PROCESS_PROCESS_H

#include <outboard/outboard.h>
#include <sys/types.h>

#include "process/procid.h"

/* A watched process. OBI_PROCESS_NONE: none. */
struct obi_process {
	struct obi_procid id;
	int pidfd; /* CLOEXEC; POLLIN: dead. -1: none */
	bool own;  /* a child of ours: we reap it */
};

struct obi_exit {
	enum ob_exit_kind kind;
	int value; /* exit code or signal number */
};

#define OBI_PROCESS_NONE ((struct obi_process){.pidfd = -1})

/* Open the process that id names. OB_ENOENT: it is dead (a zombie counts as dead), or its pid
 * belongs to another process now. */
int obi_process_open(const struct obi_procid *id, struct obi_process *ret, struct ob_error *reterr);

/* The same for a pid that was recorded at noted_ns (CLOCK_BOOTTIME): a process that started later
 * is another one. */
int obi_process_open_pid(int32_t pid, uint64_t noted_ns, struct obi_process *ret,
			 struct ob_error *reterr);

/* What is known of a process that is dead: its pid and boot, and all of it while it is not reaped.
 */
int obi_process_identify_dead(int32_t pid, uint64_t noted_ns, struct obi_procid *ret,
			      struct ob_error *reterr);

/* The effective user of the process. OB_ENOENT: it is dead and reaped. */
int obi_process_user(const struct obi_process *process, uid_t *ret_uid, struct ob_error *reterr);

/* Close the pidfd. The process goes on. */
void obi_process_close(struct obi_process *process);

/* Whether it is dead, reaped or not. Never blocks. */
bool obi_process_is_dead(const struct obi_process *process);

/* The same, after a wait of at most ms for its death. Signals do not end the wait. */
bool obi_process_dies(const struct obi_process *process, int64_t ms);

/* Wait for the death of our child and reap it, unless it was reaped elsewhere: for a child that is
 * about to die. */
void obi_process_reap(const struct obi_process *process);

/* Send sig to the process. OB_ENOENT: it is dead. */
int obi_process_signal(const struct obi_process *process, int sig, struct ob_error *reterr);

/*
 * Send sig to the process group. Where the kernel can signal a group through the pidfd (Linux
 * 6.9), no other group can be hit. Elsewhere the pid names the group only while the process is ours
 * and not reaped, or alive: between that check and kill() there is a window of some instructions.
 * OB_ENOENT: there is nothing to signal.
 */
int obi_process_signal_group(const struct obi_process *process, int sig, struct ob_error *reterr);

/*
 * Send SIGKILL to the group of a dead process without a pidfd. Done only if no process has its pid:
 * the kernel does not reuse a pid while a group has it, so the members are those of the leader.
 * OB_ENOENT: there are none, or they cannot be identified.
 */
int obi_leftovers_kill(const struct obi_procid *leader, struct ob_error *reterr);

/*
 * Finish a dead process: send SIGKILL to the rest of its group, reap it if it is ours, return how
 * it ended as far as that is known, close the pidfd. OB_EAGAIN: it is alive; nothing was done.
 * OB_EBUSY: it is dead and ours, but its tracer has not released it; *ret_exit is written, and the
 * process stays open: it must be reaped later (process/orphans).
 */
int obi_process_end(struct obi_process *process, struct obi_exit *ret_exit);

/* From a wait status of waitpid(2) or libev. */
struct obi_exit obi_exit_of_status(int status);

#endif
