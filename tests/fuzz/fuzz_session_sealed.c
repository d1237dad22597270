/* SPDX-License-Identifier: MIT */
/*
 * Two sessions that authenticate with noise, an attacker without a key on the wires between
 * them, and a hostile peer: each end can also seal bytes of the input. Checked: changed bytes
 * are never delivered, nothing is delivered twice, no end is reported that was not announced,
 * and no plain text of a call is on the wire. Every call ends once. If no byte was changed,
 * everything that was sent arrives.
 *
 * Input: a byte of flags (1: json; 2: token behind noise), then steps: action (and 0x80: at the
 * acceptor), and its data. The keys are the same in each run, and different in each connection.
 */

#include "base/error.h"
#include "fuzz/fuzzed_codec.h"
#include "fuzz/fuzzed_random.h"
#include "fuzz/fuzzed_wire.h"
#include "rpc/authentication.h"
#include "rpc/receive.h"
#include "rpc/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The authenticators, compiled into the target. */
ob_plugin_list fuzzed_token(void);
ob_plugin_list spied_noise(void);

enum { JSON = 1, TOKEN = 2, AT_ACCEPTOR = 0x80 };
enum {
	PUMP,
	WRITE,
	CARRY,
	FLIP,
	CUT,
	DOUBLE,
	INSERT,
	REPLAY,
	REFLECT,
	FEED,
	CALL,
	NOTIFY,
	ANSWER,
	ANSWER_LARGE
};
enum { EXPIRE = ANSWER_LARGE + 1, CANCEL, BYE, CLOSE, END, RESTART, STEPS };
enum { KEPT = 8, RUNS = 256, LARGE = 7000, SECRET = 32 };

struct end {
	struct obi_session session;
	struct obi_handshake_setup auth;
	struct obi_mechanism mechanisms[2];
	enum ob_auth_role role;
	uint32_t run; /* the number of the connection, among those of both ends */
	int opened;
	int closed;
	bool touched; /* it received something else than sealed bytes of its peer */
	bool fed;     /* this connection, or an earlier one, sent what no session sends */
	bool bye;     /* this connection, or an earlier one, announced an end */
	uint32_t begun;
	uint32_t ended;
	uint32_t last_id;
	struct ob_call *kept[KEPT];
	uint32_t kept_count;
	struct wire wire; /* towards it */
};

struct input {
	const uint8_t *at;
	size_t len;
};

static const uint8_t secret[SECRET] = "thirty-two bytes, all well known";
static const char mark[] = "for them alone: ";
static char text[40000];

static struct end ends[2];
static uint8_t flags;
static bool meddled;
static int64_t now;
static uint32_t run;
static uint32_t
    said[RUNS]; /* calls and notifications that it made, by the number of a connection */
static uint32_t heard[RUNS];	/* the last of these that was received */
static uint32_t heard_by[RUNS]; /* and by which end */

static struct end *other(const struct end *e)
{
	return &ends[e == &ends[0]];
}

static bool is_sealed(const struct end *e)
{
	return e->session.records.auth != NULL;
}

/* ---- Events ---- */

static void on_opened(void *user)
{
	struct end *e = user;
	must(e->session.records.outgoing && obi_handshake_passed(&e->session.auth));
	e->opened++;
}

static void on_closed(void *user, const struct ob_error *err)
{
	must(err->code < 0);
	((struct end *)user)->closed++;
}

/* A call of ours carries the number of its connection, and its own number there. */
static void must_be_fresh(const struct end *e, const struct ob_value *params)
{
	int64_t from = -1, number = 0;
	must(ob_get_int(ob_value_at(params, 0), &from) &&
	     ob_get_int(ob_value_at(params, 1), &number));
	must(from >= 0 && from < RUNS && number > heard[from] && number <= said[from]);
	must(heard[from] == 0 || heard_by[from] == e->run);
	heard[from] = (uint32_t)number;
	heard_by[from] = e->run;
}

static void close_end(struct end *e)
{
	e->bye = true;
	obi_session_close(&e->session, OB_ECLOSED, "enough");
}

/* The last letter of the method says what to do. */
static void on_called(void *user, struct ob_call *call)
{
	struct end *e = user;
	size_t len = strlen(call->method);
	char last = len > 0 ? call->method[len - 1] : '\0';
	struct ob_value yes = ob_bool(true);
	must(e->opened == 1 && e->closed == 0 && !e->touched);
	if (!other(e)->fed) {
		must_be_fresh(e, &call->params);
	}
	if (last == 'k' && e->kept_count < KEPT && obi_call_defer(call) == OB_OK) {
		e->kept[e->kept_count++] = call;
	} else if (last == 'x') {
		close_end(e);
	} else if (last == 'e') {
		obi_call_answer_error(call, 7, "seven");
	} else if (last != 'n') {
		obi_call_answer(call, NULL, &yes);
	}
}

static int on_supervise(void *user, struct ob_bytes instance)
{
	(void)user;
	return instance.len > 0 ? OB_OK : OB_ENOENT;
}

static void on_want(void *user)
{
	(void)user;
}

static void on_reply(void *user, int code, const struct ob_value *value, const struct ob_error *err)
{
	struct end *e = user;
	must(code == OB_OK ? value != NULL : err != NULL);
	must(!e->touched || (code != OB_OK && code != OB_EREMOTE));
	e->ended++;
	must(e->ended <= e->begun);
}

/* ---- The ends ---- */

static int fail(struct ob_error *reterr, int code, int sys, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	obi_failv(reterr, code, sys, format, args);
	va_end(args);
	return code;
}

static void begin(struct end *e, enum ob_auth_role role)
{
	static const struct ob_host host = {.size = sizeof host, .fail = fail};
	bool json = (flags & JSON) != 0;
	e->role = role;
	e->run = run++;
	e->opened = e->closed = 0;
	e->touched = false;
	e->begun = e->ended = e->last_id = 0;
	e->mechanisms[0] = (struct obi_mechanism){
	    .name = "noise", .ops = (const struct ob_auth_ops *)spied_noise()[0]->ops};
	e->mechanisms[1] = (struct obi_mechanism){
	    .name = "token", .ops = (const struct ob_auth_ops *)fuzzed_token()[0]->ops};
	e->auth = (struct obi_handshake_setup){.host = &host,
					       .mechanisms = e->mechanisms,
					       .count = (flags & TOKEN) != 0 ? 2 : 1,
					       .codec = json ? "json" : "msgpack",
					       .secret = ob_bytes_of(secret, sizeof secret),
					       .allowed_uid = UINT32_MAX,
					       .parent_dials = true};
	struct obi_session_setup setup = {
	    .codec = fuzzed_ops(json ? fuzzed_json() : fuzzed_msgpack()),
	    .auth = &e->auth,
	    .role = role,
	    .peer = {.size = sizeof setup.peer, .pidfd = -1},
	    .limits =
		{.message = 32768, .preauth = 4096, .depth = 8, .calls = KEPT, .queue = 131072},
	    .events = {on_opened, on_closed, on_supervise, on_want, on_want, NULL, e},
	    .handler = {on_called, e},
	};
	obi_session_init(&e->session, &setup);
	obi_authentication_begin(&e->session);
}

static void answer(struct end *e, size_t size)
{
	struct ob_value value = ob_stringn(text, size);
	if (e->kept_count > 0) {
		obi_call_answer(e->kept[--e->kept_count], NULL, &value);
	}
}

static void finish(struct end *e)
{
	obi_session_free(&e->session);
	while (e->kept_count > 0) {
		answer(e, 1);
	}
	must(e->closed == 1 && e->begun == e->ended);
}

/* The bytes that may be read are not a complete message, or it was taken: a session never waits
 * for bytes that it does not need. */
static void must_wait(const struct obi_session *s)
{
	struct ob_scan scan = {.seen = 0};
	size_t len = s->records.auth != NULL ? s->records.opened : obi_buf_len(&s->in), need;
	if (s->state != OBI_SESSION_CLOSED && len > 0) {
		struct ob_bytes bytes = ob_bytes_of(obi_buf_bytes(&s->in).data, len);
		must(s->setup.codec->scan(bytes, &scan, &s->codec_params, &need) <= 0);
	}
}

static void check(const struct end *e)
{
	const struct obi_session *s = &e->session;
	must(e->opened <= 1 && e->closed <= 1 &&
	     (s->state == OBI_SESSION_CLOSED) == (e->closed == 1));
	must(s->state != OBI_SESSION_OPEN || (e->opened == 1 && s->records.outgoing));
	must(s->state != OBI_SESSION_CLOSED ||
	     (e->begun == e->ended && s->batches.first == NULL && s->batches.bytes == 0));
	must(!s->peer_bye || other(e)->bye || other(e)->fed);
	must_wait(s);
	must(s->calls.deferred_count <= s->setup.limits.calls);
	must(s->records.auth == NULL || s->records.opened <= obi_buf_len(&s->in));
	must(s->batches.bytes <= (size_t)s->setup.limits.queue + s->setup.limits.message);
	must(obi_buf_len(&s->out) <=
	     2 * (size_t)s->setup.limits.queue + OBI_RECORD_HEADER + OB_AUTH_OVERHEAD_MAX);
}

/* A new connection replaces it, with new wires. An end that shared keys with the old one
 * receives nothing more. */
static void restart(struct end *e)
{
	if (run == RUNS) {
		return;
	}
	meddled = true;
	other(e)->touched = is_sealed(other(e));
	finish(e);
	wire_cut_off(&ends[0].wire);
	wire_cut_off(&ends[1].wire);
	begin(e, e->role);
}

/* ---- Bytes of the ends ---- */

static void write_some(struct end *e, size_t most)
{
	struct obi_session *s = &e->session;
	struct wire *wire = &other(e)->wire;
	struct obi_pieces pieces;
	size_t wrote = 0;
	obi_session_pieces(s, &pieces);
	most = most < wire_room(wire) ? most : wire_room(wire);
	for (int i = 0; i < pieces.count && wrote < most; i++) {
		struct ob_bytes part = pieces.piece[i];
		must(part.len > 0);
		must(e->fed || memmem(part.data, part.len, mark, sizeof mark - 1) == NULL);
		part.len = part.len < most - wrote ? part.len : most - wrote;
		wire_put(wire, part, s->records.outgoing);
		wrote += part.len;
	}
	if (wrote > 0) {
		obi_session_wrote(s, wrote);
		wire_landed(wire);
	}
}

static void carry_some(struct end *e, size_t most)
{
	struct obi_session *s = &e->session;
	struct ob_bytes on_its_way = obi_buf_bytes(&e->wire.bytes);
	size_t len = most < on_its_way.len ? most : on_its_way.len, room = 0;
	uint8_t *at = s->state != OBI_SESSION_CLOSED && len > 0 ? obi_receive_room(s, &room) : NULL;
	if (at != NULL) {
		len = len < room ? len : room;
		memcpy(at, on_its_way.data, len);
		obi_receive(s, len);
	}
	/* Only complete messages before the first changed byte may have been received. */
	e->touched |= !wire_take(&e->wire, len) && is_sealed(e);
}

static bool carry_all(struct end *e)
{
	write_some(other(e), SIZE_MAX);
	bool moved = obi_buf_len(&e->wire.bytes) > 0;
	while (obi_buf_len(&e->wire.bytes) > 0) {
		carry_some(e, SIZE_MAX);
		check(e);
	}
	return moved;
}

static void pump(void)
{
	bool moved = true;
	while (moved) {
		moved = carry_all(&ends[0]);
		moved = carry_all(&ends[1]) || moved;
	}
}

/* The output of a hostile end that has the keys: the part is sealed with what it writes next,
 * behind what is pending. */
static void feed(struct end *e, struct ob_bytes part)
{
	struct obi_session *s = &e->session;
	bool begins = obi_buf_len(&s->out) == 0 && s->records.outgoing;
	if (s->state == OBI_SESSION_CLOSED || obi_buf_len(&s->out) >= s->setup.limits.queue) {
		return;
	}
	meddled = e->fed = true;
	must(!begins || obi_sealed_records_start(&s->out));
	must(ob_sink_put(obi_buf_sink(&s->out), part.data, part.len));
}

/* ---- Steps ---- */

static uint8_t take(struct input *in)
{
	uint8_t byte = in->len > 0 ? in->at[0] : 0;
	in->at += in->len > 0;
	in->len -= in->len > 0;
	return byte;
}

static struct ob_bytes take_counted(struct input *in)
{
	size_t len = take(in);
	struct ob_bytes part = ob_bytes_of(in->at, len < in->len ? len : in->len);
	in->at += part.len;
	in->len -= part.len;
	return part;
}

/* The size of a step; zero is everything. */
static size_t take_most(struct input *in)
{
	uint8_t most = take(in);
	return most > 0 ? most : SIZE_MAX;
}

static void say(struct end *e, bool call, uint8_t how, size_t size)
{
	static const char *const methods[] = {
	    "a.b", "a.k", "a.e", "a.n", "a.x", "outboard.ping", "outboard.supervise"};
	struct ob_bytes method = ob_bytes_text(methods[how % 7]);
	struct ob_value items[3] = {ob_int(e->run), ob_int(said[e->run] + 1),
				    ob_stringn(text, size)};
	struct ob_value params = ob_array(items, 3);
	struct obi_pending *pending = NULL;
	int r = call ? obi_session_call(&e->session, method, &params, now + 5, on_reply, e,
					&pending, NULL)
		     : obi_session_notify(&e->session, method, &params, NULL);
	if (r == OB_OK) {
		said[e->run]++;
		e->begun += call;
		e->last_id = call ? pending->id : e->last_id;
		meddled |= how % 7 == 4; /* the receiver closes */
	}
}

/* An action on the wires. false: not one. */
static bool meddle(struct end *e, uint8_t what, struct input *in)
{
	size_t at;
	struct ob_bytes part;
	switch (what) {
	case FLIP:
		at = take(in);
		meddled |= wire_flip(&e->wire, at, take(in));
		return true;
	case CUT:
		at = take(in);
		meddled |= wire_cut(&e->wire, at, take(in));
		return true;
	case DOUBLE:
		meddled |= wire_double(&e->wire, take(in), !is_sealed(e));
		return true;
	case INSERT:
		at = take(in);
		meddled |= wire_insert(&e->wire, at, take_counted(in), !is_sealed(e));
		return true;
	case REPLAY:
	case REFLECT:
		part = wire_recorded(what == REPLAY ? &e->wire : &other(e)->wire, take(in));
		meddled |= wire_insert(&e->wire, 0, part, !is_sealed(e));
		return true;
	default:
		return false;
	}
}

static void cancel(struct obi_session *s, uint32_t id)
{
	struct obi_pending *call = obi_session_take(s, id, NULL);
	struct ob_error err;
	if (call != NULL) {
		obi_fail(&err, OB_ECANCELED, 0, "the call was canceled");
		obi_pending_end(&s->pending, call, OB_ECANCELED, NULL, &err);
	}
}

/* An action of an end's owner. false: not one. */
static bool use(struct end *e, uint8_t what, struct input *in)
{
	struct obi_session *s = &e->session;
	uint8_t how;
	switch (what) {
	case CALL:
	case NOTIFY:
		how = take(in);
		say(e, what == CALL, how, take(in) * 150u);
		return true;
	case ANSWER:
	case ANSWER_LARGE:
		answer(e, what == ANSWER ? 1 : LARGE);
		return true;
	case EXPIRE:
		now += 3;
		obi_session_expire(s, now);
		return true;
	case CANCEL:
		cancel(s, e->last_id);
		return true;
	case BYE:
		e->bye = true;
		obi_session_bye(s);
		return true;
	case CLOSE:
		meddled = true;
		close_end(e);
		return true;
	default:
		return false;
	}
}

/* The transport of an end's bytes. */
static void move(struct end *e, uint8_t what, struct input *in)
{
	switch (what) {
	case WRITE:
		write_some(e, take_most(in));
		break;
	case CARRY:
		carry_some(e, take_most(in));
		break;
	case FEED:
		feed(e, take_counted(in));
		break;
	case END:
		meddled = true;
		obi_session_ended(&e->session, NULL);
		break;
	case RESTART:
		restart(e);
		break;
	default:
		pump();
	}
}

static void step(struct input *in)
{
	uint8_t byte = take(in), what = byte % AT_ACCEPTOR % STEPS;
	struct end *e = &ends[byte / AT_ACCEPTOR];
	if (!meddle(e, what, in) && !use(e, what, in)) {
		move(e, what, in);
	}
	check(&ends[0]);
	check(&ends[1]);
}

/* Without changed bytes, everything has arrived, was read completely, and is answered. */
static void must_be_settled(void)
{
	for (size_t round = 0; round < 2; round++) {
		pump();
		for (size_t i = 0; i < 2; i++) {
			must(ends[i].session.state == OBI_SESSION_OPEN);
			must(obi_buf_len(&ends[i].session.in) == 0 &&
			     obi_buf_len(&ends[i].session.out) == 0);
			while (ends[i].kept_count > 0) {
				answer(&ends[i], 1);
			}
		}
	}
	must(ends[0].begun == ends[0].ended && ends[1].begun == ends[1].ended);
}

/* ---- One run ---- */

static void prepare(void)
{
	if (text[0] == '\0') {
		must(randombytes_set_implementation(&no_randomness) == 0 && sodium_init() == 0);
		for (size_t i = 0; i < sizeof text; i++) {
			text[i] = mark[i % (sizeof mark - 1)];
		}
	}
	meddled = false;
	now = 0;
	run = randomness = 0;
	memset(said, 0, sizeof said);
	memset(heard, 0, sizeof heard);
	for (size_t i = 0; i < 2; i++) {
		ends[i].fed = ends[i].bye = false;
		wire_begin(&ends[i].wire);
	}
	begin(&ends[0], OB_AUTH_DIALER);
	begin(&ends[1], OB_AUTH_ACCEPTOR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	flags = take(&in);
	prepare();
	while (in.len > 0) {
		step(&in);
	}
	if (!meddled) {
		must_be_settled();
	}
	for (size_t i = 0; i < 2; i++) {
		finish(&ends[i]);
		wire_end(&ends[i].wire);
	}
	return 0;
}
