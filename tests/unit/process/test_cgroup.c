/* SPDX-License-Identifier: MIT */
/* A cgroup that is made, looked at, killed and removed. Real cgroups, where they can be made. */
#include "process/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "process/cgroup_parent.h"
#include "support/scratch.h"
#include "support/v2.h"

static const struct ob_cgroup no_limits = {.size = sizeof no_limits};
static char *root;
static int fds;

static int setup(void **state)
{
	(void)state;
	fds = scratch_open_fds();
	root = v2_make();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	v2_remove(root);
	assert_int_equal(scratch_open_fds(), fds);
	return 0;
}

#define V2_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define NEED_V2()           \
	if (root == NULL) { \
		skip();     \
	}

static struct obi_cgroup_id make(const char *name)
{
	struct obi_cgroup_id id;
	struct ob_error err = {0};
	int r = obi_cgroup_make(&no_limits, root, name, &id, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(r, OB_OK);
	return id;
}

/* A process with one in a cgroup below, which both live until they are killed. */
static pid_t run_two(const struct obi_cgroup_id *id)
{
	char *inner = scratch_text("%s/inner", id->path), *fifo = scratch_make();
	assert_int_equal(mkdir(inner, 0755), 0);
	char *up = scratch_text("%s/up", fifo);
	assert_int_equal(mkfifo(up, 0600), 0);
	char *script = scratch_text("{ echo 0 >'%s/cgroup.procs'; echo >'%s'; exec sleep 1000; } & "
				    "exec sleep 1000",
				    inner, up);
	pid_t pid = v2_run(id->path, script);
	FILE *wait = fopen(up, "re");
	assert_non_null(wait);
	assert_int_equal(fgetc(wait), '\n'); /* the inner one has moved, and written */
	fclose(wait);
	free(script);
	free(up);
	free(inner);
	scratch_remove(fifo);
	return pid;
}

static void expect_killed(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == 9);
}

static void a_cgroup_is_made_and_removed(void **state)
{
	(void)state;
	NEED_V2();
	struct obi_cgroup_id id = make("child");
	assert_true(obi_cgroup_exists(&id));
	assert_false(obi_cgroup_is_populated(&id));
	assert_int_equal(obi_cgroup_remove(&id, NULL), OB_OK);
	assert_false(obi_cgroup_exists(&id));
	assert_false(obi_cgroup_is_populated(&id));
	assert_int_equal(obi_cgroup_remove(&id, NULL), OB_OK); /* it is gone */
	obi_cgroup_kill(&id);
	assert_int_equal(obi_cgroup_usage(&id).cpu_us, -1);
}

static void all_in_it_and_below_are_killed(void **state)
{
	(void)state;
	NEED_V2();
	void (*const ways[])(const struct obi_cgroup_id *) = {obi_cgroup_kill,
							      obi_cgroup_kill_each};
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct ob_error err;
		char names[200];
		struct obi_cgroup_id id = make("child");
		pid_t pid = run_two(&id);
		assert_true(obi_cgroup_is_populated(&id));
		assert_true(obi_cgroup_usage(&id).cpu_us > 0); /* the shell ran in it */
		obi_cgroup_names(&id, names, sizeof names);
		assert_non_null(strstr(names, "(pid "));
		assert_int_equal(obi_cgroup_remove(&id, &err), OB_EBUSY);
		assert_non_null(strstr(err.text, "(pid "));
		/* Making it again does not take it from those who are in it. */
		struct obi_cgroup_id other = {.inode = 0};
		assert_int_equal(obi_cgroup_make(&no_limits, root, "child", &other, &err),
				 OB_EBUSY);
		ways[i](&id);
		expect_killed(pid);
		v2_await_empty(id.path);
		assert_false(obi_cgroup_is_populated(&id));
		assert_int_equal(obi_cgroup_remove(&id, NULL), OB_OK);
	}
}

/* The path alone does not say which cgroup it is. */
static void another_one_at_the_path_is_left_alone(void **state)
{
	(void)state;
	NEED_V2();
	struct obi_cgroup_id id = make("child");
	assert_int_equal(rmdir(id.path), 0);
	struct obi_cgroup_id other = make("child");
	assert_true(id.inode != other.inode);
	pid_t pid = v2_run(other.path, "exec sleep 1000");
	while (v2_count(other.path) == 0) {
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	}
	assert_false(obi_cgroup_is_populated(&id));
	obi_cgroup_kill(&id);
	obi_cgroup_kill_each(&id);
	assert_int_equal(obi_cgroup_remove(&id, NULL), OB_OK);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(v2_count(other.path), 1);
	int fd;
	assert_int_equal(obi_cgroup_open_procs(&id, &fd, NULL), OB_ENOENT);
	obi_cgroup_kill(&other);
	expect_killed(pid);
}

static void a_directory_that_is_no_cgroup_is_refused(void **state)
{
	(void)state;
	struct obi_cgroup_parent parent;
	struct ob_error err;
	char *dir = scratch_make();
	const struct ob_cgroup options = {.size = sizeof options, .parent = dir};
	assert_int_equal(obi_cgroup_parent_open(&options, &parent, &err), OB_ENOTSUP);
	assert_non_null(strstr(err.text, "is not a cgroup of cgroup v2"));
	obi_cgroup_parent_close(&parent);
	const struct ob_cgroup missing = {.size = sizeof missing, .parent = "/sys/fs/no/such"};
	assert_int_equal(obi_cgroup_parent_open(&missing, &parent, &err), OB_ENOENT);
	scratch_remove(dir);
}

/* An empty cgroup whose parent enables nothing has no controllers. */
static void a_controller_that_is_missing_is_named(void **state)
{
	(void)state;
	NEED_V2();
	struct obi_cgroup_id id = make("bare");
	struct obi_cgroup_parent parent;
	struct ob_error err;
	const struct ob_cgroup options = {
	    .size = sizeof options, .parent = id.path, .pids_max = 10};
	assert_int_equal(obi_cgroup_parent_open(&options, &parent, &err), OB_OK);
	assert_int_equal(obi_cgroup_parent_check(&parent, &options, &err), OB_ENOTSUP);
	assert_non_null(strstr(err.text, "pids.max: there is no controller \"pids\" in "));
	assert_non_null(strstr(err.text, "/bare/cgroup.controllers"));
	assert_int_equal(obi_cgroup_parent_prepare(&parent, &options, &err), OB_ENOTSUP);
	assert_non_null(strstr(err.text, "pids.max"));
	obi_cgroup_parent_close(&parent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    V2_TEST(a_cgroup_is_made_and_removed),
	    V2_TEST(all_in_it_and_below_are_killed),
	    V2_TEST(another_one_at_the_path_is_left_alone),
	    V2_TEST(a_directory_that_is_no_cgroup_is_refused),
	    V2_TEST(a_controller_that_is_missing_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
