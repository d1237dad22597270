/* SPDX-License-Identifier: MIT */
/* A plugin that does what plugins must not do. OB_TEST_DEADLY names place and action:
 * "scan:crash". The places are its functions, `constructor`, `entry` and `destructor`. Its
 * functions fail otherwise. */
#include <outboard/auth.h>
#include <outboard/codec.h>
#include <outboard/transport.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RESULT_FD = 3 }; /* where the worker of the check writes its results */

static void *wait_for_ever(void *unused)
{
	(void)unused;
	for (;;) {
		pause();
	}
	return NULL;
}

static void start_thread(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, wait_for_ever, NULL);
	pthread_detach(thread);
}

static void do_it(const char *what)
{
	if (strcmp(what, "crash") == 0) {
		raise(SIGSEGV);
	} else if (strcmp(what, "abort") == 0) {
		abort();
	} else if (strcmp(what, "exit") == 0) {
		exit(0);
	} else if (strcmp(what, "hang") == 0) {
		wait_for_ever(NULL);
	} else if (strcmp(what, "kill") == 0) {
		kill(0, SIGKILL); /* the whole process group */
	} else if (strcmp(what, "print") == 0) {
		puts("I print what I like");
	} else if (strcmp(what, "thread") == 0) {
		start_thread();
	} else if (strcmp(what, "signal") == 0) {
		signal(SIGUSR1, SIG_IGN);
	} else if (strcmp(what, "flood") == 0) {
		while (write(RESULT_FD, "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", 16) > 0) {
		}
	} else if (strcmp(what, "open") == 0) {
		(void)!open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
}

static int at(const char *place)
{
	const char *wanted = getenv("OB_TEST_DEADLY");
	size_t len = strlen(place);
	if (wanted != NULL && strncmp(wanted, place, len) == 0 && wanted[len] == ':') {
		do_it(wanted + len + 1);
	}
	return OB_EIO;
}

__attribute__((constructor)) static void constructor(void)
{
	at("constructor");
}

__attribute__((destructor)) static void destructor(void)
{
	at("destructor");
}

/* ---- A codec ---- */

static int scan(struct ob_bytes bytes, struct ob_scan *progress,
		const struct ob_codec_params *limits, size_t *ret_len)
{
	(void)progress, (void)limits;
	at("scan");
	*ret_len = bytes.len;
	return bytes.len > 0 ? 1 : OB_EPROTO;
}

static int decode(struct ob_bytes bytes, struct ob_arena *arena,
		  const struct ob_codec_params *limits, struct ob_message *ret_message,
		  struct ob_error *reterr)
{
	(void)bytes, (void)arena, (void)limits, (void)ret_message, (void)reterr;
	at("decode");
	return OB_EPROTO;
}

static int encode(const struct ob_message *message, const struct ob_codec_params *params,
		  struct ob_sink *out, struct ob_error *reterr)
{
	(void)params;
	(void)message, (void)reterr;
	at("encode");
	return ob_sink_text(out, "message") ? OB_OK : OB_ENOMEM;
}

static const struct ob_codec_ops codec_ops = {
    .size = sizeof codec_ops, .scan = scan, .decode = decode, .encode = encode};
static const struct ob_plugin codec = {.size = sizeof codec,
				       .kind = OB_PLUGIN_CODEC,
				       .name = "deadly",
				       .version = "1",
				       .ops = &codec_ops};

/* ---- An authenticator ---- */

static int admit(const struct ob_host *host, const struct ob_auth_params *params,
		 struct ob_error *reterr)
{
	(void)params;
	return host->fail(reterr, at("admit"), 0, "nobody is admitted");
}

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	(void)params, (void)ret_auth;
	return host->fail(reterr, at("create"), 0, "nothing is made");
}

static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	(void)auth, (void)in, (void)out, (void)reterr;
	return at("step");
}

static void destroy(struct ob_auth *auth)
{
	(void)auth;
	at("destroy");
}

static const struct ob_auth_ops auth_ops = {
    .size = sizeof auth_ops, .admit = admit, .create = create, .step = step, .destroy = destroy};
static const struct ob_plugin auth = {.size = sizeof auth,
				      .kind = OB_PLUGIN_AUTH,
				      .name = "deadly",
				      .version = "1",
				      .ops = &auth_ops};

/* ---- A transport ---- */

static int bind_it(const struct ob_host *host, const struct ob_uri *uri,
		   const struct ob_listen_params *params, struct ob_listener **ret_listener,
		   struct ob_error *reterr)
{
	(void)params, (void)ret_listener;
	return host->fail(reterr, uri->scheme.len == 0 ? OB_EINVAL : at("listen"), 0,
			  "nothing is bound");
}

static int listener_fd(struct ob_listener *listener)
{
	(void)listener;
	return at("listener_fd");
}

static int accept_one(struct ob_listener *listener, struct ob_stream **ret_stream,
		      struct ob_error *reterr)
{
	(void)listener, (void)ret_stream, (void)reterr;
	return at("accept");
}

static int local_uri(struct ob_listener *listener, struct ob_sink *out)
{
	(void)listener, (void)out;
	return at("local_uri");
}

static void listener_close(struct ob_listener *listener)
{
	(void)listener;
	at("listener_close");
}

static int dial(const struct ob_host *host, const struct ob_uri *uri,
		const struct ob_dial_params *params, struct ob_dial **ret_dial,
		struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)uri, (void)params, (void)ret_dial, (void)ret_want;
	return host->fail(reterr, at("dial"), 0, "nobody is there");
}

static int finish_dial(struct ob_dial *it, int revents, struct ob_stream **ret_stream,
		       struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)it, (void)revents, (void)ret_stream, (void)ret_want, (void)reterr;
	return at("finish_dial");
}

static void dial_close(struct ob_dial *it)
{
	(void)it;
	at("dial_close");
}

static int fd(struct ob_stream *stream)
{
	(void)stream;
	return at("fd");
}

static ptrdiff_t move(struct ob_stream *stream, const struct iovec *pieces, int count,
		      struct ob_error *reterr)
{
	(void)stream, (void)pieces, (void)count, (void)reterr;
	return at("move");
}

static int shutdown_write(struct ob_stream *stream, struct ob_error *reterr)
{
	(void)stream, (void)reterr;
	return at("shutdown_write");
}

static void close_it(struct ob_stream *stream)
{
	(void)stream;
	at("close");
}

static const char *const schemes[] = {"deadly+unix", NULL};
static const struct ob_transport_ops transport_ops = {
    .size = sizeof transport_ops,
    .schemes = schemes,
    .listen = bind_it,
    .listener_fd = listener_fd,
    .accept = accept_one,
    .local_uri = local_uri,
    .listener_close = listener_close,
    .dial = dial,
    .finish_dial = finish_dial,
    .dial_close = dial_close,
    .fd = fd,
    .readv = move,
    .writev = move,
    .shutdown_write = shutdown_write,
    .close = close_it,
};
static const struct ob_plugin transport = {.size = sizeof transport,
					   .kind = OB_PLUGIN_TRANSPORT,
					   .name = "deadly",
					   .version = "1",
					   .ops = &transport_ops};

/* ---- The list ---- */

OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void);
OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void)
{
	static const struct ob_plugin *const list[] = {&codec, &auth, &transport, NULL};
	at("entry");
	return list;
}
