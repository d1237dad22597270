/* SPDX-License-Identifier: MIT */
/* support/deny - system calls that a seccomp filter denies from now on, in all threads of this
 * process and in the processes that it starts. Cannot be undone. For programs that are not linked
 * with the other parts of support/, too. */
#ifndef OB_TESTS_SUPPORT_DENY_H
#define OB_TESTS_SUPPORT_DENY_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline bool deny_install(struct sock_filter *filter, unsigned short len)
{
	struct sock_fprog program = {.len = len, .filter = filter};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) ==
		   0;
}

/* The call of this number fails with this errno. False: the kernel takes no filter. */
static inline bool deny_call(unsigned number, unsigned sys)
{
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (sys & SECCOMP_RET_DATA)),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	return deny_install(filter, sizeof filter / sizeof *filter);
}

/* kill and pidfd_send_signal with this signal fail with this errno, whomever they are for. */
static inline bool deny_signal(unsigned signal, unsigned sys)
{
	/* The low half of the second argument. */
	const unsigned at = offsetof(struct seccomp_data, args[1]) +
			    (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0);
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 1, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 3),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, signal, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (sys & SECCOMP_RET_DATA)),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	return deny_install(filter, sizeof filter / sizeof *filter);
}

#endif
