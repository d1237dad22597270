/* SPDX-License-Identifier: MIT */
#include "place/holder_search.h"

#include <stdlib.h>

/* Files looked at in one turn of the loop: well under a millisecond, unless a process has many. */
enum { STEP_FILES = 32 };

static void begin_scan(struct obi_holder_hub *hub);

/* ---- The end of a scan ---- */

static size_t count_all(const struct obi_holder_hub *hub)
{
	size_t count = 0;
	for (const struct obi_holder_search *s = hub->first; s != NULL; s = s->next) {
		count++;
	}
	return count;
}

/* Without memory no session is spared, and then nobody is reported. */
static bool note_living(struct obi_holder_hub *hub)
{
	hub->living = calloc(count_all(hub) + 1, sizeof *hub->living);
	hub->living_count = 0;
	for (const struct obi_holder_search *s = hub->first; hub->living != NULL && s != NULL;
	     s = s->next) {
		if (s->session > 0) {
			hub->living[hub->living_count++] = s->session;
		}
	}
	return hub->living != NULL;
}

static void report(struct obi_holder_search *search, struct obi_holder_scan *scan, bool usable)
{
	struct obi_holders_found found = {.lock = search->index,
					  .living = search->hub->living,
					  .living_count = search->hub->living_count};
	if (usable) {
		found.all = obi_holder_scan_results(scan, &found.count);
		found.complete = obi_holder_scan_is_complete(scan);
	}
	search->scanned = false;
	search->found(search->user, &found);
}

static void end_scan(struct obi_holder_hub *hub)
{
	struct obi_holder_scan *scan = hub->scan;
	bool usable = note_living(hub) && scan != NULL;
	hub->scan = NULL;
	hub->reporting = true;
	for (struct obi_holder_search *s = hub->first; s != NULL; s = s->next) {
		if (s->scanned) {
			report(s, scan, usable);
		}
	}
	obi_holder_scan_free(scan);
	free(hub->living);
	hub->living = NULL;
	hub->reporting = false;
	begin_scan(hub);
}

/* ---- A scan ---- */

static void step(void *user)
{
	struct obi_holder_hub *hub = user;
	if (hub->scan != NULL && obi_holder_scan_step(hub->scan, STEP_FILES)) {
		obi_timer_set(hub->loop, &hub->step, 0);
	} else {
		end_scan(hub);
	}
}

/* With all that want one. A scan that cannot be made reports nobody. */
static void begin_scan(struct obi_holder_hub *hub)
{
	size_t count = 0;
	bool thorough = false;
	struct obi_lock_id *locks = calloc(count_all(hub) + 1, sizeof *locks);
	for (struct obi_holder_search *s = hub->first; s != NULL; s = s->next) {
		if (s->wanted) {
			s->wanted = false;
			s->scanned = true;
			thorough = thorough || s->thorough;
			s->index = count;
			if (locks != NULL) {
				locks[count] = s->lock;
			}
			count++;
		}
	}
	if (count > 0) {
		if (locks == NULL ||
		    obi_holder_scan_new(locks, count, thorough, &hub->scan, NULL) < 0) {
			hub->scan = NULL;
		}
		hub->step.fn = step;
		hub->step.user = hub;
		obi_timer_set(hub->loop, &hub->step, 0);
	}
	free(locks);
}

/* ---- Searches ---- */

void obi_holder_search_init(struct obi_holder_search *search, struct obi_loop *loop,
			    struct obi_holder_hub *hub)
{
	*search = (struct obi_holder_search){.next = hub->first, .slot = &hub->first, .hub = hub};
	if (hub->first != NULL) {
		hub->first->slot = &search->next;
	}
	hub->first = search;
	hub->loop = loop;
}

void obi_holder_search_free(struct obi_holder_search *search)
{
	*search->slot = search->next;
	if (search->next != NULL) {
		search->next->slot = search->slot;
	}
	if (search->hub->first == NULL) {
		obi_timer_stop(&search->hub->step);
		obi_holder_scan_free(search->hub->scan);
		search->hub->scan = NULL;
	}
}

void obi_holder_search_start(struct obi_holder_search *search, const struct obi_lock_id *lock,
			     bool thorough)
{
	struct obi_holder_hub *hub = search->hub;
	bool idle = hub->step.loop == NULL && !hub->reporting;
	search->lock = *lock;
	search->wanted = true;
	search->thorough = thorough;
	if (idle) {
		begin_scan(hub);
	}
}

void obi_holder_search_stop(struct obi_holder_search *search)
{
	search->wanted = search->scanned = false;
}
