/* SPDX-License-Identifier: MIT */
/* process/process - a process whose procid matched: signals to it, its death and its exit status.
 */
#ifndef OBI_PROCESS_PROCESS_H
#define OBI_PROCESS_PROCESS_H

#include <outboard/outboard.h>
#include <sys/types.h>

#include "process/procid.h"

/* A process that we watch. Zeroed with pidfd -1: none. */
struct obi_process {
	struct obi_procid id;
	int pidfd; /* CLOEXEC; POLLIN: dead. -1: none */
	bool own;  /* our child: we reap it */
};

struct obi_exit {
	enum ob_exit_kind kind;
	int value; /* exit code or signal number */
};

#define OBI_PROCESS_NONE ((struct obi_process){.pidfd = -1})

/* Open the process that id means. OB_ENOENT: it is dead (a zombie counts as dead), or its pid is
 * another's now. */
int obi_process_open(const struct obi_procid *id, struct obi_process *ret, struct ob_error *reterr);

/* The same for a pid and the time in CLOCK_BOOTTIME ns at which that pid was written down: a
 * process that started later is another one. */
int obi_process_open_pid(int32_t pid, uint64_t noted_ns, struct obi_process *ret,
			 struct ob_error *reterr);

/* The user that it runs as. OB_ENOENT: it is gone. */
int obi_process_user(const struct obi_process *process, uid_t *ret_uid, struct ob_error *reterr);

/* Close the pidfd; the process is not touched. */
void obi_process_close(struct obi_process *process);

/* Whether it is dead, reaped or not. Never blocks. */
bool obi_process_is_dead(const struct obi_process *process);

/* The same, waiting for at most ms until it is. Signals do not end the wait. */
bool obi_process_dies(const struct obi_process *process, int64_t ms);

/* Wait until our child is dead, and reap it, unless somebody else was faster: for one that cannot
 * live on. */
void obi_process_reap(const struct obi_process *process);

/* Send sig to the process. OB_ENOENT: it is dead. */
int obi_process_signal(const struct obi_process *process, int sig, struct ob_error *reterr);

/*
 * Send sig to its process group. Its pid stands for the group only as long as the process is ours
 * and not reaped, or its pidfd is silent; where the kernel can signal a group through the pidfd
 * that is used and nothing can go wrong, else a window of some instructions is left between look
 * and kill. OB_ENOENT: nobody to signal.
 */
int obi_process_signal_group(const struct obi_process *process, int sig, struct ob_error *reterr);

/*
 * SIGKILL to what is left of the group of a dead process that we have no pidfd of. Only if nobody
 * has its pid: then the group's members are its own, since the kernel gives out no pid that is
 * still a group's. OB_ENOENT: there is nobody, or it cannot be told who it is.
 */
int obi_leftovers_kill(const struct obi_procid *leader, struct ob_error *reterr);

/*
 * The end of a dead process: SIGKILL to the rest of its group, reap it if it is ours, tell how it
 * ended if anybody can tell, close the pidfd. Without effect on a live one (OB_EAGAIN). OB_EBUSY:
 * it is dead and ours, but whoever traces it has not let go of it; *ret_exit is written, and the
 * process is still open: let it be reaped later (process/orphans).
 */
int obi_process_end(struct obi_process *process, struct obi_exit *ret_exit);

/* From a wait status, as waitpid(2) and libev give it. */
struct obi_exit obi_exit_of_status(int status);

#endif
