/* SPDX-License-Identifier: MIT */
/*
 * The dialer of a child behind an agent, and an agent that sends any bytes. The handshake ends, it
 * takes no more than it may, an agent that does not know the token gets nowhere, and what follows
 * the answer arrives as it is.
 *
 * Input: a byte of flags (1: json; 2: with authentication), then pieces: a length, and as many
 * bytes. The stream ends behind the last one.
 */
#include "base/error.h"
#include "base/uri.h"
#include "fuzz/fuzzed_codec.h"
#include "rpc/via_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The authenticator, compiled into the target; it shares code with one whose memory is watched. */
ob_plugin_list fuzzed_token(void);
void spied_free(void *memory);

void spied_free(void *memory)
{
	free(memory);
}

enum { JSON = 1, AUTH = 2, STEPS_MAX = 100000 };

static const uint8_t secret[32] = "thirty-two bytes, all well known";

/* ---- The agent: a stream of the input ---- */

struct ob_stream {
	const uint8_t *at;
	size_t left; /* of the input */
	size_t len;  /* of this piece, which are left */
	size_t read;
	bool open;
};

static struct ob_stream agent;

static int agent_dial(const struct ob_host *host, const struct ob_uri *uri,
		      const struct ob_dial_params *params, struct ob_dial **ret_dial,
		      struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)host, (void)uri, (void)params, (void)reterr;
	*ret_dial = (struct ob_dial *)(void *)&agent;
	*ret_want = (struct ob_want){.fd = -1, .deadline = 0};
	return OB_OK;
}

static int agent_finish_dial(struct ob_dial *dial, int revents, struct ob_stream **ret_stream,
			     struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)dial, (void)revents, (void)ret_want, (void)reterr;
	agent.open = true;
	*ret_stream = &agent;
	return OB_OK;
}

static void agent_dial_close(struct ob_dial *dial)
{
	(void)dial;
}

static int agent_fd(struct ob_stream *stream)
{
	(void)stream;
	return 0;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* OB_EAGAIN between two pieces. */
static ptrdiff_t agent_readv(struct ob_stream *s, const struct iovec *pieces, int count,
			     struct ob_error *reterr)
{
	(void)reterr;
	must(s->open && count > 0);
	if (s->len == 0) {
		if (s->left == 0) {
			return 0;
		}
		s->len = least(*s->at, s->left - 1);
		s->at++;
		s->left--;
		return OB_EAGAIN;
	}
	size_t n = least(s->len, pieces[0].iov_len);
	memcpy(pieces[0].iov_base, s->at, n);
	s->at += n;
	s->left -= n;
	s->len -= n;
	s->read += n;
	return (ptrdiff_t)n;
}

static ptrdiff_t agent_writev(struct ob_stream *s, const struct iovec *pieces, int count,
			      struct ob_error *reterr)
{
	size_t n = 0;
	(void)reterr;
	must(s->open);
	for (int i = 0; i < count; i++) {
		n += pieces[i].iov_len;
	}
	return (ptrdiff_t)n;
}

static int agent_shutdown_write(struct ob_stream *stream, struct ob_error *reterr)
{
	(void)stream, (void)reterr;
	return OB_OK;
}

static void agent_close(struct ob_stream *stream)
{
	if (stream != NULL) {
		must(stream->open);
		stream->open = false;
	}
}

static const struct ob_transport_ops agent_ops = {.size = sizeof agent_ops,
						  .dial = agent_dial,
						  .finish_dial = agent_finish_dial,
						  .dial_close = agent_dial_close,
						  .fd = agent_fd,
						  .readv = agent_readv,
						  .writev = agent_writev,
						  .shutdown_write = agent_shutdown_write,
						  .close = agent_close};

/* ---- One run ---- */

static int fail(struct ob_error *reterr, int code, int sys, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	obi_failv(reterr, code, sys, format, args);
	va_end(args);
	return code;
}

static struct ob_stream *dial(const struct obi_via_setup *via)
{
	struct ob_dial_params params = {
	    .size = sizeof params, .state = (void *)(uintptr_t)via, .owner = UINT32_MAX};
	struct ob_uri uri = {.size = sizeof uri};
	struct ob_want want;
	struct ob_dial *dial = NULL;
	struct ob_stream *stream = NULL;
	must(obi_via_transport()->dial(via->host, &uri, &params, &dial, &want, NULL) == OB_OK);
	must(obi_via_transport()->finish_dial(dial, OB_WRITABLE, &stream, &want, NULL) == OB_OK);
	obi_via_transport()->dial_close(dial);
	return stream;
}

static int shake_hands(struct ob_stream *stream)
{
	int r = OB_HANDSHAKE_SILENT;
	for (int i = 0; r > OB_HANDSHAKE_DONE; i++) {
		struct ob_want want = {.fd = -1, .deadline = -1};
		struct ob_error err = {.text = ""};
		r = obi_via_transport()->handshake(stream, OB_READABLE, &want, &err);
		must(r <= OB_HANDSHAKE_TALKING && i < STEPS_MAX);
		must(r >= 0 || err.text[0] != '\0');
		must(r <= OB_HANDSHAKE_DONE || want.fd == 0 || want.deadline >= 0);
	}
	return r;
}

static void read_all(struct ob_stream *stream)
{
	uint8_t in[100];
	struct iovec piece = {in, sizeof in};
	ptrdiff_t n;
	size_t got = 0, most = agent.read + agent.left;
	while ((n = obi_via_transport()->readv(stream, &piece, 1, NULL)) != 0) {
		must(n > 0 || n == OB_EAGAIN);
		got += n > 0 ? (size_t)n : 0;
	}
	must(got < most && agent.left == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ob_host host = {.size = sizeof host, .fail = fail};
	if (size == 0) {
		return 0;
	}
	bool json = (data[0] & JSON) != 0, authenticates = (data[0] & AUTH) != 0;
	struct obi_mechanism token = {.name = "token",
				      .ops = (const struct ob_auth_ops *)fuzzed_token()[0]->ops};
	struct obi_handshake_setup auth = {.host = &host,
					   .mechanisms = &token,
					   .count = 1,
					   .codec = json ? "json" : "msgpack",
					   .secret = ob_bytes_of(secret, sizeof secret),
					   .allowed_uid = UINT32_MAX,
					   .parent_dials = true};
	struct obi_via_setup via = {.host = &host,
				    .transport = &agent_ops,
				    .codec = fuzzed_ops(json ? fuzzed_json() : fuzzed_msgpack()),
				    .auth = authenticates ? &auth : NULL,
				    .uri = "unix:///agent",
				    .owner = UINT32_MAX,
				    .agent = "guest1",
				    .child = "kv",
				    .host_id = "0123456789abcdef0123456789abcdef"};
	agent = (struct ob_stream){.at = data + 1, .left = size - 1};
	struct ob_stream *stream = dial(&via);
	int r = shake_hands(stream);
	must(agent.read <= OB_HANDSHAKE_MAX);
	must(r < 0 || !authenticates);
	if (r == OB_HANDSHAKE_DONE) {
		read_all(stream);
	}
	obi_via_transport()->close(stream);
	must(!agent.open);
	return 0;
}
