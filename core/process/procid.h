/* SPDX-License-Identifier: MIT */
/*
 * process/procid - the identity of a process.
 *
 * A pid is reused. A procid is boot id + pid + start time + inode of the pidfd (where the kernel
 * has pidfs), so it fits one process only, also after a restart of the parent. Signals go through
 * a pidfd whose procid has matched.
 */
#ifndef OBI_PROCESS_PROCID_H
#define OBI_PROCESS_PROCID_H

#include <outboard/abi.h>

#define OBI_BOOT_ID_SIZE     37
#define OBI_PROCID_TEXT_SIZE 96

struct obi_procid {
	int32_t pid;	/* 0: no process */
	uint64_t start; /* since boot, in clock ticks, whatever our time namespace adds */
	uint64_t inode; /* of its pidfd; 0: not known */
	char boot[OBI_BOOT_ID_SIZE];
};

/* The id of this boot. OB_EIO: /proc does not have it. */
int obi_boot_id(char boot[OBI_BOOT_ID_SIZE], struct ob_error *reterr);

/* The procid of the process behind pidfd; pid is its pid. OB_ENOENT: it is dead and reaped. Another
 * error says nothing about the process. */
int obi_procid_of(int pidfd, int32_t pid, struct obi_procid *ret, struct ob_error *reterr);

/* Whether both name the same process. An inode that is not known in one of them is not compared.
 * Where both are known, the start may differ by a tick: so much may be lost where a time namespace
 * adds parts of a tick. */
bool obi_procid_equal(const struct obi_procid *a, const struct obi_procid *b);

/* "BOOT:PID:START:INODE", and back. OB_EINVAL: it does not have this form. */
void obi_procid_text(const struct obi_procid *id, char text[OBI_PROCID_TEXT_SIZE]);
int obi_procid_parse(const char *text, struct obi_procid *ret);

/* The length of a clock tick. */
uint64_t obi_clock_tick_ns(void);

/* What a child writes into the file `start` before exec: "PID BOOTTIME_NS\n". OB_EINVAL: it does
 * not have this form. */
int obi_signature_parse(const char *text, int32_t *ret_pid, uint64_t *ret_noted_ns);

/* OB_EINVAL: the text is not that of this process. */
int obi_procid_expect(const struct obi_procid *id, const char *text, struct ob_error *reterr);

/* Read at most cap - 1 bytes of a file of /proc, and add a NUL. Returns 0 or a negative errno. */
int obi_proc_read(const char *path, char *text, size_t cap);

#endif
