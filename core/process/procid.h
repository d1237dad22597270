/* SPDX-License-Identifier: MIT */
/*
 * process/procid - which process is meant, beyond doubt.
 *
 * A pid alone names whoever has it now. A procid is boot id + pid + start time + inode of its pidfd
 * (where the kernel has pidfs), so it fits one process only, also after our own restart. Signals go
 * through a pidfd whose procid has matched.
 */
#ifndef OBI_PROCESS_PROCID_H
#define OBI_PROCESS_PROCID_H

#include <outboard/abi.h>

#define OBI_BOOT_ID_SIZE     37
#define OBI_PROCID_TEXT_SIZE 96

struct obi_procid {
	int32_t pid;	/* 0: no process */
	uint64_t start; /* since boot, in clock ticks, as /proc/PID/stat has it */
	uint64_t inode; /* of its pidfd; 0: not known */
	char boot[OBI_BOOT_ID_SIZE];
};

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

/* Read a file of /proc as text: at most cap - 1 bytes and a NUL. A negative errno on failure. */
int obi_proc_read(const char *path, char *text, size_t cap);

#endif
