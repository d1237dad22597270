/* SPDX-License-Identifier: MIT */
/* The unix transport's dials, streams and facts about peers. */
#include "unit/transports/unix_bed.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Dial ---- */

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

static void dial_tells_a_dead_socket_from_a_missing_one(void **state)
{
	struct bed *bed = *state;
	char *none = bed_path(bed, "none"), *dead = bed_path(bed, "dead"),
	     *file = bed_path(bed, "file");
	struct ob_stream *stream = NULL;
	struct ob_error err;
	leave_dead_socket(dead);
	scratch_write(file, "", 0, 0600);
	assert_int_equal(bed_dial(bed, none, &stream, &err), OB_ENOENT);
	assert_non_null(strstr(err.text, none));
	assert_int_equal(bed_dial(bed, dead, &stream, NULL), OB_EREFUSED);
	assert_int_equal(bed_dial(bed, file, &stream, NULL), OB_EREFUSED);
	assert_null(stream);
	free(none);
	free(dead);
	free(file);
}

static void dial_to_a_full_backlog_says_again_at_once(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct ob_stream *streams[8] = {NULL};
	struct ob_listener *listener;
	size_t n = 0;
	int rc = OB_OK;
	assert_int_equal(
	    bed_listen(bed, path, (struct ob_listen_params){.backlog = 1}, &listener, NULL), OB_OK);
	while (n < 8 && (rc = bed_dial(bed, path, &streams[n], NULL)) == OB_OK) {
		n++;
	}
	assert_int_equal(rc, OB_EAGAIN);
	assert_true(n >= 1 && n < 8);
	/* With room in the backlog, a new dial succeeds. */
	bed->ops->close(must_accept(bed, listener));
	assert_int_equal(bed_dial(bed, path, &streams[n++], NULL), OB_OK);
	while (n > 0) {
		bed->ops->close(streams[--n]);
	}
	bed->ops->listener_close(listener);
	free(path);
}

static void a_dial_given_up_closes_its_connection(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct ob_dial_params params = {.size = sizeof params, .owner = UINT32_MAX};
	struct ob_listener *listener = must_listen(bed, path);
	struct ob_uri uri = {.size = sizeof uri, .port = -1, .path = ob_bytes_text(path)};
	struct ob_dial *dialing;
	struct ob_want want;
	int before = scratch_open_fds();
	assert_int_equal(bed->ops->dial(bed->host, &uri, &params, &dialing, &want, NULL), OB_OK);
	bed->ops->dial_close(dialing);
	bed->ops->dial_close(NULL);
	assert_int_equal(scratch_open_fds(), before);
	bed->ops->listener_close(listener);
	free(path);
}

/* ---- A connection for a test ---- */

struct wire {
	struct bed *bed;
	struct pair pair;
};

static int connect_wire(void **state)
{
	struct wire *wire = malloc(sizeof *wire);
	wire->bed = *state;
	bed_begin(wire->bed);
	char *path = bed_path(wire->bed, "s");
	wire->pair = must_connect(wire->bed, path);
	free(path);
	*state = wire;
	return 0;
}

static int cut_wire(void **state)
{
	struct wire *wire = *state;
	close_pair(wire->bed, &wire->pair);
	int leaked = bed_end(wire->bed);
	free(wire);
	return leaked;
}

static void close_server(struct wire *wire)
{
	wire->bed->ops->close(wire->pair.server);
	wire->pair.server = NULL;
}

/* ---- Streams ---- */

static void bytes_cross_in_pieces(void **state)
{
	struct wire *wire = *state;
	const struct ob_transport_ops *ops = wire->bed->ops;
	struct ob_stream *client = wire->pair.client, *server = wire->pair.server;
	char a[3], b[10];
	struct iovec out[] = {{"one", 3}, {"", 0}, {"two", 3}}, in[] = {{a, 3}, {b, sizeof b}};
	assert_int_equal(ops->readv(server, in, 2, NULL), OB_EAGAIN);
	assert_int_equal(ops->writev(client, out, 3, NULL), 6);
	assert_int_equal(ops->readv(server, in, 2, NULL), 6);
	assert_memory_equal(a, "one", 3);
	assert_memory_equal(b, "two", 3);
}

static void more_pieces_than_the_kernel_takes_are_a_short_write(void **state)
{
	struct wire *wire = *state;
	const struct ob_transport_ops *ops = wire->bed->ops;
	struct ob_stream *client = wire->pair.client;
	enum { PIECES = 3000 };
	struct iovec pieces[PIECES];
	for (size_t i = 0; i < PIECES; i++) {
		pieces[i] = (struct iovec){"x", 1};
	}
	ptrdiff_t n = ops->writev(client, pieces, PIECES, NULL);
	assert_true(n > 0 && n <= PIECES);
}

static void a_half_closed_stream_still_reads(void **state)
{
	struct wire *wire = *state;
	const struct ob_transport_ops *ops = wire->bed->ops;
	struct ob_stream *client = wire->pair.client, *server = wire->pair.server;
	char byte;
	struct iovec piece = {&byte, 1};
	assert_int_equal(ops->shutdown_write(client, NULL), OB_OK);
	assert_int_equal(ops->readv(server, &piece, 1, NULL), 0);
	must_write(wire->bed, server, "late reply");
	must_read(wire->bed, client, "late reply");
	struct ob_error err;
	assert_int_equal(ops->writev(client, &piece, 1, &err), OB_ECONNLOST);
}

static void fault_38_writing_to_a_closed_peer_fails_without_a_signal(void **state)
{
	struct wire *wire = *state;
	const struct ob_transport_ops *ops = wire->bed->ops;
	struct ob_stream *client = wire->pair.client;
	struct ob_error err;
	struct iovec piece = {"x", 1};
	struct sigaction was, deadly = {.sa_handler = SIG_DFL};
	sigaction(SIGPIPE, &deadly, &was);
	close_server(wire);
	assert_int_equal(ops->writev(client, &piece, 1, &err), OB_ECONNLOST);
	assert_int_equal(err.sys, EPIPE);
	assert_int_equal(ops->writev(client, &piece, 1, &err), OB_ECONNLOST);
	sigaction(SIGPIPE, &was, NULL);
}

static void a_peer_that_dies_with_unread_bytes_is_a_broken_connection(void **state)
{
	struct wire *wire = *state;
	const struct ob_transport_ops *ops = wire->bed->ops;
	struct ob_stream *client = wire->pair.client;
	char byte;
	struct iovec piece = {&byte, 1};
	must_write(wire->bed, client, "unread");
	close_server(wire);
	assert_int_equal(ops->readv(client, &piece, 1, NULL), OB_ECONNLOST);
	ops->close(NULL);
}

static void a_full_socket_says_again_and_goes_on_later(void **state)
{
	struct wire *wire = *state;
	const struct ob_transport_ops *ops = wire->bed->ops;
	struct ob_stream *client = wire->pair.client, *server = wire->pair.server;
	static char block[65536];
	struct iovec piece = {block, sizeof block};
	size_t sent = 0, got = 0;
	ptrdiff_t n;
	while ((n = ops->writev(client, &piece, 1, NULL)) > 0) {
		sent += (size_t)n;
	}
	assert_int_equal(n, OB_EAGAIN);
	while ((n = ops->readv(server, &piece, 1, NULL)) > 0) {
		got += (size_t)n;
	}
	assert_int_equal(n, OB_EAGAIN);
	assert_int_equal(got, sent);
	must_write(wire->bed, client, "on");
}

static int send_buffer(int fd)
{
	int size = 0;
	socklen_t len = sizeof size;
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len), 0);
	return size;
}

/* As much as a socket of the test's own gets: the system may allow less. */
static void both_ends_have_room_to_send(void **state)
{
	struct wire *wire = *state;
	const struct ob_transport_ops *ops = wire->bed->ops;
	const int wanted = 300 * 1024;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int usual = send_buffer(fd);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted), 0);
	int allowed = usual < 2 * wanted ? send_buffer(fd) : usual;
	close(fd);
	assert_int_equal(send_buffer(ops->fd(wire->pair.client)), allowed);
	assert_int_equal(send_buffer(ops->fd(wire->pair.server)), allowed);
}

/* A peer can attach descriptors to its bytes. They must not stay open here. */
static void descriptors_pushed_by_the_peer_are_dropped(void **state)
{
	struct wire *wire = *state;
	const struct ob_transport_ops *ops = wire->bed->ops;
	struct ob_stream *client = wire->pair.client, *server = wire->pair.server;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec piece = {"x", 1};
	struct msghdr msg = {.msg_iov = &piece,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof control};
	memset(&control, 0, sizeof control);
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &(int){STDERR_FILENO}, sizeof(int));
	int before = scratch_open_fds();
	assert_int_equal(sendmsg(ops->fd(client), &msg, 0), 1);
	must_read(wire->bed, server, "x");
	assert_int_equal(scratch_open_fds(), before);
}

/* ---- Peer facts ---- */

static void the_peer_is_who_the_kernel_says(void **state)
{
	struct wire *wire = *state;
	const struct ob_transport_ops *ops = wire->bed->ops;
	struct ob_stream *client = wire->pair.client, *server = wire->pair.server;
	struct ob_stream *ends[] = {client, server};
	for (int i = 0; i < 2; i++) {
		struct ob_peer peer = {.size = sizeof peer, .pidfd = -1}, again = peer;
		assert_int_equal(ops->peer(ends[i], &peer, NULL), OB_OK);
		assert_true((peer.known & OB_PEER_PID) != 0 && (peer.known & OB_PEER_UID) != 0);
		assert_true((peer.known & (OB_PEER_CID | OB_PEER_ADDRESS)) == 0);
		assert_int_equal(peer.pid, getpid());
		assert_int_equal(peer.uid, geteuid());
		assert_int_equal(peer.gid, getegid());
		assert_int_equal(ops->peer(ends[i], &again, NULL), OB_OK);
		assert_int_equal(again.pidfd, peer.pidfd);
	}
}

static void an_older_library_gets_no_pidfd(void **state)
{
	struct wire *wire = *state;
	const struct ob_transport_ops *ops = wire->bed->ops;
	struct ob_stream *server = wire->pair.server;
	struct ob_peer peer = {.size = offsetof(struct ob_peer, pidfd), .pidfd = -7};
	assert_int_equal(ops->peer(server, &peer, NULL), OB_OK);
	assert_true((peer.known & OB_PEER_PIDFD) == 0);
	assert_int_equal(peer.pidfd, -7);
}

/* ---- Another process ---- */

/* This program with an address as its argument: connect, read a byte, end. */
static int be_client(const char *path)
{
	struct unix_bed *unix_bed;
	struct ob_stream *stream;
	void *state;
	if (unix_group_setup(&state) != 0) {
		return 1;
	}
	unix_bed = state;
	if (bed_dial(&unix_bed->bed, path, &stream, NULL) != OB_OK) {
		return 2;
	}
	must_read(&unix_bed->bed, stream, "!");
	unix_bed->bed.ops->close(stream);
	return unix_group_teardown(&state);
}

static pid_t spawn_client(const char *path)
{
	char *argv[] = {(char *)(uintptr_t) "client", (char *)(uintptr_t)path, NULL};
	pid_t pid;
	assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
	return pid;
}

/* The pidfd of the connection shows the death of the process, if the kernel can give one. */
static void the_pidfd_is_of_the_process_that_connected(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "s");
	struct ob_listener *listener = must_listen(bed, path);
	pid_t child = spawn_client(path);
	struct ob_stream *server = must_accept(bed, listener);
	struct ob_peer peer = {.size = sizeof peer, .pidfd = -1};
	assert_int_equal(bed->ops->peer(server, &peer, NULL), OB_OK);
	assert_int_equal(peer.pid, child);
	struct pollfd death = {.fd = peer.pidfd, .events = POLLIN};
	bool known = (peer.known & OB_PEER_PIDFD) != 0;
	assert_int_equal(known, peer.pidfd >= 0);
	assert_int_equal(known ? poll(&death, 1, 0) : 0, 0);
	must_write(bed, server, "!");
	assert_int_equal(known ? poll(&death, 1, 20000) : 1, 1);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	bed->ops->close(server);
	bed->ops->listener_close(listener);
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

#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define WIRED(name) cmocka_unit_test_setup_teardown(name, connect_wire, cut_wire)

int main(int argc, char **argv)
{
	if (argc > 1) {
		return be_client(argv[1]);
	}
	const struct CMUnitTest tests[] = {
	    TEST(dial_tells_a_dead_socket_from_a_missing_one),
	    TEST(dial_to_a_full_backlog_says_again_at_once),
	    TEST(a_dial_given_up_closes_its_connection),
	    TEST(the_pidfd_is_of_the_process_that_connected),
	    WIRED(bytes_cross_in_pieces),
	    WIRED(more_pieces_than_the_kernel_takes_are_a_short_write),
	    WIRED(a_half_closed_stream_still_reads),
	    WIRED(fault_38_writing_to_a_closed_peer_fails_without_a_signal),
	    WIRED(a_peer_that_dies_with_unread_bytes_is_a_broken_connection),
	    WIRED(a_full_socket_says_again_and_goes_on_later),
	    WIRED(both_ends_have_room_to_send),
	    WIRED(descriptors_pushed_by_the_peer_are_dropped),
	    WIRED(the_peer_is_who_the_kernel_says),
	    WIRED(an_older_library_gets_no_pidfd),
	};
	return cmocka_run_group_tests(tests, unix_group_setup, unix_group_teardown);
}
