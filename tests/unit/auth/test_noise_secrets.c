/* SPDX-License-Identifier: MIT */
/* The secrets of the noise authenticator in memory: when they are made, and that none is left.
 * The authenticator is linked into this program with our own getrandom() and free(). */
#include "unit/auth/auth_group.h"

#include "noise_state.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <sodium.h>
#include <sys/random.h>

#include <cmocka.h>

ob_plugin_list spied_noise(void);
ssize_t spied_getrandom(void *data, size_t len, unsigned int flags);
void spied_free(void *memory);

static struct {
	int asked;     /* the number of calls of getrandom() */
	bool shortage; /* getrandom() fails */
	uint8_t last[32];
	int freed;
	bool clean; /* all freed memory was zero */
} spy;

ssize_t spied_getrandom(void *data, size_t len, unsigned int flags)
{
	spy.asked++;
	assert_int_equal(len, sizeof spy.last);
	assert_int_equal(flags, GRND_NONBLOCK);
	if (spy.shortage) {
		errno = EAGAIN;
		return -1;
	}
	assert_int_equal(getrandom(data, len, flags), len);
	memcpy(spy.last, data, len);
	return (ssize_t)len;
}

void spied_free(void *memory)
{
	spy.freed++;
	spy.clean &= sodium_is_zero(memory, malloc_usable_size(memory));
	free(memory);
}

static const struct ob_bytes nothing = {NULL, 0};

/* A key that is made before it is needed may exist in two memories when it is used: those of a
 * virtual machine that was restored twice. */
static void fault_75_an_ephemeral_key_is_made_when_it_is_sent(void **state)
{
	struct exchange *x = *state;
	struct exchange_message first, second, none;
	uint8_t e[32];
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER),
		       *acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	assert_int_equal(spy.asked, 0);
	assert_int_equal(exchange_step(x, dialer, nothing, &first), OB_AUTH_MORE);
	assert_int_equal(spy.asked, 1);
	crypto_scalarmult_base(e, spy.last);
	assert_memory_equal(first.bytes, e, sizeof e);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&first), &second), OB_AUTH_DONE);
	assert_int_equal(spy.asked, 2);
	crypto_scalarmult_base(e, spy.last);
	assert_memory_equal(second.bytes, e, sizeof e);
	assert_int_equal(exchange_step(x, dialer, exchange_bytes(&second), &none), OB_AUTH_DONE);
	assert_int_equal(spy.asked, 2);
	x->ops->destroy(dialer);
	x->ops->destroy(acceptor);
}

static void without_randomness_nothing_is_sent(void **state)
{
	struct exchange *x = *state;
	struct exchange_message out;
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
	spy.shortage = true;
	assert_int_equal(exchange_step(x, dialer, nothing, &out), OB_EIO);
	assert_int_equal(out.len, 0);
	assert_non_null(strstr(x->err.text, "noise: getrandom failed"));
	assert_int_equal(x->err.sys, EAGAIN);
	spy.shortage = false;
	assert_int_equal(exchange_step(x, dialer, nothing, &out), OB_EAUTH);
	x->ops->destroy(dialer);
}

/* After each number of steps, and after records: freed memory is zero. */
static void freed_memory_was_wiped(void **state)
{
	struct exchange *x = *state;
	for (size_t steps = 0; steps <= 4; steps++) {
		struct exchange_message first, second, out;
		struct ob_auth *ends[] = {exchange_end(x, OB_AUTH_DIALER),
					  exchange_end(x, OB_AUTH_ACCEPTOR)};
		if (steps > 0) {
			assert_int_equal(exchange_step(x, ends[0], nothing, &first), OB_AUTH_MORE);
		}
		if (steps > 1) {
			assert_int_equal(exchange_step(x, ends[1], exchange_bytes(&first), &second),
					 OB_AUTH_DONE);
		}
		if (steps > 2) {
			assert_int_equal(exchange_step(x, ends[0], exchange_bytes(&second), &out),
					 OB_AUTH_DONE);
		}
		if (steps > 3) {
			ptrdiff_t n = x->ops->seal(ends[0], out.bytes, 9);
			assert_int_equal(x->ops->open(ends[1], out.bytes, (size_t)n), 9);
		}
		spy.freed = 0;
		x->ops->destroy(ends[0]);
		x->ops->destroy(ends[1]);
		assert_int_equal(spy.freed, 2);
		assert_true(spy.clean);
	}
}

static int begin(void **state)
{
	struct exchange *x = *state;
	memset(&spy, 0, sizeof spy);
	spy.clean = true;
	x->ops = (const struct ob_auth_ops *)spied_noise()[0]->ops;
	return 0;
}

static int load(void **state)
{
	return sodium_init() < 0 ? -1 : auth_group_setup(state, "noise", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(fault_75_an_ephemeral_key_is_made_when_it_is_sent, begin),
	    cmocka_unit_test_setup(without_randomness_nothing_is_sent, begin),
	    cmocka_unit_test_setup(freed_memory_was_wiped, begin),
	};
	return cmocka_run_group_tests(tests, load, auth_group_teardown);
}
