/* SPDX-License-Identifier: MIT */
/* The suite of authenticators, and the promises about a single end. */
#include "conformance/auth.h"

#include "conformance/auth_trial.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Facts ---- */

static int admit(struct obi_mech_trial *t, int end, const struct ob_peer *peer,
		 struct ob_error *reterr)
{
	obi_mech_agree(t, &t->talk[0]);
	t->talk[0].params[end].peer = peer;
	return t->ops->admit(t->host, &t->talk[0].params[end], reterr);
}

static void refuses_whom_nobody_knows(struct obi_mech_trial *t)
{
	if (t->ops->admit == NULL) {
		OBI_SKIP(t, "it has no admit()");
		return;
	}
	for (int end = 0; end < 2; end++) {
		struct ob_peer nobody = t->peer;
		struct ob_error err = {.text = ""};
		nobody.known = 0; /* overrides the other members */
		int rc = admit(t, end, &nobody, &err);
		OBI_REQUIRE(
		    t, rc == OB_EAUTH,
		    "admit as %s, for a peer without any known fact: code %d instead of OB_EAUTH",
		    obi_mech_end_text(end), rc);
		OBI_REQUIRE(t, err.text[0] != '\0', "admit refuses without an error text");
		rc = admit(t, end, &nobody, NULL);
		OBI_REQUIRE(t, rc == OB_EAUTH, "admit with reterr NULL: code %d", rc);
	}
}

/* A copy of the struct in memory that ends where an older host's does: a sanitizer finds a read
 * beyond it. */
static void *cut(const void *from, size_t size)
{
	uint32_t says = (uint32_t)size;
	uint8_t *copy = malloc(size);
	if (copy == NULL) {
		abort();
	}
	memcpy(copy, from, size);
	memcpy(copy, &says, sizeof says);
	return copy;
}

static void works_for_an_older_host(struct obi_mech_trial *t)
{
	obi_mech_agree(t, &t->talk[0]);
	struct ob_auth_params params = t->talk[0].params[0];
	struct ob_peer *peer = cut(&t->peer, offsetof(struct ob_peer, pidfd));
	params.peer = peer;
	struct ob_auth_params *older = cut(&params, offsetof(struct ob_auth_params, allowed_uid));
	struct ob_auth *end = NULL;
	int now =
	    t->ops->admit != NULL ? t->ops->admit(t->host, &t->talk[0].params[0], NULL) : OB_OK;
	int then = t->ops->admit != NULL ? t->ops->admit(t->host, older, NULL) : OB_OK;
	int made = t->ops->create != NULL ? t->ops->create(t->host, older, &end, NULL) : OB_OK;
	if (made == OB_OK && t->ops->create != NULL) {
		t->ops->destroy(end);
	}
	free(peer);
	free(older);
	OBI_REQUIRE(t, now == then, "admit returns %d, but %d for params and peer of an older host",
		    now, then);
	OBI_REQUIRE(t, made == OB_OK, "create with params and peer of an older host: code %d",
		    made);
}

/* ---- Making and unmaking ---- */

/* 0 where the allocator does not tell, as under a sanitizer, which finds leaks itself. */
static size_t heap_in_use(void)
{
	return mallinfo2().uordblks;
}

static bool create_some(struct obi_mech_trial *t, int end, size_t secret)
{
	static uint8_t bytes[64];
	struct ob_auth *const mark = (struct ob_auth *)(void *)&bytes;
	struct ob_auth *made = mark;
	struct ob_error err = {.text = ""};
	obi_mech_agree(t, &t->talk[0]);
	t->talk[0].params[end].secret = ob_bytes_of(secret > 0 ? bytes : NULL, secret);
	int rc = t->ops->create(t->host, &t->talk[0].params[end], &made, &err);
	if (rc == OB_OK) {
		if (made != NULL && made != mark) {
			t->ops->destroy(made);
			return true;
		}
		return OBI_FAIL(t, "create returns OB_OK without an object");
	}
	if (rc > 0 || err.text[0] == '\0' || made != mark) {
		return OBI_FAIL(t, "create with a secret of %zu bytes: code %d, but %s", secret, rc,
				made != mark ? "it sets the result" : "there is no error text");
	}
	return true;
}

static void leaves_nothing_behind(struct obi_mech_trial *t)
{
	static const size_t sizes[] = {0, 1, 31, 32, 33, 64};
	size_t before = 0;
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < 12; i++) {
			if (!create_some(t, (int)(i % 2), sizes[i / 2])) {
				return;
			}
		}
		/* An allocation that is made once per process is not a leak. */
		before = round == 99 ? heap_in_use() : before;
	}
	size_t after = heap_in_use();
	OBI_REQUIRE(t, after < before + 100 * sizeof(void *),
		    "creating and destroying 1200 objects leaked %zu bytes", after - before);
	t->ops->destroy(NULL);
}

static void is_destroyed_in_any_state(struct obi_mech_trial *t)
{
	struct obi_mech_talk *talk = &t->talk[0];
	for (uint32_t n = 2; n <= OBI_MECH_MESSAGES; n += 2) {
		obi_mech_agree(t, talk);
		if (!obi_mech_run(t, talk, n)) {
			return;
		}
		obi_mech_end(t, talk);
	}
	/* An end that has refused is destroyed as well. */
	struct obi_mech_message garbage = {.len = 77}, out;
	memset(garbage.bytes, 'x', sizeof garbage.bytes);
	obi_mech_agree(t, talk);
	for (int end = 0; end < 2; end++) {
		if (!obi_mech_make(t, &talk->params[end], &talk->end[end])) {
			return;
		}
		(void)obi_mech_step(t, talk->end[end], ob_bytes_of(garbage.bytes, garbage.len),
				    OBI_MECH_MESSAGE, &out, NULL);
	}
	obi_mech_end(t, talk);
}

/* ---- Identity ---- */

static void name_peer(struct obi_mech_trial *t, struct ob_auth *end,
		      const struct ob_auth_params *params)
{
	uint8_t text[256] = {0};
	text[255] = 0x5a;
	struct ob_sink out = ob_sink_fixed(text, 255), none = ob_sink_fixed(NULL, 0);
	int rc = t->ops->identity(end, params, &out);
	OBI_REQUIRE(t, rc == OB_OK && !out.failed, "identity: code %d, or more than 255 bytes", rc);
	OBI_REQUIRE(t, text[255] == 0x5a, "identity writes beyond its sink");
	OBI_REQUIRE(t, out.len > 0 && ob_is_utf8(ob_bytes_of(text, out.len)),
		    "identity writes %zu bytes, but must write 1 to 255 bytes of UTF-8", out.len);
	rc = t->ops->identity(end, params, &none);
	OBI_REQUIRE(t, rc < 0 || none.failed, "identity into a full sink: code %d", rc);
}

static void names_a_subject(struct obi_mech_trial *t)
{
	struct obi_mech_talk *talk = &t->talk[0];
	if (t->ops->identity == NULL) {
		OBI_SKIP(t, "it has no identity()");
		return;
	}
	if (t->ops->create == NULL && admit(t, 0, &t->peer, NULL) != OB_OK) {
		OBI_SKIP(t, "admit refuses this user");
		return;
	}
	obi_mech_agree(t, talk);
	if (t->ops->create != NULL && !obi_mech_pair(t, talk)) {
		return;
	}
	for (int i = 0; i < 2; i++) {
		name_peer(t, talk->end[i], &talk->params[i]);
	}
}

/* ---- Claims ---- */

static bool is_name_of_claim(struct ob_bytes name)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '\0' || strchr(letters, name.data[i]) == NULL) {
			return false;
		}
	}
	return name.len > 0 && name.len <= OB_CLAIM_NAME_MAX;
}

static void check_claim(struct obi_mech_trial *t, const struct ob_value *claims, uint32_t i,
			size_t *bytes)
{
	struct ob_bytes name = {NULL, 0}, value = {NULL, 0};
	bool texts = ob_get_string(&claims->as.pairs[i].key, &name) &&
		     ob_get_string(&claims->as.pairs[i].value, &value);
	OBI_REQUIRE(t, texts, "claim %u: not a string", i);
	OBI_REQUIRE(t, is_name_of_claim(name),
		    "claim %u: its name is not 1 to %d of A-Z a-z 0-9 _ . -", i, OB_CLAIM_NAME_MAX);
	OBI_REQUIRE(t, value.len <= OB_CLAIM_VALUE_MAX && ob_is_utf8(value),
		    "claim %u: not UTF-8 of at most %d bytes", i, OB_CLAIM_VALUE_MAX);
	*bytes += name.len + value.len;
}

/* The claims of an end, made in arena; nil: none. */
static void claim(struct obi_mech_trial *t, int i, struct ob_arena *arena, struct ob_value *ret)
{
	struct obi_mech_talk *talk = &t->talk[0];
	struct ob_builder b;
	*ret = ob_nil();
	ob_builder_init(&b, arena);
	int rc = t->ops->claims(talk->end[i], &talk->params[i], &b);
	OBI_REQUIRE(t, rc == OB_OK, "claims as %s: code %d", obi_mech_end_text(i), rc);
	if (b.used > 0 || b.depth > 0 || b.error != OB_OK) {
		rc = ob_builder_finish(&b, ret);
		OBI_REQUIRE(t, rc == OB_OK && ret->type == OB_MAP,
			    "claims as %s: not one map: code %d", obi_mech_end_text(i), rc);
	}
}

static bool same_claims(const struct ob_value *a, const struct ob_value *b)
{
	bool same = a->type == b->type && a->count == b->count;
	for (uint32_t i = 0; same && i < a->count; i++) {
		const struct ob_pair *x = &a->as.pairs[i], *y = &b->as.pairs[i];
		same = ob_key_compare(&x->key, &y->key) == 0 &&
		       ob_key_compare(&x->value, &y->value) == 0;
	}
	return same;
}

static void claim_twice(struct obi_mech_trial *t, int i, struct ob_arena arenas[2])
{
	struct ob_value claims, again;
	size_t bytes = 0;
	claim(t, i, &arenas[0], &claims);
	claim(t, i, &arenas[1], &again);
	if (!OBI_PASSED(t)) {
		return;
	}
	OBI_REQUIRE(t, claims.count <= OB_CLAIMS_MAX, "%u claims, more than %d", claims.count,
		    OB_CLAIMS_MAX);
	for (uint32_t n = 0; n < claims.count && OBI_PASSED(t); n++) {
		check_claim(t, &claims, n, &bytes);
	}
	OBI_REQUIRE(t, bytes <= OB_CLAIMS_BYTES_MAX, "%zu bytes of claims, more than %d", bytes,
		    OB_CLAIMS_BYTES_MAX);
	if (!OBI_PASSED(t)) {
		return;
	}
	OBI_REQUIRE(t, same_claims(&claims, &again), "a second call of claims gives other ones");
	OBI_REQUIRE(t,
		    claims.count == 0 ||
			ob_map_has_duplicates(claims.as.pairs, claims.count, &arenas[1]) == 0,
		    "a claim occurs twice");
}

static void claims_what_fits(struct obi_mech_trial *t)
{
	enum { ROOM = 32 * 1024 };
	if (t->ops->claims == NULL) {
		OBI_SKIP(t, "it has no claims()");
		return;
	}
	if (t->ops->create == NULL && admit(t, 0, &t->peer, NULL) != OB_OK) {
		OBI_SKIP(t, "admit refuses this user");
		return;
	}
	obi_mech_agree(t, &t->talk[0]);
	if (t->ops->create != NULL && !obi_mech_pair(t, &t->talk[0])) {
		return;
	}
	uint8_t *memory = aligned_alloc(16, (size_t)2 * ROOM);
	for (int i = 0; memory != NULL && i < 2; i++) {
		struct ob_arena arenas[] = {{.next = memory, .end = memory + ROOM},
					    {.next = memory + ROOM, .end = memory + 2 * ROOM}};
		claim_twice(t, i, arenas);
	}
	free(memory);
}

const struct obi_mech_promise obi_mech_promises_of_facts[] = {
    {"refuses a peer without known facts", refuses_whom_nobody_knows},
    {"works with an older host", works_for_an_older_host},
    {"names a subject", names_a_subject},
    {"claims what fits", claims_what_fits},
    {NULL, NULL},
};

const struct obi_mech_promise obi_mech_promises_of_ends[] = {
    {"leaks nothing", leaves_nothing_behind},
    {"can be destroyed in any state", is_destroyed_in_any_state},
    {NULL, NULL},
};

/* ---- The suite ---- */

static void begin(struct obi_mech_trial *trial, const struct obi_conform_auth *it)
{
	*trial = (struct obi_mech_trial){.ops = it->ops,
					 .host = it->host,
					 .state = {it->state[0], it->state[1]},
					 .talk = calloc(2, sizeof *trial->talk)};
	if (trial->talk == NULL) {
		fprintf(stderr, "out of memory\n");
		abort();
	}
	trial->peer = (struct ob_peer){.size = sizeof trial->peer,
				       .known = OB_PEER_PID | OB_PEER_UID | OB_PEER_ADDRESS,
				       .pid = (int32_t)getpid(),
				       .uid = geteuid(),
				       .gid = getegid(),
				       .pidfd = -1};
	snprintf(trial->peer.address, sizeof trial->peer.address, "unix:///tmp/here");
	if ((it->ops->flags & OB_AUTH_NEEDS_SEAL) != 0) { /* as a transport that seals would say */
		trial->peer.known |= OB_PEER_SUBJECT;
		trial->peer.subject = ob_bytes_text("spiffe://example.org/peer");
	}
	for (int i = 0; i < OBI_MECH_SECRET; i++) {
		trial->secret[0][i] = (uint8_t)(0x31 + 7 * i);
		trial->secret[1][i] = (uint8_t)(0x13 + 5 * i);
	}
}

static void run(const struct obi_mech_promise *promise, struct obi_mech_trial *trial)
{
	int before = obi_open_descriptors();
	promise->fn(trial);
	obi_mech_end(trial, &trial->talk[0]);
	obi_mech_end(trial, &trial->talk[1]);
	free(trial->talk);
	int more = obi_open_descriptors() - before;
	if (more != 0) {
		OBI_FAIL(trial, "%d descriptors were leaked", more);
	}
}

static void run_all(const struct obi_conform_auth *it, const struct obi_mech_promise *list,
		    struct obi_suite *suite)
{
	for (; list->name != NULL; list++) {
		struct obi_mech_trial trial;
		if (obi_suite_begin(suite, list->name)) {
			begin(&trial, it);
			run(list, &trial);
			obi_suite_report(suite, list->name, &trial.outcome);
		}
	}
}

uint32_t obi_conform_auth(const struct obi_conform_auth *it, obi_verdict_fn *tell, void *user)
{
	struct obi_suite suite = {.begin = it->begin, .tell = tell, .user = user};
	run_all(it, obi_mech_promises_of_facts, &suite);
	if (it->ops->create == NULL) {
		obi_suite_skip(&suite, "exchange of messages", "it exchanges no messages");
	} else {
		run_all(it, obi_mech_promises_of_ends, &suite);
		run_all(it, obi_mech_promises_of_exchange, &suite);
	}
	if (it->ops->seal == NULL) {
		obi_suite_skip(&suite, "sealed records", "it does not seal");
	} else {
		run_all(it, obi_mech_promises_of_records, &suite);
	}
	return suite.broken;
}
