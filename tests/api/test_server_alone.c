/* SPDX-License-Identifier: MIT */
/* A server without a parent: no config file; the program gives its address and
 * authenticators. */
#include "support/scratch.h"

#include <outboard/outboard.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const peercred[] = {"peercred", NULL};
static const char *const token_only[] = {"token", NULL};
static const char *const peercred_and_token[] = {"peercred", "token", NULL};

struct bench {
	char *dir;
	char *address;
	ob_runtime *runtime; /* threaded, so that client and server run at once */
	ob_server *server;
};

static int begin(void **state)
{
	struct ob_runtime_options options = {.size = sizeof options, .mode = OB_RUNTIME_THREADED};
	struct bench *bench = calloc(1, sizeof *bench);
	assert_non_null(bench);
	bench->dir = scratch_make();
	bench->address = scratch_text("unix://%s/alone.sock", bench->dir);
	assert_int_equal(ob_runtime_new(&options, &bench->runtime, NULL), OB_OK);
	*state = bench;
	return 0;
}

static int end(void **state)
{
	struct bench *bench = *state;
	ob_server_close(bench->server);
	ob_runtime_free(bench->runtime);
	scratch_remove(bench->dir);
	free(bench->address);
	free(bench);
	return 0;
}

static void must_serve(struct bench *bench, const char *const *auth, const char *token)
{
	struct ob_error err = {0};
	struct ob_server_options options = {.size = sizeof options,
					    .runtime = bench->runtime,
					    .version = 7,
					    .listen = bench->address,
					    .auth = auth,
					    .token = token};
	if (ob_server_open(&options, &bench->server, &err) < 0 ||
	    ob_server_start(bench->server, &err) < 0) {
		fail_msg("%s", err.text);
	}
}

static int dial(struct bench *bench, const char *const *auth, const char *token, ob_client **ret,
		struct ob_error *err)
{
	struct ob_client_options options = {
	    .size = sizeof options, .address = bench->address, .auth = auth, .token = token};
	return ob_client_connect(bench->runtime, &options, NULL, ret, err);
}

static void ask(ob_client *client)
{
	struct ob_health health = {.size = sizeof health};
	uint64_t version = 0;
	bool restart = true;
	assert_int_equal(ob_control_health(client, 5000, &health, NULL), OB_OK);
	assert_true(health.healthy);
	assert_int_equal(health.pid, getpid());
	assert_int_equal(ob_control_check_version(client, 0, 5000, &version, &restart, NULL),
			 OB_OK);
	assert_int_equal(version, 7);
	assert_false(restart);
}

static void peercred_needs_no_secret(void **state)
{
	struct bench *bench = *state;
	ob_client *client;
	struct ob_error err = {0};
	must_serve(bench, peercred, NULL);
	assert_int_equal(dial(bench, peercred, NULL, &client, &err), OB_OK);
	ask(client);
	ob_client_free(client);
}

static void the_default_is_peercred_and_token(void **state)
{
	static const char right[] =
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	static const char wrong[] =
	    "10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	struct bench *bench = *state;
	ob_client *client;
	must_serve(bench, NULL, right);
	assert_int_equal(dial(bench, NULL, right, &client, NULL), OB_OK);
	ask(client);
	ob_client_free(client);
	assert_int_equal(dial(bench, peercred_and_token, right, &client, NULL), OB_OK);
	ob_client_free(client);
	assert_int_equal(dial(bench, NULL, wrong, &client, NULL), OB_EAUTH);
	assert_int_equal(dial(bench, token_only, right, &client, NULL), OB_EAUTH);
}

static int change(void *user, struct ob_config *config)
{
	(void)user;
	(void)config;
	return OB_OK;
}

static void it_returns_its_address_and_has_no_file(void **state)
{
	struct bench *bench = *state;
	struct ob_error err = {0};
	must_serve(bench, peercred, NULL);
	assert_string_equal(ob_server_config(bench->server)->rpc_addr, bench->address);
	assert_true(ob_server_config(bench->server)->ready);
	assert_int_equal(ob_server_update_config(bench->server, change, NULL, &err), OB_ENOTSUP);
	assert_string_equal(err.text, "this server has no config file");
}

static void a_server_without_config_and_address_is_an_error(void **state)
{
	struct ob_server_options options = {.size = sizeof options};
	ob_server *server = NULL;
	(void)state;
	unsetenv("OUTBOARD_CONFIG");
	assert_int_equal(ob_server_open(&options, &server, NULL), OB_ENOENT);
	assert_null(server);
}

static void must_open(struct bench *bench)
{
	struct ob_error err = {0};
	struct ob_server_options options = {.size = sizeof options,
					    .runtime = bench->runtime,
					    .listen = bench->address,
					    .auth = peercred};
	if (ob_server_open(&options, &bench->server, &err) < 0) {
		fail_msg("%s", err.text);
	}
}

static void what_comes_too_early_or_too_late_is_refused(void **state)
{
	static const struct ob_method methods[] = {{NULL, NULL}};
	struct bench *bench = *state;
	struct ob_error err = {0};
	must_open(bench);
	assert_int_equal(ob_server_listen_again(bench->server, &err), OB_EINVAL);
	assert_string_equal(err.text, "the server was not started");
	assert_int_equal(ob_server_expose(bench->server, "outboard-mine", methods, NULL, &err),
			 OB_EINVAL);
	assert_int_equal(ob_server_expose(bench->server, "a.b", methods, NULL, &err), OB_EINVAL);
	assert_int_equal(ob_server_expose(bench->server, NULL, methods, NULL, &err), OB_EINVAL);
	assert_int_equal(ob_server_start(bench->server, &err), OB_OK);
	assert_int_equal(ob_server_start(bench->server, &err), OB_EBUSY);
	assert_string_equal(err.text, "the server is started already");
	assert_int_equal(ob_server_expose(bench->server, "late", methods, NULL, &err), OB_EBUSY);
	ob_client *client = NULL;
	assert_int_equal(dial(bench, peercred, NULL, &client, &err), OB_OK);
	ob_client_free(client);
}

/* With a config file, as a child has one. */
static void must_open_config(struct bench *bench)
{
	struct ob_error err = {0};
	char *path = scratch_text("%s/outboard.json", bench->dir);
	struct ob_server_options options = {
	    .size = sizeof options, .runtime = bench->runtime, .config_path = path};
	unlink(path);
	scratch_write(path, "{}", 2, 0600);
	if (ob_server_open(&options, &bench->server, &err) < 0) {
		fail_msg("%s", err.text);
	}
	free(path);
}

static void a_config_without_an_address_is_an_error(void **state)
{
	struct bench *bench = *state;
	struct ob_error err = {0};
	must_open_config(bench);
	assert_int_equal(ob_server_start(bench->server, &err), OB_EINVAL);
	assert_string_equal(err.text, "the config names no address to listen on, and none to dial");
}

/* Programs that this one starts would take them for theirs; and no number is believed in part. */
static void the_environment_of_a_child_ends_with_it(void **state)
{
	static const char *const not_a_lock[] = {
	    "", "x", "40x", "2", "-1", "1048577", "99999999999999999999"};
	struct bench *bench = *state;
	char long_name[100] = "OUTBOARD_";
	assert_int_equal(dup2(STDOUT_FILENO, 40), 40);
	memset(long_name + 9, 'X', sizeof long_name - 10);
	long_name[sizeof long_name - 1] = '\0';
	for (size_t i = 0; i < sizeof not_a_lock / sizeof not_a_lock[0]; i++) {
		setenv("OUTBOARD_LOCK_FD", not_a_lock[i], 1);
		setenv("OUTBOARD_MINE", "1", 1);
		setenv(long_name, "1", 1);
		setenv("NOT_OUTBOARD_S", "1", 1);
		must_open_config(bench);
		assert_int_equal(fcntl(40, F_GETFD), 0);
		assert_null(getenv("OUTBOARD_LOCK_FD"));
		assert_null(getenv("OUTBOARD_MINE"));
		assert_non_null(getenv("NOT_OUTBOARD_S"));
		ob_server_close(bench->server);
	}
	setenv("OUTBOARD_LOCK_FD", "40", 1);
	must_open_config(bench);
	assert_int_equal(fcntl(40, F_GETFD), FD_CLOEXEC);
}

static void on_close(void *user, ob_call *call, const struct ob_value *params)
{
	struct bench *bench = user;
	(void)params;
	ob_server_close(bench->server); /* in use by the functions on the stack */
	bench->server = NULL;
	(void)ob_call_replyf(call, "s", "closed");
}

/* The answer is sent all the same, and then nobody listens. */
static void a_server_may_be_closed_in_a_call(void **state)
{
	static const struct ob_method methods[] = {{"close", on_close}, {NULL, NULL}};
	struct bench *bench = *state;
	struct ob_error err = {0};
	ob_client *client = NULL, *late = NULL;
	must_open(bench);
	assert_int_equal(ob_server_expose(bench->server, "bed", methods, bench, &err), OB_OK);
	assert_int_equal(ob_server_start(bench->server, &err), OB_OK);
	assert_int_equal(dial(bench, peercred, NULL, &client, &err), OB_OK);
	(void)ob_client_call(client, "bed.close", NULL, 0, NULL, NULL, &err);
	ob_client_free(client);
	assert_null(bench->server);
	assert_int_not_equal(dial(bench, peercred, NULL, &late, &err), OB_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(peercred_needs_no_secret, begin, end),
	    cmocka_unit_test_setup_teardown(the_default_is_peercred_and_token, begin, end),
	    cmocka_unit_test_setup_teardown(it_returns_its_address_and_has_no_file, begin, end),
	    cmocka_unit_test(a_server_without_config_and_address_is_an_error),
	    cmocka_unit_test_setup_teardown(what_comes_too_early_or_too_late_is_refused, begin,
					    end),
	    cmocka_unit_test_setup_teardown(a_config_without_an_address_is_an_error, begin, end),
	    cmocka_unit_test_setup_teardown(the_environment_of_a_child_ends_with_it, begin, end),
	    cmocka_unit_test_setup_teardown(a_server_may_be_closed_in_a_call, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
