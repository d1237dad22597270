/* SPDX-License-Identifier: MIT */
/* The promises about an exchange: which end well, and which must not. */
#include "conformance/auth_trial.h"

#include <stdio.h>

/* ---- Exchanges that must pass ---- */

static void ends_well(struct obi_mech_trial *t)
{
	struct obi_mech_talk *talk = &t->talk[0];
	for (int i = 0; i < 4; i++) {
		obi_mech_agree(t, talk);
		talk->params[0].parent_dials = talk->params[1].parent_dials = i % 2 == 0;
		if (!obi_mech_run(t, talk, OBI_MECH_MESSAGES)) {
			return;
		}
		OBI_REQUIRE(t, obi_mech_passed(t, talk),
			    "two ends with the same secret and prologue: the dialer returns %d and "
			    "the acceptor %d after %u messages: %s",
			    talk->said[0], talk->said[1], talk->count, talk->err.text);
		obi_mech_end(t, talk);
	}
}

/* ---- Exchanges that must fail ---- */

/* Run two ends whose params differ. Returns whether they failed. */
static bool refused(struct obi_mech_trial *t, struct obi_mech_talk *talk, const char *what)
{
	bool over = obi_mech_run(t, talk, OBI_MECH_MESSAGES);
	bool passed = over && obi_mech_passed(t, talk);
	int said = talk->said[0] < 0 ? talk->said[0] : talk->said[1];
	obi_mech_end(t, talk);
	if (!over) {
		return false;
	}
	if (passed) {
		return OBI_FAIL(t, "%s: both ends accept", what);
	}
	return said >= 0 || said == OB_EAUTH ||
	       OBI_FAIL(t, "%s: code %d instead of OB_EAUTH", what, said);
}

static void refuses_another_secret(struct obi_mech_trial *t)
{
	struct obi_mech_talk *talk = &t->talk[0];
	uint8_t near[OBI_MECH_SECRET];
	if (obi_mech_needs_no_secret(t)) {
		OBI_SKIP(t, "it needs no secret");
		return;
	}
	for (int end = 0; end < 2; end++) {
		obi_mech_agree(t, talk);
		talk->params[end].secret = ob_bytes_of(t->secret[1], OBI_MECH_SECRET);
		if (!refused(t, talk, "two ends with different secrets")) {
			return;
		}
		for (size_t i = 0; i < OBI_MECH_SECRET; i++) {
			memcpy(near, t->secret[0], sizeof near);
			near[i] ^= 1;
			obi_mech_agree(t, talk);
			talk->params[end].secret = ob_bytes_of(near, sizeof near);
			if (!refused(t, talk, "two secrets that differ in one bit")) {
				return;
			}
		}
	}
}

static void try_prologues(struct obi_mech_trial *t)
{
	static const char *const others[] = {"", "outboard/1, a codec, a list of mechanism",
					     "outboard/1, a codec, a list of mechanismz"};
	struct obi_mech_talk *talk = &t->talk[0];
	if (obi_mech_is_local(t)) {
		OBI_SKIP(t, "it is for local transports");
		return;
	}
	for (int i = 0; i < 6; i++) {
		obi_mech_agree(t, talk);
		talk->params[i % 2].prologue = ob_bytes_text(others[i / 2]);
		if (!refused(t, talk, "two ends with different prologues")) {
			return;
		}
	}
}

static void refuses_another_prologue(struct obi_mech_trial *t)
{
	try_prologues(t);
	obi_mech_lift(t);
}

/* Two ends of the same role, each given the other's messages. The first input of an acceptor is
 * empty. */
static void refuses_its_own_role(struct obi_mech_trial *t)
{
	struct obi_mech_talk *talk = &t->talk[0];
	for (int role = 0; role < 2; role++) {
		if (role == OBI_DIALER && obi_mech_is_local(t)) {
			continue; /* its dialer proves nothing about the acceptor */
		}
		struct obi_mech_message said[2] = {{.len = 0}, {.len = 0}};
		int state[2] = {OB_AUTH_MORE, OB_AUTH_MORE};
		obi_mech_agree(t, talk);
		if (!obi_mech_make(t, &talk->params[role], &talk->end[0]) ||
		    !obi_mech_make(t, &talk->params[role], &talk->end[1])) {
			return;
		}
		for (int i = 0;
		     i < OBI_MECH_MESSAGES && state[i % 2] == OB_AUTH_MORE && state[1 - i % 2] >= 0;
		     i++) {
			/* The first messages of both: each begins as its role requires. */
			struct ob_bytes in =
			    i < 2 && role == OBI_DIALER
				? ob_bytes_of(NULL, 0)
				: ob_bytes_of(said[1 - i % 2].bytes, said[1 - i % 2].len);
			struct obi_mech_message out;
			state[i % 2] =
			    obi_mech_step(t, talk->end[i % 2], in, OBI_MECH_MESSAGE, &out, NULL);
			said[i % 2] = out;
			OBI_REQUIRE(t, state[i % 2] != OB_AUTH_DONE,
				    "a %s accepts a %s as its peer", obi_mech_end_text(role),
				    obi_mech_end_text(role));
		}
		obi_mech_end(t, talk);
	}
}

/* Bring `who` of a new exchange to where it waits for message n, with an honest peer. */
static bool bring_to(struct obi_mech_trial *t, struct obi_mech_talk *talk, uint32_t n)
{
	obi_mech_end(t, talk);
	obi_mech_agree(t, talk);
	if (!obi_mech_make(t, &talk->params[0], &talk->end[0]) ||
	    !obi_mech_make(t, &talk->params[1], &talk->end[1])) {
		return false;
	}
	struct obi_mech_message arrives = {.len = 0};
	for (uint32_t i = 0; i < n; i++) {
		int rc = obi_mech_step(t, talk->end[i % 2], ob_bytes_of(arrives.bytes, arrives.len),
				       OBI_MECH_MESSAGE, &talk->sent[i], NULL);
		if (rc < 0) {
			return OBI_FAIL(t, "message %u of an honest peer is refused: code %d", i,
					rc);
		}
		arrives = talk->sent[i];
	}
	talk->count = n;
	return true;
}

/* The number of messages of an honest exchange; 0: the trial failed. */
static uint32_t length_of(struct obi_mech_trial *t)
{
	uint32_t count = obi_mech_pair(t, &t->talk[1]) ? t->talk[1].count : 0;
	obi_mech_end(t, &t->talk[1]);
	return count;
}

/* Whether the mechanism verifies anything at this end. */
static bool is_judge(const struct obi_mech_trial *t, uint32_t end)
{
	return end == OBI_ACCEPTOR || !obi_mech_is_local(t);
}

/* Give `end`, which waits for message n, other bytes instead. It must not pass. */
static bool unmoved(struct obi_mech_trial *t, struct obi_mech_talk *talk, uint32_t n,
		    struct ob_bytes in, const char *what)
{
	struct obi_mech_message out;
	uint32_t end = (n + 1) % 2; /* message n is of the end n % 2 */
	int rc = obi_mech_step(t, talk->end[end], in, OBI_MECH_MESSAGE, &out, NULL);
	if (rc == OB_AUTH_DONE) {
		return OBI_FAIL(t, "the %s accepts %s instead of message %u",
				obi_mech_end_text((int)end), what, n);
	}
	return OBI_PASSED(t);
}

static void refuses_its_own_messages(struct obi_mech_trial *t)
{
	struct obi_mech_talk *talk = &t->talk[0];
	uint32_t count = length_of(t);
	for (uint32_t n = 1; n < count; n++) {
		if (!is_judge(t, (n + 1) % 2) || !bring_to(t, talk, n)) {
			continue;
		}
		struct obi_mech_message mine = talk->sent[n - 1];
		if (mine.len > 0 && !unmoved(t, talk, n, ob_bytes_of(mine.bytes, mine.len),
					     "its own last message")) {
			return;
		}
	}
}

/* Replay in one exchange all that one end sent in another. A sealing end may end the exchange,
 * but must not open a record. */
static void replay(struct obi_mech_trial *t, uint32_t who, const struct obi_mech_talk *old,
		   uint8_t *record, size_t len)
{
	struct obi_mech_talk *talk = &t->talk[0];
	struct obi_mech_message out;
	uint32_t listener = 1 - who;
	int rc = OB_AUTH_MORE;
	obi_mech_end(t, talk);
	obi_mech_agree(t, talk);
	if (!obi_mech_make(t, &talk->params[listener], &talk->end[listener])) {
		return;
	}
	if (listener == OBI_DIALER) {
		rc = obi_mech_step(t, talk->end[listener], ob_bytes_of(NULL, 0), OBI_MECH_MESSAGE,
				   &out, NULL);
	}
	for (uint32_t i = who; i < old->count && rc == OB_AUTH_MORE; i += 2) {
		rc = obi_mech_step(t, talk->end[listener],
				   ob_bytes_of(old->sent[i].bytes, old->sent[i].len),
				   OBI_MECH_MESSAGE, &out, NULL);
	}
	if (rc != OB_AUTH_DONE) {
		return;
	}
	OBI_REQUIRE(t, t->ops->seal != NULL, "the %s accepts the messages of an earlier exchange",
		    obi_mech_end_text((int)listener));
	OBI_REQUIRE(t, t->ops->open(talk->end[listener], record, len) < 0,
		    "the %s opens a record of an earlier exchange",
		    obi_mech_end_text((int)listener));
}

static void try_replays(struct obi_mech_trial *t)
{
	struct obi_mech_talk *old = &t->talk[1];
	if (obi_mech_is_local(t)) {
		OBI_SKIP(t, "it is for local transports");
		return;
	}
	for (uint32_t who = 0; who < 2 && OBI_PASSED(t); who++) {
		uint8_t record[1024] = "a record";
		ptrdiff_t len = 8;
		obi_mech_end(t, old);
		obi_mech_agree(t, old);
		if (!obi_mech_run(t, old, OBI_MECH_MESSAGES)) {
			return;
		}
		if (t->ops->seal != NULL) {
			len = t->ops->overhead <= 512 ? t->ops->seal(old->end[who], record, 8) : -1;
			OBI_REQUIRE(t, len > 0, "the first record cannot be sealed: code %d",
				    (int)len);
		}
		replay(t, who, old, record, (size_t)len);
	}
}

static void refuses_an_earlier_exchange(struct obi_mech_trial *t)
{
	try_replays(t);
	obi_mech_lift(t);
}

/* ---- Damage ---- */

static void flip(struct obi_mech_talk *talk, uint32_t i, struct obi_mech_message *message)
{
	if (i == talk->at) {
		message->bytes[talk->place] ^= talk->mask;
	}
}

static void resize(struct obi_mech_talk *talk, uint32_t i, struct obi_mech_message *message)
{
	if (i == talk->at) {
		for (size_t n = message->len; n < talk->place && n < OBI_MECH_MESSAGE; n++) {
			message->bytes[n] = talk->mask;
		}
		message->len = talk->place;
	}
}

static bool refuses_damage(struct obi_mech_trial *t,
			   void (*meddle)(struct obi_mech_talk *, uint32_t,
					  struct obi_mech_message *),
			   uint32_t at, size_t place, uint8_t mask, const char *what)
{
	struct obi_mech_talk *talk = &t->talk[0];
	char text[120];
	obi_mech_agree(t, talk);
	talk->meddle = meddle;
	talk->at = at;
	talk->place = place;
	talk->mask = mask;
	snprintf(text, sizeof text, "message %u %s %zu", at, what, place);
	return refused(t, talk, text);
}

static void refuses_every_changed_byte(struct obi_mech_trial *t)
{
	static const uint8_t masks[] = {0x01, 0x80, 0xff};
	struct obi_mech_talk *honest = &t->talk[1];
	uint32_t count = length_of(t);
	for (uint32_t at = 0; at < count; at++) {
		for (size_t place = 0; place < honest->sent[at].len; place++) {
			for (size_t m = 0; m < sizeof masks; m++) {
				if (!refuses_damage(t, flip, at, place, masks[m],
						    "changed at byte")) {
					return;
				}
			}
		}
	}
}

static void refuses_other_lengths(struct obi_mech_trial *t)
{
	struct obi_mech_talk *honest = &t->talk[1];
	uint32_t count = length_of(t);
	for (uint32_t at = 0; at < count; at++) {
		size_t len = honest->sent[at].len;
		const size_t more[] = {len + 1, 2 * len, OBI_MECH_MESSAGE};
		for (size_t place = 0; place < len; place++) {
			if (!refuses_damage(t, resize, at, place, 0, "cut to length")) {
				return;
			}
		}
		for (size_t i = 0; i < 3; i++) {
			if (more[i] > len && more[i] <= OBI_MECH_MESSAGE &&
			    !refuses_damage(t, resize, at, more[i], 0, "extended to length")) {
				return;
			}
		}
	}
}

static void garbage_of(uint32_t kind, struct obi_mech_message *ret)
{
	static const size_t sizes[] = {0, 1, 31, 32, 33, 48, 64, 71, 96, 255, 4095, 4096};
	uint32_t seed = 77 + kind;
	ret->len = sizes[kind / 3];
	for (size_t i = 0; i < ret->len; i++) {
		seed = seed * 1664525u + 1013904223u;
		ret->bytes[i] = kind % 3 == 0 ? 0 : kind % 3 == 1 ? 0xff : (uint8_t)(seed >> 24);
	}
}

/* Where an honest peer sends nothing, any byte is garbage. */
static void refuses_garbage(struct obi_mech_trial *t)
{
	struct obi_mech_talk *talk = &t->talk[0], *honest = &t->talk[1];
	struct obi_mech_message garbage;
	uint32_t count = length_of(t);
	for (uint32_t n = 0; n < count; n++) {
		for (uint32_t kind = 0; kind < 36 && is_judge(t, (n + 1) % 2); kind++) {
			garbage_of(kind, &garbage);
			if (garbage.len == 0 && honest->sent[n].len == 0) {
				continue;
			}
			if (!bring_to(t, talk, n) ||
			    !unmoved(t, talk, n, ob_bytes_of(garbage.bytes, garbage.len),
				     "garbage")) {
				return;
			}
		}
	}
	/* A dialer that gets a message before it has sent one. */
	for (uint32_t kind = 3; kind < 36 && is_judge(t, OBI_DIALER); kind++) {
		struct obi_mech_message out;
		garbage_of(kind, &garbage);
		if (!bring_to(t, talk, 0)) {
			return;
		}
		int rc = obi_mech_step(t, talk->end[0], ob_bytes_of(garbage.bytes, garbage.len),
				       OBI_MECH_MESSAGE, &out, NULL);
		OBI_REQUIRE(t, rc != OB_AUTH_DONE,
			    "the dialer accepts garbage before it has sent a message");
	}
}

static void keeps_to_the_room_it_has(struct obi_mech_trial *t)
{
	struct obi_mech_talk *talk = &t->talk[0], *honest = &t->talk[1];
	struct obi_mech_message out;
	uint32_t count = length_of(t);
	for (uint32_t n = 0; n < count; n++) {
		for (size_t room = 0; room < honest->sent[n].len; room++) {
			if (!bring_to(t, talk, n)) {
				return;
			}
			struct ob_bytes in =
			    n > 0 ? ob_bytes_of(talk->sent[n - 1].bytes, talk->sent[n - 1].len)
				  : ob_bytes_of(NULL, 0);
			int rc = obi_mech_step(t, talk->end[n % 2], in, room, &out, NULL);
			OBI_REQUIRE(t, rc < 0,
				    "message %u of %zu bytes into a sink of %zu bytes: code %d "
				    "instead of an error",
				    n, honest->sent[n].len, room, rc);
		}
	}
}

const struct obi_mech_promise obi_mech_promises_of_exchange[] = {
    {"accepts a peer with the same secret and prologue", ends_well},
    {"refuses another secret", refuses_another_secret},
    {"refuses another prologue", refuses_another_prologue},
    {"refuses a peer of the same role", refuses_its_own_role},
    {"refuses its own messages", refuses_its_own_messages},
    {"refuses the messages of an earlier exchange", refuses_an_earlier_exchange},
    {"refuses every changed byte", refuses_every_changed_byte},
    {"refuses messages of other lengths", refuses_other_lengths},
    {"refuses garbage", refuses_garbage},
    {"stays within its sink", keeps_to_the_room_it_has},
    {NULL, NULL},
};
