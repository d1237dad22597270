/* SPDX-License-Identifier: MIT */
/* A filter denies system calls that a parent needs, as the seccomp profiles of containers do. Row
 * 92 of the table of faults. */
#include "support/crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const struct {
	const char *name;
	int number;
} needed[] = {
    {"pidfd_open", SYS_pidfd_open}, {"pidfd_send_signal", SYS_pidfd_send_signal},
    {"waitid", SYS_waitid},	    {"close_range", SYS_close_range},
    {"clone", SYS_clone},
};
enum { NEEDED = sizeof needed / sizeof needed[0] };

static void quit(struct crash *c)
{
	program_say(&c->now, "quit");
	int status = program_end(&c->now);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Leave nothing running: neither the parent, nor a child that an earlier one has detached. */
static void skip_all(struct crash *c, const char *why)
{
	quit(c);
	pid_t pid = crash_child(c);
	if (pid != 0) {
		crash_recover(c, pid);
	}
	crash_end(c);
	print_message("skipped: %s\n", why);
	skip();
}

/* The current parent gets a filter. */
static void deny(struct crash *c, const char *what, int number, int sys)
{
	char line[64];
	snprintf(line, sizeof line, "%s %d %d", what, number, sys);
	const char *told = program_ask(&c->now, line);
	assert_non_null(told);
	if (strncmp(told, "ok", 2) != 0) {
		skip_all(c, "this kernel takes no seccomp filter");
	}
}

static void must_say(struct crash *c, const char *line, const char *beginning, const char *part,
		     const char *other_part)
{
	const char *told = program_ask(&c->now, line);
	if (told == NULL || strncmp(told, beginning, strlen(beginning)) != 0 ||
	    strstr(told, part) == NULL || strstr(told, other_part) == NULL) {
		fail_msg("%s was answered: %s", line, told != NULL ? told : "nothing");
	}
}

/* The search for leaks at the end of a process needs clone and waitid itself. */
static void refuse_a_start(int i, int sys)
{
	static const char *const env[] = {"ASAN_OPTIONS=detect_leaks=0", NULL};
	struct crash c;
	crash_begin(&c);
	c.env = env;
	crash_parent(&c, NULL, NULL);
	deny(&c, "deny", needed[i].number, sys);
	must_say(&c, "start", "error start ", needed[i].name, "(seccomp?)");
	assert_int_equal(crash_child(&c), 0);
	quit(&c);
	crash_end(&c);
}

static void fault_92_a_start_that_could_not_be_stopped_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < NEEDED; i++) {
		refuse_a_start(i, EPERM);
		refuse_a_start(i, ENOSYS);
	}
}

/* The process cannot be identified, so it is neither taken over nor doubled. */
static void fault_92_an_adoption_that_is_denied_leaves_the_child_alone(void **state)
{
	struct crash c;
	int32_t pid;
	(void)state;
	for (int i = 0; i < 2; i++) {
		crash_begin(&c);
		crash_parent(&c, NULL, NULL);
		must_say(&c, "start", "ok start ", "", "");
		pid = crash_child(&c);
		must_say(&c, "detach", "ok", "", "");
		quit(&c);
		crash_parent(&c, NULL, NULL);
		deny(&c, "deny", needed[i].number, EPERM);
		must_say(&c, "start", "error start ", needed[i].name, "(seccomp?)");
		must_say(&c, "end", "error end ", needed[i].name, "(seccomp?)");
		assert_int_equal(crash_child(&c), pid);
		quit(&c);
		crash_recover(&c, pid);
		crash_end(&c);
	}
}

/* SIGKILL is what cannot be denied to the owner of a process, but for a filter. */
static void fault_92_an_end_that_is_not_permitted_is_an_error(void **state)
{
	struct crash c;
	(void)state;
	crash_begin(&c);
	crash_parent(&c, NULL, NULL);
	must_say(&c, "start", "ok start ", "", "");
	int32_t pid = crash_child(&c);
	must_say(&c, "detach", "ok", "", "");
	deny(&c, "deny-signal", SIGINT, EPERM);
	deny(&c, "deny-signal", SIGKILL, EPERM);
	must_say(&c, "end", "error end OB_EPERM", "sending a signal to process", "not permitted");
	assert_int_equal(crash_child(&c), pid);
	quit(&c);
	crash_recover(&c, pid);
	crash_end(&c);
}

/* The C library makes threads with clone3, and with clone where the kernel does not know that. */
static void fault_92_without_clone3_there_are_children(void **state)
{
	struct crash c;
	(void)state;
	crash_begin(&c);
	crash_parent(&c, NULL, NULL);
	deny(&c, "deny", SYS_clone3, ENOSYS);
	must_say(&c, "start", "ok start ", "", "");
	must_say(&c, "stop", "ok stop 0", "", "");
	quit(&c);
	crash_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_92_a_start_that_could_not_be_stopped_is_refused),
	    cmocka_unit_test(fault_92_an_adoption_that_is_denied_leaves_the_child_alone),
	    cmocka_unit_test(fault_92_an_end_that_is_not_permitted_is_an_error),
	    cmocka_unit_test(fault_92_without_clone3_there_are_children),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
