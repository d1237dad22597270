/* SPDX-License-Identifier: MIT */
/* The cgroup of a local child: who is in it is the child's, with or without its lock. Real cgroups,
 * where they can be made. */
#include "unit/place/local_bed.h"

#include <sys/stat.h>

#include "support/v2.h"

static char *root;
static struct ob_cgroup cgroup;

static int setup_v2(void **state)
{
	root = v2_make();
	cgroup = (struct ob_cgroup){.size = sizeof cgroup, .parent = root};
	int r = setup(state);
	options.cgroup = &cgroup;
	return r;
}

static int teardown_v2(void **state)
{
	if (root == NULL) {
		options.cgroup = NULL;
	}
	int r = teardown(state);
	v2_remove(root);
	return r;
}

#define V2_TEST(name) cmocka_unit_test_setup_teardown(name, setup_v2, teardown_v2)
#define NEED_V2()           \
	if (root == NULL) { \
		skip();     \
	}

/* One without the lock, in a session of its own, that ends when its FIFO `go` is opened. Nothing
 * but the cgroup tells whose it is. */
static const char with_member[] = "mkfifo go up; env -i setsid sh -c 'echo >up; read x <go' 3<&- & "
				  "read x <up; exit 5";

static void let_member_go(void)
{
	char *fifo = scratch_text("%s/go", dir);
	FILE *go = fopen(fifo, "w"); /* opens when the member reads */
	assert_non_null(go);
	fclose(go);
	free(fifo);
}

static void expect_no_cgroup(void)
{
	char *left = v2_only(root, "outboard-");
	assert_null(left);
}

static void a_child_is_in_its_cgroup(void **state)
{
	(void)state;
	NEED_V2();
	run("exec sleep 1000");
	char *path = v2_only(root, "outboard-child-");
	assert_non_null(path);
	assert_int_equal(v2_count(path), 1);
	free(path);
	place->ops->end(place, WAIT_MS);
	await(seen.words, "gone:0");
	expect_no_cgroup();
}

static void what_is_left_in_the_cgroup_is_killed(void **state)
{
	(void)state;
	NEED_V2();
	run(with_member);
	await(seen.words, "gone:0");
	assert_false(seen.facts.held || seen.facts.alive);
	assert_true(seen.usage.cpu_us >= 0);
	expect_no_cgroup();
}

static void what_is_left_in_the_cgroup_is_waited_for(void **state)
{
	(void)state;
	NEED_V2();
	options.leftover = OB_LEFTOVER_WAIT;
	run(with_member);
	await(seen.words, "remains:0");
	assert_non_null(strstr(seen.remains, "is still running"));
	assert_non_null(strstr(seen.remains, "\"sh\" (pid "));
	/* So does a parent that comes after us. */
	seen.words[0] = '\0';
	place->ops->probe(place, 4, true);
	expect_seen("probed:4 ");
	assert_false(seen.facts.alive);
	assert_true(seen.facts.held);
	place->ops->end_holders(place);
	let_member_go();
	await(seen.words, "gone:0");
	assert_false(seen.facts.held || seen.facts.alive);
	expect_no_cgroup();
}

static void what_is_left_in_the_cgroup_can_fail_the_child(void **state)
{
	(void)state;
	NEED_V2();
	options.leftover = OB_LEFTOVER_FAIL;
	run(with_member);
	await(seen.words, "no-gone:0");
	assert_non_null(strstr(seen.failure.text, "(leftover: fail)"));
	assert_non_null(strstr(seen.failure.text, "\"sh\" (pid "));
	let_member_go();
}

static void save_child(void)
{
	struct obi_statefile saved = {.version = 1};
	memcpy(saved.record, seen.child.record, sizeof saved.record);
	place->ops->save(place, &saved);
}

/* The next parent finds the cgroup by what was saved, and kills all in it. */
static void the_next_parent_finds_the_cgroup(void **state)
{
	(void)state;
	NEED_V2();
	run("mkfifo up; env -i setsid sh -c 'echo >up; exec sleep 1000' 3<&- & read x <up; "
	    "echo both; exec sleep 1000");
	char *path = v2_only(root, "outboard-child-");
	await(seen.logs, "both");
	save_child();
	place->ops->free(place); /* it detaches */
	assert_int_equal(v2_count(path), 2);
	place = make_place();
	options.cgroup = NULL; /* of the next start only */
	place->ops->probe(place, 4, true);
	assert_true(seen.facts.alive);
	place->ops->adopt(place, 5, seen.facts.child.record, 0);
	await(seen.words, "adopted:5");
	place->ops->end(place, WAIT_MS);
	await(seen.words, "gone:0");
	expect_no_cgroup();
	free(path);
}

/* A parent that died between making the cgroup and the spawn left it empty. */
static void an_empty_one_of_an_earlier_start_is_replaced(void **state)
{
	(void)state;
	NEED_V2();
	run("exec sleep 1000");
	char *path = v2_only(root, "outboard-child-");
	place->ops->end(place, WAIT_MS);
	await(seen.words, "gone:0");
	assert_int_equal(mkdir(path, 0755), 0);
	prepare(6, 0);
	place->ops->spawn(place, 7);
	await(seen.words, "spawned:7");
	assert_int_equal(v2_count(path), 1);
	free(path);
}

/* It has the name of ours, and is not the one that was noted: nobody in it is killed. */
static void one_with_unknown_processes_is_refused(void **state)
{
	(void)state;
	NEED_V2();
	run("exec sleep 1000");
	char *path = v2_only(root, "outboard-child-");
	place->ops->end(place, WAIT_MS);
	await(seen.words, "gone:0");
	assert_int_equal(mkdir(path, 0755), 0);
	(void)v2_run(path, "exec sleep 1000");
	while (v2_count(path) == 0) {
		obi_loop_turn(loop, false);
	}
	struct ob_config config = {.size = sizeof config};
	assert_int_equal(ob_config_set(&config.instance, "0011"), OB_OK);
	seen.words[0] = '\0';
	place->ops->prepare(place, 6, &config, 0);
	ob_config_clear(&config);
	expect_seen("no-prepared:6 ");
	assert_int_equal(seen.code, OB_EBUSY);
	assert_int_equal(v2_count(path), 1);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    V2_TEST(a_child_is_in_its_cgroup),
	    V2_TEST(what_is_left_in_the_cgroup_is_killed),
	    V2_TEST(what_is_left_in_the_cgroup_is_waited_for),
	    V2_TEST(what_is_left_in_the_cgroup_can_fail_the_child),
	    V2_TEST(the_next_parent_finds_the_cgroup),
	    V2_TEST(an_empty_one_of_an_earlier_start_is_replaced),
	    V2_TEST(one_with_unknown_processes_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
