/* SPDX-License-Identifier: MIT */
/* support/vmm - a muxer process (tests/children/muxer.c) that acts as a VMM, and obeys
 * orders. */
#ifndef OB_TESTS_SUPPORT_VMM_H
#define OB_TESTS_SUPPORT_VMM_H

#include <sys/types.h>

struct vmm {
	pid_t pid;
	int orders;
	int answers;
	char *path;  /* its socket: hvsock://PATH:port connects to hvsock://GUEST:port */
	char *guest; /* prefix of the guest's sockets, as a path to listen on */
};

/* Start one whose sockets are in dir. */
void vmm_begin(struct vmm *vmm, const char *dir);
void vmm_end(struct vmm *vmm);

/* Give an order and wait for its answer; returns the number in it, if any. */
unsigned vmm_order(struct vmm *vmm, const char *order);

#endif
