/* SPDX-License-Identifier: MIT */
/*
 * A dialer and an acceptor of tls over memory. The input is what happens to their bytes: pairs of
 * an action (its value modulo 8) and a number n.
 *
 *   0, 1  carry up to n + 1 bytes to the acceptor, or to the dialer, and let it take a step
 *   2, 3  flip a bit of the n-th byte that waits for the acceptor, or for the dialer
 *   4, 5  put byte n in front of what waits for the acceptor, or for the dialer
 *   6     both write n bytes of data, if they are connected
 *   7     end a way: even n to the acceptor, odd n to the dialer
 *
 * Whatever happens: no end is connected to one that it does not know, data arrives as it was
 * written, nobody sends more than OB_HANDSHAKE_MAX bytes before that, and a failure has a reason.
 */
#include "base/clock.h"
#include "base/error.h"
#include "tls/handshake.h"
#include "tls/stream.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WAY = 1 << 17, DIALER = 0, ACCEPTOR = 1, ACTIONS_MAX = 4096 };

/* One way: what was written, and up to where it may be read. */
struct way {
	uint8_t bytes[WAY];
	size_t begin, end, open;
	bool closed;
};

/* A stream of the inner transport. */
struct memory_end {
	struct way *in, *out;
};

struct scene {
	struct way ways[2]; /* to the dialer, to the acceptor */
	struct memory_end ends[2];
	struct ob_stream *streams[2];
	int codes[2];
	bool touched; /* a byte was changed or added */
	uint8_t next_out[2], next_in[2];
};

static const struct ob_host host = {.size = sizeof host, .fail = obi_fail, .now_ms = obi_now_ms};
static struct obi_tls_state *states[2];

static void must(bool good)
{
	if (!good) {
		abort();
	}
}

/* ---- The transport below ---- */

static struct memory_end *end_of(struct ob_stream *stream)
{
	return (struct memory_end *)(void *)stream;
}

static int memory_fd(struct ob_stream *stream)
{
	(void)stream;
	return -1;
}

static ptrdiff_t memory_readv(struct ob_stream *stream, const struct iovec *pieces, int count,
			      struct ob_error *reterr)
{
	struct way *way = end_of(stream)->in;
	size_t n = way->open - way->begin;
	(void)count;
	(void)reterr;
	if (n == 0) {
		return way->closed ? 0 : OB_EAGAIN;
	}
	n = n < pieces->iov_len ? n : pieces->iov_len;
	memcpy(pieces->iov_base, way->bytes + way->begin, n);
	way->begin += n;
	return (ptrdiff_t)n;
}

static ptrdiff_t memory_writev(struct ob_stream *stream, const struct iovec *pieces, int count,
			       struct ob_error *reterr)
{
	struct way *way = end_of(stream)->out;
	size_t room = WAY - 64 - way->end;
	size_t n = pieces->iov_len < room ? pieces->iov_len : room;
	(void)count;
	(void)reterr;
	memcpy(way->bytes + way->end, pieces->iov_base, n);
	way->end += n;
	return n > 0 ? (ptrdiff_t)n : OB_EAGAIN;
}

static int memory_shutdown(struct ob_stream *stream, struct ob_error *reterr)
{
	(void)stream;
	(void)reterr;
	return OB_OK;
}

static void memory_close(struct ob_stream *stream)
{
	(void)stream;
}

static const struct ob_transport_ops inner = {.size = sizeof inner,
					      .fd = memory_fd,
					      .readv = memory_readv,
					      .writev = memory_writev,
					      .shutdown_write = memory_shutdown,
					      .close = memory_close};

/* ---- Certificates ---- */

static void write_pem(const char *dir, const char *name, X509 *certificate, EVP_PKEY *key)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *file = fopen(path, "w");
	must(file != NULL && chmod(path, 0600) == 0);
	must(certificate != NULL ? PEM_write_X509(file, certificate)
				 : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
	must(fclose(file) == 0);
}

/* A certificate that has signed itself, with "name" as its common name. */
static void make_certificate(const char *dir, const char *name)
{
	char pem[64], private[64];
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	must(key != NULL && certificate != NULL);
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400L * 365);
	X509_set_pubkey(certificate, key);
	X509_NAME *subject = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(certificate, subject);
	must(X509_sign(certificate, key, EVP_sha256()) > 0);
	snprintf(pem, sizeof pem, "%s.pem", name);
	snprintf(private, sizeof private, "%s.key", name);
	write_pem(dir, pem, certificate, NULL);
	write_pem(dir, private, NULL, key);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static struct obi_tls_state *make_state(const char *dir, const char *own, const char *other)
{
	char paths[3][128];
	snprintf(paths[0], sizeof paths[0], "%s/%s.pem", dir, own);
	snprintf(paths[1], sizeof paths[1], "%s/%s.key", dir, own);
	snprintf(paths[2], sizeof paths[2], "%s/%s.pem", dir, other);
	struct ob_value name = ob_string(other);
	struct ob_pair pairs[] = {{ob_string("certificate"), ob_string(paths[0])},
				  {ob_string("key"), ob_string(paths[1])},
				  {ob_string("ca"), ob_string(paths[2])},
				  {ob_string("names"), ob_array(&name, 1)}};
	struct ob_value settings = ob_map(pairs, 4);
	void *state = NULL;
	must(obi_tls_configure(&host, &settings, &state, NULL) == OB_OK);
	return state;
}

/* Once for all inputs. The files are read at once, and not again: no time passes for the states. */
static void prepare(void)
{
	static const char *const files[] = {"dialer.pem", "dialer.key", "acceptor.pem",
					    "acceptor.key"};
	char dir[] = "/tmp/fuzz-tls-XXXXXX", path[128];
	must(mkdtemp(dir) != NULL);
	make_certificate(dir, "dialer");
	make_certificate(dir, "acceptor");
	states[DIALER] = make_state(dir, "dialer", "acceptor");
	states[ACCEPTOR] = make_state(dir, "acceptor", "dialer");
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

/* ---- Actions ---- */

static void handshake(struct scene *s, int which)
{
	struct ob_want want = {.fd = -2};
	struct ob_error err = {.text = ""};
	int rc = obi_tls_stream_handshake(s->streams[which], OB_READABLE, &want, &err);
	must(rc <= OB_HANDSHAKE_PROVEN);
	must(rc >= 0 || (rc != OB_EAGAIN && err.text[0] != '\0'));
	must(rc <= 0 || want.fd == -1);
	/* An end makes progress only. */
	must(rc <= 0 || s->codes[which] <= rc);
	must(s->ways[1 - which].end <= OB_HANDSHAKE_MAX || s->codes[1 - which] == 0);
	s->codes[which] = rc;
}

static void must_know(struct scene *s, int which)
{
	struct ob_peer peer = {.size = sizeof peer};
	must(obi_tls_stream_peer(s->streams[which], &peer, NULL) == OB_OK);
	must((peer.known & OB_PEER_SUBJECT) != 0);
	must(ob_bytes_is(peer.subject, which == DIALER ? "acceptor" : "dialer"));
}

/* What is read continues what the other end has written. */
static void read_data(struct scene *s, int which)
{
	uint8_t to[300];
	struct iovec pieces[2] = {{to, 100}, {to + 100, 200}};
	struct ob_error err = {.text = ""};
	bool expected = obi_tls_stream_pending(s->streams[which]);
	ptrdiff_t n = obi_tls_stream_readv(s->streams[which], pieces, 2, &err);
	must(!expected || n != OB_EAGAIN);
	for (ptrdiff_t i = 0; i < n; i++) {
		must(to[i] == s->next_in[which]++);
	}
	must(n >= 0 || n == OB_EAGAIN || err.text[0] != '\0');
	/* An end that nobody has announced is none. */
	must(n != 0);
	s->codes[which] = n > 0 || n == OB_EAGAIN ? OB_HANDSHAKE_DONE : (int)n;
}

static void step(struct scene *s, int which)
{
	if (s->codes[which] < 0) {
		return;
	}
	if (s->codes[which] > 0) {
		handshake(s, which);
		if (s->codes[which] == OB_HANDSHAKE_DONE) {
			must_know(s, which);
		}
	} else {
		read_data(s, which);
	}
}

static void carry(struct scene *s, int which, size_t n)
{
	struct way *way = &s->ways[which];
	size_t left = way->end - way->open;
	way->open += n < left ? n : left;
	step(s, which);
}

static void flip(struct scene *s, int which, size_t n)
{
	struct way *way = &s->ways[which];
	if (way->open + n < way->end) {
		way->bytes[way->open + n] ^= (uint8_t)(1 << n % 8);
		s->touched = true;
	}
}

static void insert(struct scene *s, int which, uint8_t byte)
{
	struct way *way = &s->ways[which];
	if (way->end < WAY - 64) {
		memmove(way->bytes + way->open + 1, way->bytes + way->open, way->end - way->open);
		way->bytes[way->open] = byte;
		way->end++;
		s->touched = true;
	}
}

static void write_data(struct scene *s, int which, size_t n)
{
	uint8_t bytes[256];
	struct iovec pieces[2] = {{bytes, n / 2}, {bytes + n / 2, n - n / 2}};
	if (s->codes[which] != OB_HANDSHAKE_DONE || n == 0) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		bytes[i] = (uint8_t)(s->next_out[which] + i);
	}
	ptrdiff_t took = obi_tls_stream_writev(s->streams[which], pieces, 2, NULL);
	s->next_out[which] = (uint8_t)(s->next_out[which] + (took > 0 ? took : 0));
	s->codes[which] = took < 0 && took != OB_EAGAIN ? (int)took : s->codes[which];
}

static void act(struct scene *s, uint8_t action, uint8_t n)
{
	switch (action % 8) {
	case 0:
	case 1:
		carry(s, action % 2 == 0 ? ACCEPTOR : DIALER, (size_t)n + 1);
		break;
	case 2:
	case 3:
		flip(s, action % 2 == 0 ? ACCEPTOR : DIALER, n);
		break;
	case 4:
	case 5:
		insert(s, action % 2 == 0 ? ACCEPTOR : DIALER, n);
		break;
	case 6:
		write_data(s, DIALER, n);
		write_data(s, ACCEPTOR, n);
		break;
	default:
		s->ways[n % 2 == 0 ? ACCEPTOR : DIALER].closed = true;
		break;
	}
}

/* Without interference the rest of the handshake succeeds. */
static void finish(struct scene *s)
{
	bool closed = s->ways[0].closed || s->ways[1].closed;
	for (int i = 0; i < 200 && !s->touched && !closed; i++) {
		carry(s, ACCEPTOR, WAY);
		carry(s, DIALER, WAY);
	}
	must(s->touched || closed ||
	     (s->codes[DIALER] == OB_HANDSHAKE_DONE && s->codes[ACCEPTOR] == OB_HANDSHAKE_DONE));
}

static void begin(struct scene *s)
{
	for (int i = 0; i < 2; i++) {
		s->ends[i] = (struct memory_end){&s->ways[i], &s->ways[1 - i]};
		s->streams[i] = obi_tls_stream_new(states[i], &inner, i == DIALER, NULL);
		must(s->streams[i] != NULL);
		obi_tls_stream_begin(s->streams[i], (struct ob_stream *)(void *)&s->ends[i]);
		s->codes[i] = OB_HANDSHAKE_SILENT;
	}
	step(s, DIALER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct scene s;
	if (states[DIALER] == NULL) {
		prepare();
	}
	for (int i = 0; i < 2; i++) {
		s.ways[i].begin = s.ways[i].end = s.ways[i].open = 0;
		s.ways[i].closed = false;
		s.next_out[i] = s.next_in[1 - i] = 0;
		states[i]->next_look = INT64_MAX;
	}
	s.touched = false;
	begin(&s);
	for (size_t i = 0; i + 1 < size && i < 2 * ACTIONS_MAX; i += 2) {
		act(&s, data[i], data[i + 1]);
	}
	finish(&s);
	for (int i = 0; i < 2; i++) {
		obi_tls_stream_close(s.streams[i]);
	}
	return 0;
}
