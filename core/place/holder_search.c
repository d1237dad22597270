/* SPDX-License-Identifier: MIT */
#include "place/holder_search.h"

#include <stdlib.h>

/* Processes looked at in one turn of the loop: well under a millisecond. */
enum { STEP_PROCESSES = 32 };

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

static void report(struct obi_holder_search *search, struct obi_holder_scan *scan, bool complete)
{
	struct obi_holders_found found = {.lock = search->index,
					  .living = search->hub->living,
					  .living_count = search->hub->living_count};
	if (complete) {
		found.all = obi_holder_scan_results(scan, &found.count);
	}
	search->scanned = false;
	search->found(search->user, &found);
}

static void end_scan(struct obi_holder_hub *hub)
{
	struct obi_holder_scan *scan = hub->scan;
	bool complete = note_living(hub) && scan != NULL;
	hub->scan = NULL;
	for (struct obi_holder_search *s = hub->first; s != NULL; s = s->next) {
		if (s->scanned) {
			report(s, scan, complete);
		}
	}
	obi_holder_scan_free(scan);
	free(hub->living);
	hub->living = NULL;
	begin_scan(hub);
}

/* ---- A scan ---- */

static void step(void *user)
{
	struct obi_holder_hub *hub = user;
	if (hub->scan != NULL && obi_holder_scan_step(hub->scan, STEP_PROCESSES)) {
		obi_timer_set(hub->loop, &hub->step, 0);
	} else {
		end_scan(hub);
	}
}

/* With all that want one. A scan that cannot be made reports nobody. */
static void begin_scan(struct obi_holder_hub *hub)
{
	size_t count = 0;
	struct obi_lock_id *locks = calloc(count_all(hub) + 1, sizeof *locks);
	for (struct obi_holder_search *s = hub->first; s != NULL; s = s->next) {
		if (s->wanted) {
			s->wanted = false;
			s->scanned = true;
			s->index = count;
			if (locks != NULL) {
				locks[count] = s->lock;
			}
			count++;
		}
	}
	if (count > 0) {
		if (locks == NULL || obi_holder_scan_new(locks, count, &hub->scan, NULL) < 0) {
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

void obi_holder_search_start(struct obi_holder_search *search, const struct obi_lock_id *lock)
{
	struct obi_holder_hub *hub = search->hub;
	bool idle = hub->step.loop == NULL && hub->living == NULL;
	search->lock = *lock;
	search->wanted = true;
	if (idle) {
		begin_scan(hub);
	}
}

void obi_holder_search_stop(struct obi_holder_search *search)
{
	search->wanted = search->scanned = false;
}
