/* SPDX-License-Identifier: MIT */
/*
 * noise against published vectors, both ends of each: those of our protocol name that Debian's
 * golang-github-flynn-noise-dev installs; and against the worked example of docs/PROTOCOL.md.
 *
 * A file of vectors has lines NAME=HEX, starting with handshake=PROTOCOL; message i has
 * msg_i_payload and then msg_i_ciphertext. The first two are the handshake; the initiator sends
 * every other one of the rest.
 */
#include "unit/auth/noise_pair.h"

#include "support/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char published[] = "/usr/share/gocode/src/github.com/flynn/noise/vectors.txt";

enum { LINE = 4096, BYTES = 1024 };

struct bytes {
	uint8_t data[BYTES];
	size_t len;
};

struct vector {
	struct bytes e[2]; /* private; initiator, responder */
	struct bytes psk;
	struct bytes prologue;
	struct bytes payload;
	struct obi_noise end[2];
	unsigned messages;
};

static struct ob_bytes view(const struct bytes *bytes)
{
	return ob_bytes_of(bytes->data, bytes->len);
}

static struct bytes from_hex(const char *hex)
{
	struct bytes bytes;
	const char *end;
	assert_int_equal(sodium_hex2bin(bytes.data, BYTES, hex, strlen(hex), " ", &bytes.len, &end),
			 0);
	assert_int_equal(*end, '\0');
	return bytes;
}

/* ---- A vector, message by message ---- */

static void begin(struct vector *v)
{
	assert_int_equal(v->psk.len, OBI_NOISE_KEY);
	assert_int_equal(v->e[0].len, OBI_NOISE_KEY);
	assert_int_equal(v->e[1].len, OBI_NOISE_KEY);
	obi_noise_begin(&v->end[0], true, v->psk.data, view(&v->prologue));
	obi_noise_begin(&v->end[1], false, v->psk.data, view(&v->prologue));
}

static struct bytes shake(struct vector *v, size_t from, struct bytes *ret_payload)
{
	struct bytes message;
	ptrdiff_t n =
	    obi_noise_write(&v->end[from], v->e[from].data, view(&v->payload), message.data);
	assert_true(n > 0);
	message.len = (size_t)n;
	n = obi_noise_read(&v->end[1 - from], view(&message), ret_payload->data);
	assert_true(n >= 0);
	ret_payload->len = (size_t)n;
	return message;
}

static struct bytes transport(struct vector *v, size_t from, struct bytes *ret_payload)
{
	struct bytes message = v->payload;
	ptrdiff_t n = obi_noise_seal(&v->end[from], message.data, message.len);
	assert_true(n > 0);
	message.len = (size_t)n;
	*ret_payload = message;
	n = obi_noise_open(&v->end[1 - from], ret_payload->data, ret_payload->len);
	assert_true(n >= 0);
	ret_payload->len = (size_t)n;
	return message;
}

/* The next message as its writer makes it is `expected`, and its reader returns the payload. */
static void cross(struct vector *v, size_t from, const struct bytes *expected)
{
	struct bytes got;
	bool open = v->end[from].phase == OBI_NOISE_OPEN;
	assert_true(v->payload.len + OBI_NOISE_HANDSHAKE <= BYTES);
	struct bytes message = open ? transport(v, from, &got) : shake(v, from, &got);
	assert_true(ob_bytes_equal(view(&message), view(expected)));
	assert_true(ob_bytes_equal(view(&got), view(&v->payload)));
}

/* ---- The file ---- */

static void take(struct vector *v, const char *name, const char *hex)
{
	struct bytes bytes = from_hex(hex);
	unsigned number;
	char what[32];
	if (sscanf(name, "msg_%u_%31s", &number, what) == 2) {
		assert_int_equal(number, v->messages);
		if (strcmp(what, "payload") == 0) {
			v->payload = bytes;
		} else {
			assert_string_equal(what, "ciphertext");
			if (number == 0) {
				begin(v);
			}
			cross(v, number % 2, &bytes);
			v->payload.len = 0;
			v->messages++;
		}
	} else if (strcmp(name, "gen_init_ephemeral") == 0) {
		v->e[0] = bytes;
	} else if (strcmp(name, "gen_resp_ephemeral") == 0) {
		v->e[1] = bytes;
	} else if (strcmp(name, "preshared_key") == 0) {
		v->psk = bytes;
	} else if (strcmp(name, "prologue") == 0) {
		v->prologue = bytes;
	} else {
		fail_msg("a vector says %s, which this test does not know", name);
	}
}

/* A vector without a record in each direction proves too little. */
static size_t count_of(const struct vector *v, bool ours)
{
	assert_true(!ours || v->messages >= 4);
	return ours;
}

static size_t replay(FILE *file)
{
	static struct vector v;
	static char line[LINE];
	bool ours = false;
	size_t count = 0;
	while (fgets(line, sizeof line, file) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		char *value = strchr(line, '=');
		if (line[0] == '#' || value == NULL) {
			continue;
		}
		*value++ = '\0';
		if (strcmp(line, "handshake") == 0) {
			count += count_of(&v, ours);
			memset(&v, 0, sizeof v);
			ours = strcmp(value, "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b") == 0;
		} else if (ours) {
			take(&v, line, value);
		}
	}
	return count + count_of(&v, ours);
}

static void published_vectors_are_reproduced(void **state)
{
	(void)state;
	if (access(published, R_OK) != 0) {
		print_message("skipped: there is no %s (Debian: golang-github-flynn-noise-dev)\n",
			      published);
		skip();
	}
	FILE *file = fopen(published, "r");
	assert_non_null(file);
	size_t count = replay(file);
	fclose(file);
	print_message("%zu vectors of our protocol\n", count);
	assert_true(count > 0);
}

/* ---- The worked example of docs/PROTOCOL.md ---- */

/* The value behind NAME in the example, whose lines are NAME and then hex, in groups. */
static struct bytes shown(const char *example, const char *name)
{
	char line[LINE], wanted[64];
	snprintf(wanted, sizeof wanted, "\n%s ", name);
	const char *at = strstr(example, wanted);
	if (at == NULL) {
		fail_msg("docs/PROTOCOL.md: the example of noise has no %s", name);
		return (struct bytes){.len = 0};
	}
	at += strlen(wanted);
	snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
	return from_hex(line);
}

static char *read_page(void)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/docs/PROTOCOL.md", scratch_env("OB_TEST_SOURCE"));
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char *page = calloc(1, 1 << 20);
	assert_non_null(page);
	assert_true(fread(page, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	return page;
}

static void expect(struct vector *v, size_t from, const char *example, const char *name)
{
	struct bytes expected = shown(example, name);
	cross(v, from, &expected);
}

static void the_worked_example_is_reproduced(void **state)
{
	static struct vector v;
	(void)state;
	char *page = read_page();
	const char *example = strstr(page, "### A worked example of `noise`");
	assert_non_null(example);
	struct bytes token = shown(example, "token"), psk = shown(example, "psk");
	assert_int_equal(token.len, crypto_kdf_KEYBYTES);
	v = (struct vector){.e = {shown(example, "e-dialer"), shown(example, "e-acceptor")},
			    .prologue = shown(example, "prologue"),
			    .psk = {.len = OBI_NOISE_KEY}};
	crypto_kdf_derive_from_key(v.psk.data, OBI_NOISE_KEY, 1, "outboard", token.data);
	assert_true(ob_bytes_equal(view(&psk), view(&v.psk)));
	begin(&v);
	expect(&v, 0, example, "message-1");
	expect(&v, 1, example, "message-2");
	psk = shown(example, "k-dialer");
	assert_memory_equal(psk.data, v.end[0].seal.k, OBI_NOISE_KEY);
	v.payload = shown(example, "plain");
	expect(&v, 0, example, "record-0");
	expect(&v, 1, example, "reply-0");
	v.end[0].seal.n = v.end[1].open.n = OBI_NOISE_REKEY_EVERY - 1;
	expect(&v, 0, example, "record-65535");
	expect(&v, 0, example, "record-65536");
	free(page);
}

static int init_sodium(void **state)
{
	(void)state;
	return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published_vectors_are_reproduced),
	    cmocka_unit_test(the_worked_example_is_reproduced),
	};
	return cmocka_run_group_tests(tests, init_sodium, NULL);
}
