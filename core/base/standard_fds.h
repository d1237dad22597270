/* SPDX-License-Identifier: MIT */
/* base/standard_fds - descriptors 0 to 2, which may be closed when a program starts. */
#ifndef OBI_BASE_STANDARD_FDS_H
#define OBI_BASE_STANDARD_FDS_H

/* Open /dev/null as each of the descriptors 0 to 2 that is closed. Otherwise the next file that is
 * opened gets the number, and what the program prints goes into that file. */
void obi_standard_fds_fill(void);

#endif
