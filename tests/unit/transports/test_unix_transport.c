/* SPDX-License-Identifier: MIT */
/* The unix transport's listeners: addresses, existing files, modes. */
#include "unit/transports/unix_bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static void assert_works(const struct bed *bed, struct ob_listener *listener, const char *path)
{
	struct ob_stream *client = must_dial(bed, path), *server = must_accept(bed, listener);
	must_write(bed, client, "ping");
	must_read(bed, server, "ping");
	bed->ops->close(client);
	bed->ops->close(server);
}

/* A socket whose server ended without removing it. */
static void leave_dead_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(strlen(path) < sizeof address.sun_path);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 1), 0);
	close(fd);
}

/* ---- Addresses ---- */

static void only_absolute_unix_paths_are_addresses(void **state)
{
	struct bed *bed = *state;
	struct ob_listen_params here = {.size = sizeof here};
	struct ob_dial_params there = {.size = sizeof there, .owner = UINT32_MAX};
	struct ob_uri good = {.size = sizeof good,
			      .port = -1,
			      .text = ob_bytes_text("it"),
			      .path = ob_bytes_text("/x")};
	struct ob_uri bad[] = {good, good, good, good, good};
	bad[0].host = ob_bytes_text("host");
	bad[1].port = 1;
	bad[2].query = ob_bytes_text("a=b");
	bad[3].path = ob_bytes_text("/");
	bad[4].path = ob_bytes_text("relative");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct ob_listener *listener;
		struct ob_dial *dial;
		struct ob_want want;
		struct ob_error err;
		assert_int_equal(bed->ops->listen(bed->host, &bad[i], &here, &listener, &err),
				 OB_EINVAL);
		assert_string_equal(err.text,
				    "'it' is not of the form unix:///absolute/path[?mode=0660]");
		assert_int_equal(bed->ops->dial(bed->host, &bad[i], &there, &dial, &want, &err),
				 OB_EINVAL);
		assert_string_equal(err.text,
				    "'it' is not of the form unix:///absolute/path[?mode=0660]");
	}
}

static void local_uri_leads_back_to_the_listener(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "a b%\"#?\xc3\xa9.sock");
	char *address = bed_path(bed, "a%20b%25%22%23%3F%C3%A9.sock");
	char text[4096];
	struct ob_sink out = ob_sink_fixed(text, sizeof text - 1), tiny = ob_sink_fixed(NULL, 0);
	struct ob_listener *listener = must_listen(bed, address);
	assert_true(exists(path));
	assert_int_equal(bed->ops->local_uri(listener, &out), OB_OK);
	text[out.len] = '\0';
	assert_memory_equal(text, "unix://", 7);
	assert_string_equal(text + 7, address);
	assert_int_equal(bed->ops->local_uri(listener, &tiny), OB_ENOMEM);
	assert_works(bed, listener, address);
	bed->ops->listener_close(listener);
	assert_false(exists(path));
	free(path);
	free(address);
}

static void fault_54_long_socket_path_works(void **state)
{
	struct bed *bed = *state;
	static const size_t lengths[] = {107, 108, 165, 300, 1000};
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		char path[1024];
		size_t len = (size_t)snprintf(path, sizeof path, "%s", bed->dir);
		/* Directories of 40 letters, until only a short name fits. */
		while (lengths[i] - len > 48) {
			len += (size_t)snprintf(path + len, sizeof path - len, "/%040d", (int)i);
			assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
		}
		snprintf(path + len, sizeof path - len, "/%0*d", (int)(lengths[i] - len - 1), 7);
		assert_int_equal(strlen(path), lengths[i]);
		struct ob_listener *listener = must_listen(bed, path);
		assert_works(bed, listener, path);
		bed->ops->listener_close(listener);
		assert_false(exists(path));
		/* A dead socket is recognized there, too. */
		listener = must_listen(bed, path);
		struct ob_listener *second = NULL;
		assert_int_equal(bed_listen(bed, path, (struct ob_listen_params){0}, &second, NULL),
				 OB_EEXIST);
		bed->ops->listener_close(listener);
	}
}

static void fault_54_a_name_too_long_for_the_kernel_is_refused_clearly(void **state)
{
	struct bed *bed = *state;
	char name[200];
	struct ob_listener *listener;
	struct ob_error err;
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	char *path = bed_path(bed, name);
	assert_int_equal(bed_listen(bed, path, (struct ob_listen_params){0}, &listener, &err),
			 OB_EINVAL);
	assert_int_equal(err.sys, ENAMETOOLONG);
	assert_non_null(strstr(err.text, path));
	free(path);
}

/* ---- Existing files ---- */

static void fault_55_a_live_server_is_left_alone(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct ob_listener *listener = must_listen(bed, path), *second = NULL;
	struct ob_error err;
	assert_int_equal(bed_listen(bed, path, (struct ob_listen_params){0}, &second, &err),
			 OB_EEXIST);
	assert_non_null(strstr(err.text, "another server is listening"));
	bed->ops->close(must_accept(bed, listener)); /* the probe */
	assert_works(bed, listener, path);
	bed->ops->listener_close(listener);
	free(path);
}

static void fault_55_a_live_server_with_a_full_backlog_is_live(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct ob_stream *streams[8] = {NULL};
	struct ob_listener *listener, *second = NULL;
	size_t n = 0;
	assert_int_equal(
	    bed_listen(bed, path, (struct ob_listen_params){.backlog = 1}, &listener, NULL), OB_OK);
	while (n < 8 && bed_dial(bed, path, &streams[n], NULL) == OB_OK) {
		n++;
	}
	assert_true(n < 8);
	assert_int_equal(bed_listen(bed, path, (struct ob_listen_params){0}, &second, NULL),
			 OB_EEXIST);
	while (n > 0) {
		bed->ops->close(streams[--n]);
	}
	bed->ops->listener_close(listener);
	free(path);
}

static void fault_55_a_dead_socket_is_taken_over(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	leave_dead_socket(path);
	struct ob_listener *listener = must_listen(bed, path);
	assert_works(bed, listener, path);
	bed->ops->listener_close(listener);
	free(path);
}

static void fault_55_with_the_lock_an_old_socket_is_dead(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	/* It would accept: an inherited descriptor keeps it listening after its server has ended.
	 */
	struct ob_listener *zombie = must_listen(bed, path), *listener;
	assert_int_equal(
	    bed_listen(bed, path, (struct ob_listen_params){.lock_held = true}, &listener, NULL),
	    OB_OK);
	assert_works(bed, listener, path);
	/* When it is closed later, it does not remove the socket of the new server. */
	bed->ops->listener_close(zombie);
	assert_works(bed, listener, path);
	bed->ops->listener_close(listener);
	assert_false(exists(path));
	free(path);
}

static void assert_not_removed(const struct bed *bed, const char *path, const char *reason)
{
	struct stat before, after;
	assert_int_equal(lstat(path, &before), 0);
	for (int lock = 0; lock < 2; lock++) {
		struct ob_listener *listener;
		struct ob_error err;
		struct ob_listen_params params = {.lock_held = lock != 0};
		assert_int_equal(bed_listen(bed, path, params, &listener, &err), OB_EEXIST);
		assert_non_null(strstr(err.text, reason));
	}
	assert_int_equal(lstat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void fault_55_a_file_that_is_no_socket_is_never_removed(void **state)
{
	struct bed *bed = *state;
	char *file = bed_path(bed, "file"), *link = bed_path(bed, "link"),
	     *dangling = bed_path(bed, "dangling");
	char *dir = bed_path(bed, "dir"), *dead = bed_path(bed, "dead");
	scratch_write(file, "precious", 8, 0600);
	leave_dead_socket(dead);
	assert_int_equal(symlink(dead, link), 0);
	assert_int_equal(symlink("nowhere", dangling), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_not_removed(bed, file, "not a socket");
	assert_not_removed(bed, link, "not a socket");
	assert_not_removed(bed, dangling, "not a socket");
	assert_not_removed(bed, dir, "not a socket");
	free(file);
	free(link);
	free(dangling);
	free(dir);
	free(dead);
}

static void fault_55_the_socket_of_another_user_is_never_removed(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	if (geteuid() != 0) {
		free(path);
		print_message("skipped: only root can give files to another user\n");
		skip();
	}
	leave_dead_socket(path);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_not_removed(bed, path, "belongs to user 65534");
	free(path);
}

/* ---- Dialling by what it is ---- */

static int dial_owned(const struct bed *bed, const char *path, uint32_t owner, struct ob_error *err)
{
	struct ob_dial_params params = {.size = sizeof params, .owner = owner};
	struct ob_stream *stream = NULL;
	int rc = bed_dial_with(bed, path, &params, &stream, err);
	if (rc == OB_OK) {
		bed->ops->close(stream);
	}
	return rc;
}

static void fault_80_a_socket_is_dialled_by_its_owner_and_not_through_a_link(void **state)
{
	struct bed *bed = *state;
	struct ob_error err = {0};
	char *path = bed_path(bed, "s"), *link = bed_path(bed, "link"), *file = bed_path(bed, "f");
	struct ob_listener *listener = must_listen(bed, path);
	assert_int_equal(symlink(path, link), 0);
	scratch_write(file, "x", 1, 0600);
	assert_int_equal(dial_owned(bed, path, geteuid(), &err), OB_OK);
	assert_int_equal(dial_owned(bed, path, geteuid() + 1, &err), OB_EREFUSED);
	assert_non_null(strstr(err.text, "/s: the socket belongs to user "));
	assert_int_equal(dial_owned(bed, link, geteuid(), &err), OB_EREFUSED);
	assert_non_null(strstr(err.text, "/link: it is a symbolic link"));
	assert_int_equal(dial_owned(bed, file, geteuid(), &err), OB_EREFUSED);
	assert_non_null(strstr(err.text, "/f: it is not a socket"));
	bed->ops->listener_close(listener);
	assert_int_equal(dial_owned(bed, path, geteuid(), &err), OB_ENOENT);
	free(path);
	free(link);
	free(file);
}

static void fault_55_a_socket_of_another_type_is_never_removed(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct ob_listener *listener;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(bed_listen(bed, path, (struct ob_listen_params){0}, &listener, NULL),
			 OB_EEXIST);
	assert_true(exists(path));
	close(fd);
	free(path);
}

static void close_removes_only_its_own_socket(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s"), *away = bed_path(bed, "away");
	struct ob_listener *listener = must_listen(bed, path);
	assert_int_equal(rename(path, away), 0);
	scratch_write(path, "mine", 4, 0600);
	bed->ops->listener_close(listener);
	assert_true(exists(path));
	assert_true(exists(away));
	bed->ops->listener_close(NULL);
	free(path);
	free(away);
}

static void close_finds_its_socket_in_a_moved_directory(void **state)
{
	struct bed *bed = *state;
	char *dir = bed_path(bed, "dir"), *moved = bed_path(bed, "moved");
	char *path = scratch_text("%s/s", dir), *now = scratch_text("%s/s", moved);
	assert_int_equal(mkdir(dir, 0700), 0);
	struct ob_listener *listener = must_listen(bed, path);
	assert_int_equal(rename(dir, moved), 0);
	bed->ops->listener_close(listener);
	assert_false(exists(now));
	free(dir);
	free(moved);
	free(path);
	free(now);
}

static void a_missing_directory_is_reported(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "no/such/s");
	struct ob_listener *listener;
	struct ob_error err;
	assert_int_equal(bed_listen(bed, path, (struct ob_listen_params){0}, &listener, &err),
			 OB_ENOENT);
	assert_non_null(strstr(err.text, path));
	free(path);
}

static void fault_56_the_socket_has_mode_0600_from_its_first_moment(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	mode_t was = umask(0);
	struct ob_listener *listener = must_listen(bed, path);
	assert_int_equal(umask(was), 0); /* untouched */
	struct stat st;
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	bed->ops->listener_close(listener);
	free(path);
}

/* Fault 56 depends on this: bind() creates the file with the mode of the socket, without a chmod.
 */
static void fault_56_the_kernel_takes_the_mode_from_the_unbound_socket(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	mode_t was = umask(0);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, path);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	umask(was);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(fd);
	free(path);
}

/* ---- Frame ---- */

static int setup(void **state)
{
	bed_begin(*state);
	return 0;
}

static int teardown(void **state)
{
	return bed_end(*state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(only_absolute_unix_paths_are_addresses),
	    TEST(local_uri_leads_back_to_the_listener),
	    TEST(fault_54_long_socket_path_works),
	    TEST(fault_54_a_name_too_long_for_the_kernel_is_refused_clearly),
	    TEST(fault_55_a_live_server_is_left_alone),
	    TEST(fault_55_a_live_server_with_a_full_backlog_is_live),
	    TEST(fault_55_a_dead_socket_is_taken_over),
	    TEST(fault_55_with_the_lock_an_old_socket_is_dead),
	    TEST(fault_55_a_file_that_is_no_socket_is_never_removed),
	    TEST(fault_55_the_socket_of_another_user_is_never_removed),
	    TEST(fault_80_a_socket_is_dialled_by_its_owner_and_not_through_a_link),
	    TEST(fault_55_a_socket_of_another_type_is_never_removed),
	    TEST(close_removes_only_its_own_socket),
	    TEST(close_finds_its_socket_in_a_moved_directory),
	    TEST(a_missing_directory_is_reported),
	    TEST(fault_56_the_socket_has_mode_0600_from_its_first_moment),
	    TEST(fault_56_the_kernel_takes_the_mode_from_the_unbound_socket),
	};
	return cmocka_run_group_tests(tests, unix_group_setup, unix_group_teardown);
}
