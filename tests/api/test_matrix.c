/* SPDX-License-Identifier: MIT */
/* The life of a child - start, call, callback, log, kill, restart, detach, adopt, stop - with
 * every combination of transport, codec and authenticator that is allowed; other combinations
 * are refused by name before anything is started. The matrix is printed at the end. */
#include "support/expect.h"
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/life.h"
#include "support/scratch.h"
#include "support/vmm.h"

enum wire { UNIX, TCP, HVSOCK, VSOCK, WIRES };
static const char *const wire_names[] = {"unix", "tcp", "hvsock", "vsock"};
static const char *const codecs[] = {"msgpack", "json"};
static const char *const auths[] = {"token", "bearer", "noise"};
enum { CODECS = 2, AUTHS = 3, CELLS = WIRES * CODECS * AUTHS };

struct cell {
	enum wire wire;
	const char *codec;
	const char *auth;
	char became[96]; /* printed */
};

static struct cell cells[CELLS];

/* Other users can read the connection. */
static bool is_plain(const struct cell *cell)
{
	return cell->wire != UNIX && cell->auth != NULL && strcmp(cell->auth, "noise") != 0;
}

/* ---- One combination ---- */

/* The config for one child, and the VMM in between if there is one. */
struct place {
	char *listen;
	char *connect;
	struct vmm vmm;
	bool has_vmm;
	const char *auth[2];
};

static void lay(struct place *p, struct family *f, const struct cell *cell)
{
	*p = (struct place){.auth = {cell->auth, NULL}};
	if (cell->wire == TCP) {
		p->listen = scratch_text("tcp://127.0.0.1:0");
	} else if (cell->wire == VSOCK) {
		p->listen = scratch_text("vsock://local:0");
	} else if (cell->wire == HVSOCK) {
		vmm_begin(&p->vmm, f->scratch);
		p->has_vmm = true;
		p->listen = scratch_text("hvsock://%s:52", p->vmm.guest);
		p->connect = scratch_text("hvsock://%s:52", p->vmm.path);
	}
	f->options.listen = p->listen;
	f->options.connect = p->connect;
	f->options.codec = cell->codec;
	f->options.auth = p->auth;
	f->options.allow_plaintext = is_plain(cell);
}

static void clear(struct place *p)
{
	if (p->has_vmm) {
		vmm_end(&p->vmm);
	}
	free(p->listen);
	free(p->connect);
}

/* ---- The life ---- */

static bool runs_in_a_guest(void)
{
	return getenv("OB_TEST_GUEST") != NULL;
}

/* Plaintext on a network: the config must allow it explicitly, and the log has a warning. */
static void check_warning(const struct family *f, const struct cell *cell)
{
	uint32_t warned = 0;
	for (uint32_t i = 0; i < f->line_count; i++) {
		warned += strstr(f->lines[i], "not encrypted") != NULL;
	}
	assert_int_equal(warned, is_plain(cell) ? 3 : 0); /* one for each start */
}

static void a_life(void **state)
{
	struct cell *cell = *state;
	struct family f;
	struct place place;
	if (cell->wire == VSOCK && !runs_in_a_guest()) {
		snprintf(cell->became, sizeof cell->became,
			 "skipped: it needs a guest (test guest-vsock-matrix)");
		print_message("skipped: it needs a guest, and the vsock of this machine is not "
			      "ours (test guest-vsock-matrix)\n");
		skip();
	}
	snprintf(cell->became, sizeof cell->became, "FAILED");
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	lay(&place, &f, cell);
	life_live(&f);
	check_warning(&f, cell);
	clear(&place);
	family_end(&f);
	snprintf(cell->became, sizeof cell->became, "ran");
}

/* ---- Refusals ---- */

static void mechanisms_for_local_transports_are_always_refused_elsewhere(void **state)
{
	struct cell *cell = *state;
	struct family f;
	struct place place;
	struct ob_error err = {.text = ""};
	char want[128];
	snprintf(cell->became, sizeof cell->became, "FAILED");
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	lay(&place, &f, cell);
	snprintf(want, sizeof want, "authenticator %s is refused on transport %s", cell->auth,
		 wire_names[cell->wire]);
	expect(ob_connector_new(f.runtime, &f.options, &f.connector, &err), OB_EPERM, &err, want);
	f.connector = NULL;
	clear(&place);
	family_end(&f);
	snprintf(cell->became, sizeof cell->became, "refused: %.80s", want);
}

static void plaintext_must_be_allowed(void **state)
{
	(void)state;
	for (enum wire wire = TCP; wire < WIRES; wire++) {
		struct cell cell = {wire, "msgpack", "token", ""};
		struct family f;
		struct place place;
		struct ob_error err = {.text = ""};
		char want[128];
		family_begin(&f, OB_RUNTIME_INLINE, NULL);
		lay(&place, &f, &cell);
		f.options.allow_plaintext = false;
		snprintf(want, sizeof want, "transport %s without encryption is refused",
			 wire_names[wire]);
		expect(ob_connector_new(f.runtime, &f.options, &f.connector, &err), OB_EPERM, &err,
		       want);
		f.connector = NULL;
		clear(&place);
		family_end(&f);
	}
}

/* The child decides for itself: it does not serve what the config from its parent does not
 * allow. */
static void a_child_refuses_plaintext_too(void **state)
{
	struct ob_server_options options = {
	    .size = sizeof options,
	    .listen = "tcp://127.0.0.1:0",
	    .token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	};
	static const char *const bearer[] = {"bearer", NULL}, *const token[] = {"token", NULL};
	ob_server *server;
	struct ob_error err = {.text = ""};
	(void)state;
	options.auth = token;
	expect(ob_server_open(&options, &server, &err), OB_OK, &err, NULL);
	expect(ob_server_start(server, &err), OB_EPERM, &err,
	       "transport tcp without encryption is refused");
	ob_server_close(server);
	options.auth = bearer;
	options.allow_plaintext = true;
	expect(ob_server_open(&options, &server, &err), OB_OK, &err, NULL);
	expect(ob_server_start(server, &err), OB_EPERM, &err,
	       "authenticator bearer is refused on transport tcp");
	ob_server_close(server);
}

static void a_client_refuses_plaintext_too(void **state)
{
	struct ob_runtime_options inline_one = {.size = sizeof inline_one};
	static const char *const token[] = {"token", NULL};
	struct ob_client_options options = {
	    .size = sizeof options, .address = "tcp://127.0.0.1:1", .auth = token};
	ob_runtime *runtime;
	ob_client *client;
	struct ob_error err = {.text = ""};
	(void)state;
	expect(ob_runtime_new(&inline_one, &runtime, &err), OB_OK, &err, NULL);
	expect(ob_client_connect(runtime, &options, NULL, &client, &err), OB_EPERM, &err,
	       "transport tcp without encryption is refused");
	ob_runtime_free(runtime);
}

/* Two that seal, or an exchange in plaintext before one that seals: refused. */
static void only_the_first_mechanism_may_seal(void **state)
{
	static const char *const lists[][3] = {{"token", "noise", NULL}, {"noise", "noise", NULL}};
	static const char *const why[] = {"noise seals, so it must come before token",
					  "noise and noise both seal"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct family f;
		struct ob_error err = {.text = ""};
		family_begin(&f, OB_RUNTIME_INLINE, NULL);
		f.options.auth = lists[i];
		expect(ob_connector_new(f.runtime, &f.options, &f.connector, &err), OB_EINVAL, &err,
		       why[i]);
		f.connector = NULL;
		family_end(&f);
	}
}

/* A transport may be named; then it must have the scheme. */
static void a_transport_is_found_by_name(void **state)
{
	static const char *const names[] = {"hvsock", "vsock"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct cell cell = {HVSOCK, "msgpack", "token", ""};
		struct family f;
		struct place place;
		struct ob_error err = {.text = ""};
		family_begin(&f, OB_RUNTIME_INLINE, NULL);
		lay(&place, &f, &cell);
		f.options.transport = names[i];
		int r = ob_connector_new(f.runtime, &f.options, &f.connector, &err);
		if (i == 0) {
			expect(r, OB_OK, &err, NULL);
		} else {
			expect(r, OB_EINVAL, &err, "transport vsock does not support hvsock");
			f.connector = NULL;
		}
		clear(&place);
		family_end(&f);
	}
}

/* Its name may differ from the scheme: the child is given the name. (A plugin of the tests, with
 * the scheme skeleton.) */
static void a_child_listens_with_a_transport_by_name(void **state)
{
	struct family f;
	struct ob_error err = {.text = ""};
	char *before = scratch_text("%s", scratch_env("OUTBOARD_PLUGIN_PATH"));
	char *plugins = scratch_text("%s:%s/test-plugins", before, scratch_env("OB_TEST_BUILD"));
	(void)state;
	setenv("OUTBOARD_PLUGIN_PATH", plugins, 1);
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	char *listen = scratch_text("skeleton://%s/s", f.scratch);
	f.options.listen = listen;
	expect(ob_connector_new(f.runtime, &f.options, &f.connector, &err), OB_EPLUGIN, &err,
	       "no transport for skeleton");
	f.connector = NULL;
	f.options.transport = "newer_transport";
	life_live(&f);
	family_end(&f);
	setenv("OUTBOARD_PLUGIN_PATH", before, 1);
	free(listen);
	free(plugins);
	free(before);
}

/* It applies to the address whose scheme it has, whether that is dialled or listened on. */
static void a_named_transport_applies_to_its_own_address(void **state)
{
	static const struct {
		const char *transport, *listen, *connect, *why;
	} rows[] = {{"hvsock", "vsock://any:5000", "hvsock:///run/vm/v.sock:5000", NULL},
		    {"vsock", "vsock://any:5000", "hvsock:///run/vm/v.sock:5000", NULL},
		    {"tcp", "vsock://any:5000", "hvsock:///run/vm/v.sock:5000",
		     "transport tcp does not support hvsock"}};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct family f;
		struct ob_error err = {.text = ""};
		family_begin(&f, OB_RUNTIME_INLINE, NULL);
		f.options.transport = rows[i].transport;
		f.options.listen = rows[i].listen;
		f.options.connect = rows[i].connect;
		int r = ob_connector_new(f.runtime, &f.options, &f.connector, &err);
		expect(r, rows[i].why == NULL ? OB_OK : OB_EINVAL, &err, rows[i].why);
		f.connector = rows[i].why == NULL ? f.connector : NULL;
		family_end(&f);
	}
}

/* ---- Policy ---- */

/* Both ends are checked before anything is started, not only the one that is dialled. */
static void options_that_the_child_would_refuse_are_refused_at_once(void **state)
{
	static const char *const token[] = {"token", NULL}, *const bearer[] = {"bearer", NULL};
	struct family f;
	struct ob_error err = {.text = ""};
	(void)state;
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.listen = "tcp://0.0.0.0:7000";
	f.options.connect = "unix:///run/tunnel.sock";
	f.options.auth = token;
	expect(ob_connector_new(f.runtime, &f.options, &f.connector, &err), OB_EPERM, &err,
	       "listen: transport tcp without encryption is refused");
	f.options.auth = bearer;
	f.options.allow_plaintext = true;
	expect(ob_connector_new(f.runtime, &f.options, &f.connector, &err), OB_EPERM, &err,
	       "listen: authenticator bearer is refused on transport tcp");
	f.connector = NULL;
	family_end(&f);
}

static void the_default_list_depends_on_the_transport(void **state)
{
	static const char *const lists[WIRES] = {
	    [UNIX] = "peercred,token", [TCP] = "noise", [HVSOCK] = "noise", [VSOCK] = "noise"};
	(void)state;
	for (enum wire wire = UNIX; wire < WIRES; wire++) {
		struct cell cell = {wire, "msgpack", NULL, ""};
		struct family f;
		struct place place;
		struct ob_error err = {.text = ""};
		struct ob_config config = {.size = sizeof config};
		if (wire == VSOCK && !runs_in_a_guest()) {
			continue;
		}
		family_begin(&f, OB_RUNTIME_INLINE, NULL);
		lay(&place, &f, &cell);
		f.options.auth = NULL;
		f.options.allow_plaintext = false;
		/* The child's end sets its keepalive from this. */
		f.options.health_interval_ms = 1234;
		family_launch(&f);
		char *path = family_path(&f, "outboard.json");
		expect(ob_config_read(path, &config, &err), OB_OK, &err, NULL);
		assert_string_equal(config.auth, lists[wire]);
		assert_int_equal(config.heartbeat_ms, 1234);
		ob_config_clear(&config);
		free(path);
		family_end(&f);
		clear(&place);
	}
}

/* ---- The matrix ---- */

static void print_matrix(void)
{
	printf("\n%-8s %-8s %-8s\n", "wire", "codec", "auth");
	for (size_t i = 0; i < CELLS; i++) {
		printf("%-8s %-8s %-8s %s\n", wire_names[cells[i].wire], cells[i].codec,
		       cells[i].auth, cells[i].became);
	}
}

int main(void)
{
	static char names[CELLS][64];
	enum { OTHERS = 5 };
	static struct CMUnitTest tests[CELLS + OTHERS] = {
	    cmocka_unit_test(plaintext_must_be_allowed),
	    cmocka_unit_test(a_child_refuses_plaintext_too),
	    cmocka_unit_test(a_client_refuses_plaintext_too),
	    cmocka_unit_test(only_the_first_mechanism_may_seal),
	    cmocka_unit_test(a_transport_is_found_by_name),
	    cmocka_unit_test(a_child_listens_with_a_transport_by_name),
	    cmocka_unit_test(a_named_transport_applies_to_its_own_address),
	    cmocka_unit_test(options_that_the_child_would_refuse_are_refused_at_once),
	    cmocka_unit_test(the_default_list_depends_on_the_transport),
	};
	for (size_t i = 0; i < CELLS; i++) {
		struct cell *cell = &cells[i];
		*cell = (struct cell){.wire = (enum wire)(i / (CODECS * AUTHS)),
				      .codec = codecs[i / AUTHS % CODECS],
				      .auth = auths[i % AUTHS]};
		bool allowed = cell->wire == UNIX || strcmp(cell->auth, "bearer") != 0;
		snprintf(names[i], sizeof names[i], "%s_%s_%s%s", wire_names[cell->wire],
			 cell->codec, cell->auth, allowed ? "" : "_is_refused");
		tests[OTHERS + i] = (struct CMUnitTest){
		    names[i],
		    allowed ? a_life : mechanisms_for_local_transports_are_always_refused_elsewhere,
		    NULL, NULL, cell};
	}
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	print_matrix();
	return failed;
}
