/* SPDX-License-Identifier: MIT */
/* The transport tls with certificates of all kinds, as the state of a group of tests. In settings
 * and addresses '@' stands for the directory of the certificates. */
#ifndef OB_TESTS_UNIT_TLS_BED_H
#define OB_TESTS_UNIT_TLS_BED_H

#include "base/arena.h"
#include "json/json.h"
#include "unit/transports/wire_bed.h"

#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SHOW(name) "\"certificate\":\"@/" name ".pem\",\"key\":\"@/" name ".key\""
#define CA	   "\"ca\":\"@/ca.pem\""
#define SERVER	   "{" SHOW("server") "," CA "}"
#define CLIENT	   "{" SHOW("client") "," CA "}"

enum { TLS_PATIENCE_MS = 20000, DIALER = 0, ACCEPTOR = 1 };

/* The bed comes first: the tests of a wire use only that. */
struct tls_bed {
	struct wire_bed wire;
	const struct obi_plugin *plugin;
	char *certificates; /* a directory */
};

/* Two ends, in the order of enum { DIALER, ACCEPTOR }. */
struct ends {
	const struct tls_bed *bed;
	void *states[2];
	struct ob_listener *listener;
	struct ob_stream *streams[2];
	int codes[2]; /* of the last step of the handshake */
	struct ob_want wants[2];
	struct ob_error errors[2];
};

static inline void run_script(const char *script, const char *argument)
{
	int status = 0;
	char *path = scratch_text("%s/tests/support/%s", scratch_env("OB_TEST_SOURCE"), script);
	char *command = scratch_text("bash '%s' '%s'", path, argument);
	status = system(command);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	free(path);
	free(command);
}

static inline int tls_group_setup(void **state)
{
	const char *dirs[] = {scratch_env("OUTBOARD_PLUGIN_PATH"), NULL};
	struct tls_bed *bed = calloc(1, sizeof *bed);
	if (bed == NULL || obi_registry_new(dirs, &bed->wire.registry, NULL) != OB_OK ||
	    obi_registry_transport(bed->wire.registry, NULL, ob_bytes_text("tls+unix"),
				   &bed->plugin, NULL) != OB_OK) {
		return -1;
	}
	bed->wire.bed.ops = &bed->plugin->as.transport;
	bed->wire.bed.host = obi_registry_host(bed->wire.registry);
	bed->wire.bed.prefix = "";
	bed->certificates = scratch_make();
	run_script("certificates.sh", bed->certificates);
	*state = bed;
	return 0;
}

static inline int tls_group_teardown(void **state)
{
	struct tls_bed *bed = *state;
	scratch_remove(bed->certificates);
	return wire_end(state);
}

/* text with the directory in place of '@'; free it. */
static inline char *placed(const struct tls_bed *bed, const char *text)
{
	size_t len = strlen(text), room = len + 1;
	for (const char *at = text; (at = strchr(at, '@')) != NULL; at++) {
		room += strlen(bed->certificates);
	}
	char *out = calloc(1, room);
	assert_non_null(out);
	for (char *to = out; *text != '\0'; text++) {
		to +=
		    *text == '@' ? sprintf(to, "%s", bed->certificates) : sprintf(to, "%c", *text);
	}
	return out;
}

static inline int tls_configure(const struct tls_bed *bed, const char *json, void **ret_state,
				struct ob_error *reterr)
{
	const struct obi_json_limits limits = {.depth = 8, .values = 4096};
	struct ob_value settings = ob_nil();
	struct obi_arena arena;
	char *text = placed(bed, json);
	obi_arena_init(&arena, 1 << 20);
	assert_int_equal(obi_json_parse(ob_bytes_text(text), &arena.ob, &limits, &settings, NULL),
			 OB_OK);
	int rc = bed->plugin->configure(bed->wire.bed.host, &settings, ret_state, reterr);
	obi_arena_free(&arena);
	free(text);
	return rc;
}

static inline void *must_configure(const struct tls_bed *bed, const char *json)
{
	struct ob_error err = {.text = ""};
	void *state = NULL;
	int rc = tls_configure(bed, json, &state, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(rc, OB_OK);
	return state;
}

/* ---- Ends ---- */

/* Listen, and dial where the listener is, or at `dial`. */
static inline struct ends ends_of_states(const struct tls_bed *bed, void *dialer, void *acceptor,
					 const char *listen, const char *dial)
{
	struct ends e = {.bed = bed, .states = {dialer, acceptor}, .codes = {1, 1}};
	const struct bed *wire = &bed->wire.bed;
	char uri[4200], *place = placed(bed, listen),
			*there = dial != NULL ? placed(bed, dial) : NULL;
	struct ob_sink out = ob_sink_fixed(uri, sizeof uri - 1);
	struct ob_listen_params here = {.state = acceptor};
	struct ob_dial_params params = {
	    .size = sizeof params, .owner = UINT32_MAX, .state = dialer};
	struct ob_error err = {.text = ""};
	bed_listen(wire, place, here, &e.listener, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(wire->ops->local_uri(e.listener, &out), OB_OK);
	uri[out.len] = '\0';
	bed_dial_with(wire, there != NULL ? there : uri, &params, &e.streams[DIALER], &err);
	assert_string_equal(err.text, "");
	free(place);
	free(there);
	return e;
}

static inline struct ends ends_at(const struct tls_bed *bed, const char *dialer,
				  const char *acceptor, const char *listen)
{
	struct ends e = ends_of_states(bed, must_configure(bed, dialer),
				       must_configure(bed, acceptor), listen, NULL);
	e.streams[ACCEPTOR] = must_accept(&bed->wire.bed, e.listener);
	return e;
}

static inline struct ends ends_of(const struct tls_bed *bed, const char *dialer,
				  const char *acceptor)
{
	return ends_at(bed, dialer, acceptor, "tls+tcp://127.0.0.1:0");
}

static inline void end_ends(struct ends *e)
{
	const struct ob_transport_ops *ops = e->bed->wire.bed.ops;
	for (int i = 0; i < 2; i++) {
		ops->close(e->streams[i]);
	}
	ops->listener_close(e->listener);
	for (int i = 0; i < 2; i++) {
		e->bed->plugin->unconfigure(e->states[i]);
	}
}

/* ---- Handshakes ---- */

static inline void step(struct ends *e, int which, int revents)
{
	e->codes[which] = e->bed->wire.bed.ops->handshake(e->streams[which], revents,
							  &e->wants[which], &e->errors[which]);
}

static inline bool is_open(const struct ends *e, int which)
{
	return e->streams[which] != NULL && e->codes[which] > 0;
}

static inline short poll_events(int events)
{
	return (short)((events & OB_READABLE ? POLLIN : 0) | (events & OB_WRITABLE ? POLLOUT : 0));
}

/* Both ends until each is done or has failed. */
static inline void shake(struct ends *e)
{
	for (int i = 0; i < 2; i++) {
		step(e, i, 0);
	}
	while (is_open(e, 0) || is_open(e, 1)) {
		struct pollfd wait[2];
		for (int i = 0; i < 2; i++) {
			wait[i] = (struct pollfd){.fd = is_open(e, i) ? e->wants[i].fd : -1,
						  .events = poll_events(e->wants[i].events)};
		}
		assert_true(poll(wait, 2, TLS_PATIENCE_MS) > 0);
		for (int i = 0; i < 2; i++) {
			if (is_open(e, i) && wait[i].revents != 0) {
				step(e, i, e->wants[i].events);
			}
		}
	}
}

static inline void must_shake(struct ends *e)
{
	shake(e);
	assert_string_equal(e->errors[DIALER].text, "");
	assert_string_equal(e->errors[ACCEPTOR].text, "");
	assert_int_equal(e->codes[DIALER], OB_HANDSHAKE_DONE);
	assert_int_equal(e->codes[ACCEPTOR], OB_HANDSHAKE_DONE);
}

/* ---- Bytes ---- */

/* One read, when there is something. */
static inline ptrdiff_t read_one(const struct ends *e, int which, void *to, size_t room,
				 struct ob_error *reterr)
{
	const struct ob_transport_ops *ops = e->bed->wire.bed.ops;
	struct ob_stream *stream = e->streams[which];
	struct iovec piece = {to, room};
	ptrdiff_t n = OB_EAGAIN;
	while (n == OB_EAGAIN) {
		struct pollfd wait = {.fd = ops->fd(stream),
				      .events = poll_events(ops->want(stream, OB_READABLE))};
		assert_true(ops->pending(stream) || poll(&wait, 1, TLS_PATIENCE_MS) == 1);
		n = ops->readv(stream, &piece, 1, reterr);
	}
	return n;
}

static inline void must_get(const struct ends *e, int which, const char *text)
{
	char got[256];
	struct ob_error err = {.text = ""};
	ptrdiff_t n = read_one(e, which, got, sizeof got, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static inline void must_put(const struct ends *e, int which, const char *text)
{
	must_write(&e->bed->wire.bed, e->streams[which], text);
}

static inline const char *subject_of(const struct ends *e, int which, char memory[256])
{
	struct ob_peer peer = {.size = sizeof peer, .pidfd = -1};
	assert_int_equal(e->bed->wire.bed.ops->peer(e->streams[which], &peer, NULL), OB_OK);
	bool known = (peer.known & OB_PEER_SUBJECT) != 0;
	snprintf(memory, 256, "%.*s", known ? (int)peer.subject.len : 0,
		 known ? (const char *)peer.subject.data : "");
	return memory;
}

#endif
