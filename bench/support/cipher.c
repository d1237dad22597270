/* SPDX-License-Identifier: MIT */
#include "support/cipher.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	HEADER = 2,
	TAG = crypto_aead_chacha20poly1305_ietf_ABYTES,
	RECORD = 16 * 1024 - 64,
	PIECE = RECORD - HEADER - TAG
};
enum { SIZE = 4, MOST = SIZE + (1 << 20), TOGETHER = 4, READ = TOGETHER * RECORD };
static const uint32_t ONE_WAY = 1u << 31; /* in a message's length: no answer wanted */

static const char role_name[] = "floor-cipher";

/* The side that connects seals with the first key, the peer with the second. The keys are not
 * secret. */
static const uint8_t keys[2][crypto_aead_chacha20poly1305_ietf_KEYBYTES] = {"there", "and back"};

struct cipher {
	int fd;
	pid_t pid;
	bool server;
	uint64_t sealed, opened; /* records */
	uint8_t *message;	 /* plain text with its size first: to be sent, or received */
	size_t len;		 /* bytes of it received so far */
	uint8_t out[TOGETHER * RECORD];
	uint8_t in[READ];
	size_t in_len;
};

static void nonce_of(uint8_t ret[crypto_aead_chacha20poly1305_ietf_NPUBBYTES], uint64_t number)
{
	memset(ret, 0, 4);
	memcpy(ret + 4, &number, sizeof number);
}

/* ---- Sending: records are sealed from where the text is, and written a few at once while they
 * are in the cache ---- */

/* Returns the length of the record. */
static size_t seal_record(struct cipher *c, uint8_t *record, const uint8_t *plain, size_t len)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	size_t whole = len + TAG;
	nonce_of(nonce, c->sealed++);
	record[0] = (uint8_t)(whole >> 8);
	record[1] = (uint8_t)whole;
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(
	    record + HEADER, record + whole - TAG + HEADER, NULL, plain, len, NULL, 0, NULL, nonce,
	    keys[c->server]);
	return HEADER + whole;
}

static void write_message(struct cipher *c)
{
	uint32_t size;
	memcpy(&size, c->message, SIZE);
	size_t len = SIZE + (size_t)(size & ~ONE_WAY);
	for (size_t at = 0; at < len;) {
		size_t filled = 0;
		for (int i = 0; i < TOGETHER && at < len; i++) {
			size_t piece = len - at < PIECE ? len - at : PIECE;
			filled += seal_record(c, c->out + filled, c->message + at, piece);
			at += piece;
		}
		bench_write_all(c->fd, c->out, filled);
	}
}

/* ---- Receiving: records are opened into the message ---- */

static void open_record(struct cipher *c, const uint8_t *sealed, size_t whole)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	size_t len = whole - TAG;
	nonce_of(nonce, c->opened++);
	if (len > PIECE || c->len + len > MOST ||
	    crypto_aead_chacha20poly1305_ietf_decrypt_detached(c->message + c->len, NULL, sealed,
							       len, sealed + len, NULL, 0, nonce,
							       keys[!c->server]) != 0) {
		bench_die("a record", "it does not open");
	}
	c->len += len;
}

static bool is_whole(const struct cipher *c)
{
	uint32_t size;
	if (c->len < SIZE) {
		return false;
	}
	memcpy(&size, c->message, SIZE);
	return c->len == SIZE + (size_t)(size & ~ONE_WAY);
}

/* Open records until the message is complete, or none is left. The rest is moved to the
 * front. */
static void open_records(struct cipher *c)
{
	size_t at = 0;
	while (c->in_len - at >= HEADER && !is_whole(c)) {
		size_t whole = (size_t)(c->in[at] << 8 | c->in[at + 1]);
		if (whole < TAG || whole > c->in_len - at - HEADER) {
			break;
		}
		open_record(c, c->in + at + HEADER, whole);
		at += HEADER + whole;
	}
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
}

/* Returns false when the connection ends. */
static bool read_message(struct cipher *c)
{
	c->len = 0;
	for (open_records(c); !is_whole(c); open_records(c)) {
		ssize_t n = read(c->fd, c->in + c->in_len, sizeof c->in - c->in_len);
		if (n <= 0) {
			return false;
		}
		c->in_len += (size_t)n;
	}
	return true;
}

/* ---- A contestant ---- */

static struct cipher *make(int fd, pid_t pid)
{
	struct cipher *c = calloc(1, sizeof *c);
	if (c == NULL || (c->message = calloc(1, MOST)) == NULL || sodium_init() < 0) {
		bench_die("beginning", "no memory, or no libsodium");
	}
	c->fd = fd;
	c->pid = pid;
	c->server = pid == 0;
	return c;
}

static void free_cipher(struct cipher *c)
{
	free(c->message);
	free(c);
}

struct cipher *cipher_open(enum bench_wire wire)
{
	pid_t pid;
	int fd;
	bench_start_peer(wire, role_name, 1, &fd, &pid);
	return make(fd, pid);
}

void cipher_close(struct cipher *c)
{
	bench_end_peer(c->fd, c->pid);
	free_cipher(c);
}

static void send_size(struct cipher *c, uint32_t size)
{
	memcpy(c->message, &size, SIZE);
	write_message(c);
}

static void round_trip(struct cipher *c, uint32_t size)
{
	send_size(c, size);
	if (!read_message(c)) {
		bench_die("the peer", "it is gone");
	}
}

struct bench_round cipher_run(void *self, const struct bench_load *load, double *samples)
{
	struct cipher *c = self;
	int64_t begin = bench_now_ns();
	if (load->outstanding == 0) {
		for (uint64_t i = 1; i < load->count; i++) {
			send_size(c, load->size | ONE_WAY);
		}
		round_trip(c, load->size);
		return bench_round_of(begin, load->count, samples, 0);
	}
	for (uint64_t i = 0; i < load->count; i++) {
		int64_t t = bench_now_ns();
		round_trip(c, load->size);
		samples[i] = (double)(bench_now_ns() - t);
	}
	return bench_round_of(begin, load->count, samples, load->count);
}

int cipher_serve(const char *role)
{
	if (strcmp(role, role_name) != 0) {
		return -1;
	}
	struct cipher *c = make(3, 0);
	while (read_message(c)) {
		uint32_t size;
		memcpy(&size, c->message, SIZE);
		if ((size & ONE_WAY) == 0) {
			write_message(c);
		}
	}
	free_cipher(c);
	return 0;
}
