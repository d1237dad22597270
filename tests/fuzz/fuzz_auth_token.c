/* SPDX-License-Identifier: MIT */
/*
 * The token authenticator from its plugin file: no messages of a peer without the token bring
 * either end to OB_AUTH_DONE; and with two ends that share it, none is done after any message
 * was changed in transit.
 *
 * Input: a byte that chooses the case (0 an acceptor, 1 a dialer, 2 both), then messages, each
 * behind its length (1 byte). With both ends, each message is XORed over the real one, and its
 * first byte changes the length.
 */
#include "plugin/registry.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES = 4, MESSAGE_MAX = 4096 };

struct message {
	uint8_t bytes[MESSAGE_MAX];
	size_t len;
};

static const uint8_t secret[32] = "thirty-two bytes, all well known";

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

/* ---- The plugin ---- */

static struct obi_registry *registry;
static const struct ob_auth_ops *ops;

static void unload(void)
{
	obi_registry_free(registry);
}

static void load_once(void)
{
	const char *dirs[] = {getenv("OUTBOARD_PLUGIN_PATH"), NULL};
	const struct obi_plugin *plugin;
	struct ob_error err = {.text = "OUTBOARD_PLUGIN_PATH is not set"};
	if (ops != NULL) {
		return;
	}
	if (dirs[0] == NULL || obi_registry_new(dirs, &registry, &err) != OB_OK ||
	    obi_registry_auth(registry, "token", &plugin, &err) != OB_OK) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	atexit(unload);
	ops = &plugin->as.auth;
}

static struct ob_auth *new_end(uint32_t role)
{
	static const struct ob_peer peer = {.size = sizeof peer, .pidfd = -1};
	struct ob_auth_params params = {.size = sizeof params,
					.role = role,
					.secret = ob_bytes_of(secret, sizeof secret),
					.peer = &peer,
					.prologue = ob_bytes_text("prologue")};
	struct ob_auth *auth = NULL;
	must(ops->create(obi_registry_host(registry), &params, &auth, NULL) == OB_OK);
	return auth;
}

/* The input in memory of exactly its size. */
static int step(struct ob_auth *auth, const struct message *in, struct message *ret)
{
	struct ob_sink out = ob_sink_fixed(ret->bytes, sizeof ret->bytes);
	uint8_t *exact = malloc(in->len > 0 ? in->len : 1);
	must(exact != NULL);
	memcpy(exact, in->bytes, in->len);
	int rc = ops->step(auth, ob_bytes_of(exact, in->len), &out, NULL);
	free(exact);
	ret->len = out.len;
	must(rc == OB_AUTH_DONE || rc == OB_AUTH_MORE || (rc == OB_EAUTH && out.len == 0));
	return rc;
}

/* ---- Input ---- */

static bool take(const uint8_t **data, size_t *size, struct message *ret)
{
	if (*size == 0) {
		ret->len = 0;
		return false;
	}
	ret->len = **data < *size ? **data : *size - 1;
	memcpy(ret->bytes, *data + 1, ret->len);
	*data += 1 + ret->len;
	*size -= 1 + ret->len;
	return true;
}

/* Change message as the input says; true if that changed anything. */
static bool meddle(const uint8_t **data, size_t *size, struct message *message)
{
	struct message mask;
	bool changed = false;
	if (!take(data, size, &mask) || mask.len == 0) {
		return false;
	}
	int grow = (int8_t)mask.bytes[0];
	size_t len = message->len;
	for (size_t i = 1; i < mask.len && i <= len; i++) {
		message->bytes[i - 1] ^= mask.bytes[i];
		changed |= mask.bytes[i] != 0;
	}
	if (grow < 0) {
		message->len -= (size_t)-grow < len ? (size_t)-grow : len;
	} else {
		memset(message->bytes + len, grow, (size_t)grow);
		message->len += (size_t)grow;
	}
	return changed || message->len != len;
}

/* ---- Checks ---- */

static void one_end_alone(uint32_t role, const uint8_t *data, size_t size)
{
	struct ob_auth *end = new_end(role);
	struct message in = {.len = 0}, out;
	if (role == OB_AUTH_DIALER) {
		must(step(end, &in, &out) == OB_AUTH_MORE && out.len == 32);
	}
	while (take(&data, &size, &in)) {
		must(step(end, &in, &out) != OB_AUTH_DONE);
	}
	ops->destroy(end);
}

static void both_ends(const uint8_t *data, size_t size)
{
	struct ob_auth *ends[] = {new_end(OB_AUTH_DIALER), new_end(OB_AUTH_ACCEPTOR)};
	int said[] = {OB_AUTH_MORE, OB_AUTH_MORE};
	struct message on_the_way = {.len = 0}, out;
	bool changed = false;
	for (size_t i = 0; i <= MESSAGES; i++) {
		said[i % 2] = step(ends[i % 2], &on_the_way, &out);
		if (said[i % 2] < 0) {
			break;
		}
		on_the_way = out;
		changed |= i < MESSAGES && meddle(&data, &size, &on_the_way);
	}
	bool passed = said[0] == OB_AUTH_DONE && said[1] == OB_AUTH_DONE;
	must(passed == !changed);
	ops->destroy(ends[0]);
	ops->destroy(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	load_once();
	if (size == 0) {
		return 0;
	}
	switch (data[0] % 3) {
	case 0:
		one_end_alone(OB_AUTH_ACCEPTOR, data + 1, size - 1);
		break;
	case 1:
		one_end_alone(OB_AUTH_DIALER, data + 1, size - 1);
		break;
	default:
		both_ends(data + 1, size - 1);
	}
	return 0;
}
