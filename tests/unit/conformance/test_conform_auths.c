/* SPDX-License-Identifier: MIT */
/* The conformance suite for authenticators on the shipped ones; and on one with a fault for each
 * promise, which must be found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail /* a member of ob_host has the same name */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conformance/auth.h"
#include "unit/ask_bed.h"
#include "unit/keys_bed.h"

static void report(void *user, const char *promise, enum obi_verdict verdict, const char *why)
{
	(void)user;
	if (verdict == OBI_VERDICT_FAIL) {
		print_error("BROKEN: %s: %s\n", promise, why);
	} else if (verdict == OBI_VERDICT_SKIP) {
		print_message("does not apply: %s: %s\n", promise, why);
	}
}

static void conforms(const char *name)
{
	const struct obi_plugin *plugin;
	struct ob_error err;
	assert_int_equal(obi_registry_auth(registry, name, &plugin, &err), OB_OK);
	struct obi_conform_auth it = {.ops = &plugin->as.auth, .host = obi_registry_host(registry)};
	assert_int_equal(obi_conform_auth(&it, report, NULL), 0);
}

static void bearer_keeps_its_promises(void **state)
{
	(void)state;
	conforms("bearer");
}

static void token_keeps_its_promises(void **state)
{
	(void)state;
	conforms("token");
}

static void peercred_keeps_its_promises(void **state)
{
	(void)state;
	conforms("peercred");
}

static void noise_keeps_its_promises(void **state)
{
	(void)state;
	conforms("noise");
}

static void certificate_keeps_its_promises(void **state)
{
	(void)state;
	conforms("certificate");
}

static void keys_keeps_its_promises(void **state)
{
	struct obi_conform_auth it = {.ops = &keys_plugin->as.auth,
				      .host = obi_registry_host(registry),
				      .state = {keys_state(1), keys_state(2)}};
	(void)state;
	assert_int_equal(obi_conform_auth(&it, report, NULL), 0);
	keys_plugin->unconfigure(it.state[0]);
	keys_plugin->unconfigure(it.state[1]);
}

/* Through a real helper, at both ends. */
static void ask_keeps_its_promises(void **state)
{
	void *settings = ask_state();
	struct obi_conform_auth it = {.ops = &ask_plugin->as.auth,
				      .host = obi_registry_host(registry),
				      .state = {settings, settings}};
	(void)state;
	assert_int_equal(obi_conform_auth(&it, report, NULL), 0);
	ask_plugin->unconfigure(settings);
}

/* ---- A mechanism with faults ---- */

/* It works like `token`, and then seals, with a hash that is not secure but detects accidental
 * mistakes. Each fault is one that a programmer could make. */
enum fault {
	NONE,
	ADMITS_ANYBODY,
	READS_ON,
	LEAKS_ON_FAILURE,
	SETS_A_RESULT_ON_FAILURE,
	LEAKS_A_DESCRIPTOR,
	NO_SUBJECT,
	SUBJECT_IS_NOT_UTF8,
	CLAIMS_A_NUMBER,
	CLAIMS_NO_MAP,
	CLAIMS_A_BAD_NAME,
	CLAIMS_NO_UTF8,
	CLAIMS_TOO_MANY,
	CLAIMS_TOO_LONG,
	CLAIMS_TOO_MUCH,
	CLAIMS_TWICE,
	CLAIMS_OTHERS_EACH_TIME,
	CLAIMS_FAIL,
	NEVER_ENDS,
	IGNORES_THE_SECRET,
	IGNORES_A_BYTE_OF_THE_SECRET,
	SAYS_EPROTO,
	IGNORES_THE_PROLOGUE,
	HAS_NO_SIDES,
	TALKS_TO_ITS_KIND,
	HAS_NO_NONCE,
	COMPARES_LESS,
	TAKES_MORE,
	TAKES_GARBAGE,
	WRITES_BEYOND,
	SEALS_SHORT,
	SHARES_A_COUNTER,
	ENDS_EARLY,
	DOES_NOT_ENCRYPT,
	HAS_ONE_KEY,
	CHECKS_NO_TAG,
	TAKES_LONG_RECORDS,
	TAKES_OLD_RECORDS,
	HAS_NO_SESSION_KEY,
	BINDS_EACH_END_APART,
	BINDS_TO_NO_EXCHANGE,
	BINDS_SHORT,
	FAULTS
};

/* The promise that each fault must break. */
static const char *const broken_by[FAULTS] = {
    [ADMITS_ANYBODY] = "refuses a peer without known facts",
    [READS_ON] = "works with an older host",
    [LEAKS_ON_FAILURE] = "leaks nothing",
    [SETS_A_RESULT_ON_FAILURE] = "leaks nothing",
    [LEAKS_A_DESCRIPTOR] = "can be destroyed in any state",
    [NO_SUBJECT] = "names a subject",
    [SUBJECT_IS_NOT_UTF8] = "names a subject",
    [CLAIMS_A_NUMBER] = "claims what fits",
    [CLAIMS_NO_MAP] = "claims what fits",
    [CLAIMS_A_BAD_NAME] = "claims what fits",
    [CLAIMS_NO_UTF8] = "claims what fits",
    [CLAIMS_TOO_MANY] = "claims what fits",
    [CLAIMS_TOO_LONG] = "claims what fits",
    [CLAIMS_TOO_MUCH] = "claims what fits",
    [CLAIMS_TWICE] = "claims what fits",
    [CLAIMS_OTHERS_EACH_TIME] = "claims what fits",
    [CLAIMS_FAIL] = "claims what fits",
    [NEVER_ENDS] = "accepts a peer with the same secret and prologue",
    [IGNORES_THE_SECRET] = "refuses another secret",
    [IGNORES_A_BYTE_OF_THE_SECRET] = "refuses another secret",
    [SAYS_EPROTO] = "refuses another secret",
    [IGNORES_THE_PROLOGUE] = "refuses another prologue",
    [HAS_NO_SIDES] = "refuses its own messages",
    [TALKS_TO_ITS_KIND] = "refuses a peer of the same role",
    [HAS_NO_NONCE] = "refuses the messages of an earlier exchange",
    [COMPARES_LESS] = "refuses every changed byte",
    [TAKES_MORE] = "refuses messages of other lengths",
    [TAKES_GARBAGE] = "refuses garbage",
    [WRITES_BEYOND] = "stays within its sink",
    [SEALS_SHORT] = "seals and opens records in place",
    [SHARES_A_COUNTER] = "keeps the directions independent",
    [ENDS_EARLY] = "seals 70000 records",
    [DOES_NOT_ENCRYPT] = "hides the content of records",
    [HAS_ONE_KEY] = "refuses its own records, and those of other exchanges",
    [CHECKS_NO_TAG] = "refuses changed records",
    [TAKES_LONG_RECORDS] = "refuses records of other lengths",
    [TAKES_OLD_RECORDS] = "refuses replayed and reordered records",
    [HAS_NO_SESSION_KEY] = "refuses its own records, and those of other exchanges",
    [BINDS_EACH_END_APART] = "binds its channel",
    [BINDS_TO_NO_EXCHANGE] = "binds its channel",
    [BINDS_SHORT] = "binds its channel",
};

static enum fault fault;

enum { NONCE = 8, TAG = 8 };

struct ob_auth {
	const struct ob_host *host;
	uint32_t role;
	struct ob_bytes secret, prologue;
	uint64_t c, s;	   /* nonces of both */
	uint64_t count[2]; /* records sent, records received */
	int at;		   /* messages seen by this end */
	int descriptor;
	bool dead;
};

static uint64_t counter;     /* nonces that never repeat */
static struct ob_auth *left; /* of an end that leaks, so that only the suite finds it */

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const uint8_t *at = data;
	for (size_t i = 0; i < len; i++) {
		h = (h ^ at[i]) * UINT64_C(1099511628211);
		h ^= h >> 29;
	}
	return (h ^ len) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t mix_secret(uint64_t h, const struct ob_auth *a)
{
	size_t len = a->secret.len - (fault == IGNORES_A_BYTE_OF_THE_SECRET);
	return fault == IGNORES_THE_SECRET ? h : mix(h, a->secret.data, len);
}

static uint64_t proof(const struct ob_auth *a, char side)
{
	uint64_t nonces[2] = {a->c, a->s};
	side = fault == HAS_NO_SIDES ? 'X' : side;
	uint64_t h = mix(mix_secret(7, a), &side, 1);
	if (fault != IGNORES_THE_PROLOGUE) {
		h = mix(h, a->prologue.data, a->prologue.len);
	}
	return mix(h, nonces, fault == HAS_NO_NONCE ? 0 : sizeof nonces);
}

static bool is_proof(const struct ob_auth *a, char side, const uint8_t *data)
{
	uint64_t wanted = proof(a, side);
	return memcmp(&wanted, data, fault == COMPARES_LESS ? TAG - 1 : TAG) == 0;
}

static bool put(struct ob_sink *out, const void *data, size_t len)
{
	if (fault == WRITES_BEYOND && out->cap - out->len < len) {
		memcpy(out->data + out->len, data, len);
		return true;
	}
	return ob_sink_put(out, data, len);
}

static bool put_proof(struct ob_auth *a, char side, struct ob_sink *out)
{
	uint64_t tag = proof(a, side);
	return put(out, &tag, TAG);
}

static bool has_length(struct ob_bytes in, size_t len)
{
	return in.len == len || (fault == TAKES_MORE && in.len > len);
}

/* ---- Its table ---- */

static int toy_admit(const struct ob_host *host, const struct ob_auth_params *params,
		     struct ob_error *reterr)
{
	bool known = (params->peer->known & OB_PEER_UID) != 0 || fault == ADMITS_ANYBODY;
	if (fault == READS_ON && !OB_HAS(params->peer, pidfd)) {
		known = false; /* as if it were found there */
	}
	return known ? OB_OK : host->fail(reterr, OB_EAUTH, 0, "toy: nobody knows you");
}

static int toy_create(const struct ob_host *host, const struct ob_auth_params *params,
		      struct ob_auth **ret_auth, struct ob_error *reterr)
{
	struct ob_auth *a = calloc(1, sizeof *a);
	assert_non_null(a);
	*a = (struct ob_auth){.host = host,
			      .role = params->role,
			      .secret = params->secret,
			      .prologue = params->prologue,
			      .descriptor = -1};
	if (params->secret.len != 32) {
		if (fault == LEAKS_ON_FAILURE) {
			/* A list, so that only the suite finds it. */
			a->secret = ob_bytes_of(left, 0);
			left = a;
		} else {
			free(a);
		}
		if (fault == SETS_A_RESULT_ON_FAILURE) {
			*ret_auth = NULL;
		}
		return host->fail(reterr, OB_EINVAL, 0, "toy: it needs a secret of 32 bytes");
	}
	*ret_auth = a;
	return OB_OK;
}

static int refused(struct ob_auth *a, struct ob_error *reterr)
{
	a->dead = true;
	return a->host->fail(reterr, fault == SAYS_EPROTO ? OB_EPROTO : OB_EAUTH, 0,
			     "toy: refused");
}

static int dialer_step(struct ob_auth *a, struct ob_bytes in, struct ob_sink *out,
		       struct ob_error *reterr)
{
	if (a->at == 0 && in.len == 0) {
		a->c = ++counter;
		a->at = put(out, &a->c, NONCE) ? 1 : 0;
		return a->at == 1 ? OB_AUTH_MORE
				  : a->host->fail(reterr, OB_ENOMEM, 0, "toy: no room");
	}
	if (a->at == 1 && (fault == HAS_NO_SIDES || fault == TALKS_TO_ITS_KIND) &&
	    in.len == NONCE) {
		a->s = a->c; /* and it accepts its own proof */
		a->at = 2;
		return OB_AUTH_DONE;
	}
	if (a->at == 1 && has_length(in, NONCE + TAG)) {
		memcpy(&a->s, in.data, NONCE);
		if (!is_proof(a, 'S', in.data + NONCE)) {
			return refused(a, reterr);
		}
		a->at = 2;
		return put_proof(a, 'C', out) ? OB_AUTH_MORE
					      : a->host->fail(reterr, OB_ENOMEM, 0, "toy: no room");
	}
	if (a->at == 2 && has_length(in, 0)) {
		a->at = 3;
		return fault == NEVER_ENDS ? OB_AUTH_MORE : OB_AUTH_DONE;
	}
	return refused(a, reterr);
}

static int acceptor_step(struct ob_auth *a, struct ob_bytes in, struct ob_sink *out,
			 struct ob_error *reterr)
{
	if (a->at == 0 && has_length(in, NONCE)) {
		memcpy(&a->c, in.data, NONCE);
		a->s = ++counter;
		a->at = put(out, &a->s, NONCE) && put_proof(a, 'S', out) ? 1 : 0;
		return a->at == 1 ? OB_AUTH_MORE
				  : a->host->fail(reterr, OB_ENOMEM, 0, "toy: no room");
	}
	if (a->at == 1 && fault == TAKES_GARBAGE && in.len > 64) {
		return OB_AUTH_DONE;
	}
	if (a->at == 1 && has_length(in, TAG) && is_proof(a, 'C', in.data)) {
		a->at = 2;
		return OB_AUTH_DONE;
	}
	return refused(a, reterr);
}

static int toy_step(struct ob_auth *a, struct ob_bytes in, struct ob_sink *out,
		    struct ob_error *reterr)
{
	if (fault == LEAKS_A_DESCRIPTOR && a->descriptor < 0) {
		a->descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	if (a->dead) {
		return refused(a, reterr);
	}
	return a->role == OB_AUTH_DIALER ? dialer_step(a, in, out, reterr)
					 : acceptor_step(a, in, out, reterr);
}

static int toy_identity(struct ob_auth *a, const struct ob_auth_params *params, struct ob_sink *out)
{
	(void)a, (void)params;
	if (fault == NO_SUBJECT) {
		return OB_OK;
	}
	return ob_sink_text(out, fault == SUBJECT_IS_NOT_UTF8 ? "\xed\xa0\x80" : "toy \xe2\x82\xac")
		   ? OB_OK
		   : OB_ENOMEM;
}

/* Claims of 200 bytes each. */
static void claim_many(struct ob_builder *b, int count)
{
	static const char text[] = "0123456789012345678901234567890123456789"
				   "0123456789012345678901234567890123456789"
				   "0123456789012345678901234567890123456789"
				   "0123456789012345678901234567890123456789"
				   "0123456789012345678901234567890123456789";
	for (int i = 0; i < count; i++) {
		char name[16];
		snprintf(name, sizeof name, "n%d", i);
		ob_build_copy(b, name, strlen(name));
		ob_build_stringn(b, text, fault == CLAIMS_TOO_MUCH ? sizeof text - 1 : 1);
	}
}

static int toy_claims(struct ob_auth *a, const struct ob_auth_params *params, struct ob_builder *b)
{
	static char long_text[OB_CLAIM_VALUE_MAX + 1];
	static int calls;
	(void)a, (void)params;
	memset(long_text, 'x', sizeof long_text);
	if (fault == CLAIMS_NO_MAP) {
		ob_build_string(b, "role=admin");
		return OB_OK;
	}
	ob_build_map(b);
	ob_build_key(b, fault == CLAIMS_A_BAD_NAME ? "the role" : "role");
	if (fault == CLAIMS_A_NUMBER) {
		ob_build_int(b, 7);
	} else {
		ob_build_stringn(b, long_text, OB_CLAIM_VALUE_MAX + (fault == CLAIMS_TOO_LONG));
	}
	ob_build_key(b, fault == CLAIMS_TWICE ? "role" : "team");
	ob_build_string(b, fault == CLAIMS_NO_UTF8			     ? "\xff"
			   : fault == CLAIMS_OTHERS_EACH_TIME && calls++ % 2 ? "a"
									     : "");
	claim_many(b, fault == CLAIMS_TOO_MANY ? OB_CLAIMS_MAX - 1 : OB_CLAIMS_MAX - 2);
	ob_build_end(b);
	return fault == CLAIMS_FAIL ? OB_EIO : OB_OK;
}

static void toy_destroy(struct ob_auth *a)
{
	free(a);
}

/* ---- Its records ---- */

/* The key stream and the tag of record n, of the dialer or of the acceptor. */
static uint64_t record_key(const struct ob_auth *a, bool dialers, uint64_t n)
{
	char side = dialers || fault == HAS_ONE_KEY ? 'c' : 's';
	uint64_t nonces[2] = {a->c, a->s};
	uint64_t h = mix(mix_secret(3, a), &side, 1);
	h = fault == HAS_NO_SESSION_KEY || fault == HAS_NO_NONCE ? h
								 : mix(h, nonces, sizeof nonces);
	return fault == TAKES_OLD_RECORDS ? h : mix(h, &n, sizeof n);
}

static void cipher(uint64_t key, uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len && fault != DOES_NOT_ENCRYPT; i++) {
		data[i] ^= (uint8_t)(mix(key, &i, sizeof i) >> 16);
	}
}

static ptrdiff_t toy_seal(struct ob_auth *a, uint8_t *data, size_t len)
{
	uint64_t n = a->count[0]++;
	uint64_t key = record_key(a, a->role == OB_AUTH_DIALER,
				  n + (fault == SHARES_A_COUNTER ? a->count[1] : 0));
	if (fault == ENDS_EARLY && n >= 65536) {
		return OB_EPROTO;
	}
	cipher(key, data, len);
	uint64_t tag = mix(key, data, len);
	memcpy(data + len, &tag, TAG);
	return (ptrdiff_t)(len + TAG) - (fault == SEALS_SHORT && len == 0);
}

static ptrdiff_t toy_open(struct ob_auth *a, uint8_t *data, size_t len)
{
	uint64_t key = record_key(a, a->role != OB_AUTH_DIALER,
				  a->count[1] + (fault == SHARES_A_COUNTER ? a->count[0] : 0));
	if (len < TAG || a->dead) {
		a->dead = true;
		return OB_EPROTO;
	}
	uint64_t tag = mix(key, data, len - TAG);
	bool right = memcmp(&tag, data + len - TAG, TAG) == 0 || fault == CHECKS_NO_TAG;
	for (size_t more = 1;
	     more <= 8 && fault == TAKES_LONG_RECORDS && !right && len > TAG + more; more++) {
		tag = mix(key, data, len - TAG - more);
		right = memcmp(&tag, data + len - TAG - more, TAG) == 0;
		len -= right ? more : 0;
	}
	if (!right) {
		a->dead = true;
		return OB_EPROTO;
	}
	a->count[1]++;
	cipher(key, data, len - TAG);
	return (ptrdiff_t)(len - TAG);
}

static int toy_binding(struct ob_auth *a, struct ob_sink *out)
{
	uint64_t binding[2] = {a->c, a->s};
	if (fault == BINDS_EACH_END_APART) {
		binding[0] ^= a->role;
	} else if (fault == BINDS_TO_NO_EXCHANGE) {
		binding[0] = binding[1] = 0;
	}
	size_t len = sizeof binding - (fault == BINDS_SHORT);
	return ob_sink_put(out, binding, len) ? OB_OK : OB_ENOMEM;
}

static const struct ob_auth_ops toy = {
    .size = sizeof toy,
    .admit = toy_admit,
    .create = toy_create,
    .step = toy_step,
    .identity = toy_identity,
    .destroy = toy_destroy,
    .overhead = TAG,
    .seal = toy_seal,
    .open = toy_open,
    .binding = toy_binding,
    .claims = toy_claims,
};

/* ---- Results ---- */

static void look_for(void *user, const char *promise, enum obi_verdict verdict, const char *why)
{
	bool *found = user;
	(void)why;
	*found = *found || (verdict == OBI_VERDICT_FAIL && strcmp(promise, broken_by[fault]) == 0);
}

static void a_correct_mechanism_passes(void **state)
{
	struct obi_conform_auth it = {.ops = &toy, .host = obi_registry_host(registry)};
	(void)state;
	fault = NONE;
	assert_int_equal(obi_conform_auth(&it, report, NULL), 0);
}

static void free_what_was_left(void)
{
	while (left != NULL) {
		struct ob_auth *next = (struct ob_auth *)(uintptr_t)left->secret.data;
		free(left);
		left = next;
	}
}

static bool only_that(void *user, const char *promise)
{
	(void)user;
	return strcmp(promise, broken_by[fault]) == 0;
}

static void broken_mechanisms_are_caught(void **state)
{
	struct obi_conform_auth it = {
	    .ops = &toy, .host = obi_registry_host(registry), .begin = only_that};
	(void)state;
	for (fault = NONE + 1; fault < FAULTS; fault++) {
		bool found = false;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
		if (fault == LEAKS_ON_FAILURE) {
			continue; /* left to the sanitizer, whose allocator does not count */
		}
#endif
		(void)obi_conform_auth(&it, look_for, &found);
		free_what_was_left();
		if (!found) {
			print_error("fault %d does not break \"%s\"\n", (int)fault,
				    broken_by[fault]);
		}
		assert_true(found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bearer_keeps_its_promises),
	    cmocka_unit_test(token_keeps_its_promises),
	    cmocka_unit_test(peercred_keeps_its_promises),
	    cmocka_unit_test(noise_keeps_its_promises),
	    cmocka_unit_test(certificate_keeps_its_promises),
	    cmocka_unit_test(keys_keeps_its_promises),
	    cmocka_unit_test(a_correct_mechanism_passes),
	    cmocka_unit_test(broken_mechanisms_are_caught),
	};
	const struct CMUnitTest of_ask[] = {cmocka_unit_test(ask_keeps_its_promises)};
	int bad = cmocka_run_group_tests_name("authenticators", tests, keys_setup, keys_teardown);
	return bad + cmocka_run_group_tests_name("ask", of_ask, ask_setup, ask_teardown);
}
