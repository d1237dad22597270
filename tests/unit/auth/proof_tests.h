/* SPDX-License-Identifier: MIT */
/* Tests of mechanisms that prove the token by an exchange and bind the prologue: token, noise. */
#ifndef OB_TESTS_UNIT_AUTH_PROOF_TESTS_H
#define OB_TESTS_UNIT_AUTH_PROOF_TESTS_H

#include "unit/auth/auth_group.h"

/* The exchange failed, with the same error for every reason. */
static void assert_refused(struct exchange *x)
{
	const struct auth_group *group = (const struct auth_group *)(const void *)x;
	char text[64];
	snprintf(text, sizeof text, "%s: the peer did not prove that it has the token",
		 group->name);
	assert_false(exchange_passed(x));
	assert_int_equal(x->dialer < 0 ? x->dialer : x->acceptor, OB_EAUTH);
	assert_string_equal(x->err.text, text);
}

/* The first end that can detect a wrong token has done so, and has sent no answer. */
static void assert_first_check_fails(struct exchange *x)
{
	const struct auth_group *group = (const struct auth_group *)(const void *)x;
	assert_int_equal(x->count, group->first_check);
	assert_int_equal(group->first_check % 2 == 1 ? x->acceptor : x->dialer, OB_EAUTH);
}

static void the_token_is_never_sent(void **state)
{
	struct exchange *x = *state;
	exchange_run(x);
	for (size_t i = 0; i < x->count; i++) {
		for (size_t n = 0; n + 8 <= x->sent[i].len; n++) {
			assert_memory_not_equal(x->sent[i].bytes + n, x->params[0].secret.data, 8);
		}
	}
}

/* Both ends begin their first message with fresh randomness. */
static void no_two_exchanges_are_alike(void **state)
{
	struct exchange *x = *state;
	struct exchange_message first[2];
	exchange_run(x);
	memcpy(first, x->sent, sizeof first);
	exchange_run(x);
	for (size_t i = 0; i < 2; i++) {
		assert_memory_not_equal(first[i].bytes, x->sent[i].bytes, 32);
	}
}

static void fault_42_another_token_on_either_side_is_refused(void **state)
{
	struct exchange *x = *state;
	struct ob_bytes right = x->params[0].secret;
	for (size_t bit = 0; bit < 8 * right.len; bit++) {
		uint8_t wrong[32];
		memcpy(wrong, right.data, sizeof wrong);
		wrong[bit / 8] ^= (uint8_t)(1 << bit % 8);
		x->params[bit % 2].secret = ob_bytes_of(wrong, sizeof wrong);
		exchange_run(x);
		x->params[bit % 2].secret = right;
		assert_refused(x);
		assert_first_check_fails(x);
	}
}

static void fault_48_another_prologue_is_refused(void **state)
{
	static const char *const others[] = {"", "a prologu", "a prologue ", "b prologue"};
	struct exchange *x = *state;
	struct ob_bytes right = x->params[0].prologue;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		x->params[1].prologue = ob_bytes_text(others[i]);
		exchange_run(x);
		x->params[1].prologue = right;
		assert_refused(x);
	}
}

#endif
