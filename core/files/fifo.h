/* SPDX-License-Identifier: MIT */
/*
 * files/fifo - the pipes that carry a child's output past the life of a parent.
 *
 * Both sides hold a FIFO open for reading and writing, through open files of their own: neither
 * side then sees EOF or SIGPIPE when the other comes and goes, and O_NONBLOCK of the parent does
 * not reach the child.
 */
#ifndef OBI_FILES_FIFO_H
#define OBI_FILES_FIFO_H

#include <outboard/abi.h>

#include <sys/types.h>

struct obi_fifo {
	int fd;	      /* the parent's end: O_RDWR, O_NONBLOCK, CLOEXEC; -1: none */
	int child_fd; /* to be given to a child: O_RDWR, blocking, CLOEXEC; -1: none */
};

#define OBI_FIFO_NONE ((struct obi_fifo){-1, -1})

/*
 * Replace name by a new FIFO of mode 0600, owned by uid and gid (-1: ours), and open both ends.
 * bytes is the size the pipe is to have; a system that does not allow it gives what it gives. what
 * is "stdout" or "stderr": "creating stdout FIFO: ..."
 */
int obi_fifo_make(int dirfd, const char *name, const char *what, uint32_t bytes, uid_t uid,
		  gid_t gid, struct obi_fifo *ret, struct ob_error *reterr);

/* Open the parent's end of one that is there, with what is in it. Refused: anything but a FIFO that
 * is ours or owner's, a symlink too. "opening stdout FIFO: ..." */
int obi_fifo_open(int dirfd, const char *name, const char *what, uid_t owner, struct obi_fifo *ret,
		  struct ob_error *reterr);

/* Close the child's end, after the spawn. */
void obi_fifo_close_child(struct obi_fifo *fifo);
void obi_fifo_close(struct obi_fifo *fifo);

#endif
