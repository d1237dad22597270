/* SPDX-License-Identifier: MIT */
/* Sessions with a sealing authenticator: when they open, which end they report, and that changed
 * bytes are never delivered. */
#include "unit/rpc/session_bed.h"

/* ---- Opening ---- */

/* Both ends have begun, and no bytes were passed on. */
static struct pair *begun(const char *parents, const char *childs)
{
	struct pair *p = calloc(1, sizeof *p);
	assert_non_null(p);
	init_end(&p->parent, OB_AUTH_DIALER, parents, secret_a);
	init_end(&p->child, OB_AUTH_ACCEPTOR, childs, secret_a);
	obi_authentication_begin(&p->child.session);
	obi_authentication_begin(&p->parent.session);
	return p;
}

static struct pair *connected(const char *mechanisms)
{
	struct pair *p = begun(mechanisms, mechanisms);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_true(p->parent.opened && p->child.opened);
	return p;
}

static void calls_go_both_ways(void **state)
{
	static const char *const lists[] = {"noise", "noise,token"};
	static const char *const codecs[] = {"msgpack", "json"};
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct outcome there, back;
		codec_name = codecs[i % 2];
		struct pair *p = connected(lists[i / 2]);
		assert_int_equal(call(&p->parent, "a.b", 42, INT64_MAX, &there, NULL), OB_OK);
		assert_int_equal(call(&p->child, "c.d", 43, INT64_MAX, &back, NULL), OB_OK);
		pump(&p->parent, &p->child, 1);
		assert_true(there.ended == 1 && there.code == OB_OK && there.number == 42);
		assert_true(back.ended == 1 && back.code == OB_OK && back.number == 43);
		free_pair(p);
	}
	codec_name = "msgpack";
}

/* Larger than a record, than a read, and than the buffer. */
static void a_large_message_arrives(void **state)
{
	static const size_t sizes[] = {16 * 1024 - 20, 16 * 1024, 100 * 1000, 3 << 20};
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct pair *p = connected("noise");
		struct outcome o = {0};
		uint8_t *data = calloc(1, sizes[i]);
		assert_non_null(data);
		struct ob_value items[1] = {ob_binary(data, sizes[i])};
		struct ob_value params = ob_array(items, 1);
		assert_int_equal(obi_session_call(&p->parent.session, ob_bytes_text("a.b"), &params,
						  INT64_MAX, on_reply, &o, NULL, NULL),
				 OB_OK);
		pump(&p->parent, &p->child, 5000);
		assert_true(o.ended == 1 && o.code == OB_OK);
		free(data);
		free_pair(p);
	}
}

/* A dialer that was answered "done" has proved nothing yet: it may have replayed messages. */
static void an_acceptor_opens_at_the_first_record(void **state)
{
	(void)state;
	struct pair *p = begun("noise", "noise");
	assert_true(carry(&p->parent, &p->child, SIZE_MAX));
	assert_int_equal(p->child.session.state, OBI_SESSION_CONFIRMING);
	assert_false(p->child.opened);
	assert_int_equal(obi_session_notify(&p->child.session, ob_bytes_text("a.b"), NULL, NULL),
			 OB_EDOWN);
	assert_true(carry(&p->child, &p->parent, SIZE_MAX));
	assert_true(p->parent.opened);
	assert_true(carry(&p->parent, &p->child, SIZE_MAX));
	assert_true(p->child.opened);
	free_pair(p);
}

struct flight {
	uint8_t bytes[4096];
	size_t len;
};

/* The next output of one side, as an eavesdropper sees it. */
static struct flight tap(struct end *from)
{
	struct flight f = {.len = 0};
	struct ob_bytes out = obi_session_output(&from->session);
	assert_true(out.len > 0 && out.len <= sizeof f.bytes);
	memcpy(f.bytes, out.data, out.len);
	f.len = out.len;
	obi_session_wrote(&from->session, out.len);
	return f;
}

static void fault_43_a_recorded_dialer_opens_nothing(void **state)
{
	(void)state;
	struct outcome o;
	struct obi_replay_cache seen = {.count = 0};
	struct pair *p = begun("noise", "noise");
	struct flight first = tap(&p->parent);
	p->child.auth.replays = &seen;
	give(&p->child, first.bytes, first.len, SIZE_MAX);
	assert_int_equal(obi_session_progress(&p->child.session), OBI_PROGRESS_PROVEN);
	assert_true(carry(&p->child, &p->parent, SIZE_MAX));
	assert_int_equal(call(&p->parent, "a.b", 42, INT64_MAX, &o, NULL), OB_OK);
	struct flight second = tap(&p->parent);
	struct end victim;
	init_end(&victim, OB_AUTH_ACCEPTOR, "noise", secret_a);
	obi_authentication_begin(&victim.session);
	victim.auth.replays = &seen;
	give(&victim, first.bytes, first.len, SIZE_MAX);
	assert_int_equal(victim.session.state, OBI_SESSION_CONFIRMING);
	assert_int_equal(obi_session_progress(&victim.session), OBI_PROGRESS_TALKING);
	tap(&victim);
	give(&victim, second.bytes, second.len, SIZE_MAX);
	assert_false(victim.opened);
	assert_int_equal(victim.calls, 0);
	assert_int_equal(victim.closed, 1);
	assert_int_equal(victim.why.code, OB_EAUTH);
	/* Nor does the end make the recording a proof. */
	assert_int_equal(obi_session_progress(&victim.session), OBI_PROGRESS_TALKING);
	obi_session_free(&victim.session);
	free_pair(p);
}

/* A hostile peer that has the token: output that was queued in the clear is never sealed. */
static void an_answer_to_an_incomplete_request_closes(void **state)
{
	static const size_t left[] = {1, 2, 3, 60};
	(void)state;
	for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
		struct pair *p = begun("noise", "noise");
		struct obi_pieces pieces;
		struct ob_bytes request = obi_session_output(&p->parent.session);
		give(&p->child, request.data, request.len, SIZE_MAX);
		obi_session_wrote(&p->parent.session, request.len - left[i]);
		assert_true(carry(&p->child, &p->parent, SIZE_MAX));
		assert_int_equal(p->parent.closed, 1);
		assert_int_equal(p->parent.why.code, OB_EPROTO);
		obi_session_pieces(&p->parent.session, &pieces);
		assert_int_equal(pieces.count, 1);
		assert_int_equal(pieces.piece[0].len, left[i]);
		free_pair(p);
	}
}

static void fault_44_a_dialer_that_hears_itself_closes(void **state)
{
	(void)state;
	struct pair *p = begun("noise", "noise");
	struct flight first = tap(&p->parent);
	give(&p->parent, first.bytes, first.len, SIZE_MAX);
	assert_false(p->parent.opened);
	assert_int_equal(p->parent.closed, 1);
	free_pair(p);
}

/* Messages made without the secret are not stored. When the cache is full, the oldest entry
 * goes. */
static void the_replay_cache_is_bounded(void **state)
{
	struct obi_replay_cache seen = {.count = 0};
	struct pair *p = begun("noise", "noise");
	struct flight first = tap(&p->parent);
	(void)state;
	first.bytes[first.len - 1] ^= 1;
	p->child.auth.replays = &seen;
	give(&p->child, first.bytes, first.len, SIZE_MAX);
	assert_int_equal(p->child.closed, 1);
	assert_int_equal(seen.count, 0);
	for (uint32_t i = 0; i <= OBI_REPLAY_CACHE_MAX; i++) {
		assert_false(obi_replay_cache_seen(&seen, ob_bytes_of(&i, sizeof i)));
	}
	for (uint32_t i = OBI_REPLAY_CACHE_MAX; i > 0; i--) {
		assert_true(obi_replay_cache_seen(&seen, ob_bytes_of(&i, sizeof i)));
	}
	assert_false(obi_replay_cache_seen(&seen, ob_bytes_of(&(uint32_t){0}, sizeof(uint32_t))));
	free_pair(p);
}

/* The same with sealed records: each direction has its own key. */
static void fault_44_a_record_is_not_its_own_answer(void **state)
{
	(void)state;
	struct outcome o;
	struct pair *p = connected("noise");
	assert_int_equal(call(&p->parent, "a.b", 42, INT64_MAX, &o, NULL), OB_OK);
	struct flight record = tap(&p->parent);
	give(&p->parent, record.bytes, record.len, SIZE_MAX);
	assert_int_equal(p->parent.calls, 0);
	assert_int_equal(p->parent.closed, 1);
	assert_int_equal(p->parent.why.code, OB_EAUTH);
	free_pair(p);
}

/*
 * Pass on a whole conversation (handshake, a call, its answer), and change the byte at offset
 * `at` of all bytes. false: there are fewer bytes.
 */
static bool converse_with_a_flip(size_t at, uint8_t mask, struct outcome *o)
{
	struct pair *p = begun("noise", "noise");
	size_t seen = 0;
	bool called = false, flipped = false, moved = true;
	memset(o, 0, sizeof *o);
	while (moved) {
		struct end *ends[2] = {&p->parent, &p->child};
		moved = false;
		for (int i = 0; i < 2; i++) {
			if (obi_session_output(&ends[i]->session).len == 0) {
				continue;
			}
			struct flight f = tap(ends[i]);
			if (at >= seen && at < seen + f.len) {
				f.bytes[at - seen] ^= mask;
				flipped = true;
			}
			seen += f.len;
			give(ends[1 - i], f.bytes, f.len, SIZE_MAX);
			moved = true;
		}
		if (p->parent.opened && !called && p->parent.closed == 0) {
			assert_int_equal(call(&p->parent, "a.b", 42, INT64_MAX, o, NULL), OB_OK);
			called = moved = true;
		}
	}
	bool served = o->ended == 1 && o->code == OB_OK;
	free_pair(p);
	assert_true(!flipped || !served);
	assert_true(flipped || served);
	return flipped;
}

static void fault_45_a_conversation_with_one_changed_bit_has_no_answer(void **state)
{
	struct outcome o;
	size_t at = 0;
	(void)state;
	while (converse_with_a_flip(at, (uint8_t)(1u << at % 8), &o)) {
		at++;
	}
	assert_true(at > 150);
}

static void fault_45_a_record_that_comes_twice_ends_it(void **state)
{
	(void)state;
	struct outcome o;
	struct pair *p = connected("noise");
	assert_int_equal(call(&p->parent, "a.b", 42, INT64_MAX, &o, NULL), OB_OK);
	struct flight record = tap(&p->parent);
	give(&p->child, record.bytes, record.len, SIZE_MAX);
	assert_int_equal(p->child.calls, 1);
	give(&p->child, record.bytes, record.len, SIZE_MAX);
	assert_int_equal(p->child.calls, 1);
	assert_int_equal(p->child.why.code, OB_EAUTH);
	free_pair(p);
}

static void fault_45_records_in_another_order_end_it(void **state)
{
	(void)state;
	struct outcome o[2];
	struct pair *p = connected("noise");
	assert_int_equal(call(&p->parent, "a.b", 1, INT64_MAX, &o[0], NULL), OB_OK);
	struct flight one = tap(&p->parent);
	assert_int_equal(call(&p->parent, "a.b", 2, INT64_MAX, &o[1], NULL), OB_OK);
	struct flight two = tap(&p->parent);
	give(&p->child, two.bytes, two.len, SIZE_MAX);
	give(&p->child, one.bytes, one.len, SIZE_MAX);
	assert_int_equal(p->child.calls, 0);
	assert_int_equal(p->child.why.code, OB_EAUTH);
	free_pair(p);
}

/* ---- What an eavesdropper sees ---- */

static bool contains(const struct flight *f, const char *text)
{
	return memmem(f->bytes, f->len, text, strlen(text)) != NULL;
}

static void nothing_is_plain_after_the_handshake(void **state)
{
	(void)state;
	struct outcome o;
	struct pair *p = begun("noise,token", "noise,token");
	struct flight f = tap(&p->parent);
	assert_true(contains(&f, "outboard.auth") && contains(&f, "noise"));
	give(&p->child, f.bytes, f.len, SIZE_MAX);
	f = tap(&p->child);
	give(&p->parent, f.bytes, f.len, SIZE_MAX);
	f = tap(&p->parent); /* token, sealed */
	assert_false(contains(&f, "outboard.auth") || contains(&f, "token"));
	give(&p->child, f.bytes, f.len, SIZE_MAX);
	pump(&p->parent, &p->child, SIZE_MAX);
	assert_true(p->parent.opened && p->child.opened);
	assert_int_equal(call(&p->parent, "a.secret", 42, INT64_MAX, &o, NULL), OB_OK);
	f = tap(&p->parent);
	assert_false(contains(&f, "secret"));
	free_pair(p);
}

/* ---- What is refused ---- */

/* Both ends must have the same list: one that is shorter, longer or in another order is refused. */
static void fault_48_nobody_talks_an_end_out_of_its_list(void **state)
{
	static const char *const lists[] = {"noise", "token", "noise,token"};
	(void)state;
	for (size_t i = 0; i < 9; i++) {
		struct pair *p = begun(lists[i / 3], lists[i % 3]);
		pump(&p->parent, &p->child, SIZE_MAX);
		bool same = i / 3 == i % 3;
		assert_true(p->parent.opened == same);
		assert_true(p->child.opened == same);
		assert_int_equal(p->child.closed, same ? 0 : 1);
		free_pair(p);
	}
}

static void another_secret_is_refused(void **state)
{
	(void)state;
	struct pair *p = connect_with("noise", secret_a, secret_b, SIZE_MAX);
	assert_false(p->parent.opened || p->child.opened);
	assert_int_equal(p->child.why.code, OB_EAUTH);
	free_pair(p);
}

static void a_record_over_the_preauth_limit_is_refused(void **state)
{
	static const uint8_t header[2] = {0x7f, 0xff};
	(void)state;
	struct pair *p = begun("noise", "noise");
	assert_true(carry(&p->parent, &p->child, SIZE_MAX));
	give(&p->child, header, sizeof header, SIZE_MAX);
	assert_int_equal(p->child.closed, 1);
	assert_int_equal(p->child.why.code, OB_EAUTH);
	free_pair(p);
}

static void bytes_after_the_handshake_close(void **state)
{
	(void)state;
	struct pair *p = begun("noise", "noise");
	struct flight first = tap(&p->parent);
	first.bytes[first.len++] = 0;
	give(&p->child, first.bytes, first.len, SIZE_MAX);
	assert_int_equal(p->child.closed, 1);
	assert_false(p->child.opened);
	free_pair(p);
}

/* ---- What may be sent ---- */

/* The last plain answer of the acceptor may be written byte by byte, and the connection may end
 * at any of them. */
static void an_acceptor_that_ends_while_confirming_seals_nothing(void **state)
{
	(void)state;
	size_t left = 1;
	for (size_t len = SIZE_MAX; left < len; left++) {
		struct pair *p = begun("noise", "noise");
		uint8_t before[256];
		assert_true(carry(&p->parent, &p->child, SIZE_MAX));
		struct ob_bytes out = obi_session_output(&p->child.session);
		len = out.len;
		assert_true(len > 2 && len <= sizeof before);
		memcpy(before, out.data, len);
		obi_session_wrote(&p->child.session, len - left);
		obi_session_ended(&p->child.session, NULL);
		out = obi_session_output(&p->child.session);
		assert_int_equal(out.len, left);
		assert_memory_equal(out.data, before + len - left, left);
		obi_session_wrote(&p->child.session, left);
		assert_false(obi_session_has_output(&p->child.session));
		free_pair(p);
	}
}

static struct outcome *call_with(struct end *e, size_t size)
{
	struct outcome *o = calloc(1, sizeof *o);
	uint8_t *data = calloc(1, size);
	assert_true(o != NULL && data != NULL);
	struct ob_value items[2] = {ob_int(7), ob_binary(data, size)};
	struct ob_value params = ob_array(items, 2);
	int r = obi_session_call(&e->session, ob_bytes_text("a.b"), &params, INT64_MAX, on_reply, o,
				 NULL, NULL);
	assert_int_equal(r, OB_OK);
	free(data);
	return o;
}

/* A dialer opens before the acceptor, and may send large messages with its first record or right
 * after it. */
static void a_dialer_may_send_large_messages_at_once(void **state)
{
	static const size_t sizes[] = {4000, 4096, 5000, 100 * 1000};
	(void)state;
	for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
		struct pair *p = begun("noise", "noise");
		struct flight first = {.len = 0};
		assert_true(carry(&p->parent, &p->child, SIZE_MAX));
		assert_true(carry(&p->child, &p->parent, SIZE_MAX));
		assert_true(p->parent.opened && !p->child.opened);
		if (i % 2 == 1) {
			first = tap(&p->parent);
		}
		struct outcome *o = call_with(&p->parent, sizes[i / 2]);
		/* Both in one read, as from a socket. */
		struct ob_bytes out = obi_session_output(&p->parent.session);
		uint8_t *all = malloc(first.len + out.len);
		assert_non_null(all);
		memcpy(all, first.bytes, first.len);
		memcpy(all + first.len, out.data, out.len);
		size_t len = out.len;
		obi_session_wrote(&p->parent.session, len);
		give(&p->child, all, first.len + len, SIZE_MAX);
		free(all);
		pump(&p->parent, &p->child, SIZE_MAX);
		assert_string_equal(p->child.why.text, "");
		assert_true(o->ended == 1 && o->code == OB_OK && o->number == 7);
		free(o);
		free_pair(p);
	}
}

/* An acceptor whose last mechanism does not seal opens before the dialer, which still has the
 * preauth limit. */
static void an_acceptor_may_send_large_messages_at_once(void **state)
{
	static const size_t sizes[] = {1, 4096, 5000, 32 * 1000};
	static const size_t chops[] = {SIZE_MAX, 100};
	(void)state;
	for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
		struct pair *p = begun("noise,token", "noise,token");
		while (!p->child.opened) {
			assert_true(carry(&p->parent, &p->child, SIZE_MAX) ||
				    carry(&p->child, &p->parent, SIZE_MAX));
		}
		assert_false(p->parent.opened);
		struct outcome *o = call_with(&p->child, sizes[i / 2]);
		pump(&p->parent, &p->child, chops[i % 2]);
		assert_string_equal(p->parent.why.text, "");
		assert_true(o->ended == 1 && o->code == OB_OK && o->number == 7);
		free(o);
		free_pair(p);
	}
}

/* The limit of a message does not include the headers of records. */
static void the_message_limit_is_the_same_when_sealed(void **state)
{
	static const char *const lists[] = {"token", "noise"};
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct pair *p = connect_with(lists[i / 2], secret_a, secret_a, SIZE_MAX);
		uint32_t limit = p->parent.session.setup.limits.message;
		/* [0, id, "a.b", [bin 32]]: the bytes around the data */
		size_t around = 1 + 1 + 1 + 4 + 1 + 5, size = limit - around + i % 2;
		uint8_t *data = calloc(1, size);
		struct ob_value items[1] = {ob_binary(data, size)};
		struct ob_value params = ob_array(items, 1);
		struct outcome o = {0};
		int r = obi_session_call(&p->parent.session, ob_bytes_text("a.b"), &params,
					 INT64_MAX, on_reply, &o, NULL, NULL);
		assert_int_equal(r, i % 2 == 0 ? OB_OK : OB_ETOOBIG);
		free(data);
		free_pair(p);
	}
}

/* ---- The end ---- */

static void an_announced_end_differs_from_a_cut(void **state)
{
	(void)state;
	for (int said = 0; said < 2; said++) {
		struct pair *p = connected("noise");
		if (said) {
			obi_session_close(&p->parent.session, OB_ECLOSED, "closed");
			assert_true(carry(&p->parent, &p->child, SIZE_MAX));
		}
		obi_session_ended(&p->child.session, NULL);
		assert_int_equal(p->child.why.code, OB_ECONNLOST);
		assert_string_equal(p->child.why.text,
				    said ? "the peer closed the connection after $/bye"
					 : "the connection was cut: the peer sent no $/bye");
		free_pair(p);
	}
}

/* After a record that cannot be opened nothing more is sent, not even what was queued. */
static void nothing_is_sent_after_a_changed_record(void **state)
{
	static const uint8_t forged[2 + 40] = {0, 40};
	(void)state;
	struct outcome o;
	struct pair *p = connected("noise");
	assert_int_equal(call(&p->child, "a.b", 42, INT64_MAX, &o, NULL), OB_OK);
	assert_true(obi_session_has_output(&p->child.session));
	give(&p->child, forged, sizeof forged, SIZE_MAX);
	assert_int_equal(p->child.closed, 1);
	assert_true(o.ended == 1 && o.code == OB_ECONNLOST);
	assert_false(obi_session_has_output(&p->child.session));
	assert_int_equal(obi_session_output(&p->child.session).len, 0);
	free_pair(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(calls_go_both_ways),
	    cmocka_unit_test(a_large_message_arrives),
	    cmocka_unit_test(an_acceptor_opens_at_the_first_record),
	    cmocka_unit_test(fault_43_a_recorded_dialer_opens_nothing),
	    cmocka_unit_test(the_replay_cache_is_bounded),
	    cmocka_unit_test(an_answer_to_an_incomplete_request_closes),
	    cmocka_unit_test(fault_44_a_dialer_that_hears_itself_closes),
	    cmocka_unit_test(fault_44_a_record_is_not_its_own_answer),
	    cmocka_unit_test(fault_45_a_conversation_with_one_changed_bit_has_no_answer),
	    cmocka_unit_test(fault_45_a_record_that_comes_twice_ends_it),
	    cmocka_unit_test(fault_45_records_in_another_order_end_it),
	    cmocka_unit_test(nothing_is_plain_after_the_handshake),
	    cmocka_unit_test(fault_48_nobody_talks_an_end_out_of_its_list),
	    cmocka_unit_test(another_secret_is_refused),
	    cmocka_unit_test(a_record_over_the_preauth_limit_is_refused),
	    cmocka_unit_test(bytes_after_the_handshake_close),
	    cmocka_unit_test(an_acceptor_that_ends_while_confirming_seals_nothing),
	    cmocka_unit_test(a_dialer_may_send_large_messages_at_once),
	    cmocka_unit_test(an_acceptor_may_send_large_messages_at_once),
	    cmocka_unit_test(the_message_limit_is_the_same_when_sealed),
	    cmocka_unit_test(an_announced_end_differs_from_a_cut),
	    cmocka_unit_test(nothing_is_sent_after_a_changed_record),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
