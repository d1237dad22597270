/* SPDX-License-Identifier: MIT */
/*
 * One end of noise on standard input and output, for tests with other implementations:
 * noise-peer initiator|responder PSK PROLOGUE, both in hex. Each message, of the handshake too,
 * is preceded by its length in two bytes, big-endian. After the handshake, each record that
 * opens is answered with one of the same bytes XOR 0x5a. Exit status: 0 at the end of the input,
 * 2 if the handshake failed, 3 if a record did not open.
 */
#include "noise_state.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { FINE = 0, USAGE = 1, REFUSED = 2, BAD_RECORD = 3, MASK = 0x5a };

static _Noreturn void die(int status, const char *what)
{
	fprintf(stderr, "noise-peer: %s\n", what);
	exit(status);
}

static void send_message(const uint8_t *data, ptrdiff_t len)
{
	if (len < 0) {
		die(REFUSED, "the handshake was refused");
	}
	uint8_t head[] = {(uint8_t)(len >> 8), (uint8_t)len};
	if (fwrite(head, 1, sizeof head, stdout) != sizeof head ||
	    fwrite(data, 1, (size_t)len, stdout) != (size_t)len) {
		die(USAGE, "cannot write");
	}
}

/* False at the end of the input. Pending output is flushed before it waits. */
static bool receive_message(uint8_t *data, size_t *ret_len)
{
	uint8_t head[2];
	fflush(stdout);
	size_t n = fread(head, 1, sizeof head, stdin);
	if (n == 0) {
		return false;
	}
	*ret_len = (size_t)(head[0] << 8 | head[1]);
	if (n < sizeof head || fread(data, 1, *ret_len, stdin) < *ret_len) {
		die(USAGE, "the input ends within a message");
	}
	return true;
}

static void say(struct obi_noise *noise)
{
	uint8_t ephemeral[OBI_NOISE_KEY], message[OBI_NOISE_HANDSHAKE];
	if (getrandom(ephemeral, sizeof ephemeral, 0) != sizeof ephemeral) {
		die(USAGE, "no randomness");
	}
	send_message(message, obi_noise_write(noise, ephemeral, ob_bytes_of(NULL, 0), message));
}

static void hear(struct obi_noise *noise, uint8_t *buffer)
{
	size_t len;
	if (!receive_message(buffer, &len)) {
		die(USAGE, "the input ends within the handshake");
	}
	if (len != OBI_NOISE_HANDSHAKE ||
	    obi_noise_read(noise, ob_bytes_of(buffer, len), NULL) < 0) {
		die(REFUSED, "the handshake was refused");
	}
}

static void answer(struct obi_noise *noise, uint8_t *record, size_t len)
{
	ptrdiff_t n = obi_noise_open(noise, record, len);
	if (n < 0) {
		die(BAD_RECORD, "a record did not open");
	}
	for (ptrdiff_t i = 0; i < n; i++) {
		record[i] ^= MASK;
	}
	send_message(record, obi_noise_seal(noise, record, (size_t)n));
}

int main(int argc, char **argv)
{
	static uint8_t buffer[OBI_NOISE_MESSAGE_MAX + 1];
	uint8_t psk[OBI_NOISE_KEY], prologue[256];
	size_t len, prologue_len;
	struct obi_noise noise;
	if (argc != 4 || sodium_init() < 0 ||
	    sodium_hex2bin(psk, sizeof psk, argv[2], strlen(argv[2]), NULL, &len, NULL) != 0 ||
	    len != sizeof psk ||
	    sodium_hex2bin(prologue, sizeof prologue, argv[3], strlen(argv[3]), NULL, &prologue_len,
			   NULL) != 0) {
		die(USAGE, "usage: noise-peer initiator|responder PSK PROLOGUE");
	}
	bool initiator = strcmp(argv[1], "initiator") == 0;
	obi_noise_begin(&noise, initiator, psk, ob_bytes_of(prologue, prologue_len));
	if (initiator) {
		say(&noise);
		hear(&noise, buffer);
	} else {
		hear(&noise, buffer);
		say(&noise);
	}
	while (receive_message(buffer, &len)) {
		answer(&noise, buffer, len);
	}
	return FINE;
}
