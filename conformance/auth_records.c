/* SPDX-License-Identifier: MIT */
/* The promises about records: what sealing preserves, and what open() must reject. */
#include "conformance/auth_trial.h"

enum { RECORD_MAX = 65535, SAMPLE = 40, TAIL = 16, CANARY = 0xd3, MANY = 70000 };

static uint8_t buffer[RECORD_MAX + TAIL];

/* New ends that were shown to read each other's records. */
static bool fresh(struct obi_mech_trial *t)
{
	return obi_mech_pair(t, &t->talk[0]);
}

static void fill(uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		data[i] = (uint8_t)(i * 131 + len);
	}
}

/* A record of SAMPLE bytes. Returns its length; 0: the trial failed. */
static size_t seal_sample(struct obi_mech_trial *t, int from, uint8_t *record)
{
	fill(record, SAMPLE);
	ptrdiff_t n = t->ops->seal(t->talk[0].end[from], record, SAMPLE);
	if (n != (ptrdiff_t)SAMPLE + (ptrdiff_t)t->ops->overhead) {
		OBI_FAIL(t, "seal of %d bytes with an overhead of %u gives %td", SAMPLE,
			 t->ops->overhead, n);
		return 0;
	}
	return (size_t)n;
}

static bool has_small_overhead(struct obi_mech_trial *t)
{
	return t->ops->overhead <= 1024 || OBI_FAIL(t, "an overhead of %u bytes", t->ops->overhead);
}

/* ---- What is preserved ---- */

/* Records are sealed and opened in place, and nothing is written beyond them. */
static bool carries(struct obi_mech_trial *t, int from, size_t len)
{
	struct obi_mech_talk *talk = &t->talk[0];
	size_t whole = len + t->ops->overhead;
	fill(buffer, len);
	memset(buffer + whole, CANARY, TAIL);
	if (!obi_mech_cross(t, talk, from, buffer, len)) {
		return OBI_FAIL(t, "a record of %zu bytes from the %s is not the same when opened",
				len, obi_mech_end_text(from));
	}
	for (size_t i = 0; i < TAIL; i++) {
		if (buffer[whole + i] != CANARY) {
			return OBI_FAIL(t, "seal of %zu bytes writes beyond its overhead", len);
		}
	}
	return true;
}

static void records_come_back(struct obi_mech_trial *t)
{
	static const size_t sizes[] = {0,   1,	  2,	15,   16,   17,	   31,
				       32,  33,	  63,	64,   65,   255,   256,
				       257, 1000, 4095, 4096, 8192, 16383, OBI_MECH_PLAIN};
	if (!has_small_overhead(t) || !fresh(t)) {
		return;
	}
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		if (!carries(t, OBI_DIALER, sizes[i]) || !carries(t, OBI_ACCEPTOR, sizes[i])) {
			return;
		}
	}
	(void)carries(t, OBI_DIALER, RECORD_MAX - t->ops->overhead);
}

/* One side may send much before the other sends anything, and records may cross. */
static void directions_are_independent(struct obi_mech_trial *t)
{
	static uint8_t records[2][16][SAMPLE + 1024];
	struct obi_mech_talk *talk = &t->talk[0];
	size_t len = 0;
	if (!has_small_overhead(t) || !fresh(t)) {
		return;
	}
	for (int i = 0; i < 16; i++) {
		len = seal_sample(t, OBI_DIALER, records[OBI_DIALER][i]);
		len = len > 0 && i % 2 == 0
			  ? seal_sample(t, OBI_ACCEPTOR, records[OBI_ACCEPTOR][i / 2])
			  : len;
		if (len == 0) {
			return;
		}
	}
	for (int i = 0; i < 8; i++) {
		for (int from = 1; from >= 0; from--) {
			ptrdiff_t n = t->ops->open(talk->end[1 - from], records[from][i], len);
			OBI_REQUIRE(
			    t, n == SAMPLE,
			    "record %d of the %s, opened after later ones were sealed: code %td", i,
			    obi_mech_end_text(from), n);
		}
	}
}

static void goes_on(struct obi_mech_trial *t)
{
	if (!has_small_overhead(t) || !fresh(t)) {
		return;
	}
	for (int i = 0; i < MANY; i++) {
		fill(buffer, 8);
		OBI_REQUIRE(t, obi_mech_cross(t, &t->talk[0], OBI_DIALER, buffer, 8),
			    "record %d is not the same when opened", i);
	}
	(void)carries(t, OBI_ACCEPTOR, 8);
}

static void tells_nothing(struct obi_mech_trial *t)
{
	uint8_t one[SAMPLE + 1024], two[SAMPLE + 1024], plain[SAMPLE];
	if (!has_small_overhead(t) || !fresh(t)) {
		return;
	}
	size_t len = seal_sample(t, OBI_DIALER, one);
	if (len == 0 || seal_sample(t, OBI_DIALER, two) == 0) {
		return;
	}
	fill(plain, SAMPLE);
	OBI_REQUIRE(t, memcmp(one, plain, SAMPLE) != 0, "a sealed record contains its plain text");
	OBI_REQUIRE(t, memcmp(one, two, len) != 0,
		    "sealing the same bytes twice gives the same record");
	OBI_REQUIRE(t, seal_sample(t, OBI_ACCEPTOR, two) == 0 || memcmp(one, two, len) != 0,
		    "both directions give the same record");
}

/* ---- What is rejected ---- */

static bool refuses(struct obi_mech_trial *t, int at, uint8_t *record, size_t len, const char *what,
		    size_t which)
{
	ptrdiff_t n = t->ops->open(t->talk[0].end[at], record, len);
	return n < 0 || OBI_FAIL(t, "open of a record that is %s (%zu): code %td", what, which, n);
}

static void refuses_changed_records(struct obi_mech_trial *t)
{
	static const uint8_t masks[] = {0x01, 0x80};
	uint8_t record[SAMPLE + 1024];
	size_t whole = SAMPLE + (t->ops->overhead <= 1024 ? t->ops->overhead : 0);
	for (size_t i = 0; has_small_overhead(t) && i < 2 * whole; i++) {
		int from = (int)(i % 2);
		size_t len = fresh(t) ? seal_sample(t, from, record) : 0;
		record[i / 2] ^= masks[i % 2];
		if (len == 0 || !refuses(t, 1 - from, record, len, "changed at a byte", i / 2)) {
			return;
		}
	}
}

static void refuses_records_of_other_lengths(struct obi_mech_trial *t)
{
	uint8_t record[SAMPLE + 1024 + 8] = {0};
	size_t whole = SAMPLE + (t->ops->overhead <= 1024 ? t->ops->overhead : 0);
	for (size_t n = 0; has_small_overhead(t) && n <= whole + 8; n++) {
		if (n == whole) {
			continue;
		}
		if (!fresh(t) || seal_sample(t, OBI_DIALER, record) == 0 ||
		    !refuses(t, OBI_ACCEPTOR, record, n, "of another length", n)) {
			return;
		}
	}
}

static void refuses_records_out_of_order(struct obi_mech_trial *t)
{
	uint8_t one[SAMPLE + 1024], two[SAMPLE + 1024], again[SAMPLE + 1024];
	size_t len;
	for (int from = 0; from < 2 && has_small_overhead(t); from++) {
		if (!fresh(t) || (len = seal_sample(t, from, one)) == 0) {
			return;
		}
		memcpy(again, one, len);
		OBI_REQUIRE(t, t->ops->open(t->talk[0].end[1 - from], one, len) == SAMPLE,
			    "a record is refused");
		if (!refuses(t, 1 - from, again, len, "repeated", 1)) {
			return;
		}
		if (!fresh(t) || seal_sample(t, from, one) == 0 || seal_sample(t, from, two) == 0 ||
		    !refuses(t, 1 - from, two, len, "too early", 1)) {
			return;
		}
	}
}

static void refuses_records_of_others(struct obi_mech_trial *t)
{
	uint8_t record[SAMPLE + 1024];
	size_t len;
	for (int from = 0; from < 2 && has_small_overhead(t); from++) {
		if (!fresh(t) || (len = seal_sample(t, from, record)) == 0 ||
		    !refuses(t, from, record, len, "its own", (size_t)from)) {
			return;
		}
		if (!fresh(t) || (len = seal_sample(t, from, record)) == 0 || !fresh(t) ||
		    !refuses(t, 1 - from, record, len, "of another exchange", (size_t)from)) {
			return;
		}
	}
}

/* ---- Channel binding ---- */

struct bindings {
	uint8_t bytes[2][OB_BINDING_MAX];
	size_t len[2];
};

/* Those of both ends of a new exchange. */
static bool bind(struct obi_mech_trial *t, struct bindings *ret)
{
	struct obi_mech_talk *talk = &t->talk[0];
	obi_mech_agree(t, talk);
	bool fine = obi_mech_run(t, talk, OBI_MECH_MESSAGES);
	for (int i = 0; fine && i < 2; i++) {
		struct ob_sink out = ob_sink_fixed(ret->bytes[i], sizeof ret->bytes[i]);
		int r = t->ops->binding(talk->end[i], &out);
		ret->len[i] = out.len;
		fine = (r == OB_OK && !out.failed && out.len >= OB_BINDING_MIN) ||
		       OBI_FAIL(t, "binding of the %s: code %d, %zu bytes, of %d to %d",
				obi_mech_end_text(i), r, out.len, OB_BINDING_MIN, OB_BINDING_MAX);
	}
	obi_mech_end(t, talk);
	return fine;
}

static void binds_its_channel(struct obi_mech_trial *t)
{
	struct bindings one, two;
	if (!bind(t, &one) || !bind(t, &two)) {
		return;
	}
	OBI_REQUIRE(t,
		    one.len[0] == one.len[1] && memcmp(one.bytes[0], one.bytes[1], one.len[0]) == 0,
		    "the channel bindings of both ends differ");
	OBI_REQUIRE(t,
		    one.len[0] != two.len[0] || memcmp(one.bytes[0], two.bytes[0], one.len[0]) != 0,
		    "two exchanges have the same channel binding");
}

const struct obi_mech_promise obi_mech_promises_of_records[] = {
    {"binds its channel", binds_its_channel},
    {"seals and opens records in place", records_come_back},
    {"keeps the directions independent", directions_are_independent},
    {"seals 70000 records", goes_on},
    {"hides the content of records", tells_nothing},
    {"refuses changed records", refuses_changed_records},
    {"refuses records of other lengths", refuses_records_of_other_lengths},
    {"refuses replayed and reordered records", refuses_records_out_of_order},
    {"refuses its own records, and those of other exchanges", refuses_records_of_others},
    {NULL, NULL},
};
