/* SPDX-License-Identifier: MIT */
/*
 * Records of noise, delivered by an attacker: each opens only in its place, unchanged and at the
 * other end; after the first that does not open, none opens.
 *
 * Input: a byte that chooses the numbers at which the directions start, then actions of three
 * bytes: action, a, b.
 */
#include "noise_state.h"

#include <sodium.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS = 32, RECORD_MAX = 255 * 64 + OBI_NOISE_TAG, GROW_MAX = 255 };

struct record {
	size_t len;
	uint8_t fill; /* the value of every byte of its text */
	uint8_t bytes[RECORD_MAX + GROW_MAX];
};

static struct obi_noise end[2];
static struct record sealed[2][RECORDS]; /* by the index of the sealing end */
static size_t count[2];			 /* of these */
static size_t opened[2];		 /* of these, the number that the other end has opened */
static bool dead[2];			 /* an end that received something else */

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

/* ---- The ends ---- */

static void open_ends(uint8_t choice)
{
	static const uint8_t psk[32] = {1}, e[2][32] = {{2}, {3}};
	static const uint64_t starts[] = {0, OBI_NOISE_REKEY_EVERY - 2,
					  OBI_NOISE_RECORDS_MAX - OBI_NOISE_REKEY_EVERY - 1,
					  OBI_NOISE_RECORDS_MAX - 3};
	uint8_t message[OBI_NOISE_HANDSHAKE];
	for (size_t i = 0; i < 2; i++) {
		obi_noise_begin(&end[i], i == 0, psk, ob_bytes_text("prologue"));
		count[i] = opened[i] = 0;
		dead[i] = false;
	}
	for (size_t i = 0; i < 2; i++) {
		must(obi_noise_write(&end[i], e[i], ob_bytes_of(NULL, 0), message) ==
		     sizeof message);
		must(obi_noise_read(&end[1 - i], ob_bytes_of(message, sizeof message), NULL) == 0);
	}
	end[0].seal.n = end[1].open.n = starts[choice % 4];
	end[1].seal.n = end[0].open.n = starts[choice / 4 % 4];
}

static void seal(size_t from, size_t len, uint8_t fill)
{
	struct record *r = &sealed[from][count[from]];
	if (count[from] == RECORDS) {
		return;
	}
	bool used_up = end[from].seal.n >= OBI_NOISE_RECORDS_MAX;
	memset(r->bytes, fill, len + OBI_NOISE_TAG);
	ptrdiff_t n = obi_noise_seal(&end[from], r->bytes, len);
	must(n == (dead[from] || used_up ? OB_ECLOSED : (ptrdiff_t)(len + OBI_NOISE_TAG)));
	if (n > 0) {
		r->len = (size_t)n;
		r->fill = fill;
		count[from]++;
	}
}

/* ---- The wire ---- */

static bool is_text(const uint8_t *text, size_t len, uint8_t fill)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != fill) {
			return false;
		}
	}
	return true;
}

/* Deliver bytes to an end, in memory of exactly their size. They are right if they are the next
 * record of the other end, as it was sealed. */
static void deliver(size_t to, const struct record *r, bool right)
{
	bool used_up = end[to].open.n >= OBI_NOISE_RECORDS_MAX;
	uint8_t *exact = malloc(r->len > 0 ? r->len : 1);
	must(exact != NULL);
	memcpy(exact, r->bytes, r->len);
	ptrdiff_t n = obi_noise_open(&end[to], exact, r->len);
	if (dead[to] || used_up) {
		must(n == OB_ECLOSED);
	} else if (right) {
		must(n == (ptrdiff_t)(r->len - OBI_NOISE_TAG) &&
		     is_text(exact, (size_t)n, r->fill));
		opened[1 - to]++;
	} else {
		must(n == OB_EAUTH && sodium_is_zero((const uint8_t *)&end[to], sizeof end[to]));
		dead[to] = true;
	}
	free(exact);
}

static void deliver_number(size_t from, size_t i)
{
	if (i < count[from]) {
		deliver(1 - from, &sealed[from][i], i == opened[from]);
	}
}

static void deliver_changed(size_t from, uint8_t at, uint8_t mask)
{
	static struct record changed;
	if (opened[from] < count[from]) {
		changed = sealed[from][opened[from]];
		changed.bytes[at * 67u % changed.len] ^= mask;
		deliver(1 - from, &changed, mask == 0);
	}
}

static void deliver_resized(size_t from, uint8_t cut, uint8_t grow)
{
	static struct record changed;
	if (opened[from] < count[from]) {
		changed = sealed[from][opened[from]];
		size_t len = changed.len;
		changed.len -= cut < len ? cut : len;
		memset(changed.bytes + changed.len, cut, grow);
		changed.len += grow;
		deliver(1 - from, &changed,
			changed.len == len &&
			    memcmp(changed.bytes, sealed[from][opened[from]].bytes, len) == 0);
	}
}

static void act(uint8_t what, uint8_t a, uint8_t b)
{
	size_t side = a % 2;
	switch (what % 6) {
	case 0:
		seal(side, a & 2 ? b * 64u : b, what);
		break;
	case 1:
		deliver_number(side, opened[side]);
		break;
	case 2:
		deliver_number(side, b % RECORDS);
		break;
	case 3:
		deliver_changed(side, a, b);
		break;
	case 4:
		deliver_resized(side, a / 2, b);
		break;
	default:
		if (b % RECORDS < count[side]) { /* its own */
			deliver(side, &sealed[side][b % RECORDS], false);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || sodium_init() < 0) {
		return 0;
	}
	open_ends(data[0]);
	for (size_t i = 1; i + 3 <= size; i += 3) {
		act(data[i], data[i + 1], data[i + 2]);
	}
	return 0;
}
