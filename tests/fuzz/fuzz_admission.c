/* SPDX-License-Identifier: MIT */
/*
 * Pairs of bytes are events of admission: a connection arrives, rises in rank, leaves or
 * supervises, or time passes. Checked: there are never more slots than the maximum, and those
 * reserved for trusted sources are kept for them; only untrusted sources are refused; trusted
 * ones are admitted while an untrusted one has a slot; a penalty ends in time; the counts are
 * consistent.
 */
#include "access/admission.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEATS_MAX = 24, OWN = 1000, LONG_MS = 2000 };

struct world {
	struct obi_admission admission;
	struct obi_admission_slot slots[SEATS_MAX];
	int64_t now;
};

#define CHECK(condition)                                                                 \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "%s: %s does not hold\n", __func__, #condition); \
			abort();                                                         \
		}                                                                        \
	} while (0)

static struct obi_origin source_of(uint8_t n)
{
	static const char *const addresses[] = {
	    "127.0.0.1:5",     "192.0.2.1:5",	    "192.0.2.2:5", "[2001:db8::1]:5",
	    "[2001:db8::2]:5", "[2001:db8:1::2]:5", "[::1]:5",	   "somewhere"};
	struct ob_peer peer = {
	    .size = sizeof peer, .known = OB_PEER_UID, .uid = n % 16 == 0 ? OWN : 5000 + n};
	if (n >= 240) {
		peer.known = OB_PEER_CID;
		peer.cid = n & 7u;
	} else if (n >= 192) {
		peer.known = OB_PEER_ADDRESS;
		snprintf(peer.address, sizeof peer.address, "%s", addresses[n & 7u]);
	}
	return obi_origin_of_peer(&peer);
}

static struct obi_admission_slot *free_seat(struct world *w)
{
	for (size_t i = 0; i < SEATS_MAX; i++) {
		if (w->slots[i].back == NULL) {
			return &w->slots[i];
		}
	}
	return NULL;
}

static void check_counts(struct world *w)
{
	uint32_t admitted = 0, strangers = 0, held = w->admission.overflow.slots;
	for (const struct obi_admission_slot *slot = w->admission.first; slot != NULL;
	     slot = slot->next) {
		admitted++;
		strangers += !slot->trusted;
		CHECK(*slot->back == slot && admitted <= SEATS_MAX);
	}
	for (size_t i = 0; i < OBI_ADMISSION_SOURCES; i++) {
		held += w->admission.sources[i].used ? w->admission.sources[i].slots : 0;
	}
	CHECK(admitted == w->admission.admitted && strangers == w->admission.untrusted &&
	      held == admitted);
	CHECK(admitted <= w->admission.setup.slots &&
	      strangers <= w->admission.setup.slots - w->admission.reserved);
}

static void check_answer(struct world *w, const struct obi_admission_answer *answer,
			 struct obi_origin from)
{
	bool trusted = obi_admission_trusts(&w->admission, from);
	bool known = trusted || obi_origin_is_shared(from);
	switch (answer->verdict) {
	case OBI_ADMISSION_EVICT:
		CHECK(answer->victim != NULL && answer->victim->back != NULL);
		CHECK(trusted || !answer->victim->trusted);
		CHECK(!trusted || !answer->victim->trusted || w->admission.untrusted == 0);
		break;
	case OBI_ADMISSION_WAIT:
		CHECK(known && answer->ms > 0 && answer->ms <= 20 &&
		      (!trusted || w->admission.untrusted == 0));
		break;
	case OBI_ADMISSION_BLOCKED:
		CHECK(!known && answer->ms > 0 && answer->ms <= 10000);
		break;
	case OBI_ADMISSION_FULL:
		CHECK(!known);
		break;
	default:
		CHECK(w->admission.admitted < w->admission.setup.slots);
	}
}

static void knock(struct world *w, struct obi_origin from)
{
	struct obi_admission_answer answer = obi_admission_ask(&w->admission, from, w->now);
	check_answer(w, &answer, from);
	if (answer.verdict == OBI_ADMISSION_WAIT &&
	    (obi_admission_trusts(&w->admission, from) || w->admission.untrusted > 0)) {
		answer = obi_admission_ask(&w->admission, from, w->now + LONG_MS);
		CHECK(answer.verdict == OBI_ADMISSION_EVICT);
		w->now += LONG_MS;
	}
	if (answer.verdict == OBI_ADMISSION_EVICT) {
		CHECK(obi_admission_leave(&w->admission, answer.victim, OBI_ADMISSION_GONE,
					  w->now) == 0);
		answer = obi_admission_ask(&w->admission, from, w->now);
		CHECK(answer.verdict == OBI_ADMISSION_ENTER);
	}
	if (answer.verdict == OBI_ADMISSION_ENTER) {
		obi_admission_enter(&w->admission, from, w->now, free_seat(w));
	}
}

static void leave(struct world *w, struct obi_admission_slot *slot, uint8_t how)
{
	bool trusted = slot->trusted, was = slot->back != NULL;
	int64_t ms =
	    obi_admission_leave(&w->admission, slot, (enum obi_admission_end)(how % 3), w->now);
	CHECK(ms >= 0 && ms <= 10000 &&
	      (ms == 0 || (was && !trusted && how % 3 == OBI_ADMISSION_FAILED)));
	CHECK(slot->back == NULL);
}

static void step(struct world *w, uint8_t event, uint8_t what)
{
	struct obi_admission_slot *slot = &w->slots[(event >> 3) % SEATS_MAX];
	switch (event & 7u) {
	case 0:
	case 1:
	case 2:
		knock(w, source_of(what));
		break;
	case 3:
	case 4:
		leave(w, slot, what);
		break;
	case 5:
		(void)obi_admission_advance(slot, (enum obi_admission_rank)(what % 3), w->now);
		break;
	case 6:
		w->now += (int64_t)what * what;
		break;
	default:
		obi_admission_learn(&w->admission, source_of(what));
	}
	check_counts(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	memset(&w, 0, sizeof w);
	struct obi_admission_setup setup = {.slots = size > 0 ? 1u + data[0] % SEATS_MAX : 1u,
					    .own_uid = OWN,
					    .allowed_uid = UINT32_MAX,
					    .parent =
						size > 1 && data[1] > 127 ? "192.0.2.1" : NULL};
	CHECK(obi_admission_init(&w.admission, &setup) == OB_OK);
	for (size_t i = 2; i + 1 < size; i += 2) {
		step(&w, data[i], data[i + 1]);
	}
	return 0;
}
