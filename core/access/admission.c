/* SPDX-License-Identifier: MIT */
#include "access/admission.h"

enum {
	FREE_FAILURES = 3,
	PENALTY_MS = 100, /* for the last of these; doubled with each further one */
	PENALTY_MAX_MS = 10000,
	QUIET_MS = 60000, /* then failures are forgotten */
	STALLED_MS = 1000,
	WAIT_MS = 20, /* at most; seats that become free meanwhile are told of */
	CID_HOST = 2
};

/*
 * For how long a connection of each rank is left in peace: a dialer may have to wait for its turn
 * on a processor before it says its first word, and an exchange takes round trips, which are longer
 * over a network. Not longer than that: where connections look alike, those that knock wait in line
 * for so long.
 */
static const int64_t local_grace_ms[] = {
    [OBI_ADMISSION_SILENT] = 1, [OBI_ADMISSION_TALKING] = 5, [OBI_ADMISSION_PROVEN] = 400};
static const int64_t network_grace_ms[] = {
    [OBI_ADMISSION_SILENT] = 10, [OBI_ADMISSION_TALKING] = 100, [OBI_ADMISSION_PROVEN] = 1000};

int obi_admission_init(struct obi_admission *gate, const struct obi_admission_setup *setup)
{
	memset(gate, 0, sizeof *gate);
	gate->setup = *setup;
	gate->reserved = setup->seats < 2 ? 0 : setup->seats < 8 ? 1 : setup->seats / 4;
	gate->has_parent = setup->parent != NULL;
	if (gate->has_parent && !obi_origin_parse(setup->parent, &gate->parent)) {
		return OB_EINVAL;
	}
	return OB_OK;
}

/* ---- Sources ---- */

bool obi_admission_trusts(const struct obi_admission *gate, struct obi_origin from)
{
	uint32_t number = obi_origin_number(from);
	bool user = number == 0 || number == gate->setup.own_uid ||
		    (number == gate->setup.allowed_uid && number != UINT32_MAX);
	return (from.kind == OBI_ORIGIN_UID && user) ||
	       (from.kind == OBI_ORIGIN_CID && number == CID_HOST) ||
	       (gate->has_parent && obi_origin_equal(from, gate->parent)) ||
	       (gate->has_learned && obi_origin_equal(from, gate->learned));
}

void obi_admission_learn(struct obi_admission *gate, struct obi_origin from)
{
	if (!obi_origin_is_shared(from)) {
		gate->learned = from;
		gate->has_learned = true;
	}
}

/* The trusted are told apart from their neighbours; of others the whole network counts. */
static struct obi_origin key_of(const struct obi_admission *gate, struct obi_origin from)
{
	return obi_admission_trusts(gate, from) ? from : obi_origin_network(from);
}

static void forget_old(struct obi_admission_source *source, int64_t now)
{
	if (source->failures > 0 && now - source->failed_at >= QUIET_MS) {
		source->failures = 0;
		source->blocked_until = INT64_MIN;
	}
	source->used = source->seats > 0 || source->failures > 0;
}

static struct obi_admission_source *find(struct obi_admission *gate, struct obi_origin key,
					 int64_t now)
{
	for (size_t i = 0; i < OBI_ADMISSION_SOURCES; i++) {
		struct obi_admission_source *source = &gate->sources[i];
		if (source->used && obi_origin_equal(source->key, key)) {
			forget_old(source, now);
			return source->used ? source : NULL;
		}
	}
	return NULL;
}

/* A place in the table: a free one, or that of the source whose last failure is the longest ago. */
static struct obi_admission_source *make(struct obi_admission *gate, struct obi_origin key)
{
	struct obi_admission_source *best = NULL;
	for (size_t i = 0; i < OBI_ADMISSION_SOURCES; i++) {
		struct obi_admission_source *source = &gate->sources[i];
		if (!source->used) {
			best = source;
			break;
		}
		if (source->seats == 0 && (best == NULL || source->failed_at < best->failed_at)) {
			best = source;
		}
	}
	if (best == NULL) {
		return &gate->rest;
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
	uint32_t seats; /* that its source has */
};

static int64_t peace_left(const struct obi_admission_slot *seat, int64_t now)
{
	bool network =
	    seat->source->key.kind == OBI_ORIGIN_IPV4 || seat->source->key.kind == OBI_ORIGIN_IPV6;
	bool local = !network || obi_origin_is_shared(seat->source->key);
	int64_t left = seat->since + (local ? local_grace_ms : network_grace_ms)[seat->rank] - now;
	return left > 0 ? left : 0;
}

/* Whether seat may be taken from who has it, for the newcomer, at some time. */
static bool is_candidate(const struct obi_admission_slot *seat, const struct newcomer *who)
{
	return who->trusted || !seat->trusted;
}

/* And whether right now. */
static bool may_go(const struct obi_admission_slot *seat, const struct newcomer *who, int64_t now)
{
	bool theirs = who->trusted && !seat->trusted;
	return theirs || seat->source->seats > who->seats + 1 || peace_left(seat, now) == 0;
}

/* Who began and then does not go on is as one who says nothing. */
static enum obi_admission_rank rank_now(const struct obi_admission_slot *seat, int64_t now)
{
	bool stalled = seat->rank == OBI_ADMISSION_TALKING && now - seat->since >= STALLED_MS;
	return stalled ? OBI_ADMISSION_SILENT : (enum obi_admission_rank)seat->rank;
}

/* Whether a should go rather than b: strangers, then who has proved nothing, then of the greediest
 * source, and so on. */
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
	if (a->source->seats != b->source->seats) {
		return a->source->seats > b->source->seats;
	}
	if (rank != other) {
		return rank < other;
	}
	return a->since != b->since ? a->since < b->since : a->order < b->order;
}

static bool has_room(const struct obi_admission *gate, const struct newcomer *who)
{
	return gate->seated < gate->setup.seats &&
	       (who->trusted || gate->strangers < gate->setup.seats - gate->reserved);
}

/* The one who should go first; nobody else goes before its moment is over. */
static struct obi_admission_answer take_one(const struct obi_admission *gate,
					    const struct newcomer *who, bool may_wait, int64_t now)
{
	struct obi_admission_slot *first = NULL;
	for (struct obi_admission_slot *seat = gate->first; seat != NULL; seat = seat->next) {
		if (is_candidate(seat, who) && (first == NULL || goes_before(seat, first, now))) {
			first = seat;
		}
	}
	if (first != NULL && may_go(first, who, now)) {
		return (struct obi_admission_answer){OBI_ADMISSION_EVICT, first, 0};
	}
	int64_t ms = first != NULL ? peace_left(first, now) : WAIT_MS;
	return (struct obi_admission_answer){may_wait ? OBI_ADMISSION_WAIT : OBI_ADMISSION_FULL,
					     first, ms < WAIT_MS ? ms : WAIT_MS};
}

struct obi_admission_answer obi_admission_ask(struct obi_admission *gate, struct obi_origin from,
					      int64_t now)
{
	struct newcomer who = {.trusted = obi_admission_trusts(gate, from)};
	bool known = who.trusted || obi_origin_is_shared(from);
	const struct obi_admission_source *source = find(gate, key_of(gate, from), now);
	who.seats = source != NULL ? source->seats : 0;
	if (source != NULL && !known && source->blocked_until > now) {
		return (struct obi_admission_answer){OBI_ADMISSION_BLOCKED, NULL,
						     source->blocked_until - now};
	}
	if (has_room(gate, &who)) {
		return (struct obi_admission_answer){OBI_ADMISSION_ENTER, NULL, 0};
	}
	return take_one(gate, &who, known, now);
}

void obi_admission_enter(struct obi_admission *gate, struct obi_origin from, int64_t now,
			 struct obi_admission_slot *seat)
{
	struct obi_origin key = key_of(gate, from);
	struct obi_admission_source *source = find(gate, key, now);
	source = source != NULL ? source : make(gate, key);
	*seat = (struct obi_admission_slot){.next = gate->first,
					    .slot = &gate->first,
					    .source = source,
					    .trusted = obi_admission_trusts(gate, from),
					    .since = now,
					    .order = gate->entered++};
	if (seat->next != NULL) {
		seat->next->slot = &seat->next;
	}
	gate->first = seat;
	source->seats++;
	gate->seated++;
	gate->strangers += !seat->trusted;
}

bool obi_admission_rise(struct obi_admission_slot *seat, enum obi_admission_rank rank, int64_t now)
{
	if (seat->rank >= rank) {
		return false;
	}
	seat->rank = (uint8_t)rank;
	seat->since = now;
	return true;
}

static void stand_up(struct obi_admission *gate, struct obi_admission_slot *seat)
{
	*seat->slot = seat->next;
	if (seat->next != NULL) {
		seat->next->slot = seat->slot;
	}
	seat->slot = NULL;
	seat->source->seats--;
	gate->seated--;
	gate->strangers -= !seat->trusted;
}

int64_t obi_admission_leave(struct obi_admission *gate, struct obi_admission_slot *seat,
			    enum obi_admission_end end, int64_t now)
{
	struct obi_admission_source *source = seat->source;
	int64_t ms = 0;
	if (seat->slot == NULL) {
		return 0;
	}
	stand_up(gate, seat);
	bool exempt = seat->trusted || source == &gate->rest || obi_origin_is_shared(source->key);
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
