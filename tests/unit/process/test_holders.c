/* SPDX-License-Identifier: MIT */
/* Real processes that hold a lock by descriptor 3, by another descriptor, or by a mapping. */
#include "process/holders.h"
#include "support/scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { LOCK_FD = 3, OTHER_FD = 9 };

struct bed {
	char *dir;
	int fds;
};

static int begin(void **state)
{
	struct bed *bed = calloc(1, sizeof *bed);
	bed->dir = scratch_make();
	bed->fds = scratch_open_fds();
	*state = bed;
	return 0;
}

static int end(void **state)
{
	struct bed *bed = *state;
	int leaked = scratch_open_fds() - bed->fds;
	scratch_remove(bed->dir);
	free(bed);
	return leaked;
}

/* A file with a shared OFD lock; the descriptor that holds it. */
static int lock_file(const struct bed *bed, const char *name, struct obi_lock_id *ret_id)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	struct ob_error err = {0};
	char *path = scratch_text("%s/%s", bed->dir, name);
	scratch_write(path, "x", 1, 0600);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	if (obi_lock_id_of(fd, ret_id, &err) < 0) {
		fail_msg("%s", err.text);
	}
	free(path);
	return fd;
}

enum way { BY_FD3, BY_FD9, BY_MAP, BY_NOTHING };

/* What this program does as the holder: keep the lock in one way, say so, and wait. */
static int hold_here(enum way way)
{
	void *map = way == BY_MAP ? mmap(NULL, 1, PROT_READ, MAP_SHARED, LOCK_FD, 0) : NULL;
	bool ok = map != MAP_FAILED && (way != BY_FD9 || dup2(LOCK_FD, OTHER_FD) == OTHER_FD);
	if (way != BY_FD3) {
		close(LOCK_FD);
	}
	if (!ok || write(STDOUT_FILENO, "y", 1) != 1) {
		return 1;
	}
	for (;;) {
		pause();
	}
}

/* A process that keeps the lock in this way, in a session of its own if `leads`. */
static pid_t hold(int lock, enum way way, bool leads)
{
	char number[2] = {(char)('0' + way), '\0'}, byte = 'n';
	char *argv[] = {"test_holders", number, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int ready[2];
	pid_t pid;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&files, ready[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, lock, LOCK_FD);
	posix_spawnattr_setflags(&attributes, leads ? POSIX_SPAWN_SETSID : 0);
	assert_int_equal(posix_spawn(&pid, "/proc/self/exe", &files, &attributes, argv, environ),
			 0);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	close(ready[0]);
	return pid;
}

static void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static struct obi_holder_scan *scan(const struct obi_lock_id *locks, size_t count, unsigned step)
{
	struct obi_holder_scan *scan = NULL;
	assert_int_equal(obi_holder_scan_new(locks, count, false, &scan, NULL), OB_OK);
	while (obi_holder_scan_step(scan, step)) {
	}
	return scan;
}

/* The only holder that a scan finds. */
static struct obi_holder only_holder(struct obi_holder_scan *scan)
{
	size_t count;
	struct obi_holder *holders = obi_holder_scan_results(scan, &count);
	assert_int_equal(count, 1);
	return holders[0];
}

static void expect_way(const struct bed *bed, enum way way)
{
	struct obi_lock_id id;
	int lock = lock_file(bed, "lock", &id);
	pid_t pid = hold(lock, way, true);
	close(lock);
	struct obi_holder_scan *s = scan(&id, 1, 7);
	struct obi_holder holder = only_holder(s);
	assert_int_equal(holder.process.id.pid, pid);
	assert_int_equal(holder.session, pid);
	assert_int_equal(holder.uid, geteuid());
	assert_true(holder.descendant);
	assert_true(holder.process.pidfd >= 0);
	obi_holder_scan_free(s);
	end_process(pid);
	s = scan(&id, 1, 1000);
	size_t count;
	obi_holder_scan_results(s, &count);
	assert_int_equal(count, 0);
	obi_holder_scan_free(s);
}

static void descriptor_3_is_found(void **state)
{
	expect_way(*state, BY_FD3);
}

static void another_descriptor_is_found(void **state)
{
	expect_way(*state, BY_FD9);
}

static void a_mapping_is_found(void **state)
{
	expect_way(*state, BY_MAP);
}

static void one_scan_serves_many_locks(void **state)
{
	struct obi_lock_id ids[3];
	pid_t pids[4];
	int locks[3];
	size_t count, seen[3] = {0};
	static const char *const names[] = {"a", "b", "c"};
	for (int i = 0; i < 3; i++) {
		locks[i] = lock_file(*state, names[i], &ids[i]);
		pids[i] = hold(locks[i], (enum way)i, true);
	}
	pids[3] = hold(locks[0], BY_FD3, false);
	for (int i = 0; i < 3; i++) {
		close(locks[i]);
	}
	struct obi_holder_scan *s = scan(ids, 3, 3);
	const struct obi_holder *holders = obi_holder_scan_results(s, &count);
	for (size_t i = 0; i < count; i++) {
		seen[holders[i].lock]++;
	}
	assert_int_equal(count, 4);
	assert_int_equal(seen[0], 2);
	assert_int_equal(seen[1], 1);
	assert_int_equal(seen[2], 1);
	obi_holder_scan_free(s);
	for (int i = 0; i < 4; i++) {
		end_process(pids[i]);
	}
}

static void a_process_that_closed_it_is_no_holder(void **state)
{
	struct obi_lock_id id;
	size_t count;
	int lock = lock_file(*state, "lock", &id);
	pid_t pid = hold(lock, BY_NOTHING, true);
	close(lock);
	struct obi_holder_scan *s = scan(&id, 1, 1000);
	obi_holder_scan_results(s, &count);
	assert_int_equal(count, 0);
	obi_holder_scan_free(s);
	end_process(pid);
}

static void a_descriptor_without_a_lock_has_no_identity(void **state)
{
	struct obi_lock_id id;
	(void)state;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(obi_lock_id_of(fd, &id, NULL), OB_ENOENT);
	close(fd);
	assert_int_equal(obi_lock_id_of(-1, &id, NULL), OB_ENOENT);
}

/* ---- Whom to kill ---- */

static bool may_kill(uid_t uid, int32_t session, bool descendant, uid_t child_uid,
		     int32_t runner_session)
{
	static const int32_t spared[] = {501, 502};
	struct obi_holder holder = {.uid = uid, .session = session, .descendant = descendant};
	struct obi_holder_rule rule = {
	    .session = runner_session,
	    .child_uid = child_uid,
	    .spared = spared,
	    .spared_count = 2,
	};
	return obi_holder_may_be_killed(&holder, &rule);
}

static void an_innocent_holder_is_spared(void **state)
{
	(void)state;
	uid_t child = geteuid() + 1000;
	assert_false(may_kill(0, 7, false, child, 500));
	assert_false(may_kill(geteuid(), 7, false, child, 500));
	assert_false(may_kill(child + 1, 7, false, child, 500));
	assert_false(may_kill(0, 7, false, 0, 500));
	assert_false(may_kill(geteuid(), 7, false, geteuid(), 500));
	assert_false(may_kill(0, 0, false, child, 0));
	/* The overflow id, behind which any user may be. */
	assert_false(may_kill(65534, 7, false, 65534, 500));
}

static void what_belongs_to_the_child_may_be_killed(void **state)
{
	(void)state;
	uid_t child = geteuid() + 1000;
	assert_true(may_kill(0, 500, false, child, 500));
	assert_true(may_kill(0, 7, true, child, 500));
	assert_true(may_kill(child, 7, false, child, 500));
}

static void another_child_is_spared_whatever_it_holds(void **state)
{
	(void)state;
	uid_t child = geteuid() + 1000;
	assert_false(may_kill(child, 501, false, child, 500));
	assert_false(may_kill(child, 502, true, child, 500));
}

#define WITH_BED(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(int argc, char **argv)
{
	if (argc > 1) {
		return hold_here((enum way)(argv[1][0] - '0'));
	}
	const struct CMUnitTest tests[] = {
	    WITH_BED(descriptor_3_is_found),
	    WITH_BED(another_descriptor_is_found),
	    WITH_BED(a_mapping_is_found),
	    WITH_BED(one_scan_serves_many_locks),
	    WITH_BED(a_process_that_closed_it_is_no_holder),
	    cmocka_unit_test(a_descriptor_without_a_lock_has_no_identity),
	    cmocka_unit_test(an_innocent_holder_is_spared),
	    cmocka_unit_test(what_belongs_to_the_child_may_be_killed),
	    cmocka_unit_test(another_child_is_spared_whatever_it_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
