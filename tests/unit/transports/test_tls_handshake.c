/* SPDX-License-Identifier: MIT */
/* The handshake of tls: who gets in, who does not, and what each end is told. */
#include "unit/transports/tls_bed.h"

/* ---- Both ends prove who they are ---- */

static void each_end_learns_who_the_other_is(void **state)
{
	char text[256];
	struct ends e = ends_of(*state, CLIENT, SERVER);
	assert_string_equal(subject_of(&e, ACCEPTOR, text), ""); /* not before it is proved */
	must_shake(&e);
	assert_string_equal(subject_of(&e, ACCEPTOR, text), "spiffe://example.org/client");
	assert_string_equal(subject_of(&e, DIALER, text), "spiffe://example.org/server");
	must_put(&e, DIALER, "a call");
	must_get(&e, ACCEPTOR, "a call");
	must_put(&e, ACCEPTOR, "an answer");
	must_get(&e, DIALER, "an answer");
	end_ends(&e);
}

/* The URI first, then the DNS name, then the common name. */
static void the_subject_is_the_first_name_of_the_certificate(void **state)
{
	static const char *const shown[][2] = {
	    {"{" SHOW("client") "," CA "}", "spiffe://example.org/client"},
	    {"{" SHOW("dns") "," CA "}", "client.example.org"},
	    {"{" SHOW("common") "," CA "}", "alice"},
	    {"{" SHOW("chain") "," CA "}", "spiffe://example.org/below"},
	};
	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
		char text[256];
		struct ends e = ends_of(*state, shown[i][0], SERVER);
		must_shake(&e);
		assert_string_equal(subject_of(&e, ACCEPTOR, text), shown[i][1]);
		end_ends(&e);
	}
}

static void the_facts_of_the_inner_transport_stay(void **state)
{
	struct ends e = ends_at(
	    *state, "{" SHOW("client") "," CA ",\"names\":[\"spiffe://example.org/server\"]}",
	    SERVER, "tls+unix://@/facts.sock");
	const struct ob_transport_ops *ops = e.bed->wire.bed.ops;
	struct ob_peer peer = {.size = sizeof peer, .pidfd = -1}, old = {.size = 0};
	must_shake(&e);
	assert_int_equal(ops->peer(e.streams[ACCEPTOR], &peer, NULL), OB_OK);
	assert_true((peer.known & OB_PEER_UID) != 0 && peer.uid == geteuid());
	assert_true((peer.known & OB_PEER_PID) != 0 && peer.pid == getpid());
	assert_true((peer.known & OB_PEER_SUBJECT) != 0);
	old.size = offsetof(struct ob_peer, subject);
	assert_int_equal(ops->peer(e.streams[ACCEPTOR], &old, NULL), OB_OK);
	assert_int_equal(old.known & OB_PEER_SUBJECT, 0);
	assert_null(old.subject.data);
	end_ends(&e);
}

static void read_binding(const struct ends *e, int which, uint8_t binding[32])
{
	struct ob_sink out = ob_sink_fixed(binding, 32);
	assert_int_equal(e->bed->wire.bed.ops->binding(e->streams[which], &out), OB_OK);
	assert_int_equal(out.len, 32);
}

static void the_binding_is_one_of_each_connection(void **state)
{
	uint8_t bindings[2][2][32];
	for (int i = 0; i < 2; i++) {
		struct ends e = ends_of(*state, CLIENT, SERVER);
		struct ob_sink none = ob_sink_fixed(bindings, 32);
		assert_true(e.bed->wire.bed.ops->binding(e.streams[DIALER], &none) < 0);
		must_shake(&e);
		read_binding(&e, DIALER, bindings[i][DIALER]);
		read_binding(&e, ACCEPTOR, bindings[i][ACCEPTOR]);
		end_ends(&e);
		assert_memory_equal(bindings[i][DIALER], bindings[i][ACCEPTOR], 32);
	}
	assert_memory_not_equal(bindings[0][DIALER], bindings[1][DIALER], 32);
}

/* ---- Who is accepted ---- */

struct meeting {
	const char *dialer, *acceptor;
	const char *listen; /* NULL: tls+tcp at 127.0.0.1 */
};

static void these_get_in(void **state)
{
	static const struct meeting meetings[] = {
	    {CLIENT, SERVER, NULL},
	    {CLIENT, SERVER, "tls+tcp://[::1]:0"},
	    {CLIENT, SERVER, "tls+chaos+tcp://127.0.0.1:0?seed=1&chop=1..3"},
	    /* names of each kind */
	    {"{" SHOW("client") "," CA ",\"names\":[\"x\",\"spiffe://example.org/server\"]}",
	     SERVER, "tls+unix://@/s"},
	    {"{" SHOW("client") "," CA ",\"names\":[\"a.example.org\"]}",
	     "{" SHOW("wildcard") "," CA "}", "tls+unix://@/s"},
	    {CLIENT, "{" SHOW("server") "," CA ",\"names\":[\"spiffe://example.org/client\"]}",
	     NULL},
	    {"{" SHOW("dns") "," CA "}",
	     "{" SHOW("server") "," CA ",\"names\":[\"CLIENT.example.org\"]}", NULL},
	    {"{" SHOW("common") "," CA "}", "{" SHOW("server") "," CA ",\"names\":[\"alice\"]}",
	     NULL},
	    /* a CA between, and one of the bundle that is no root */
	    {CLIENT, "{" SHOW("chain") "," CA "}", NULL},
	    {"{" SHOW("client") ",\"ca\":\"@/between.pem\"}", "{" SHOW("below") "," CA "}", NULL},
	    /* only one end has a certificate */
	    {"{\"mutual\":false," CA "}", "{\"mutual\":false," SHOW("server") "}", NULL},
	};
	for (size_t i = 0; i < sizeof meetings / sizeof meetings[0]; i++) {
		const char *listen = meetings[i].listen;
		struct ends e = ends_at(*state, meetings[i].dialer, meetings[i].acceptor,
					listen != NULL ? listen : "tls+tcp://127.0.0.1:0");
		must_shake(&e);
		must_put(&e, DIALER, "hello");
		must_get(&e, ACCEPTOR, "hello");
		end_ends(&e);
	}
}

static void digest(const struct tls_bed *bed, const char *command, char ret[80])
{
	char *text = placed(bed, command);
	FILE *out = popen(text, "r");
	assert_non_null(out);
	assert_non_null(fgets(ret, 80, out));
	assert_int_equal(pclose(out), 0);
	ret[64] = '\0';
	free(text);
}

static void a_fingerprint_stands_for_a_ca(void **state)
{
	/* A key says nothing of the name that its owner has put beside it. */
	static const char *const commands[] = {
	    "openssl x509 -in @/foreign.pem -outform DER | sha256sum",
	    "openssl pkey -in @/foreign.key -pubout -outform DER | sha256sum",
	};
	static const char *const subjects[] = {"localhost", ""};
	for (size_t i = 0; i < 2; i++) {
		char hex[80], text[256];
		digest(*state, commands[i], hex);
		char *acceptor =
		    scratch_text("{" SHOW("server") ",\"fingerprints\":[\"%s\"]}", hex);
		struct ends e = ends_of(*state, "{" SHOW("foreign") "," CA "}", acceptor);
		must_shake(&e);
		assert_string_equal(subject_of(&e, ACCEPTOR, text), subjects[i]);
		end_ends(&e);
		e = ends_of(*state, CLIENT, acceptor);
		shake(&e);
		assert_int_equal(e.codes[ACCEPTOR], OB_EAUTH);
		assert_non_null(strstr(e.errors[ACCEPTOR].text, "not in the setting fingerprints"));
		end_ends(&e);
		free(acceptor);
	}
}

static void an_expired_certificate_is_refused_though_it_is_pinned(void **state)
{
	char hex[80];
	digest(*state, "openssl x509 -in @/expired.pem -outform DER | sha256sum", hex);
	char *acceptor = scratch_text("{" SHOW("server") ",\"fingerprints\":[\"%s\"]}", hex);
	struct ends e = ends_of(*state, "{" SHOW("expired") "," CA "}", acceptor);
	shake(&e);
	assert_int_equal(e.codes[ACCEPTOR], OB_EAUTH);
	assert_non_null(strstr(e.errors[ACCEPTOR].text, "expired at 2020-02-01T00:00:00Z"));
	end_ends(&e);
	free(acceptor);
}

/* ---- Who is not ---- */

struct refusal {
	const char *dialer, *acceptor;
	/* What the end that refuses says, and what the other end is told. The dialer's handshake is
	 * over before the acceptor has seen its certificate: it is told at its first read. */
	int refuses;
	const char *why, *told;
};

static const struct refusal refusals[] = {
    {CLIENT, "{" SHOW("expired") "," CA "}", DIALER, "(localhost): it expired at 2020-02-01",
     "the peer refused: our certificate has expired"},
    {CLIENT, "{" SHOW("future") "," CA "}", DIALER, "it is valid only from 2095-01-01",
     "the peer refused: "},
    {CLIENT, "{" SHOW("foreign") "," CA "}", DIALER, "no CA of the setting ca has signed it",
     "the peer refused: it does not know the CA of our certificate"},
    {CLIENT, "{" SHOW("elsewhere") "," CA "}", DIALER,
     "the peer's certificate (elsewhere.example.org): it is not for 127.0.0.1",
     "the peer refused: it does not accept our certificate"},
    {"{" SHOW("client") "," CA ",\"names\":[\"b.a.example.org\",\"example.org\"]}",
     "{" SHOW("wildcard") "," CA "}", DIALER, "it is for none of the setting names",
     "the peer refused: it does not accept our certificate"},
    {CLIENT, "{" SHOW("caller") "," CA "}", DIALER, "its extended key usage",
     "the peer refused: it does not accept certificates of this kind or purpose"},
    /* Below a CA that has expired, and below who is no CA. */
    {CLIENT, "{" SHOW("stale") "," CA "}", DIALER, "a CA certificate above it has expired",
     "the peer refused: our certificate has expired"},
    {CLIENT, "{" SHOW("forged") "," CA "}", DIALER, "invalid CA certificate", "the peer refused"},
    /* A common name is no host. */
    {CLIENT, "{" SHOW("number") "," CA "}", DIALER, "it is not for 127.0.0.1",
     "the peer refused: it does not accept our certificate"},
    /* OpenSSL would take this for all that is below. */
    {"{" SHOW("client") "," CA ",\"names\":[\".example.org\"]}", "{" SHOW("elsewhere") "," CA "}",
     DIALER, "it is for none of the setting names",
     "the peer refused: it does not accept our certificate"},
    {"{" SHOW("expired") "," CA "}", SERVER, ACCEPTOR, "it expired at 2020-02-01",
     "the peer refused: our certificate has expired"},
    {"{" SHOW("foreign") "," CA "}", SERVER, ACCEPTOR, "no CA of the setting ca has signed it",
     "the peer refused: it does not know the CA of our certificate"},
    {"{" SHOW("purpose") "," CA "}", SERVER, ACCEPTOR, "its extended key usage",
     "the peer refused: it does not accept certificates of this kind or purpose"},
    {"{" SHOW("below") "," CA "}", SERVER, ACCEPTOR, "no CA of the setting ca has signed it",
     "the peer refused: it does not know the CA of our certificate"},
    {CLIENT, "{" SHOW("server") "," CA ",\"names\":[\"spiffe://example.org/clien\"]}", ACCEPTOR,
     "(spiffe://example.org/client): it is for none of the setting names",
     "the peer refused: it does not accept our certificate"},
    /* A common name counts only where there is no other name. */
    {CLIENT, "{" SHOW("server") "," CA ",\"names\":[\"client\"]}", ACCEPTOR,
     "it is for none of the setting names", "the peer refused"},
    {"{" SHOW("nul") "," CA "}", SERVER, ACCEPTOR, "without control characters",
     "the peer refused: it does not accept our certificate"},
    {"{" SHOW("control") "," CA "}", SERVER, ACCEPTOR, "without control characters",
     "the peer refused"},
    {"{\"mutual\":false," CA "}", SERVER, ACCEPTOR, "the peer showed no certificate",
     "the peer refused: it requires a certificate, and we showed none"},
};

/* The words of an alert, wherever they are seen. */
static void check_told(struct ends *e, int which, const char *told)
{
	char byte;
	struct ob_error err = e->errors[which];
	if (e->codes[which] == OB_HANDSHAKE_DONE) {
		assert_int_equal(read_one(e, which, &byte, 1, &err), OB_EAUTH);
	}
	if (strstr(err.text, told) == NULL) {
		fail_msg("'%s' instead of '%s'", err.text, told);
	}
}

static void each_refusal_has_its_reason(void **state)
{
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const struct refusal *r = &refusals[i];
		char text[256];
		struct ends e = ends_of(*state, r->dialer, r->acceptor);
		shake(&e);
		assert_int_equal(e.codes[r->refuses], OB_EAUTH);
		if (strstr(e.errors[r->refuses].text, r->why) == NULL) {
			fail_msg("%zu: '%s' instead of '%s'", i, e.errors[r->refuses].text, r->why);
		}
		assert_string_equal(subject_of(&e, r->refuses, text), "");
		check_told(&e, 1 - r->refuses, r->told);
		end_ends(&e);
	}
}

/* ---- Foreign peers ---- */

static int dial_raw(const struct tls_bed *bed, const char *name)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(to.sun_path, sizeof to.sun_path, "%s/%s", bed->certificates, name);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

/* An acceptor, and a peer that is only a socket. */
static struct ends raw_ends(const struct tls_bed *bed, int *ret_fd)
{
	struct ends e = {.bed = bed, .codes = {0, 1}};
	struct ob_listen_params here = {.state = must_configure(bed, SERVER)};
	char *place = placed(bed, "tls+unix://@/raw");
	e.states[ACCEPTOR] = here.state;
	assert_int_equal(bed_listen(&bed->wire.bed, place, here, &e.listener, NULL), OB_OK);
	*ret_fd = dial_raw(bed, "raw");
	e.streams[ACCEPTOR] = must_accept(&bed->wire.bed, e.listener);
	free(place);
	return e;
}

static void peers_that_speak_something_else_are_told_apart(void **state)
{
	static const char *const said[][2] = {
	    {"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", "the peer speaks plain HTTP, not TLS"},
	    {"{\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n", "the peer does not speak TLS"},
	    {"\x94\x00\x01\xa4type\x90\x90\x90\x90\x90\x90", "the peer does not speak TLS"},
	};
	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
		int fd;
		struct ends e = raw_ends(*state, &fd);
		step(&e, ACCEPTOR, 0);
		assert_int_equal(e.codes[ACCEPTOR], OB_HANDSHAKE_SILENT);
		assert_int_equal(e.wants[ACCEPTOR].events, OB_READABLE);
		assert_true(write(fd, said[i][0], strlen(said[i][0] + 2) + 2) > 0);
		step(&e, ACCEPTOR, OB_READABLE);
		assert_int_equal(e.codes[ACCEPTOR], OB_EPROTO);
		assert_non_null(strstr(e.errors[ACCEPTOR].text, said[i][1]));
		close(fd);
		end_ends(&e);
	}
}

static void a_connection_that_ends_early_says_so(void **state)
{
	int fd;
	struct ends e = raw_ends(*state, &fd);
	assert_int_equal(write(fd, "\x16\x03\x01\x02\x00\x01", 6), 6);
	step(&e, ACCEPTOR, OB_READABLE);
	assert_int_equal(e.codes[ACCEPTOR], OB_HANDSHAKE_SILENT);
	close(fd);
	step(&e, ACCEPTOR, OB_READABLE);
	assert_int_equal(e.codes[ACCEPTOR], OB_ECONNLOST);
	assert_non_null(strstr(e.errors[ACCEPTOR].text, "ended during the handshake"));
	end_ends(&e);
}

/* A ClientHello that never ends, in records that are valid. */
static void a_handshake_has_a_limit(void **state)
{
	static uint8_t record[4096 + 5] = {0x16, 3, 1, 0x10, 0, 1, 0, 0xff, 0xff, 3, 3};
	int fd;
	struct ends e = raw_ends(*state, &fd);
	for (int i = 0; i < 5 && e.codes[ACCEPTOR] > 0; i++) {
		assert_int_equal(write(fd, record, sizeof record), sizeof record);
		step(&e, ACCEPTOR, OB_READABLE);
		memset(record + 5, 0, 6);
	}
	assert_true(e.codes[ACCEPTOR] < 0);
	close(fd);
	end_ends(&e);
}

/* ---- Progress ---- */

/* Carry what one socket has to the other a byte at a time, with a step of the end for each. */
static void carry(struct ends *e, int which, int from, int to, int ret_seen[4])
{
	uint8_t byte;
	while (recv(from, &byte, 1, MSG_DONTWAIT) == 1) {
		assert_int_equal(send(to, &byte, 1, MSG_NOSIGNAL), 1);
		if (e->codes[which] > 0) {
			step(e, which, OB_READABLE);
			assert_true(e->codes[which] >= 0);
			ret_seen[e->codes[which]]++;
		}
	}
}

static int listen_raw(const struct tls_bed *bed, const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(at.sun_path, sizeof at.sun_path, "%s/%s", bed->certificates, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void progress_is_told_byte_by_byte(void **state)
{
	const struct tls_bed *bed = *state;
	int seen[2][4] = {{0}}, door = listen_raw(bed, "door");
	struct ends e = ends_of_states(
	    bed,
	    must_configure(bed, "{" SHOW("client") "," CA
						   ",\"names\":[\"spiffe://example.org/server\"]}"),
	    must_configure(bed, SERVER), "tls+unix://@/progress", "tls+unix://@/door");
	int near = accept(door, NULL, NULL), far = dial_raw(bed, "progress");
	e.streams[ACCEPTOR] = must_accept(&bed->wire.bed, e.listener);
	step(&e, DIALER, 0);
	step(&e, ACCEPTOR, 0);
	assert_int_equal(e.codes[DIALER], OB_HANDSHAKE_SILENT);
	for (int i = 0; i < 10 && (e.codes[DIALER] > 0 || e.codes[ACCEPTOR] > 0); i++) {
		carry(&e, ACCEPTOR, near, far, seen[ACCEPTOR]);
		carry(&e, DIALER, far, near, seen[DIALER]);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(seen[i][OB_HANDSHAKE_DONE], 1);
		assert_true(seen[i][OB_HANDSHAKE_SILENT] > 50);
		assert_true(seen[i][OB_HANDSHAKE_TALKING] > 50);
		assert_in_range(seen[i][OB_HANDSHAKE_PROVEN], 5, 200);
	}
	close(near);
	close(far);
	close(door);
	end_ends(&e);
}

/* A close_notify in place of the server's part. */
static void a_peer_that_closes_during_the_handshake_has_ended(void **state)
{
	const struct tls_bed *bed = *state;
	int door = listen_raw(bed, "shut");
	struct ends e = ends_of_states(
	    bed,
	    must_configure(bed, "{" SHOW("client") "," CA
						   ",\"names\":[\"spiffe://example.org/server\"]}"),
	    must_configure(bed, SERVER), "tls+unix://@/unused", "tls+unix://@/shut");
	int far = accept(door, NULL, NULL);
	step(&e, DIALER, 0);
	assert_int_equal(write(far, "\x15\x03\x03\x00\x02\x01\x00", 7), 7);
	step(&e, DIALER, OB_READABLE);
	assert_string_equal(e.errors[DIALER].text,
			    "tls: the connection ended during the handshake");
	assert_int_equal(e.codes[DIALER], OB_ECONNLOST);
	close(far);
	close(door);
	end_ends(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WIRE_TEST(each_end_learns_who_the_other_is),
	    WIRE_TEST(the_subject_is_the_first_name_of_the_certificate),
	    WIRE_TEST(the_facts_of_the_inner_transport_stay),
	    WIRE_TEST(the_binding_is_one_of_each_connection),
	    WIRE_TEST(these_get_in),
	    WIRE_TEST(a_fingerprint_stands_for_a_ca),
	    WIRE_TEST(an_expired_certificate_is_refused_though_it_is_pinned),
	    WIRE_TEST(each_refusal_has_its_reason),
	    WIRE_TEST(peers_that_speak_something_else_are_told_apart),
	    WIRE_TEST(a_connection_that_ends_early_says_so),
	    WIRE_TEST(a_handshake_has_a_limit),
	    WIRE_TEST(progress_is_told_byte_by_byte),
	    WIRE_TEST(a_peer_that_closes_during_the_handshake_has_ended),
	};
	return cmocka_run_group_tests(tests, tls_group_setup, tls_group_teardown);
}
