/* SPDX-License-Identifier: MIT */
#include "cli/run/patience.h"

#include <stdio.h>

enum { FIRST_MS = 2000, AGAIN_MS = 30000, NAMES_MAX = 8, NAMES_SIZE = NAMES_MAX * 68 };

/* Names of children that have not ended, as many as there is room for; returns their number. */
static uint32_t collect(const struct obi_patience *p, const char *names[NAMES_MAX])
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < p->members->count && count < NAMES_MAX; i++) {
		if (p->members->list[i]->ending) {
			names[count++] = p->members->list[i]->options->name;
		}
	}
	return count + obi_removed_names(p->removed, names + count, NAMES_MAX - count);
}

static void say(struct obi_patience *p)
{
	const char *names[NAMES_MAX];
	char text[NAMES_SIZE] = "";
	uint32_t count = collect(p, names);
	uint64_t all = (uint64_t)p->members->pending + p->removed->pending;
	size_t len = 0;
	for (uint32_t i = 0; i < count; i++) {
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? ", " : "",
					names[i]);
	}
	if (all > count) {
		obi_run_log(p->log, NULL, OB_LOG_INFO, "waiting for children to end", "{s:s,s:U}",
			    "children", text, "and_others", all - count);
	} else {
		obi_run_log(p->log, NULL, OB_LOG_INFO, "waiting for children to end", "{s:s}",
			    "children", text);
	}
}

static void on_timer(void *user, int what)
{
	struct obi_patience *p = user;
	(void)what;
	say(p);
	ob_watch_set_timer(p->timer, AGAIN_MS);
}

void obi_patience_begin(struct obi_patience *patience, ob_runtime *rt)
{
	(void)ob_watch_timer(rt, FIRST_MS, on_timer, patience, &patience->timer, NULL);
}

void obi_patience_end(struct obi_patience *patience)
{
	ob_watch_free(patience->timer);
	patience->timer = NULL;
}
