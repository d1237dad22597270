/* SPDX-License-Identifier: MIT */
#include "server/warner.h"

#include "loop/loop.h"

enum { WARN_EVERY_MS = 1000 };

void obi_warn(struct obi_warner *warner, enum obi_warning kind, const struct obi_origin *from,
	      const char *what, const char *why)
{
	obi_warn_at(warner, OB_LOG_WARN, kind, from, what, why);
}

void obi_warn_at(struct obi_warner *warner, int level, enum obi_warning kind,
		 const struct obi_origin *from, const char *what, const char *why)
{
	char source[OBI_ORIGIN_TEXT];
	int64_t now = obi_now_ms();
	uint64_t suppressed = warner->last[kind].suppressed;
	if (warner->last[kind].ms != 0 && now - warner->last[kind].ms < WARN_EVERY_MS) {
		warner->last[kind].suppressed++;
		return;
	}
	if (from != NULL) {
		obi_origin_show(*from, source);
		ob_log(warner->logger, level, what, "{s:s,s:s,s:U}", "reason", why, "from", source,
		       "suppressed", suppressed);
	} else {
		ob_log(warner->logger, level, what, "{s:s,s:U}", "reason", why, "suppressed",
		       suppressed);
	}
	warner->last[kind].ms = now;
	warner->last[kind].suppressed = 0;
}
