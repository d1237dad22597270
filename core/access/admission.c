/* SPDX-License-Identifier: MIT */
#include "access/admission.h"

#include "access/trusted_uid.h"

enum {
	FREE_FAILURES = 3,
	PENALTY_MS = 100, /* after these; doubled with each further failure */
	PENALTY_MAX_MS = 10000,
	QUIET_MS = 60000, /* without a failure: then the failures are forgotten */
	STALLED_MS = 1000,
	WAIT_MS = 20, /* at most; it ends early when a slot is freed */
	CID_HOST = 2
};

/*
 * The grace period of a connection of each rank. A dialer may have to wait for a processor before
 * it sends its first message, and an exchange takes round trips, which are longer over a network.
 * The periods are no longer than that, because new connections of a shared origin wait for as long.
 */
static const int64_t local_grace_ms[] = {
    [OBI_ADMISSION_SILENT] = 1, [OBI_ADMISSION_TALKING] = 5, [OBI_ADMISSION_PROVEN] = 400};
static const int64_t network_grace_ms[] = {
    [OBI_ADMISSION_SILENT] = 10, [OBI_ADMISSION_TALKING] = 100, [OBI_ADMISSION_PROVEN] = 1000};

int obi_admission_init(struct obi_admission *a, const struct obi_admission_setup *setup)
{
	memset(a, 0, sizeof *a);
	a->setup = *setup;
	a->reserved = setup->strangers || setup->slots < 2 ? 0
		      : setup->slots < 8		   ? 1
							   : setup->slots / 4;
	a->has_parent = setup->parent != NULL;
	if (a->has_parent && !obi_origin_parse(setup->parent, &a->parent)) {
		return OB_EINVAL;
	}
	return OB_OK;
}

/* ---- Sources ---- */

bool obi_admission_trusts(const struct obi_admission *a, struct obi_origin from)
{
	uint32_t number = obi_origin_number(from);
	if (a->setup.strangers) {
		return false;
	}
	return (from.kind == OBI_ORIGIN_UID &&
		obi_uid_is_trusted(number, a->setup.own_uid, a->setup.allowed_uid)) ||
	       (from.kind == OBI_ORIGIN_CID && number == CID_HOST) ||
	       (a->has_parent && obi_origin_equal(from, a->parent)) ||
	       (a->has_learned && obi_origin_equal(from, a->learned));
}

void obi_admission_learn(struct obi_admission *a, struct obi_origin from)
{
	if (!obi_origin_is_shared(from)) {
		a->learned = from;
		a->has_learned = true;
	}
}

/* A trusted origin is a source of its own; others count by their network. */
static struct obi_origin key_of(const struct obi_admission *a, struct obi_origin from)
{
	return obi_admission_trusts(a, from) ? from : obi_origin_network(from);
}

static void forget_old(struct obi_admission_source *source, int64_t now)
{
	if (source->failures > 0 && now - source->failed_at >= QUIET_MS) {
		source->failures = 0;
		source->blocked_until = INT64_MIN;
	}
	source->used = source->slots > 0 || source->failures > 0;
}

static struct obi_admission_source *find(struct obi_admission *a, struct obi_origin key,
					 int64_t now)
{
	for (size_t i = 0; i < OBI_ADMISSION_SOURCES; i++) {
		struct obi_admission_source *source = &a->sources[i];
		if (source->used && obi_origin_equal(source->key, key)) {
			forget_old(source, now);
			return source->used ? source : NULL;
		}
	}
	return NULL;
}

/* An entry of the table: a free one, or that of the source whose last failure is the oldest. */
static struct obi_admission_source *make(struct obi_admission *a, struct obi_origin key)
{
	struct obi_admission_source *best = NULL;
	for (size_t i = 0; i < OBI_ADMISSION_SOURCES; i++) {
		struct obi_admission_source *source = &a->sources[i];
		if (!source->used) {
			best = source;
			break;
		}
		if (source->slots == 0 && (best == NULL || source->failed_at < best->failed_at)) {
			best = source;
		}
	}
	if (best == NULL) {
		return &a->overflow;
	}
	*best = (struct obi_admission_source){.key = key, .used = true, .blocked_until = INT64_MIN};
	return best;
}

static int64_t penalty(uint32_t failures)
{
	int64_t ms = PENALTY_MS;
	if (failures < FREE_FAILURES) {
		return 0;
	}
	for (uint32_t i = FREE_FAILURES; i < failures && ms < PENALTY_MAX_MS; i++) {
		ms *= 2;
	}
	return ms < PENALTY_MAX_MS ? ms : PENALTY_MAX_MS;
}

/* ---- Seats ---- */

struct newcomer {
	bool trusted;
	uint32_t slots; /* of its source */
};

static int64_t grace_left(const struct obi_admission_slot *slot, int64_t now)
{
	bool network =
	    slot->source->key.kind == OBI_ORIGIN_IPV4 || slot->source->key.kind == OBI_ORIGIN_IPV6;
	bool local = !network || obi_origin_is_shared(slot->source->key);
	int64_t left = slot->since + (local ? local_grace_ms : network_grace_ms)[slot->rank] - now;
	return left > 0 ? left : 0;
}

/* Whether the slot may be taken for the newcomer, once its grace period is over. */
static bool is_candidate(const struct obi_admission_slot *slot, const struct newcomer *who)
{
	return who->trusted || !slot->trusted;
}

/* Whether it may be taken now. */
static bool may_go(const struct obi_admission_slot *slot, const struct newcomer *who, int64_t now)
{
	bool outranks = who->trusted && !slot->trusted;
	return outranks || slot->source->slots > who->slots + 1 || grace_left(slot, now) == 0;
}

/* An exchange that has stalled ranks like a connection that has sent nothing. */
static enum obi_admission_rank rank_now(const struct obi_admission_slot *slot, int64_t now)
{
	bool stalled = slot->rank == OBI_ADMISSION_TALKING && now - slot->since >= STALLED_MS;
	return stalled ? OBI_ADMISSION_SILENT : (enum obi_admission_rank)slot->rank;
}

/* Whether a is evicted before b: untrusted ones first, then those that have proved nothing, then
 * those of the source with the most slots, then by rank and age. */
static bool goes_before(const struct obi_admission_slot *a, const struct obi_admission_slot *b,
			int64_t now)
{
	enum obi_admission_rank rank = rank_now(a, now), other = rank_now(b, now);
	if (a->trusted != b->trusted) {
		return b->trusted;
	}
	if ((rank == OBI_ADMISSION_PROVEN) != (other == OBI_ADMISSION_PROVEN)) {
		return other == OBI_ADMISSION_PROVEN;
	}
	if (a->source->slots != b->source->slots) {
		return a->source->slots > b->source->slots;
	}
	if (rank != other) {
		return rank < other;
	}
	return a->since != b->since ? a->since < b->since : a->order < b->order;
}

static bool has_room(const struct obi_admission *a, const struct newcomer *who)
{
	return a->admitted < a->setup.slots &&
	       (who->trusted || a->untrusted < a->setup.slots - a->reserved);
}

/* Answer with the connection to be evicted first. No other one is evicted during its grace period.
 */
static struct obi_admission_answer take_one(const struct obi_admission *a,
					    const struct newcomer *who, bool may_wait, int64_t now)
{
	struct obi_admission_slot *first = NULL;
	for (struct obi_admission_slot *slot = a->first; slot != NULL; slot = slot->next) {
		if (is_candidate(slot, who) && (first == NULL || goes_before(slot, first, now))) {
			first = slot;
		}
	}
	if (first != NULL && may_go(first, who, now)) {
		return (struct obi_admission_answer){OBI_ADMISSION_EVICT, first, 0};
	}
	int64_t ms = first != NULL ? grace_left(first, now) : WAIT_MS;
	return (struct obi_admission_answer){may_wait ? OBI_ADMISSION_WAIT : OBI_ADMISSION_FULL,
					     first, ms < WAIT_MS ? ms : WAIT_MS};
}

struct obi_admission_answer obi_admission_ask(struct obi_admission *a, struct obi_origin from,
					      int64_t now)
{
	struct newcomer who = {.trusted = obi_admission_trusts(a, from)};
	bool known = who.trusted || obi_origin_is_shared(from);
	const struct obi_admission_source *source = find(a, key_of(a, from), now);
	who.slots = source != NULL ? source->slots : 0;
	if (source != NULL && !known && source->blocked_until > now) {
		return (struct obi_admission_answer){OBI_ADMISSION_BLOCKED, NULL,
						     source->blocked_until - now};
	}
	if (has_room(a, &who)) {
		return (struct obi_admission_answer){OBI_ADMISSION_ENTER, NULL, 0};
	}
	return take_one(a, &who, known, now);
}

void obi_admission_enter(struct obi_admission *a, struct obi_origin from, int64_t now,
			 struct obi_admission_slot *slot)
{
	struct obi_origin key = key_of(a, from);
	struct obi_admission_source *source = find(a, key, now);
	source = source != NULL ? source : make(a, key);
	*slot = (struct obi_admission_slot){.next = a->first,
					    .back = &a->first,
					    .source = source,
					    .trusted = obi_admission_trusts(a, from),
					    .since = now,
					    .order = a->entered++};
	if (slot->next != NULL) {
		slot->next->back = &slot->next;
	}
	a->first = slot;
	source->slots++;
	a->admitted++;
	a->untrusted += !slot->trusted;
}

bool obi_admission_advance(struct obi_admission_slot *slot, enum obi_admission_rank rank,
			   int64_t now)
{
	if (slot->rank >= rank) {
		return false;
	}
	slot->rank = (uint8_t)rank;
	slot->since = now;
	return true;
}

static void release(struct obi_admission *a, struct obi_admission_slot *slot)
{
	*slot->back = slot->next;
	if (slot->next != NULL) {
		slot->next->back = slot->back;
	}
	slot->back = NULL;
	slot->source->slots--;
	a->admitted--;
	a->untrusted -= !slot->trusted;
}

int64_t obi_admission_leave(struct obi_admission *a, struct obi_admission_slot *slot,
			    enum obi_admission_end end, int64_t now)
{
	struct obi_admission_source *source = slot->source;
	int64_t ms = 0;
	if (slot->back == NULL) {
		return 0;
	}
	release(a, slot);
	bool exempt = slot->trusted || source == &a->overflow || obi_origin_is_shared(source->key);
	if (end == OBI_ADMISSION_PASSED) {
		source->failures = 0;
		source->blocked_until = INT64_MIN;
	} else if (end == OBI_ADMISSION_FAILED && !exempt) {
		forget_old(source, now);
		source->failures += source->failures < UINT32_MAX;
		source->failed_at = now;
		ms = penalty(source->failures);
		source->blocked_until = ms > 0 ? now + ms : INT64_MIN;
	}
	forget_old(source, now);
	return ms;
}
