/* SPDX-License-Identifier: MIT */
/* server/warner - warnings about connections, rate-limited: a flood of connections must not fill
 * the log. */
#ifndef OBI_SERVER_WARNER_H
#define OBI_SERVER_WARNER_H

#include <outboard/outboard.h>

#include "access/origin.h"

/* Each kind has a limit of its own, so that warnings about unauthenticated peers do not suppress
 * those about authenticated ones, or those about a mechanism that cannot decide. */
enum obi_warning { OBI_WARN_PREAUTH, OBI_WARN_UNDECIDED, OBI_WARN_AUTHENTICATED, OBI_WARN_KINDS };

struct obi_warner {
	struct ob_logger *logger;
	struct {
		int64_t ms;	     /* when the last one was written; 0: never */
		uint64_t suppressed; /* since then */
	} last[OBI_WARN_KINDS];
};

/* Log a warning, at most one a second of each kind. from may be NULL. */
void obi_warn(struct obi_warner *warner, enum obi_warning kind, const struct obi_origin *from,
	      const char *what, const char *why);
/* The same at another level. */
void obi_warn_at(struct obi_warner *warner, int level, enum obi_warning kind,
		 const struct obi_origin *from, const char *what, const char *why);

#endif
