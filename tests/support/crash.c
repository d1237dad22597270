/* SPDX-License-Identifier: MIT */
#include "support/crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "support/clock.h"
#include "support/family.h"
#include "support/scratch.h"

enum { ARGUMENTS = 24, RECOVER_MS = 5000 };

void crash_begin(struct crash *c)
{
	const char *cat[] = {"cat", NULL};
	program_adopt_orphans();
	*c = (struct crash){.scratch = scratch_make()};
	c->dir = scratch_text("%s/child", c->scratch);
	c->parent = scratch_text("%s/children/child-parent", scratch_env("OB_TEST_BUILD"));
	c->actor = scratch_text("%s/children/child-actor", scratch_env("OB_TEST_BUILD"));
	c->tag = scratch_text("tag=%s", c->scratch);
	program_begin(&c->bystander, cat, NULL);
}

void crash_parent(struct crash *c, const char *points, ...)
{
	char data[512], child[512], orders[256];
	const char *argv[ARGUMENTS + 8] = {c->parent, data, child};
	const char *env[8] = {NULL};
	size_t n = 3, set = 0;
	va_list args;
	snprintf(data, sizeof data, "data=%s", c->dir);
	snprintf(child, sizeof child, "child=%s", c->actor);
	snprintf(orders, sizeof orders, "OUTBOARD_FP=%s", points != NULL ? points : "");
	if (points != NULL) {
		env[set++] = orders;
	}
	for (size_t i = 0; c->env != NULL && c->env[i] != NULL && set < 7; i++) {
		env[set++] = c->env[i];
	}
	va_start(args, points);
	for (const char *a = va_arg(args, const char *); a != NULL && n < ARGUMENTS;
	     a = va_arg(args, const char *)) {
		argv[n++] = a;
	}
	va_end(args);
	argv[n++] = "--";
	argv[n] = c->tag;
	program_begin(&c->now, argv, env);
}

/* ---- What must hold after every crash ---- */

pid_t crash_child(const struct crash *c)
{
	pid_t pid = 0;
	int count = program_count(c->actor, c->tag, &pid);
	if (count > 1) {
		fail_msg("%d children live", count);
	}
	return pid;
}

pid_t crash_new_child(const struct crash *c)
{
	pid_t pid = crash_child(c);
	for (int left = FAMILY_WAIT_MS; pid == 0 && left > 0; left--) {
		program_let_pass(1);
		pid = crash_child(c);
	}
	assert_true(pid > 0);
	return pid;
}

static void check_config(const struct crash *c)
{
	char *path = scratch_text("%s/outboard.json", c->dir);
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	int code = ob_config_read(path, &config, &err);
	if (code != OB_OK && code != OB_ENOENT) {
		fail_msg("%s", err.text);
	}
	ob_config_clear(&config);
	free(path);
}

void crash_died(struct crash *c)
{
	int status = program_end(&c->now);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
		fail_msg("the parent was not killed where it should have been: status %x",
			 (unsigned)status);
	}
	(void)crash_child(c);
	check_config(c);
}

static void check_clean(const struct crash *c)
{
	static const char *const gone[] = {"outboard.json", "stdout.fifo", "stderr.fifo",
					   "rpc.sock"};
	DIR *dir = opendir(c->dir);
	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		assert_null(strstr(entry->d_name, ".tmp"));
		for (int i = 0; i < 4; i++) {
			assert_string_not_equal(entry->d_name, gone[i]);
		}
	}
	closedir(dir);
}

void crash_recover(struct crash *c, pid_t was)
{
	int pid = 0;
	int64_t begin = now_ms();
	crash_parent(c, NULL, NULL);
	const char *told = program_ask(&c->now, "start");
	assert_non_null(told);
	if (sscanf(told, "ok start %d", &pid) != 1) {
		fail_msg("%s", told);
	}
	assert_true(now_ms() - begin < RECOVER_MS);
	assert_int_equal(crash_child(c), pid);
	if (was != 0) {
		assert_int_equal(pid, was);
	}
	assert_string_equal(program_ask(&c->now, "call act.echo 7"), "reply 7");
	assert_string_equal(program_ask(&c->now, "stop"), "ok stop 0");
	assert_int_equal(crash_child(c), 0);
	check_clean(c);
	program_say(&c->now, "quit");
	int status = program_end(&c->now);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void crash_end(struct crash *c)
{
	assert_int_equal(crash_child(c), 0);
	program_say(&c->bystander, "still here");
	assert_string_equal(program_line(&c->bystander), "still here");
	assert_int_equal(program_end(&c->bystander), 0);
	program_reap_orphans();
	free(c->dir);
	free(c->parent);
	free(c->actor);
	free(c->tag);
	scratch_remove(c->scratch);
}
