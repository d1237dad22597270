/* SPDX-License-Identifier: MIT */
/* supervisor/reason - why calls to a child do not pass, in one line. */
#ifndef OBI_SUPERVISOR_REASON_H
#define OBI_SUPERVISOR_REASON_H

#include <stddef.h>
#include <stdint.h>

struct obi_supervisor;

/*
 * Write what the child is doing instead of serving, and when the next try is: "restarting in 1.8s,
 * exit status 3", "the child is starting", "link down: ...". One line without characters that a
 * terminal obeys, whatever the child says; cut to size.
 */
void obi_supervisor_reason(const struct obi_supervisor *sup, char *text, size_t size);

/* Milliseconds until the next start; -1: none is due. */
int64_t obi_supervisor_next_try(const struct obi_supervisor *sup);

#endif
