/* SPDX-License-Identifier: MIT */
/* The bearer authenticator, from its plugin file: who is accepted, and that all refusals look
 * the same. */
#include "unit/auth/auth_group.h"

#include <setjmp.h>

#include <cmocka.h>

static const char credential[] =
    "Bearer a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf";
enum { CREDENTIAL = sizeof credential - 1 };

/* The result of a new acceptor for this input. */
static int judge(struct exchange *x, const void *data, size_t len)
{
	struct exchange_message out;
	struct ob_auth *acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	memset(&x->err, 0, sizeof x->err);
	int rc = exchange_step(x, acceptor, ob_bytes_of(data, len), &out);
	assert_int_equal(out.len, 0);
	x->ops->destroy(acceptor);
	return rc;
}

static void assert_refused(struct exchange *x, const void *data, size_t len)
{
	assert_int_equal(judge(x, data, len), OB_EAUTH);
	assert_int_equal(x->err.code, OB_EAUTH);
	assert_string_equal(x->err.text, "bearer: the peer did not prove that it has the token");
}

static void the_token_is_shown_as_the_origin_shows_it(void **state)
{
	struct exchange *x = *state;
	exchange_run(x);
	assert_true(exchange_passed(x));
	assert_int_equal(x->count, 2);
	assert_int_equal(x->sent[0].len, CREDENTIAL);
	assert_memory_equal(x->sent[0].bytes, credential, CREDENTIAL);
	assert_int_equal(x->sent[1].len, 0);
	assert_null(x->ops->identity);
}

static void bearer_is_local_only(void **state)
{
	struct exchange *x = *state;
	assert_int_equal(x->ops->flags, OB_AUTH_LOCAL_ONLY | OB_AUTH_NEEDS_SECRET);
}

static void fault_42_missing_malformed_and_wrong_look_the_same(void **state)
{
	static const char *const bad[] = {
	    "",
	    "Bearer",
	    "Bearer ",
	    "bearer a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf",
	    "Bearer A0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBF",
	    "Bearer  a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbeb",
	    "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf",
	    "Basic a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf0",
	    "Bearer 0000000000000000000000000000000000000000000000000000000000000000",
	};
	struct exchange *x = *state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_refused(x, bad[i], strlen(bad[i]));
	}
	assert_int_equal(judge(x, credential, CREDENTIAL), OB_AUTH_DONE);
}

static void fault_45_every_flipped_bit_and_every_other_length_is_refused(void **state)
{
	struct exchange *x = *state;
	char text[2 * CREDENTIAL] = {0};
	memcpy(text, credential, CREDENTIAL);
	for (size_t bit = 0; bit < 8 * CREDENTIAL; bit++) {
		text[bit / 8] ^= (char)(1 << bit % 8);
		assert_refused(x, text, CREDENTIAL);
		text[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t len = 0; len <= sizeof text; len++) {
		if (len != CREDENTIAL) {
			assert_refused(x, text, len);
		}
	}
}

static void one_try_is_all_there_is(void **state)
{
	struct exchange *x = *state;
	struct exchange_message out;
	struct ob_auth *acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(exchange_step(x, acceptor, ob_bytes_text("Bearer no"), &out), OB_EAUTH);
	assert_int_equal(exchange_step(x, acceptor, ob_bytes_text(credential), &out), OB_EAUTH);
	x->ops->destroy(acceptor);
	acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(exchange_step(x, acceptor, ob_bytes_text(credential), &out), OB_AUTH_DONE);
	assert_int_equal(exchange_step(x, acceptor, ob_bytes_text(credential), &out), OB_EAUTH);
	x->ops->destroy(acceptor);
}

static void the_dialer_takes_nothing_but_an_empty_end(void **state)
{
	struct exchange *x = *state;
	struct exchange_message out;
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
	assert_int_equal(exchange_step(x, dialer, ob_bytes_of(NULL, 0), &out), OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, dialer, ob_bytes_text("!"), &out), OB_EAUTH);
	x->ops->destroy(dialer);
	dialer = exchange_end(x, OB_AUTH_DIALER);
	assert_int_equal(exchange_step(x, dialer, ob_bytes_text("begin!"), &out), OB_EAUTH);
	assert_int_equal(out.len, 0);
	assert_int_equal(exchange_step(x, dialer, ob_bytes_of(NULL, 0), &out), OB_EAUTH);
	assert_int_equal(out.len, 0);
	x->ops->destroy(dialer);
}

static void a_full_sink_shows_nothing(void **state)
{
	struct exchange *x = *state;
	uint8_t small[CREDENTIAL - 1] = {0};
	struct ob_sink out = ob_sink_fixed(small, sizeof small);
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
	assert_int_equal(x->ops->step(dialer, ob_bytes_of(NULL, 0), &out, NULL), OB_ENOMEM);
	assert_int_equal(out.len, 0);
	x->ops->destroy(dialer);
	x->ops->destroy(NULL);
}

static void a_token_of_another_size_is_refused(void **state)
{
	static const uint8_t bytes[33] = {1};
	static const size_t lengths[] = {0, 31, 33};
	struct exchange *x = *state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct ob_auth_params params = x->params[1];
		struct ob_auth *auth = NULL;
		params.secret = ob_bytes_of(bytes, lengths[i]);
		assert_int_equal(x->ops->create(x->host, &params, &auth, NULL), OB_EINVAL);
		assert_null(auth);
	}
}

static int load(void **state)
{
	return auth_group_setup(state, "bearer", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_token_is_shown_as_the_origin_shows_it),
	    cmocka_unit_test(bearer_is_local_only),
	    cmocka_unit_test(fault_42_missing_malformed_and_wrong_look_the_same),
	    cmocka_unit_test(fault_45_every_flipped_bit_and_every_other_length_is_refused),
	    cmocka_unit_test(one_try_is_all_there_is),
	    cmocka_unit_test(the_dialer_takes_nothing_but_an_empty_end),
	    cmocka_unit_test(a_full_sink_shows_nothing),
	    cmocka_unit_test(a_token_of_another_size_is_refused),
	};
	return cmocka_run_group_tests(tests, load, auth_group_teardown);
}
