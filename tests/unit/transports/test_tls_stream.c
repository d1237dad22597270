/* SPDX-License-Identifier: MIT */
/* The bytes of a connection under tls: pieces, records, ends and cuts. */
#include "unit/transports/tls_bed.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdlib.h>

enum { MEGABYTE = 1 << 20, RECORD = 16384 };

static struct ends ready_at(const struct tls_bed *bed, const char *listen)
{
	struct ends e =
	    ends_at(bed, "{" SHOW("client") "," CA ",\"names\":[\"spiffe://example.org/server\"]}",
		    SERVER, listen);
	must_shake(&e);
	return e;
}

static const struct ob_transport_ops *ops_of(const struct ends *e)
{
	return e->bed->wire.bed.ops;
}

/* ---- Much data ---- */

static uint8_t byte_at(size_t place)
{
	return (uint8_t)(place * 131 ^ place >> 11);
}

/* Write what is taken of [sent, len), in three pieces. After OB_EAGAIN the next call has the same
 * bytes at another address, and more of them. */
static size_t write_on(const struct ends *e, const uint8_t *data, size_t sent, size_t len,
		       size_t *offer)
{
	size_t left = len - sent, n = *offer < left ? *offer : left, third = n / 3;
	uint8_t *copy = malloc(n + 1);
	assert_non_null(copy);
	memcpy(copy, data + sent, n);
	struct iovec pieces[] = {{copy, third}, {copy + third, 0}, {copy + third, n - third}};
	struct ob_error err = {.text = ""};
	ptrdiff_t took = ops_of(e)->writev(e->streams[DIALER], pieces, 3, &err);
	free(copy);
	assert_string_equal(err.text, "");
	assert_true(took == OB_EAGAIN || (took > 0 && (size_t)took <= n));
	*offer = took > 0 ? 1 + (*offer * 7 + 1000) % 200000 : *offer + 1;
	return took > 0 ? (size_t)took : 0;
}

static size_t read_on(const struct ends *e, size_t got, size_t room)
{
	static uint8_t to[100000];
	struct iovec pieces[] = {{to, room / 4}, {to + room / 4, room - room / 4}};
	struct ob_error err = {.text = ""};
	ptrdiff_t n = ops_of(e)->readv(e->streams[ACCEPTOR], pieces, 2, &err);
	assert_string_equal(err.text, "");
	assert_true(n == OB_EAGAIN || n > 0);
	for (ptrdiff_t i = 0; i < n; i++) {
		assert_int_equal(to[i], byte_at(got + (size_t)i));
	}
	return n > 0 ? (size_t)n : 0;
}

static void carry_much(const struct ends *e, size_t len)
{
	uint8_t *data = malloc(len);
	size_t sent = 0, got = 0, offer = 1;
	assert_non_null(data);
	for (size_t i = 0; i < len; i++) {
		data[i] = byte_at(i);
	}
	while (got < len) {
		const struct ob_transport_ops *ops = ops_of(e);
		int out = sent < len ? OB_WRITABLE : 0;
		bool more = ops->pending(e->streams[ACCEPTOR]);
		struct pollfd wait[] = {{ops->fd(e->streams[DIALER]),
					 poll_events(ops->want(e->streams[DIALER], out)), 0},
					{ops->fd(e->streams[ACCEPTOR]),
					 poll_events(ops->want(e->streams[ACCEPTOR], OB_READABLE)),
					 0}};
		assert_true(poll(wait, 2, more ? 0 : TLS_PATIENCE_MS) > 0 || more);
		if (sent < len && wait[0].revents != 0) {
			sent += write_on(e, data, sent, len, &offer);
		}
		if (more || wait[1].revents != 0) {
			got += read_on(e, got, 1 + (got * 13) % 100000);
		}
	}
	assert_int_equal(got, len);
	free(data);
}

static void much_data_arrives_whole(void **state)
{
	static const char *const places[] = {
	    "tls+unix://@/much", "tls+tcp://127.0.0.1:0",
	    "tls+chaos+tcp://127.0.0.1:0?seed=3&chop=1..900&delay=0..1ms"};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		struct ends e = ready_at(*state, places[i]);
		carry_much(&e, i < 2 ? 8 * MEGABYTE : MEGABYTE / 4);
		end_ends(&e);
	}
}

/* What one call takes of 2 MiB, when the other end has read what there was. */
static size_t take_batch(const struct ends *e)
{
	static uint8_t data[2 * MEGABYTE], to[65536];
	const struct ob_transport_ops *ops = ops_of(e);
	struct iovec piece = {data, sizeof data}, room = {to, sizeof to};
	ptrdiff_t n;
	while ((n = ops->writev(e->streams[DIALER], &piece, 1, NULL)) == OB_EAGAIN) {
		while (ops->readv(e->streams[ACCEPTOR], &room, 1, NULL) > 0) {
		}
	}
	assert_true(n > 0);
	return (size_t)n;
}

/* A peer that reads is not woken for each small part. Of one that does not, no more is kept before
 * it is reported than the socket can hold. */
static void the_socket_decides_how_much_leaves_at_once(void **state)
{
	static const int sizes[] = {1, 130000, 200000, 4 * MEGABYTE};
	struct ends e = ready_at(*state, "tls+unix://@/batch");
	int fd = ops_of(&e)->fd(e.streams[DIALER]);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		int room = 0;
		socklen_t len = sizeof room;
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sizes[i], sizeof sizes[i]),
				 0);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &len), 0);
		int records = room / 2 / RECORD;
		records = records < 4 ? 4 : records > 66 ? 66 : records;
		assert_int_equal(take_batch(&e), records * RECORD);
	}
	end_ends(&e);
}

/* ---- Records ---- */

/* What the peer's socket has, without taking it. */
static size_t waiting(const struct ends *e, int which, uint8_t *to, size_t room)
{
	ptrdiff_t n = recv(ops_of(e)->fd(e->streams[which]), to, room, MSG_PEEK | MSG_DONTWAIT);
	return n > 0 ? (size_t)n : 0;
}

static void small_pieces_are_one_record(void **state)
{
	struct ends e = ready_at(*state, "tls+unix://@/small");
	char head[12] = "0123456789ab", body[40], tail[12] = "xxxxxxxxxxxx";
	uint8_t seen[4096];
	memset(body, 'b', sizeof body);
	struct iovec pieces[] = {{head, 12}, {NULL, 0}, {body, 40}, {tail, 12}};
	assert_int_equal(ops_of(&e)->writev(e.streams[DIALER], pieces, 4, NULL), 64);
	/* A header, the bytes, their type and a tag. */
	assert_int_equal(waiting(&e, ACCEPTOR, seen, sizeof seen), 5 + 64 + 1 + 16);
	assert_int_equal(seen[0], SSL3_RT_APPLICATION_DATA);
	end_ends(&e);
}

/* After a read the descriptor is silent about what has been decrypted or read already. */
static void what_was_read_already_is_pending(void **state)
{
	struct ends e = ready_at(*state, "tls+unix://@/pending");
	const struct ob_transport_ops *ops = ops_of(&e);
	char byte;
	must_put(&e, DIALER, "one");
	must_put(&e, DIALER, "two");
	assert_false(ops->pending(e.streams[ACCEPTOR]));
	for (int i = 0; i < 6; i++) {
		assert_true(i == 0 || ops->pending(e.streams[ACCEPTOR]));
		assert_int_equal(read_one(&e, ACCEPTOR, &byte, 1, NULL), 1);
		assert_int_equal(byte, "onetwo"[i]);
	}
	assert_false(ops->pending(e.streams[ACCEPTOR]));
	assert_int_equal(ops->shutdown_write(e.streams[DIALER], NULL), OB_OK);
	assert_int_equal(read_one(&e, ACCEPTOR, &byte, 1, NULL), 0);
	assert_false(ops->pending(e.streams[ACCEPTOR]));
	end_ends(&e);
}

/* An end behind data is read together with it. */
static void an_end_behind_data_is_pending(void **state)
{
	struct ends e = ready_at(*state, "tls+unix://@/behind");
	char bytes[4];
	must_put(&e, DIALER, "last");
	assert_int_equal(ops_of(&e)->shutdown_write(e.streams[DIALER], NULL), OB_OK);
	assert_int_equal(read_one(&e, ACCEPTOR, bytes, 4, NULL), 4);
	assert_true(ops_of(&e)->pending(e.streams[ACCEPTOR]));
	assert_int_equal(read_one(&e, ACCEPTOR, bytes, 4, NULL), 0);
	end_ends(&e);
}

/* ---- Ends and cuts ---- */

static void an_end_is_announced_and_the_other_way_stays_open(void **state)
{
	struct ends e = ready_at(*state, "tls+tcp://127.0.0.1:0");
	char byte;
	assert_int_equal(ops_of(&e)->shutdown_write(e.streams[DIALER], NULL), OB_OK);
	assert_int_equal(read_one(&e, ACCEPTOR, &byte, 1, NULL), 0);
	must_put(&e, ACCEPTOR, "still here");
	must_get(&e, DIALER, "still here");
	assert_int_equal(ops_of(&e)->shutdown_write(e.streams[ACCEPTOR], NULL), OB_OK);
	assert_int_equal(read_one(&e, DIALER, &byte, 1, NULL), 0);
	end_ends(&e);
}

/* close() writes what was taken, and announces nothing. */
static void a_close_is_no_end(void **state)
{
	struct ends e = ready_at(*state, "tls+tcp://127.0.0.1:0");
	char byte;
	must_put(&e, DIALER, "bye");
	ops_of(&e)->close(e.streams[DIALER]);
	e.streams[DIALER] = NULL;
	must_get(&e, ACCEPTOR, "bye");
	assert_int_equal(read_one(&e, ACCEPTOR, &byte, 1, NULL), OB_ECONNLOST);
	end_ends(&e);
}

static void a_cut_is_no_end(void **state)
{
	struct ends e = ready_at(*state, "tls+tcp://127.0.0.1:0");
	struct ob_error err = {.text = ""};
	char byte;
	must_put(&e, DIALER, "bye");
	assert_int_equal(shutdown(ops_of(&e)->fd(e.streams[DIALER]), SHUT_WR), 0);
	must_get(&e, ACCEPTOR, "bye");
	assert_int_equal(read_one(&e, ACCEPTOR, &byte, 1, &err), OB_ECONNLOST);
	assert_string_equal(err.text,
			    "tls: the connection was cut: it ended without a close_notify");
	end_ends(&e);
}

static void a_damaged_record_ends_the_connection(void **state)
{
	struct ends e = ready_at(*state, "tls+unix://@/damaged");
	uint8_t forged[5 + 40] = {SSL3_RT_APPLICATION_DATA, 3, 3, 0, 40};
	struct ob_error err = {.text = ""};
	char byte;
	assert_int_equal(send(ops_of(&e)->fd(e.streams[DIALER]), forged, sizeof forged, 0),
			 sizeof forged);
	assert_int_equal(read_one(&e, ACCEPTOR, &byte, 1, &err), OB_ECONNLOST);
	assert_string_equal(err.text, "tls: a record was damaged on the way");
	err.text[0] = '\0';
	assert_int_equal(read_one(&e, DIALER, &byte, 1, &err), OB_ECONNLOST);
	assert_non_null(strstr(err.text, "the peer refused: "));
	end_ends(&e);
}

/* ---- A slow peer ---- */

/* Fill the connection. Returns the bytes that were taken. */
static size_t fill_up(const struct ends *e)
{
	static uint8_t zeros[3 * RECORD];
	struct iovec piece = {zeros, sizeof zeros};
	size_t sent = 0;
	ptrdiff_t n;
	while ((n = ops_of(e)->writev(e->streams[DIALER], &piece, 1, NULL)) > 0) {
		sent += (size_t)n;
	}
	assert_int_equal(n, OB_EAGAIN);
	return sent;
}

static size_t drain(const struct ends *e, size_t enough)
{
	static uint8_t to[65536];
	size_t got = 0;
	while (got < enough) {
		ptrdiff_t n = read_one(e, ACCEPTOR, to, sizeof to, NULL);
		assert_true(n > 0);
		got += (size_t)n;
	}
	return got;
}

static void an_end_waits_for_room(void **state)
{
	struct ends e = ready_at(*state, "tls+unix://@/full");
	const struct ob_transport_ops *ops = ops_of(&e);
	char byte;
	size_t sent = fill_up(&e);
	assert_int_equal(ops->want(e.streams[DIALER], OB_READABLE), OB_READABLE | OB_WRITABLE);
	assert_int_equal(ops->shutdown_write(e.streams[DIALER], NULL), OB_EAGAIN);
	int rc = OB_EAGAIN;
	size_t got = 0;
	while (rc == OB_EAGAIN) {
		got += drain(&e, 1);
		rc = ops->shutdown_write(e.streams[DIALER], NULL);
	}
	assert_int_equal(rc, OB_OK);
	/* What was encrypted arrives, though writev() has not reported it. */
	got += drain(&e, sent + sizeof(uint8_t[3 * RECORD]) - got);
	assert_int_equal(got, sent + 3 * RECORD);
	assert_int_equal(read_one(&e, ACCEPTOR, &byte, 1, NULL), 0);
	end_ends(&e);
}

/* A read writes what waits, too. If that fails, the next write must not count it as written. */
static void what_a_read_could_not_write_is_not_reported_as_written(void **state)
{
	struct ends e = ready_at(*state, "tls+unix://@/lost");
	const struct ob_transport_ops *ops = ops_of(&e);
	struct ob_error err = {.text = ""};
	char byte = 'x';
	struct iovec piece = {&byte, 1};
	fill_up(&e);
	assert_int_equal(shutdown(ops->fd(e.streams[ACCEPTOR]), SHUT_RD), 0);
	assert_int_equal(ops->readv(e.streams[DIALER], &piece, 1, NULL), OB_EAGAIN);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ops->writev(e.streams[DIALER], &piece, 1, &err), OB_ECONNLOST);
		assert_string_not_equal(err.text, "");
	}
	assert_int_equal(ops->want(e.streams[DIALER], OB_READABLE), OB_READABLE);
	end_ends(&e);
}

/* ---- Messages without data ---- */

/* The end of a peer that uses OpenSSL as it likes: an SSL over the socket of a raw connection. */
struct own_peer {
	SSL_CTX *context;
	SSL *ssl;
	int fd;
};

static struct own_peer own_peer_of(const struct tls_bed *bed, const char *settings, struct ends *e)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct own_peer p = {.context = SSL_CTX_new(TLS_client_method()),
			     .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
	struct ob_listen_params here = {.state = must_configure(bed, settings)};
	char *place = placed(bed, "tls+unix://@/own");
	*e = (struct ends){.bed = bed, .states = {NULL, here.state}};
	assert_int_equal(bed_listen(&bed->wire.bed, place, here, &e->listener, NULL), OB_OK);
	snprintf(to.sun_path, sizeof to.sun_path, "%s/own", bed->certificates);
	assert_int_equal(connect(p.fd, (struct sockaddr *)&to, sizeof to), 0);
	e->streams[ACCEPTOR] = must_accept(&bed->wire.bed, e->listener);
	p.ssl = SSL_new(p.context);
	assert_true(SSL_set_fd(p.ssl, p.fd));
	SSL_set_connect_state(p.ssl);
	for (e->codes[ACCEPTOR] = 1; e->codes[ACCEPTOR] > 0;) {
		(void)SSL_do_handshake(p.ssl);
		step(e, ACCEPTOR, OB_READABLE);
	}
	assert_int_equal(e->codes[ACCEPTOR], OB_HANDSHAKE_DONE);
	free(place);
	return p;
}

static struct own_peer own_peer(const struct tls_bed *bed, struct ends *e)
{
	return own_peer_of(bed, "{\"mutual\":false," SHOW("server") "}", e);
}

static void end_own_peer(struct own_peer *p, struct ends *e)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->context);
	close(p->fd);
	end_ends(e);
}

static void update_key(struct own_peer *p)
{
	assert_true(SSL_key_update(p->ssl, SSL_KEY_UPDATE_REQUESTED));
	assert_int_equal(SSL_do_handshake(p->ssl), 1);
}

/* Read until there is nothing. */
static ptrdiff_t read_up(const struct ends *e, struct ob_error *reterr)
{
	char to[100];
	struct iovec piece = {to, sizeof to};
	ptrdiff_t n;
	do {
		n = ops_of(e)->readv(e->streams[ACCEPTOR], &piece, 1, reterr);
	} while (n > 0);
	return n;
}

static void new_keys_are_taken_with_data_between_them(void **state)
{
	struct ends e;
	struct own_peer p = own_peer(*state, &e);
	char byte;
	for (int i = 0; i < 100; i++) {
		update_key(&p);
		assert_int_equal(SSL_write(p.ssl, "x", 1), 1);
		assert_int_equal(read_up(&e, NULL), OB_EAGAIN);
		must_put(&e, ACCEPTOR, "y");
		assert_int_equal(SSL_read(p.ssl, &byte, 1), 1);
	}
	end_own_peer(&p, &e);
}

static void a_flood_of_new_keys_ends_the_connection(void **state)
{
	struct ends e;
	struct own_peer p = own_peer(*state, &e);
	struct ob_error err = {.text = ""};
	ptrdiff_t n = OB_EAGAIN;
	for (int i = 0; i < 100 && n == OB_EAGAIN; i++) {
		update_key(&p);
		n = read_up(&e, &err);
	}
	assert_int_equal(n, OB_ECONNLOST);
	assert_non_null(strstr(err.text, "messages of the protocol without data"));
	end_own_peer(&p, &e);
}

/* A byte behind each flood does not make up for it. */
static void a_flood_before_a_byte_ends_the_connection(void **state)
{
	struct ends e;
	struct own_peer p = own_peer(*state, &e);
	struct ob_error err = {.text = ""};
	for (int i = 0; i < 33; i++) {
		update_key(&p);
	}
	assert_int_equal(SSL_write(p.ssl, "x", 1), 1);
	assert_int_equal(read_up(&e, &err), OB_ECONNLOST);
	assert_non_null(strstr(err.text, "messages of the protocol without data"));
	end_own_peer(&p, &e);
}

/* What is sent is what the file has, whatever could be found among the CAs. */
static void the_ca_is_not_sent_with_the_certificate(void **state)
{
	struct ends e;
	struct own_peer p = own_peer_of(*state, "{\"mutual\":false," SHOW("server") "," CA "}", &e);
	assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(p.ssl)), 1);
	end_own_peer(&p, &e);
}

/* An old session is of no use: there are no tickets. */
static void no_session_can_be_resumed(void **state)
{
	struct ends e;
	struct own_peer p = own_peer(*state, &e);
	char byte;
	must_put(&e, ACCEPTOR, "y");
	assert_int_equal(SSL_read(p.ssl, &byte, 1), 1);
	assert_false(SSL_SESSION_is_resumable(SSL_get0_session(p.ssl)));
	assert_string_equal(SSL_get_version(p.ssl), "TLSv1.3");
	end_own_peer(&p, &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WIRE_TEST(much_data_arrives_whole),
	    WIRE_TEST(the_socket_decides_how_much_leaves_at_once),
	    WIRE_TEST(small_pieces_are_one_record),
	    WIRE_TEST(what_was_read_already_is_pending),
	    WIRE_TEST(an_end_behind_data_is_pending),
	    WIRE_TEST(an_end_is_announced_and_the_other_way_stays_open),
	    WIRE_TEST(a_close_is_no_end),
	    WIRE_TEST(a_cut_is_no_end),
	    WIRE_TEST(a_damaged_record_ends_the_connection),
	    WIRE_TEST(an_end_waits_for_room),
	    WIRE_TEST(what_a_read_could_not_write_is_not_reported_as_written),
	    WIRE_TEST(new_keys_are_taken_with_data_between_them),
	    WIRE_TEST(a_flood_of_new_keys_ends_the_connection),
	    WIRE_TEST(a_flood_before_a_byte_ends_the_connection),
	    WIRE_TEST(the_ca_is_not_sent_with_the_certificate),
	    WIRE_TEST(no_session_can_be_resumed),
	};
	return cmocka_run_group_tests(tests, tls_group_setup, tls_group_teardown);
}
