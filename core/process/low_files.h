/* SPDX-License-Identifier: MIT */
/*
 * process/low_files - low descriptors for a spawn.
 *
 * A process that is cloned gets a copy of the table of descriptors, and closes most of them: with
 * thousands of them both take much longer than all else. So the child shares the table at first,
 * and makes a copy of its lowest part only: close_range(2) with CLOSE_RANGE_UNSHARE copies the
 * numbers below `first`, if all above are to be closed. What the child is to have must be there.
 *
 * The numbers are reserved while there is a place where processes are started, since low ones are
 * free at the beginning of a program, and later are not. Between two spawns they are /dev/null.
 * They are the process's: threads may start children at once. Any thread.
 */
#ifndef OBI_PROCESS_LOW_FILES_H
#define OBI_PROCESS_LOW_FILES_H

#include <stdbool.h>

enum {
	OBI_LOW_FILES = 4,
	OBI_LOW_FILES_BELOW = 1024 /* higher ones are not low: they gain little */
};

/* Reserve the numbers, unless they are; each hold needs a release. Without free descriptors, or
 * without low ones, there is nothing to borrow. */
void obi_low_files_hold(void);
void obi_low_files_release(void);

/*
 * Make duplicates of sources, of which the last may be -1, with reserved numbers, and
 * close-on-exec. Returns the first number above all of them; or 0: there are none, or another
 * thread has them, and *ret is not set. Give them back with obi_low_files_return().
 */
int obi_low_files_borrow(const int sources[OBI_LOW_FILES], int ret[OBI_LOW_FILES]);
void obi_low_files_return(void);

#endif
