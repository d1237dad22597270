/* SPDX-License-Identifier: MIT */
/* The authenticator keys between a parent and its child, over tcp behind noise. */
#include "support/expect.h"
#include "support/keys.h"
#include "support/life.h"

#define EXPIRED "expires=\"2001-01-01T00:00:00Z\" "

static const char *const sealed[] = {"noise", "keys", NULL};

struct bench {
	struct family family;
	char *dir, *settings, *child_settings;
};

static void begin(struct bench *b, enum ob_runtime_mode mode, const char *const *auth)
{
	family_begin(&b->family, mode, NULL);
	b->dir = scratch_make();
	keys_write(b->dir);
	char *own = keys_settings(b->dir, 1), *childs = keys_settings(b->dir, 2);
	b->settings = scratch_text("{\"auth\":{\"keys\":%s}}", own);
	b->child_settings = scratch_text("{\"auth\":{\"keys\":%s}}", childs);
	free(own);
	free(childs);
	b->family.options.listen = "tcp://127.0.0.1:0";
	b->family.options.auth = auth;
	b->family.options.settings = b->settings;
	b->family.options.child_settings = b->child_settings;
}

static void end(struct bench *b)
{
	family_end(&b->family);
	free(b->settings);
	free(b->child_settings);
	scratch_remove(b->dir);
}

static void a_whole_life(void **state)
{
	static const enum ob_runtime_mode modes[] = {OB_RUNTIME_INLINE, OB_RUNTIME_THREADED};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct bench b;
		begin(&b, modes[i], sealed);
		life_live(&b.family);
		end(&b);
	}
}

/* A local transport needs no seal. */
static void a_whole_life_on_a_local_transport(void **state)
{
	static const char *const local[] = {"peercred", "keys", NULL};
	struct bench b;
	(void)state;
	begin(&b, OB_RUNTIME_INLINE, local);
	b.family.options.listen = NULL;
	life_live(&b.family);
	end(&b);
}

/* A child that its parent has left. */
static void with_a_running_child(struct bench *b)
{
	struct ob_error err;
	begin(b, OB_RUNTIME_INLINE, sealed);
	family_launch(&b->family);
	expect(ob_connector_detach(b->family.connector, &err), OB_OK, &err, NULL);
	ob_connector_close(b->family.connector);
}

static void expect_refusal(struct bench *b, const char *why)
{
	struct ob_error err = {.text = ""};
	family_connector(&b->family);
	expect(ob_connector_reconnect(b->family.connector, 0, NULL, &err), OB_EAUTH, &err, why);
	ob_connector_close(b->family.connector);
}

/* With the keys as they were at first its parent gets it back, and ends it. */
static void kept_by_its_parent(struct bench *b)
{
	struct ob_error err = {.text = ""};
	keys_write(b->dir);
	family_connector(&b->family);
	expect(ob_connector_reconnect(b->family.connector, 0, NULL, &err), OB_OK, &err, NULL);
	(void)family_call(&b->family, "echo", "[i]", 7);
}

static void who_is_not_in_the_list_is_refused(void **state)
{
	static const struct {
		const char *file, *lines, *why;
	} table[] = {
	    {"1.authorized", KEYS_PUBLIC_3 " another\n", "keys: the peer's key is not in "},
	    {"1.authorized", EXPIRED KEYS_PUBLIC_2 " old\n", "keys: old: the key has expired"},
	    {"1.authorized", "from=\"192.0.2.0/24\" " KEYS_PUBLIC_2 " far\n",
	     "keys: far: the key must not be used from the peer's address"},
	    {"2.authorized", KEYS_PUBLIC_3 " another\n", "refused"},
	    {"2.authorized", EXPIRED KEYS_PUBLIC_1 " old\n", "refused"},
	    {"2.authorized", "from=\"192.0.2.0/24\" " KEYS_PUBLIC_1 " far\n", "refused"},
	};
	struct bench b;
	(void)state;
	with_a_running_child(&b);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		keys_write(b.dir);
		keys_put(b.dir, table[i].file, table[i].lines);
		expect_refusal(&b, table[i].why);
	}
	kept_by_its_parent(&b);
	end(&b);
}

/* The child goes on, with what it read when it started, but looks at its list for each parent. */
static void a_key_is_revoked_while_the_child_runs(void **state)
{
	struct bench b;
	(void)state;
	with_a_running_child(&b);
	keys_put(b.dir, "2.authorized", "");
	expect_refusal(&b, "refused");
	kept_by_its_parent(&b);
	struct ob_error err;
	expect(ob_connector_detach(b.family.connector, &err), OB_OK, &err, NULL);
	ob_connector_close(b.family.connector);
	keys_put(b.dir, "2.authorized", KEYS_PUBLIC_1);
	expect_refusal(&b, "refused");
	char *path = scratch_text("%s/2.authorized", b.dir);
	assert_int_equal(remove(path), 0);
	free(path);
	expect_refusal(&b, "refused");
	kept_by_its_parent(&b);
	end(&b);
}

/* ---- Policy ---- */

static void a_list_that_does_not_seal_is_refused(void **state)
{
	static const char *const lists[][4] = {
	    {"keys", NULL}, {"token", "keys", NULL}, {"keys", "token", NULL}};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct bench b;
		struct ob_error err = {.text = ""};
		begin(&b, OB_RUNTIME_INLINE, lists[i]);
		b.family.options.allow_plaintext = true;
		expect(ob_connector_new(b.family.runtime, &b.family.options, &b.family.connector,
					&err),
		       OB_EPERM, &err,
		       "authenticator keys is refused on transport tcp without encryption: put "
		       "noise before it");
		b.family.connector = NULL;
		end(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_life),
	    cmocka_unit_test(a_whole_life_on_a_local_transport),
	    cmocka_unit_test(who_is_not_in_the_list_is_refused),
	    cmocka_unit_test(a_key_is_revoked_while_the_child_runs),
	    cmocka_unit_test(a_list_that_does_not_seal_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
