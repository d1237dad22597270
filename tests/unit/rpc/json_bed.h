/* SPDX-License-Identifier: MIT */
/* json_bed - a session over the codec json, used like by a foreign client: text in, text out. */
#ifndef OB_TESTS_UNIT_JSON_BED_H
#define OB_TESTS_UNIT_JSON_BED_H

#include "unit/rpc/session_bed.h"

/* The handler of x.* is in session_bed.h: KEEP defers, REPLY_ECHO answers at once. */

/* ---- A served peer that speaks JSON ---- */

/* One end that is open from the start. */
static inline struct end *open_end(void)
{
	struct end *e = calloc(1, sizeof *e);
	init_end(e, OB_AUTH_ACCEPTOR, NULL, NULL);
	obi_authentication_begin(&e->session);
	assert_true(e->opened);
	return e;
}

static inline void free_end(struct end *e)
{
	obi_session_free(&e->session);
	assert_null(e->session.batches.first);
	assert_int_equal(e->session.batches.bytes, 0);
	free(e);
}

static inline void say(struct end *e, const char *text)
{
	give(e, (const uint8_t *)text, strlen(text), SIZE_MAX);
}

/* Everything that it has written since the last call. Valid until the next call. */
static inline const char *heard(struct end *e)
{
	static char *text;
	struct ob_bytes out = obi_session_output(&e->session);
	free(text);
	text = calloc(1, out.len + 1);
	memcpy(text, out.data != NULL ? (const char *)out.data : "", out.len);
	obi_session_wrote(&e->session, out.len);
	return text;
}

/* A call that was deferred. */
static inline struct ob_call *in_flight(struct end *e, uint32_t number)
{
	return obi_call_find(&e->session.calls, &(struct ob_id){.number = number});
}

static inline void expect(struct end *e, const char *request, const char *answer)
{
	say(e, request);
	assert_string_equal(heard(e), answer);
	assert_int_equal(e->closed, 0);
}

#define RESULT(id, value) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" value "}"
#define ERROR(id, code, text)                                                                      \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" text "\"" \
	"}}"
#define ECHO(id, value) \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"x.echo\",\"params\":[" value "]}"
#define INVALID ERROR("null", "-32600", "Invalid Request")

static inline int setup_json(void **state)
{
	codec_name = "json";
	return setup(state);
}

#endif
