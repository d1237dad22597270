/* SPDX-License-Identifier: MIT */
/*
 * process/procid - which process is meant, beyond doubt, and the signals and status of a process
 * that is known so.
 *
 * A pid alone names whoever has it now. A procid is boot id + pid + start time + inode of its pidfd
 * (where the kernel has pidfs), so it fits one process only, also after our own restart. Signals go
 * through a pidfd whose procid has matched.
 */
#ifndef OBI_PROCESS_PROCID_H
#define OBI_PROCESS_PROCID_H

#include <outboard/outboard.h>

#define OBI_BOOT_ID_SIZE     37
#define OBI_PROCID_TEXT_SIZE 96

struct obi_procid {
	int32_t pid;	/* 0: no process */
	uint64_t start; /* since boot, in clock ticks, as /proc/PID/stat has it */
	uint64_t inode; /* of its pidfd; 0: not known */
	char boot[OBI_BOOT_ID_SIZE];
};

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

/* The id of this boot. OB_EIO where /proc does not have it. */
int obi_boot_id(char boot[OBI_BOOT_ID_SIZE], struct ob_error *reterr);

/* Note who the process behind pidfd is (pid: as the kernel gave it with the pidfd). OB_ENOENT: it
 * is gone and reaped. */
int obi_procid_of(int pidfd, int32_t pid, struct obi_procid *ret, struct ob_error *reterr);

/* Whether both are the same process; an inode that one of them does not know is no difference. */
bool obi_procid_equal(const struct obi_procid *a, const struct obi_procid *b);

/* "BOOT:PID:START:INODE", and back: OB_EINVAL when it is not of that form. */
void obi_procid_text(const struct obi_procid *id, char text[OBI_PROCID_TEXT_SIZE]);
int obi_procid_parse(const char *text, struct obi_procid *ret);

/* What a child writes into outboard.lock at its birth, "PID BOOTTIME_NS\n": OB_EINVAL when it is
 * not of that form. */
int obi_signature_parse(const char *text, int32_t *ret_pid, uint64_t *ret_noted_ns);

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
