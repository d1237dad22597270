/* SPDX-License-Identifier: MIT */
/* A client of a server that is not outboard's, and is busy. */
#include "support/scratch.h"

#include <outboard/outboard.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FILLERS = 16, TURN_MS = 20, TURNS = 500 };

struct server {
	char *dir, *address;
	int listener, fillers[FILLERS];
	ob_runtime *runtime;
	ob_client *client;
	int result, ended;
};

/* A listener with a full backlog: one more connect has to wait. */
static void begin(struct server *s)
{
	struct ob_runtime_options options = {.size = sizeof options, .mode = OB_RUNTIME_INLINE};
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	*s = (struct server){.dir = scratch_make()};
	snprintf(name.sun_path, sizeof name.sun_path, "%s/s", s->dir);
	s->address = scratch_text("unix://%s/s", s->dir);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(s->listener, 1), 0);
	int r = 0;
	for (int i = 0; i < FILLERS; i++) {
		s->fillers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		r = connect(s->fillers[i], (struct sockaddr *)&name, sizeof name);
	}
	assert_true(r < 0 && errno == EAGAIN);
	assert_int_equal(ob_runtime_new(&options, &s->runtime, NULL), OB_OK);
}

static void end(struct server *s)
{
	ob_client_free(s->client);
	ob_runtime_free(s->runtime);
	for (int i = 0; i < FILLERS; i++) {
		close(s->fillers[i]);
	}
	close(s->listener);
	free(s->address);
	scratch_remove(s->dir);
}

static void on_connected(void *user, ob_client *client, int result, const struct ob_error *err)
{
	struct server *s = user;
	(void)err;
	s->client = client;
	s->result = result;
	s->ended++;
}

static void connect_to(struct server *s, int64_t timeout_ms)
{
	static const char *const none[] = {"none", NULL};
	struct ob_client_options options = {.size = sizeof options,
					    .address = s->address,
					    .auth = none,
					    .connect_timeout_ms = timeout_ms};
	struct ob_error err = {.text = ""};
	if (ob_client_connect_async(s->runtime, &options, on_connected, s, &err) != OB_OK) {
		fail_msg("%s", err.text);
	}
}

static void turn_until_ended(struct server *s)
{
	for (int i = 0; i < TURNS && s->ended == 0; i++) {
		(void)ob_runtime_run(s->runtime, TURN_MS);
	}
	assert_int_equal(s->ended, 1);
}

static void a_dial_waits_for_a_full_backlog(void **state)
{
	struct server s;
	(void)state;
	begin(&s);
	connect_to(&s, 60000);
	for (int i = 0; i < 5; i++) {
		(void)ob_runtime_run(s.runtime, TURN_MS);
	}
	assert_int_equal(s.ended, 0);
	int taken = accept(s.listener, NULL, NULL);
	turn_until_ended(&s);
	assert_int_equal(s.result, OB_OK);
	close(taken);
	end(&s);
}

static void a_dial_to_a_full_backlog_times_out(void **state)
{
	struct server s;
	(void)state;
	begin(&s);
	connect_to(&s, 100);
	turn_until_ended(&s);
	assert_int_equal(s.result, OB_ETIMEDOUT);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_dial_waits_for_a_full_backlog),
	    cmocka_unit_test(a_dial_to_a_full_backlog_times_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
