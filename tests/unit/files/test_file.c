/* SPDX-License-Identifier: MIT */
/* Small files: unsafe ones are refused, and a replacement is atomic. */
#include "files/child_config.h"
#include "files/datadir.h"
#include "base/buf.h"
#include "files/file.h"
#include "support/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define NAME "outboard.json"

static void put(const struct scratch_place *place, const char *text, mode_t mode)
{
	char *path = scratch_text("%s/" NAME, place->path);
	unlink(path);
	scratch_write(path, text, strlen(text), mode);
	free(path);
}

static int read_it(int dirfd, uid_t owner, size_t max, char *text, size_t cap, struct ob_error *err)
{
	struct obi_buf buf;
	obi_buf_init(&buf, max);
	int r = obi_file_read(dirfd, NAME, owner, obi_buf_sink(&buf), err);
	if (r == OB_OK) {
		assert_true(obi_buf_len(&buf) < cap);
		snprintf(text, cap, "%.*s", (int)obi_buf_len(&buf),
			 (const char *)obi_buf_bytes(&buf).data);
	}
	obi_buf_free(&buf);
	return r;
}

static void expect_content(int dirfd, const char *want)
{
	char text[1024];
	struct ob_error err = {0};
	if (read_it(dirfd, geteuid(), 1024, text, sizeof text, &err) < 0) {
		fail_msg("%s", err.text);
	}
	assert_string_equal(text, want);
}

static void expect_unreadable(int dirfd, int code, const char *text)
{
	char got[1024];
	struct ob_error err = {0};
	assert_int_equal(read_it(dirfd, geteuid(), 1024, got, sizeof got, &err), code);
	assert_string_equal(err.text, text);
}

static int count_entries(const char *path)
{
	int count = -2; /* . and .. */
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir) != NULL) {
		count++;
	}
	closedir(dir);
	return count;
}

static int replace(int dirfd, const char *text, uint32_t flags, struct ob_error *err)
{
	return obi_file_replace(dirfd, NAME, "config", ob_bytes_text(text), flags, (uid_t)-1,
				(gid_t)-1, err);
}

/* ---- Reading ---- */

static void regular_file_of_ours_is_read(void **unused)
{
	(void)unused;
	struct scratch_place place = scratch_make_place();
	expect_unreadable(place.fd, OB_ENOENT, NAME ": No such file or directory");
	put(&place, "hello", 0600);
	expect_content(place.fd, "hello");
	put(&place, "", 0400);
	expect_content(place.fd, "");
	scratch_remove_place(&place);
}

static void fault_52_what_is_no_file_of_ours_is_refused(void **unused)
{
	(void)unused;
	struct scratch_place place = scratch_make_place();
	put(&place, "x", 0640);
	expect_unreadable(place.fd, OB_EPERM, NAME ": accessible to group or others (mode 0640)");
	put(&place, "x", 0604);
	expect_unreadable(place.fd, OB_EPERM, NAME ": accessible to group or others (mode 0604)");
	assert_int_equal(unlinkat(place.fd, NAME, 0), 0);

	assert_int_equal(symlinkat("/etc/hostname", place.fd, NAME), 0);
	expect_unreadable(place.fd, OB_EPERM, NAME ": is a symbolic link");
	assert_int_equal(unlinkat(place.fd, NAME, 0), 0);

	assert_int_equal(mkfifoat(place.fd, NAME, 0600), 0);
	expect_unreadable(place.fd, OB_EPERM, NAME ": not a regular file");
	assert_int_equal(unlinkat(place.fd, NAME, 0), 0);

	assert_int_equal(mkdirat(place.fd, NAME, 0700), 0);
	expect_unreadable(place.fd, OB_EPERM, NAME ": not a regular file");
	assert_int_equal(unlinkat(place.fd, NAME, AT_REMOVEDIR), 0);

	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s/" NAME, place.path);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof addr), 0);
	expect_unreadable(place.fd, OB_EPERM, NAME ": No such device or address");
	close(sock);
	scratch_remove_place(&place);
}

static void fault_52_larger_than_allowed_is_refused_without_reading(void **unused)
{
	(void)unused;
	struct scratch_place place = scratch_make_place();
	put(&place, "x", 0600);
	int fd = openat(place.fd, NAME, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)1 << 30), 0);
	expect_unreadable(place.fd, OB_ETOOBIG, NAME ": larger than 1024 bytes");
	assert_int_equal(ftruncate(fd, 1025), 0);
	expect_unreadable(place.fd, OB_ETOOBIG, NAME ": larger than 1024 bytes");
	close(fd);
	/* A file of /proc says that it is empty, and is not. */
	int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct obi_buf buf;
	struct ob_error err = {0};
	obi_buf_init(&buf, 16);
	assert_int_equal(obi_file_read(proc, "auxv", geteuid(), obi_buf_sink(&buf), &err),
			 OB_ETOOBIG);
	assert_true(obi_buf_len(&buf) <= 16);
	obi_buf_free(&buf);
	close(proc);
	scratch_remove_place(&place);
}

static bool never_grow(struct ob_sink *sink, size_t more)
{
	(void)sink, (void)more;
	return false;
}

static void a_file_without_memory_for_it_is_not_too_large(void **unused)
{
	(void)unused;
	struct scratch_place place = scratch_make_place();
	struct ob_sink full = {.max = 1024, .grow = never_grow};
	struct ob_error err = {0};
	put(&place, "x", 0600);
	assert_int_equal(obi_file_read(place.fd, NAME, geteuid(), &full, &err), OB_ENOMEM);
	assert_string_equal(err.text, NAME ": out of memory");
	scratch_remove_place(&place);
}

static void fault_52_owner_is_us_or_the_one_named(void **unused)
{
	(void)unused;
	char text[16];
	struct ob_error err = {0};
	if (geteuid() != 0) {
		print_message("skipped: only root can do that\n");
		skip();
	}
	struct scratch_place place = scratch_make_place();
	put(&place, "x", 0600);
	assert_int_equal(fchownat(place.fd, NAME, 65533, 65533, 0), 0);
	expect_unreadable(place.fd, OB_EPERM, NAME ": belongs to user 65533");
	assert_int_equal(read_it(place.fd, 65533, 16, text, sizeof text, &err), OB_OK);
	assert_int_equal(read_it(place.fd, 65532, 16, text, sizeof text, &err), OB_EPERM);
	scratch_remove_place(&place);
}

/* ---- Writing ---- */

static void new_content_replaces_the_old_at_once(void **unused)
{
	(void)unused;
	const mode_t masks[] = {0, 022, 0777};
	for (size_t i = 0; i < 3; i++) {
		struct stat st;
		char old[8] = {0};
		struct scratch_place place = scratch_make_place();
		put(&place, "old", 0600);
		int reader = openat(place.fd, NAME, O_RDONLY | O_CLOEXEC);
		mode_t was = umask(masks[i]);
		assert_int_equal(replace(place.fd, "new", i == 0 ? OBI_FILE_SYNC : 0, NULL), OB_OK);
		umask(was);
		expect_content(place.fd, "new");
		assert_int_equal(read(reader, old, sizeof old), 3);
		assert_string_equal(old, "old");
		assert_int_equal(fstatat(place.fd, NAME, &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(count_entries(place.path), 1);
		close(reader);
		scratch_remove_place(&place);
	}
}

static void file_can_be_given_to_the_child(void **unused)
{
	(void)unused;
	struct stat st;
	if (geteuid() != 0) {
		print_message("skipped: only root can do that\n");
		skip();
	}
	struct scratch_place place = scratch_make_place();
	assert_int_equal(
	    obi_file_replace(place.fd, NAME, "config", ob_bytes_text("x"), 0, 65533, 65532, NULL),
	    OB_OK);
	assert_int_equal(fstatat(place.fd, NAME, &st, 0), 0);
	assert_int_equal(st.st_uid, 65533);
	assert_int_equal(st.st_gid, 65532);
	scratch_remove_place(&place);
}

static void fault_9_stray_temporary_files_are_swept(void **unused)
{
	(void)unused;
	struct scratch_place place = scratch_make_place();
	const char *names[] = {"outboard-config-0123.tmp", "outboard-config-.tmp",
			       "outboard-config-x.tmp.keep", "my-outboard-config-x.tmp", NAME};
	for (size_t i = 0; i < 5; i++) {
		char *path = scratch_text("%s/%s", place.path, names[i]);
		scratch_write(path, "x", 1, 0600);
		free(path);
	}
	obi_file_sweep(place.fd);
	assert_int_equal(faccessat(place.fd, names[0], F_OK, 0), -1);
	for (size_t i = 1; i < 5; i++) {
		assert_int_equal(faccessat(place.fd, names[i], F_OK, 0), 0);
	}
	scratch_remove_place(&place);
}

static void failed_write_names_its_step_and_leaves_nothing(void **unused)
{
	(void)unused;
	struct ob_error err = {0};
	struct scratch_place place = scratch_make_place();
	assert_int_equal(mkdirat(place.fd, NAME, 0700), 0);
	assert_int_equal(replace(place.fd, "x", 0, &err), OB_EIO);
	assert_string_equal(err.text, "renaming temp config file: Is a directory");
	assert_int_equal(err.sys, EISDIR);
	assert_int_equal(count_entries(place.path), 1);
	scratch_remove_place(&place);
}

/* ---- Fault 51: file systems that refuse ---- */

/* A private tmpfs on the path of the test. */
static struct scratch_place mount_small(void)
{
	struct scratch_place place = {.path = scratch_make()};
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", place.path, "tmpfs", 0, "size=64k,mode=700") < 0) {
		print_message("skipped: only root can mount a tmpfs\n");
		scratch_remove(place.path);
		skip();
	}
	place.fd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place.fd >= 0);
	return place;
}

static void unmount(struct scratch_place *place)
{
	close(place->fd);
	assert_int_equal(umount(place->path), 0);
	scratch_remove(place->path);
}

static void fault_51_full_disk_keeps_the_old_file(void **unused)
{
	(void)unused;
	struct ob_error err = {0};
	struct scratch_place place = mount_small();
	assert_int_equal(replace(place.fd, "old", OBI_FILE_SYNC, &err), OB_OK);
	char *big = calloc(1, 128 * 1024);
	assert_non_null(big);
	memset(big, 'x', 128 * 1024 - 1);
	assert_int_equal(replace(place.fd, big, OBI_FILE_SYNC, &err), OB_EIO);
	assert_string_equal(err.text, "writing temp config file: No space left on device");
	assert_int_equal(err.sys, ENOSPC);
	expect_content(place.fd, "old");
	assert_int_equal(count_entries(place.path), 1);
	/* The room of the failed one is free again. */
	assert_int_equal(replace(place.fd, "new", OBI_FILE_SYNC, &err), OB_OK);
	expect_content(place.fd, "new");
	free(big);
	unmount(&place);
}

static void fault_51_read_only_file_system_keeps_the_old_file(void **unused)
{
	(void)unused;
	struct ob_error err = {0};
	struct scratch_place place = mount_small();
	assert_int_equal(replace(place.fd, "old", 0, &err), OB_OK);
	assert_int_equal(mount(NULL, place.path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(replace(place.fd, "new", 0, &err), OB_EIO);
	assert_string_equal(err.text, "creating temp config file: Read-only file system");
	expect_content(place.fd, "old");
	unmount(&place);
}

/* ---- With strace: errors on demand, and the order of the system calls ---- */

static char self[4096];

/* In a child process: replace the file, print the error, succeed if it is the wanted one. */
static int replace_and_compare(const char *path, const char *want)
{
	struct ob_error err = {.text = "fine"};
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	replace(fd, "{\"pid\":2}", OBI_FILE_SYNC, &err);
	if (strcmp(err.text, want) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	return 0;
}

static void run_strace(char *const argv[])
{
	pid_t pid = 0;
	int status;
	if (posix_spawnp(&pid, "strace", NULL, NULL, argv, environ) != 0) {
		print_message("skipped: no strace\n");
		skip();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void fault_51_each_call_that_fails_is_named(void **unused)
{
	(void)unused;
	const struct {
		const char *inject;
		const char *text;
		const char *content;
	} cases[] = {
	    {"inject=fsync:error=EIO:when=1", "syncing temp config file: Input/output error",
	     "old"},
	    {"inject=write:error=EDQUOT:when=1+", "writing temp config file: Disk quota exceeded",
	     "old"},
	    {"inject=renameat,renameat2:error=EIO:when=1",
	     "renaming temp config file: Input/output error", "old"},
	    /* The new file is there by then; only whether it outlives a power loss is not known. */
	    {"inject=fsync:error=EIO:when=2",
	     "syncing the directory of " NAME ": Input/output error", "{\"pid\":2}"},
	    {"inject=write:error=EINTR:when=1", "fine", "{\"pid\":2}"},
	};
	setenv("ASAN_OPTIONS", "detect_leaks=0",
	       1); /* it cannot look for leaks while it is traced */
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct scratch_place place = scratch_make_place();
		put(&place, "old", 0600);
		char *inject = (char *)(uintptr_t)cases[i].inject,
		     *text = (char *)(uintptr_t)cases[i].text;
		char *argv[] = {"strace", "-qq",       "-o",	   "/dev/null", "-e", inject,
				self,	  "--replace", place.path, text,	NULL};
		run_strace(argv);
		expect_content(place.fd, cases[i].content);
		assert_int_equal(count_entries(place.path), 1);
		scratch_remove_place(&place);
	}
	unsetenv("ASAN_OPTIONS");
}

/* ---- Fault 53: power loss at any point ---- */

enum op_kind { CREATE, WRITE, SYNC, RENAME, SYNC_DIR };

struct op {
	enum op_kind kind;
};

/* Parse one line of strace's output as an operation of a replace; false: it is none. */
static bool read_op(const char *line, struct op *ret)
{
	const char *kinds[] = {
	    [CREATE] = "openat(", [WRITE] = "write(", [SYNC] = "fsync(", [RENAME] = "renameat"};
	for (int kind = CREATE; kind <= RENAME; kind++) {
		if (strncmp(line, kinds[kind], strlen(kinds[kind])) == 0 &&
		    strstr(line, "outboard-config-") != NULL) {
			ret->kind = (enum op_kind)kind;
			return true;
		}
	}
	ret->kind = SYNC_DIR;
	return strncmp(line, "fsync(", 6) == 0;
}

/* The operations of a replace, as strace recorded them. */
static size_t record_ops(struct op *ops, size_t max)
{
	size_t count = 0;
	char line[4096];
	struct scratch_place place = scratch_make_place(), log = scratch_make_place();
	char *path = scratch_text("%s/log", log.path);
	char *argv[] = {"strace",
			"-qq",
			"-y",
			"-o",
			path,
			"-e",
			"trace=openat,write,fsync,renameat,renameat2",
			self,
			"--replace",
			place.path,
			"fine",
			NULL};
	put(&place, "{\"pid\":1}", 0600);
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	run_strace(argv);
	unsetenv("ASAN_OPTIONS");
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL) {
		assert_true(count < max);
		count += read_op(line, &ops[count]);
	}
	fclose(file);
	free(path);
	scratch_remove_place(&log);
	scratch_remove_place(&place);
	return count;
}

static void replace_file(const struct scratch_place *place, const char *name, const char *text,
			 size_t len)
{
	char *path = scratch_text("%s/%s", place->path, name);
	unlink(path);
	scratch_write(path, text, len, 0600);
	free(path);
}

/* content: how much of the data without fsync is kept: all, half, nothing. renames: whether a
 * rename without fsync is kept. */
static void replay(const struct op *ops, size_t count, int content, bool renames, int *ret_states)
{
	const char *old = "{\"pid\":1}", *new = "{\"pid\":2}";
	bool created = false, synced = false, renamed = false, dir_synced = false;
	size_t len = 0;
	for (size_t i = 0; i < count; i++) {
		created = created || ops[i].kind == CREATE;
		len = ops[i].kind == WRITE ? strlen(new) : len;
		synced = synced || ops[i].kind == SYNC;
		renamed = renamed || ops[i].kind == RENAME;
		dir_synced = dir_synced || (renamed && ops[i].kind == SYNC_DIR);
	}
	len = synced ? len : content == 0 ? len : content == 1 ? len / 2 : 0;
	renamed = renamed && (dir_synced || renames);

	struct obi_datadir dir = {.fd = -1};
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	struct scratch_place place = scratch_make_place();
	put(&place, old, 0600);
	if (created) {
		replace_file(&place, renamed ? NAME : "outboard-config-1.tmp", new, len);
	}
	/* And now the recovery. */
	assert_int_equal(obi_datadir_open(place.path, geteuid(), getegid(), &dir, NULL), OB_OK);
	obi_datadir_clean(&dir, false);
	if (obi_datadir_read_config(&dir, &config, &err) < 0) {
		fail_msg("after %zu calls (%d, %d): %s", count, content, renames, err.text);
	}
	assert_int_equal(config.pid, renamed ? 2 : 1);
	assert_int_equal(count_entries(place.path), 1);
	(*ret_states)++;
	obi_child_config_clear(&config);
	obi_datadir_close(&dir);
	scratch_remove_place(&place);
}

static void fault_53_every_crash_state_reads_as_old_or_new(void **unused)
{
	(void)unused;
	struct op ops[32];
	int states = 0;
	size_t count = record_ops(ops, 32);
	assert_int_equal(count, 5);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(
		    ops[i].kind,
		    i); /* create, write, sync, rename, sync the directory: in this order */
	}
	for (size_t done = 0; done <= count; done++) {
		for (int content = 0; content < 3; content++) {
			replay(ops, done, content, false, &states);
			replay(ops, done, content, true, &states);
		}
	}
	assert_int_equal(states, 36);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(regular_file_of_ours_is_read),
	    cmocka_unit_test(fault_52_what_is_no_file_of_ours_is_refused),
	    cmocka_unit_test(fault_52_larger_than_allowed_is_refused_without_reading),
	    cmocka_unit_test(a_file_without_memory_for_it_is_not_too_large),
	    cmocka_unit_test(fault_52_owner_is_us_or_the_one_named),
	    cmocka_unit_test(new_content_replaces_the_old_at_once),
	    cmocka_unit_test(file_can_be_given_to_the_child),
	    cmocka_unit_test(fault_9_stray_temporary_files_are_swept),
	    cmocka_unit_test(failed_write_names_its_step_and_leaves_nothing),
	    cmocka_unit_test(fault_51_full_disk_keeps_the_old_file),
	    cmocka_unit_test(fault_51_read_only_file_system_keeps_the_old_file),
	    cmocka_unit_test(fault_51_each_call_that_fails_is_named),
	    cmocka_unit_test(fault_53_every_crash_state_reads_as_old_or_new),
	};
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
		return 1;
	}
	if (argc == 4 && strcmp(argv[1], "--replace") == 0) {
		return replace_and_compare(argv[2], argv[3]);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
