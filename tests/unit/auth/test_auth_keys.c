/* SPDX-License-Identifier: MIT */
/* The keys authenticator, from its plugin file: who is let in, and what is refused at which end. */
#include "unit/keys_bed.h"

#include <sodium.h>

#include "support/expect.h"
#include "support/exchange.h"

#define EXPIRED "expires=\"2001-01-01T00:00:00Z\" "

struct bench {
	struct exchange exchange;
	void *states[2];
};

static int begin(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	assert_non_null(b);
	keys_write(keys_dir);
	exchange_init(&b->exchange, &keys_plugin->as.auth, obi_registry_host(registry),
		      ob_bytes_of(NULL, 0), ob_bytes_text("a prologue"));
	for (int i = 0; i < 2; i++) {
		b->exchange.params[i].state = b->states[i] = keys_state(i + 1);
	}
	*state = b;
	return 0;
}

static int end(void **state)
{
	struct bench *b = *state;
	keys_plugin->unconfigure(b->states[0]);
	keys_plugin->unconfigure(b->states[1]);
	free(b);
	return 0;
}

/* ---- Who is let in ---- */

static void expect_subject(struct exchange *x, struct ob_auth *end, int i, const char *name)
{
	uint8_t text[256];
	struct ob_sink out = ob_sink_fixed(text, sizeof text);
	assert_int_equal(x->ops->identity(end, &x->params[i], &out), OB_OK);
	assert_true(ob_bytes_is(ob_bytes_of(text, out.len), name));
}

static void both_ends_know_each_other(void **state)
{
	struct exchange *x = &((struct bench *)*state)->exchange;
	struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
	struct ob_auth *acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
	struct exchange_message m[4];
	assert_int_equal(exchange_step(x, dialer, ob_bytes_of(NULL, 0), &m[0]), OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&m[0]), &m[1]), OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, dialer, exchange_bytes(&m[1]), &m[2]), OB_AUTH_MORE);
	assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&m[2]), &m[3]), OB_AUTH_DONE);
	assert_int_equal(exchange_step(x, dialer, exchange_bytes(&m[3]), &m[3]), OB_AUTH_DONE);
	expect_subject(x, dialer, 0, "the child");
	expect_subject(x, acceptor, 1, "the parent");
	x->ops->destroy(dialer);
	x->ops->destroy(acceptor);
	assert_int_equal(x->ops->flags, OB_AUTH_NEEDS_SEAL);
}

/* An independent construction of what is signed. */
static void proofs_follow_their_description(void **state)
{
	struct exchange *x = &((struct bench *)*state)->exchange;
	static const char *const context[] = {"outboard keys 1 dialer", "outboard keys 1 acceptor"};
	exchange_run(x);
	assert_true(exchange_passed(x));
	const uint8_t *d = x->sent[0].bytes, *a = x->sent[1].bytes;
	for (int i = 0; i < 2; i++) {
		uint8_t text[256];
		struct ob_sink out = ob_sink_fixed(text, sizeof text);
		ob_sink_put(&out, context[i], strlen(context[i]) + 1);
		ob_sink_put(&out,
			    "\0\0\0\x0a"
			    "a prologue",
			    14);
		ob_sink_put(&out, d, 32);
		ob_sink_put(&out, a, 32);
		ob_sink_put(&out, d + 32, 32);
		ob_sink_put(&out, a + 32, 32);
		const uint8_t *proof = i == 0 ? x->sent[2].bytes : a + 64;
		assert_int_equal(
		    crypto_sign_verify_detached(proof, text, out.len, i == 0 ? d + 32 : a + 32), 0);
	}
}

/* ---- Who is not ---- */

static void a_key_must_be_in_the_list(void **state)
{
	static const struct {
		const char *lines, *why;
		int dialer, acceptor; /* what each end says, if its list has these lines */
	} table[] = {
	    {"", "keys: the peer's key is not in ", OB_EAUTH, OB_EAUTH},
	    {KEYS_PUBLIC_3 " x\n", "keys: the peer's key is not in ", OB_EAUTH, OB_EAUTH},
	    {"x\n", "authorized:1: it begins neither with", OB_EAUTH, OB_EAUTH},
	    {EXPIRED KEYS_PUBLIC_1 " p\n" EXPIRED KEYS_PUBLIC_2 " c\n", ": the key has expired",
	     OB_EAUTH, OB_EAUTH},
	    {"from=\"192.0.2.1\" " KEYS_PUBLIC_1 " p\nfrom=\"192.0.2.1\" " KEYS_PUBLIC_2 " c\n",
	     ": the key must not be used from the peer's address", OB_EAUTH, OB_EAUTH},
	    {"from=\"192.0.2.7\" " KEYS_PUBLIC_1 " p\nfrom=\"192.0.2.7\" " KEYS_PUBLIC_2 " c\n",
	     NULL, OB_AUTH_DONE, OB_AUTH_DONE},
	};
	struct exchange *x = &((struct bench *)*state)->exchange;
	x->peer.known = OB_PEER_ADDRESS;
	snprintf(x->peer.address, sizeof x->peer.address, "192.0.2.7:99");
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		keys_write(keys_dir);
		keys_put(keys_dir, "1.authorized", table[i].lines);
		exchange_run(x);
		expect(x->dialer, table[i].dialer, &x->err, table[i].why);
		keys_write(keys_dir);
		keys_put(keys_dir, "2.authorized", table[i].lines);
		exchange_run(x);
		expect(x->acceptor, table[i].acceptor, &x->err, table[i].why);
	}
}

static void an_unknown_address_is_in_no_list(void **state)
{
	struct exchange *x = &((struct bench *)*state)->exchange;
	snprintf(x->peer.address, sizeof x->peer.address, "192.0.2.7:99"); /* but not known */
	keys_put(keys_dir, "2.authorized", "from=\"0.0.0.0/0,::/0\" " KEYS_PUBLIC_1 " p\n");
	exchange_run(x);
	expect(x->acceptor, OB_EAUTH, &x->err, "p: the peer's address is not known");
}

static void a_removed_key_is_refused_at_once(void **state)
{
	struct exchange *x = &((struct bench *)*state)->exchange;
	exchange_run(x);
	assert_true(exchange_passed(x));
	keys_put(keys_dir, "2.authorized", "#" KEYS_PUBLIC_1 " the parent\n");
	exchange_run(x);
	expect(x->acceptor, OB_EAUTH, &x->err, "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=");
	keys_write(keys_dir);
	exchange_run(x);
	assert_true(exchange_passed(x));
	char *path = scratch_text("%s/2.authorized", keys_dir);
	assert_int_equal(remove(path), 0);
	exchange_run(x);
	expect(x->acceptor, OB_EAUTH, &x->err, "keys: no key is accepted: ");
	free(path);
}

/* Whoever names a key that he does not have learns nothing of the list. */
static void one_who_only_names_a_key_is_refused_alike(void **state)
{
	struct exchange *x = &((struct bench *)*state)->exchange;
	static const uint8_t none[64] = {0};
	struct exchange_message m;
	for (int listed = 0; listed < 2; listed++) {
		struct ob_auth *dialer = exchange_end(x, OB_AUTH_DIALER);
		struct ob_auth *acceptor = exchange_end(x, OB_AUTH_ACCEPTOR);
		exchange_step(x, dialer, ob_bytes_of(NULL, 0), &m);
		m.bytes[40] ^= listed == 0;
		assert_int_equal(exchange_step(x, acceptor, exchange_bytes(&m), &m), OB_AUTH_MORE);
		assert_int_equal(exchange_step(x, acceptor, ob_bytes_of(none, 64), &m), OB_EAUTH);
		assert_string_equal(x->err.text,
				    "keys: the peer did not prove that it has the key that it "
				    "names");
		x->ops->destroy(dialer);
		x->ops->destroy(acceptor);
	}
}

/* ---- Settings ---- */

static void settings_are_checked(void **state)
{
	static const struct {
		const char *key, *authorized, *why;
	} table[] = {
	    {"relative", "/x", "key: not an absolute path"},
	    {"", "/x", "key: not an absolute path"},
	    {"/nonexistent/key", "/x", "key: /nonexistent/key: No such file or directory"},
	    {NULL, "relative", "authorized: not an absolute path"},
	    {NULL, "/nonexistent/a", "authorized: /nonexistent/a: No such file or directory"},
	};
	char *good = scratch_text("%s/1.key", keys_dir);
	struct ob_error err;
	void *made = NULL;
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		int r = keys_configure(table[i].key != NULL ? table[i].key : good,
				       table[i].authorized, &made, &err);
		expect(r, OB_EINVAL, &err, table[i].why);
		assert_null(made);
	}
	expect(keys_configure(good, good, &made, &err), OB_EINVAL, &err,
	       "/1.key:1: it begins neither");
	struct ob_pair pair = {ob_string("keys"), ob_string("/x")};
	struct ob_value map = {.type = OB_MAP, .count = 1, .as.pairs = &pair}, nil = ob_nil();
	const struct ob_host *host = obi_registry_host(registry);
	expect(keys_plugin->configure(host, &map, &made, &err), OB_EINVAL, &err, "unknown key");
	expect(keys_plugin->configure(host, &nil, &made, &err), OB_EINVAL, &err, "key: required");
	free(good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(both_ends_know_each_other, begin, end),
	    cmocka_unit_test_setup_teardown(proofs_follow_their_description, begin, end),
	    cmocka_unit_test_setup_teardown(a_key_must_be_in_the_list, begin, end),
	    cmocka_unit_test_setup_teardown(an_unknown_address_is_in_no_list, begin, end),
	    cmocka_unit_test_setup_teardown(a_removed_key_is_refused_at_once, begin, end),
	    cmocka_unit_test_setup_teardown(one_who_only_names_a_key_is_refused_alike, begin, end),
	    cmocka_unit_test(settings_are_checked),
	};
	return cmocka_run_group_tests(tests, keys_setup, keys_teardown);
}
