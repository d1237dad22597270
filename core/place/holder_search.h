/* SPDX-License-Identifier: MIT */
/*
 * place/holder_search - looks for the processes that hold the locks of dead children. One scan of
 * /proc (process/holders) serves all children of a runtime that wait for it, and it is spread over
 * turns of the loop.
 */
#ifndef OBI_PLACE_HOLDER_SEARCH_H
#define OBI_PLACE_HOLDER_SEARCH_H

#include "loop/loop.h"
#include "process/holders.h"

struct obi_holder_search;

/* Of a runtime. Zeroed: none. */
struct obi_holder_hub {
	struct obi_loop *loop;
	struct obi_holder_search *first; /* one for each place */
	struct obi_holder_scan *scan;	 /* NULL: none is in progress */
	struct obi_timer step;
	bool reporting;
	int32_t *living; /* sessions of the children that live, during the reports of a scan */
	size_t living_count;
};

/* What was found for one lock. Valid for the length of the callback. */
struct obi_holders_found {
	struct obi_holder *all; /* of all locks of the scan */
	size_t count;
	size_t lock;	       /* those with this index are of this lock */
	const int32_t *living; /* sessions of other children: for obi_holder_rule.spared */
	size_t living_count;
	bool complete; /* there are no others that could be seen */
};

struct obi_holder_search {
	struct obi_holder_search *next;
	struct obi_holder_search **slot; /* the pointer to this search */
	struct obi_holder_hub *hub;
	int32_t session;	 /* of the living child; 0: none */
	struct obi_lock_id lock; /* what is searched for */
	bool wanted;		 /* in the next scan */
	bool thorough;		 /* that one is to be */
	bool scanned;		 /* in the present one */
	size_t index;		 /* there */
	/* A scan is complete. It must not free a search. */
	void (*found)(void *user, const struct obi_holders_found *found);
	void *user;
};

/* found and user are set by the caller. */
void obi_holder_search_init(struct obi_holder_search *search, struct obi_loop *loop,
			    struct obi_holder_hub *hub);
void obi_holder_search_free(struct obi_holder_search *search);

/* Search for the holders of this lock. Leads to one call of found. thorough: in all places, also
 * when one is found early. */
void obi_holder_search_start(struct obi_holder_search *search, const struct obi_lock_id *lock,
			     bool thorough);
void obi_holder_search_stop(struct obi_holder_search *search);

#endif
