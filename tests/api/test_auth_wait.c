/* SPDX-License-Identifier: MIT */
/* Authenticators that wait, on either side: nobody else waits with them, and no wait outlives its
 * connection. */
#include <outboard/outboard.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/clock.h"
#include "support/expect.h"
#include "support/scratch.h"

enum { MANY = 20, LONG_MS = 600, SHORT_MS = 30 };

static char *path_before, *dir, *address;
static ob_runtime *runtime;
static ob_server *server;

static int set_up(void **state)
{
	const struct ob_runtime_options threaded = {.size = sizeof threaded,
						    .mode = OB_RUNTIME_THREADED};
	(void)state;
	path_before = scratch_text("%s", scratch_env("OUTBOARD_PLUGIN_PATH"));
	char *path = scratch_text("%s:%s/test-plugins", path_before, scratch_env("OB_TEST_BUILD"));
	setenv("OUTBOARD_PLUGIN_PATH", path, 1);
	free(path);
	dir = scratch_make();
	address = scratch_text("unix://%s/s", dir);
	return ob_runtime_new(&threaded, &runtime, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	ob_runtime_free(runtime);
	free(address);
	scratch_remove(dir);
	setenv("OUTBOARD_PLUGIN_PATH", path_before, 1);
	free(path_before);
	return 0;
}

static void begin(const char *settings, int64_t auth_timeout_ms)
{
	static const char *const auth[] = {"patient", NULL};
	const struct ob_server_options options = {.size = sizeof options,
						  .runtime = runtime,
						  .listen = address,
						  .auth = auth,
						  .auth_timeout_ms = auth_timeout_ms,
						  .settings = settings};
	struct ob_error err;
	expect(ob_server_open(&options, &server, &err), OB_OK, &err, NULL);
	expect(ob_server_start(server, &err), OB_OK, &err, NULL);
}

static void end(void)
{
	ob_server_close(server);
	server = NULL;
}

static struct ob_client_options client_options(const char *settings)
{
	static const char *const auth[] = {"patient", NULL};
	return (struct ob_client_options){.size = sizeof(struct ob_client_options),
					  .address = address,
					  .auth = auth,
					  .settings = settings};
}

static int dial(const char *settings, struct ob_error *reterr)
{
	const struct ob_client_options options = client_options(settings);
	ob_client *client = NULL;
	int r = ob_client_connect(runtime, &options, NULL, &client, reterr);
	if (r == OB_OK) {
		r = ob_client_call(client, "outboard.ping", NULL, 0, NULL, NULL, reterr);
	}
	ob_client_free(client);
	return r;
}

static void either_end_may_wait(void **state)
{
	static const char *const ways[][2] = {
	    {"{\"auth\":{\"patient\":{\"ms\":30}}}", NULL},
	    {"{\"auth\":{\"patient\":{\"ms\":30,\"by\":\"descriptor\"}}}", NULL},
	    {NULL, "{\"auth\":{\"patient\":{\"ms\":30,\"at\":\"dialer\"}}}"},
	    {NULL, "{\"auth\":{\"patient\":{\"ms\":30,\"at\":\"dialer\",\"by\":\"descriptor\"}}}"},
	    {NULL, "{\"auth\":{\"patient\":{\"ms\":30,\"at\":\"done\"}}}"},
	    {NULL, "{\"auth\":{\"patient\":{\"ms\":30,\"at\":\"done\",\"by\":\"descriptor\"}}}"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct ob_error err;
		begin(ways[i][0], 0);
		int64_t before = now_ms();
		expect(dial(ways[i][1], &err), OB_OK, &err, NULL);
		assert_true(now_ms() - before >= SHORT_MS);
		end();
	}
}

struct dialled {
	_Atomic int ended;
	_Atomic int well;
};

static void on_client(void *user, ob_client *client, int result, const struct ob_error *err)
{
	struct dialled *d = user;
	(void)err;
	ob_client_free(client);
	d->well += result == OB_OK;
	d->ended++;
}

/* One after the other they would take MANY times as long. */
static void many_wait_at_once(void **state)
{
	const struct ob_client_options options = client_options(NULL);
	struct dialled dialled = {0};
	struct ob_error err;
	(void)state;
	begin("{\"auth\":{\"patient\":{\"ms\":600,\"by\":\"descriptor\"}}}", 0);
	int64_t before = now_ms();
	for (int i = 0; i < MANY; i++) {
		expect(ob_client_connect_async(runtime, &options, on_client, &dialled, &err), OB_OK,
		       &err, NULL);
	}
	while (dialled.ended < MANY) {
		expect(dial(NULL, &err), OB_OK, &err, NULL);
	}
	assert_int_equal(dialled.well, MANY);
	assert_true(now_ms() - before < (int64_t)MANY * LONG_MS);
	end();
}

static void a_wait_has_the_deadline_of_its_exchange(void **state)
{
	struct ob_error err;
	(void)state;
	begin("{\"auth\":{\"patient\":{\"ms\":3600000,\"by\":\"descriptor\"}}}", 50);
	assert_true(dial(NULL, &err) < 0);
	end();
}

/* The server is closed, or its client leaves, while it waits: the descriptors of the exchange are
 * closed, which the count at the end of the other tests shows. */
static void a_wait_ends_with_its_connection(void **state)
{
	(void)state;
	int fds = scratch_open_fds();
	for (int i = 0; i < 2; i++) {
		struct ob_client_options options = client_options(NULL);
		struct ob_error err;
		ob_client *client;
		begin("{\"auth\":{\"patient\":{\"ms\":3600000,\"by\":\"descriptor\"}}}", 0);
		options.connect_timeout_ms = 50;
		expect(ob_client_connect(runtime, &options, NULL, &client, &err), OB_ETIMEDOUT,
		       &err, NULL);
		end();
	}
	assert_int_equal(scratch_open_fds(), fds);
}

static void mistakes_are_refusals(void **state)
{
	static const char *const bad[] = {
	    "{\"auth\":{\"patient\":{\"ms\":30,\"by\":\"nothing\",\"at\":\"dialer\"}}}",
	    "{\"auth\":{\"patient\":{\"ms\":30,\"by\":\"words\",\"at\":\"dialer\"}}}"};
	static const char *const why[] = {"patient cannot wait", "wrote a message and waits"};
	(void)state;
	begin(NULL, 0);
	for (size_t i = 0; i < 2; i++) {
		struct ob_error err;
		expect(dial(bad[i], &err), OB_EAUTH, &err, why[i]);
	}
	end();
}

/* The peer must wait, too: it gets an error, and the connection is closed before its deadline. */
static void a_peer_that_goes_on_is_refused(void **state)
{
	static const uint8_t request[] = "\x94\x00\x01\xadoutboard.auth\x92\xa7patient\xc4\x00";
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	uint8_t answer[512];
	size_t have = 0;
	ssize_t n;
	(void)state;
	begin("{\"auth\":{\"patient\":{\"ms\":3600000,\"by\":\"descriptor\"}}}", 3600 * 1000);
	snprintf(to.sun_path, sizeof to.sun_path, "%s/s", dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL),
				 sizeof request - 1);
	}
	while ((n = recv(fd, answer + have, sizeof answer - have, 0)) > 0) {
		have += (size_t)n;
	}
	assert_non_null(memmem(answer, have, "refused", 7));
	close(fd);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(either_end_may_wait),
	    cmocka_unit_test(many_wait_at_once),
	    cmocka_unit_test(a_wait_has_the_deadline_of_its_exchange),
	    cmocka_unit_test(a_wait_ends_with_its_connection),
	    cmocka_unit_test(mistakes_are_refusals),
	    cmocka_unit_test(a_peer_that_goes_on_is_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
