/* SPDX-License-Identifier: MIT */
/* base/job - work that another thread hands to the loop's thread; the loop (loop/loop) queues
 * it. */
#ifndef OBI_BASE_JOB_H
#define OBI_BASE_JOB_H

struct obi_job {
	struct obi_job *next;
	void (*fn)(struct obi_job *job);
};

#endif
