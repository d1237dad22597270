/* SPDX-License-Identifier: MIT */
/* scratch - a directory for a check, and the signals that would end the process before it is
 * removed. */
#ifndef OBI_CLI_SCRATCH_H
#define OBI_CLI_SCRATCH_H

#include <outboard/outboard.h>
#include <signal.h>

enum { OBI_SCRATCH_MAX = 96 };

/* Make a directory of this name, with something behind it, in TMPDIR or /tmp. The path of a socket
 * must be short, so a long TMPDIR is not used. On failure dir is empty. */
int obi_scratch_make(const char *name, char dir[OBI_SCRATCH_MAX], struct ob_error *reterr);

/* Remove it with all that is in it. An empty dir is none. */
void obi_scratch_remove(const char *dir);

/* The signal that came between catch and release; 0: none. */
extern volatile sig_atomic_t obi_scratch_stopped_by;

/* Note SIGINT, SIGTERM and SIGHUP, unless they are ignored, and fire cancel, which may be NULL.
 * SIGPIPE is ignored: stdout may be closed before the process ends, as by `head`. */
void obi_scratch_catch(ob_cancel *cancel);

/* Treat them as before, and raise the one that came. */
void obi_scratch_release(void);

#endif
