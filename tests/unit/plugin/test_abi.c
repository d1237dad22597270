/* SPDX-License-Identifier: MIT */
/*
 * The plugin ABI. Tables grow only by members at their end, and numbers never change: a change of
 * an existing line here breaks every existing plugin; only new lines are allowed.
 *
 * After the numbers, a plugin older and one newer than this library are run.
 */
#include "plugin/registry.h"
#include "support/scratch.h"

#include <outboard/value.h>

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

/* The offsets are those of 64-bit Linux. */
#if UINTPTR_MAX == UINT64_MAX
#define AT(type, member, offset) \
	_Static_assert(offsetof(struct type, member) == (offset), #type "." #member " has moved")
#define SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), #type " has another size: append a line")
#else
#define AT(type, member, offset) \
	_Static_assert(offsetof(struct type, member) <= (offset), #type "." #member " has moved")
#define SIZE(type, size) \
	_Static_assert(sizeof(struct type) <= (size), #type " has another size: append a line")
#endif
#define IS(name, number) _Static_assert((name) == (number), #name " has another number")

/* ---- abi.h ---- */

AT(ob_error, code, 0);
AT(ob_error, sys, 4);
AT(ob_error, remote_code, 8);
AT(ob_error, text, 16);
SIZE(ob_error, 504);

AT(ob_bytes, data, 0);
AT(ob_bytes, len, 8);
SIZE(ob_bytes, 16);

AT(ob_sink, data, 0);
AT(ob_sink, len, 8);
AT(ob_sink, cap, 16);
AT(ob_sink, max, 24);
AT(ob_sink, failed, 32);
AT(ob_sink, grow, 40);
SIZE(ob_sink, 48);

AT(ob_arena, next, 0);
AT(ob_arena, end, 8);
AT(ob_arena, more, 16);
SIZE(ob_arena, 24);

AT(ob_peer, size, 0);
AT(ob_peer, known, 4);
AT(ob_peer, pid, 8);
AT(ob_peer, uid, 12);
AT(ob_peer, gid, 16);
AT(ob_peer, cid, 20);
AT(ob_peer, address, 24);
AT(ob_peer, subject, 136);
AT(ob_peer, pidfd, 152);
SIZE(ob_peer, 160);

AT(ob_uri, size, 0);
AT(ob_uri, port, 4);
AT(ob_uri, text, 8);
AT(ob_uri, scheme, 24);
AT(ob_uri, host, 40);
AT(ob_uri, path, 56);
AT(ob_uri, query, 72);
SIZE(ob_uri, 88);

AT(ob_host, size, 0);
AT(ob_host, fail, 8);
AT(ob_host, now_ms, 16);
AT(ob_host, find_transport, 24);
AT(ob_host, parse_uri, 32);
AT(ob_host, find_codec, 40);
SIZE(ob_host, 48);

AT(ob_plugin, size, 0);
AT(ob_plugin, kind, 4);
AT(ob_plugin, name, 8);
AT(ob_plugin, version, 16);
AT(ob_plugin, ops, 24);
AT(ob_plugin, configure, 32);
AT(ob_plugin, unconfigure, 40);
SIZE(ob_plugin, 48);

/* ---- value.h ---- */

AT(ob_value, type, 0);
AT(ob_value, zero, 1);
AT(ob_value, count, 4);
AT(ob_value, as, 8);
SIZE(ob_value, 16);

AT(ob_pair, key, 0);
AT(ob_pair, value, 16);
SIZE(ob_pair, 32);

AT(ob_builder, arena, 0);
AT(ob_builder, stack, 8);
AT(ob_builder, used, 16);
AT(ob_builder, room, 20);
AT(ob_builder, depth, 24);
AT(ob_builder, error, 28);
AT(ob_builder, open, 32);
AT(ob_builder, first, 224);
SIZE(ob_builder, 480);

/* ---- transport.h ---- */

AT(ob_want, fd, 0);
AT(ob_want, events, 4);
AT(ob_want, deadline, 8);
SIZE(ob_want, 16);

AT(ob_listen_params, size, 0);
AT(ob_listen_params, heartbeat_ms, 4);
AT(ob_listen_params, state, 8);
AT(ob_listen_params, backlog, 16);
AT(ob_listen_params, lock_held, 20);
AT(ob_listen_params, owner, 24);
SIZE(ob_listen_params, 32);

AT(ob_dial_params, size, 0);
AT(ob_dial_params, heartbeat_ms, 4);
AT(ob_dial_params, state, 8);
AT(ob_dial_params, owner, 16);
SIZE(ob_dial_params, 24);

AT(ob_transport_ops, size, 0);
AT(ob_transport_ops, flags, 4);
AT(ob_transport_ops, schemes, 8);
AT(ob_transport_ops, listen, 16);
AT(ob_transport_ops, listener_fd, 24);
AT(ob_transport_ops, accept, 32);
AT(ob_transport_ops, local_uri, 40);
AT(ob_transport_ops, listener_close, 48);
AT(ob_transport_ops, dial, 56);
AT(ob_transport_ops, finish_dial, 64);
AT(ob_transport_ops, dial_close, 72);
AT(ob_transport_ops, fd, 80);
AT(ob_transport_ops, readv, 88);
AT(ob_transport_ops, writev, 96);
AT(ob_transport_ops, shutdown_write, 104);
AT(ob_transport_ops, close, 112);
AT(ob_transport_ops, peer, 120);
AT(ob_transport_ops, handshake, 128);
AT(ob_transport_ops, want, 136);
AT(ob_transport_ops, pending, 144);
AT(ob_transport_ops, binding, 152);
SIZE(ob_transport_ops, 160);

/* ---- codec.h ---- */

AT(ob_id, foreign, 0);
AT(ob_id, number, 4);
AT(ob_id, raw, 8);
SIZE(ob_id, 24);

AT(ob_message, size, 0);
AT(ob_message, kind, 4);
AT(ob_message, id, 8);
AT(ob_message, method, 32);
AT(ob_message, params, 48);
AT(ob_message, error, 64);
AT(ob_message, result, 80);
AT(ob_message, items, 96);
AT(ob_message, count, 104);
AT(ob_message, encoded, 112);
SIZE(ob_message, 128);

AT(ob_codec_params, size, 0);
AT(ob_codec_params, message, 4);
AT(ob_codec_params, host, 8);
AT(ob_codec_params, state, 16);
AT(ob_codec_params, depth, 24);
AT(ob_codec_params, batch, 28);
SIZE(ob_codec_params, 32);

AT(ob_codec_ops, size, 0);
AT(ob_codec_ops, flags, 4);
AT(ob_codec_ops, scan, 8);
AT(ob_codec_ops, decode, 16);
AT(ob_codec_ops, encode, 24);
AT(ob_codec_ops, read, 32);
SIZE(ob_codec_ops, 40);

/* ---- auth.h ---- */

AT(ob_auth_params, size, 0);
AT(ob_auth_params, role, 4);
AT(ob_auth_params, state, 8);
AT(ob_auth_params, secret, 16);
AT(ob_auth_params, peer, 32);
AT(ob_auth_params, prologue, 40);
AT(ob_auth_params, parent_dials, 56);
AT(ob_auth_params, allowed_uid, 60);
AT(ob_auth_params, uids, 64);
AT(ob_auth_params, gids, 72);
AT(ob_auth_params, uid_count, 80);
AT(ob_auth_params, gid_count, 84);
AT(ob_auth_params, target_name, 88);
AT(ob_auth_params, target_uri, 104);
SIZE(ob_auth_params, 120);

AT(ob_auth_ops, size, 0);
AT(ob_auth_ops, flags, 4);
AT(ob_auth_ops, admit, 8);
AT(ob_auth_ops, create, 16);
AT(ob_auth_ops, step, 24);
AT(ob_auth_ops, wait, 32);
AT(ob_auth_ops, identity, 40);
AT(ob_auth_ops, destroy, 48);
AT(ob_auth_ops, overhead, 56);
AT(ob_auth_ops, seal, 64);
AT(ob_auth_ops, open, 72);
AT(ob_auth_ops, binding, 80);
AT(ob_auth_ops, records_max, 88);
AT(ob_auth_ops, claims, 96);
SIZE(ob_auth_ops, 104);

/* ---- Numbers ---- */

IS(OB_OK, 0);
IS(OB_EINVAL, -1);
IS(OB_ENOMEM, -2);
IS(OB_EIO, -3);
IS(OB_EAGAIN, -4);
IS(OB_EBUSY, -5);
IS(OB_ETIMEDOUT, -6);
IS(OB_ECANCELED, -7);
IS(OB_EDEADLK, -8);
IS(OB_EREFUSED, -9);
IS(OB_ECONNLOST, -10);
IS(OB_EAUTH, -11);
IS(OB_EPROTO, -12);
IS(OB_ETOOBIG, -13);
IS(OB_ENOENT, -14);
IS(OB_EEXIST, -15);
IS(OB_EPERM, -16);
IS(OB_EDOWN, -17);
IS(OB_EREMOTE, -18);
IS(OB_EEXITED, -19);
IS(OB_EPLUGIN, -20);
IS(OB_ENOTSUP, -21);
IS(OB_ECLOSED, -22);

IS(OB_PLUGIN_TRANSPORT, 1);
IS(OB_PLUGIN_CODEC, 2);
IS(OB_PLUGIN_AUTH, 3);

IS(OB_PEER_PID, 1);
IS(OB_PEER_UID, 2);
IS(OB_PEER_CID, 4);
IS(OB_PEER_ADDRESS, 8);
IS(OB_PEER_PIDFD, 16);
IS(OB_PEER_SUBJECT, 32);

IS(OB_NIL, 0);
IS(OB_BOOL, 1);
IS(OB_INT, 2);
IS(OB_UINT, 3);
IS(OB_DOUBLE, 4);
IS(OB_STRING, 5);
IS(OB_BINARY, 6);
IS(OB_ARRAY, 7);
IS(OB_MAP, 8);

IS(OB_READABLE, 1);
IS(OB_WRITABLE, 2);
IS(OB_TRANSPORT_LOCAL, 1);
IS(OB_TRANSPORT_MAY_FALL_SILENT, 2);
IS(OB_TRANSPORT_SINGLE, 4);
IS(OB_TRANSPORT_SEALED, 8);

IS(OB_HANDSHAKE_DONE, 0);
IS(OB_HANDSHAKE_SILENT, 1);
IS(OB_HANDSHAKE_TALKING, 2);
IS(OB_HANDSHAKE_PROVEN, 3);

IS(OB_REQUEST, 0);
IS(OB_RESPONSE, 1);
IS(OB_NOTIFY, 2);
IS(OB_BATCH, 3);
IS(OB_INVALID, 4);
IS(OB_ID_MAX, 64);

IS(OB_AUTH_DIALER, 1);
IS(OB_AUTH_ACCEPTOR, 2);
IS(OB_AUTH_DONE, 0);
IS(OB_AUTH_MORE, 1);
IS(OB_AUTH_LOCAL_ONLY, 1);
IS(OB_AUTH_NEEDS_SECRET, 2);
IS(OB_AUTH_USES_PIDFD, 4);
IS(OB_AUTH_NEEDS_SEAL, 8);
IS(OB_AUTH_CLIENTS_ONLY, 16);

/* ---- Versions: each plugin is run ---- */

static struct ob_stream *dial_old(struct obi_registry *registry, const struct ob_transport_ops *ops)
{
	struct ob_uri uri = {.size = sizeof uri, .port = -1};
	struct ob_dial_params params = {.size = sizeof params, .owner = UINT32_MAX};
	struct ob_dial *dial;
	struct ob_stream *stream;
	struct ob_want want;
	assert_int_equal(ops->dial(obi_registry_host(registry), &uri, &params, &dial, &want, NULL),
			 OB_OK);
	assert_int_equal(ops->finish_dial(dial, 0, &stream, &want, NULL), OB_OK);
	ops->dial_close(dial);
	return stream;
}

static void an_old_plugin_works_with_missing_members(void **state)
{
	const struct obi_plugin *plugin;
	struct ob_uri uri = {.size = sizeof uri, .port = -1};
	struct ob_listen_params params = {.size = sizeof params};
	struct ob_listener *listener;
	struct ob_stream *accepted;
	char text[8];
	assert_int_equal(
	    obi_registry_transport(*state, "old_transport", ob_bytes_text("old"), &plugin, NULL),
	    OB_OK);
	const struct ob_transport_ops *ops = &plugin->as.transport;
	assert_int_equal(ops->flags, 0);
	assert_null(ops->peer);
	assert_int_equal(ops->size, sizeof *ops);
	assert_int_equal(ops->listen(obi_registry_host(*state), &uri, &params, &listener, NULL),
			 OB_OK);
	struct ob_stream *dialed = dial_old(*state, ops);
	assert_int_equal(ops->accept(listener, &accepted, NULL), OB_OK);
	struct iovec out = {"hello", 5}, in = {text, sizeof text};
	assert_int_equal(ops->writev(dialed, &out, 1, NULL), 5);
	assert_int_equal(ops->readv(accepted, &in, 1, NULL), 5);
	assert_memory_equal(text, "hello", 5);
	ops->close(dialed);
	ops->close(accepted);
	ops->listener_close(listener);
}

static int step_new(const struct obi_plugin *plugin, const struct ob_host *host,
		    enum ob_auth_role role, struct ob_bytes in, struct ob_sink *out)
{
	struct ob_peer peer = {.size = sizeof peer};
	struct ob_auth_params params = {.size = sizeof params, .role = role, .peer = &peer};
	struct ob_auth *auth;
	assert_int_equal(plugin->as.auth.create(host, &params, &auth, NULL), OB_OK);
	int rc = plugin->as.auth.step(auth, in, out, NULL);
	plugin->as.auth.destroy(auth);
	return rc;
}

static void a_new_plugin_works_with_unknown_members(void **state)
{
	const struct obi_plugin *plugin;
	const struct ob_host *host = obi_registry_host(*state);
	char memory[32];
	struct ob_sink word = ob_sink_fixed(memory, sizeof memory), none = ob_sink_fixed(NULL, 0);
	assert_int_equal(obi_registry_auth(*state, "new_auth", &plugin, NULL), OB_OK);
	assert_string_equal(plugin->version, "99");
	assert_int_equal(plugin->as.auth.size, sizeof plugin->as.auth);
	assert_null(plugin->as.auth.seal);
	assert_int_equal(step_new(plugin, host, OB_AUTH_DIALER, ob_bytes_of(NULL, 0), &word),
			 OB_AUTH_DONE);
	struct ob_bytes said = ob_bytes_of(word.data, word.len);
	assert_int_equal(step_new(plugin, host, OB_AUTH_ACCEPTOR, said, &none), OB_AUTH_DONE);
	assert_int_equal(step_new(plugin, host, OB_AUTH_ACCEPTOR, ob_bytes_text("foe"), &none),
			 OB_EAUTH);
}

/* ---- Tests ---- */

static void has_looks_at_the_size_only(void **state)
{
	struct ob_peer peer = {.size = offsetof(struct ob_peer, pidfd)};
	(void)state;
	assert_true(OB_HAS(&peer, address));
	assert_false(OB_HAS(&peer, pidfd));
	peer.size += (uint32_t)sizeof peer.pidfd - 1;
	assert_false(OB_HAS(&peer, pidfd));
	peer.size += 1;
	assert_true(OB_HAS(&peer, pidfd));
}

static void the_entry_has_the_name_of_its_macro(void **state)
{
	(void)state;
	assert_string_equal(OB_PLUGIN_ENTRY_NAME, "outboard_plugin_v1");
}

static int setup(void **state)
{
	char *dir = scratch_text("%s/test-plugins", scratch_env("OB_TEST_BUILD"));
	const char *dirs[] = {dir, NULL};
	struct obi_registry *registry;
	int rc = obi_registry_new(dirs, &registry, NULL);
	free(dir);
	*state = registry;
	return rc;
}

static int teardown(void **state)
{
	obi_registry_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(has_looks_at_the_size_only),
	    cmocka_unit_test(the_entry_has_the_name_of_its_macro),
	    cmocka_unit_test(an_old_plugin_works_with_missing_members),
	    cmocka_unit_test(a_new_plugin_works_with_unknown_members),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
