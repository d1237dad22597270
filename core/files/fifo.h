/* SPDX-License-Identifier: MIT */
/*
 * files/fifo - the pipes for the output of a child, which outlive the parent.
 *
 * Both sides have the FIFO open for reading and writing, each with an open file description of its
 * own: so neither sees EOF or SIGPIPE when the other ends, and O_NONBLOCK of the parent does not
 * affect the child.
 */
#ifndef OBI_FILES_FIFO_H
#define OBI_FILES_FIFO_H

#include <outboard/abi.h>

#include <sys/types.h>

struct obi_fifo {
	int fd;	      /* the parent's end: O_RDWR, O_NONBLOCK, CLOEXEC; -1: none */
	int child_fd; /* for the child: O_RDWR, blocking, CLOEXEC; -1: none */
};

#define OBI_FIFO_NONE ((struct obi_fifo){-1, -1})

/*
 * Replace name by a new FIFO of mode 0600, owned by uid and gid (-1: ours), and open both ends.
 * bytes is the wanted size of the pipe; if the system refuses it, the size stays as it is. what is
 * "stdout" or "stderr". "creating stdout FIFO: ..."
 */
int obi_fifo_make(int dirfd, const char *name, const char *what, uint32_t bytes, uid_t uid,
		  gid_t gid, struct obi_fifo *ret, struct ob_error *reterr);

/* Open the parent's end of an existing FIFO, with its content. Refused: symbolic links, other kinds
 * of files, and a FIFO that belongs neither to us nor to owner. "opening stdout FIFO: ..." */
int obi_fifo_open(int dirfd, const char *name, const char *what, uid_t owner, struct obi_fifo *ret,
		  struct ob_error *reterr);

/* Close the child's end, after the spawn. */
void obi_fifo_close_child(struct obi_fifo *fifo);
void obi_fifo_close(struct obi_fifo *fifo);

#endif
