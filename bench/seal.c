/* SPDX-License-Identifier: MIT */
/*
 * seal - the cost of a record of noise, compared with the bare cipher: records are sealed and
 * then opened in place, and the same bytes go through libsodium's ChaCha20-Poly1305 alone,
 * alternating in one run. Each figure is the median of its rounds.
 *
 *   bench-seal [ROUNDS]
 */
#include "noise_state.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/bench.h"

enum {
	SMALL = 64,
	LARGE = 16384,
	ROUNDS = 31,
	ROUNDS_MAX = 999,
	BATCHES = 16,
	TAG = OBI_NOISE_TAG
};

/* The number of bytes that are sealed before they are opened: they stay in the cache, as on a
 * connection. */
enum { BATCH_BYTES = 256 << 10 };

/* A way to seal or open the len bytes at record, with room for a tag behind them. */
typedef void record_fn(uint8_t *record, size_t len);

static struct obi_noise sealer, opener;
static uint8_t key[crypto_aead_chacha20poly1305_ietf_KEYBYTES];
static uint64_t numbers[2]; /* the nonces of the bare cipher, for sealing and opening */

static void must(bool promise, const char *what)
{
	if (!promise) {
		bench_die(what, "refused");
	}
}

/* ---- Ours ---- */

static void shake_hands(void)
{
	uint8_t message[OBI_NOISE_HANDSHAKE], e[2][OBI_NOISE_KEY];
	struct ob_bytes nothing = ob_bytes_of(NULL, 0), sent = ob_bytes_of(message, sizeof message);
	randombytes_buf(key, sizeof key);
	randombytes_buf(e, sizeof e);
	obi_noise_begin(&sealer, true, key, nothing);
	obi_noise_begin(&opener, false, key, nothing);
	must(obi_noise_write(&sealer, e[0], nothing, message) > 0 &&
		 obi_noise_read(&opener, sent, NULL) == 0 &&
		 obi_noise_write(&opener, e[1], nothing, message) > 0 &&
		 obi_noise_read(&sealer, sent, NULL) == 0,
	     "the handshake");
}

static void our_seal(uint8_t *record, size_t len)
{
	must(obi_noise_seal(&sealer, record, len) > 0, "a record");
}

static void our_open(uint8_t *record, size_t len)
{
	must(obi_noise_open(&opener, record, len + TAG) >= 0, "a record");
}

/* ---- The bare cipher ---- */

static void next_nonce(uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES], uint64_t *number)
{
	memset(nonce, 0, 4);
	memcpy(nonce + 4, number, sizeof *number);
	++*number;
}

static void bare_seal(uint8_t *record, size_t len)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	next_nonce(nonce, &numbers[0]);
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(record, record + len, NULL, record, len,
							   NULL, 0, NULL, nonce, key);
}

static void bare_open(uint8_t *record, size_t len)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
	next_nonce(nonce, &numbers[1]);
	must(crypto_aead_chacha20poly1305_ietf_decrypt_detached(
		 record, NULL, record, len, record + len, NULL, 0, nonce, key) == 0,
	     "a bare record");
}

/* ---- Rounds ---- */

struct contestant {
	record_fn *seal;
	record_fn *open;
	double sealed[ROUNDS_MAX]; /* ns a record */
	double opened[ROUNDS_MAX];
};

static double time_batch(record_fn *each, uint8_t *records, size_t len)
{
	size_t count = BATCH_BYTES / (len + TAG);
	int64_t begin = bench_now_ns();
	for (size_t i = 0; i < count; i++) {
		each(records + i * (len + TAG), len);
	}
	return (double)(bench_now_ns() - begin) / (double)count;
}

/* Both alternate batch by batch, so that other load on the machine affects both. */
static void run_round(struct contestant c[2], size_t round, uint8_t *records, size_t len)
{
	for (size_t i = 0; i < 2; i++) {
		c[i].sealed[round] = c[i].opened[round] = 0;
	}
	for (size_t i = 0; i < 2 * BATCHES; i++) {
		c[i % 2].sealed[round] += time_batch(c[i % 2].seal, records, len) / BATCHES;
		c[i % 2].opened[round] += time_batch(c[i % 2].open, records, len) / BATCHES;
	}
}

static void print_line(const char *what, double *bare, double *own, size_t len, size_t rounds)
{
	double ratios[ROUNDS_MAX];
	for (size_t r = 0; r < rounds; r++) {
		ratios[r] = bare[r] / own[r];
	}
	double ratio = bench_quantile(ratios, rounds, 0.5);
	double bare_ns = bench_quantile(bare, rounds, 0.5),
	       own_ns = bench_quantile(own, rounds, 0.5);
	printf("  %-5s  bare %8.0f ns %5.2f GB/s    noise %8.0f ns %5.2f GB/s    %.3f x the bare "
	       "cipher's rate\n",
	       what, bare_ns, (double)len / bare_ns, own_ns, (double)len / own_ns, ratio);
}

static void run_size(struct contestant c[2], uint8_t *records, size_t len, size_t rounds)
{
	for (size_t r = 0; r <= rounds; r++) {
		run_round(c, r > 0 ? r - 1 : 0, records,
			  len); /* the first round warms up, and is overwritten */
	}
	printf("records of %zu bytes\n", len);
	print_line("seal", c[0].sealed, c[1].sealed, len, rounds);
	print_line("open", c[0].opened, c[1].opened, len, rounds);
}

int main(int argc, char **argv)
{
	static struct contestant c[2] = {{.seal = bare_seal, .open = bare_open},
					 {.seal = our_seal, .open = our_open}};
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
	uint8_t *records = calloc(1, BATCH_BYTES);
	if (rounds < 1 || rounds > ROUNDS_MAX || argc > 2) {
		fprintf(stderr, "usage: bench-seal [ROUNDS, 1 to %d]\n", ROUNDS_MAX);
		return 2;
	}
	must(records != NULL && sodium_init() >= 0, "beginning");
	bench_pin(0);
	shake_hands();
	run_size(c, records, LARGE, rounds);
	run_size(c, records, SMALL, rounds);
	free(records);
	return 0;
}
