/* SPDX-License-Identifier: MIT */
#include "support/own.h"

#include <outboard/outboard.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGEST = 1 << 20, MECHANISMS = 4, SETTINGS = 512 };

struct own;

/* One client, with a connection of its own. */
struct caller {
	struct own *own;
	ob_client *client;
	uint64_t to_send, to_come;
};

struct own {
	struct own *next; /* in the list of open ones */
	ob_runtime *runtime;
	ob_connector *connector;
	ob_client *client;
	ob_reply *reply;
	struct ob_config config; /* the child's */
	char *settings;		 /* of tls; NULL: none */
	char dir[64];
	char *payload;
	bool text;
	uint32_t size;
	struct caller callers[BENCH_CONNECTIONS]; /* the first one has the connector's client */
	uint64_t to_come;			  /* of all callers */
	double *samples;			  /* NULL: not wanted */
	uint64_t taken;
	int64_t sent_ns;
};

static struct own *open_ones;

/* ---- The child ---- */

static void echo(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	ob_call_reply(call, ob_value_at(params, 0));
}

static void sink(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	(void)call;
	(void)params;
}

int own_serve(const char *role)
{
	static const struct ob_method methods[] = {{"echo", echo}, {"sink", sink}, {NULL, NULL}};
	struct ob_error err;
	ob_server *server;
	if (strcmp(role, "serve") != 0) {
		return -1;
	}
	if (ob_server_open(NULL, &server, &err) < 0 ||
	    ob_server_expose(server, "bench", methods, NULL, &err) < 0 ||
	    ob_server_start(server, &err) < 0) {
		bench_die("the child", err.text);
	}
	(void)ob_server_run(server, NULL);
	ob_server_close(server);
	return 0;
}

/* ---- The parent ---- */

/* Split "a+b" in place. */
static void split(char *list, const char *ret[MECHANISMS + 1])
{
	size_t n = 0;
	for (char *rest = list, *word;
	     n < MECHANISMS && (word = strtok_r(rest, "+", &rest)) != NULL;) {
		ret[n++] = word;
	}
	ret[n] = NULL;
}

static void start(struct own *own, const struct ob_connector_options *options)
{
	struct ob_error err;
	if (ob_runtime_new(NULL, &own->runtime, &err) < 0 || ob_reply_new(&own->reply, &err) < 0 ||
	    ob_connector_new(own->runtime, options, &own->connector, &err) < 0 ||
	    ob_connector_start(own->connector, 0, NULL, &err) < 0) {
		bench_die("starting the child", err.text);
	}
	own->client = ob_connector_client(own->connector);
	own->callers[0] = (struct caller){.own = own, .client = own->client};
}

static void remove_dir(const struct own *own)
{
	char command[256];
	snprintf(command, sizeof command, "rm -rf %s %s.state %s.tls", own->dir, own->dir,
		 own->dir);
	if (system(command) != 0) {
		fprintf(stderr, "bench: cannot remove %s\n", own->dir);
	}
}

/* ---- TLS ---- */

/* One certificate for both ends, which is its own CA. */
static void make_certificate(const struct own *own)
{
	char command[512];
	snprintf(command, sizeof command,
		 "mkdir -m 700 %s.tls && openssl req -x509 -newkey ec -pkeyopt "
		 "ec_paramgen_curve:P-256 -nodes -keyout %s.tls/key -out %s.tls/certificate "
		 "-subj /CN=bench -days 30 2>%s.tls/said",
		 own->dir, own->dir, own->dir, own->dir);
	if (system(command) != 0) {
		bench_die("the openssl command", "cannot make a certificate");
	}
}

static void write_settings(const struct own *own, char ret[SETTINGS])
{
	snprintf(ret, SETTINGS,
		 "{\"transport\":{\"certificate\":\"%s.tls/certificate\",\"key\":\"%s.tls/key\","
		 "\"ca\":\"%s.tls/certificate\",\"names\":[\"bench\"]}}",
		 own->dir, own->dir, own->dir);
}

/* ---- Further clients of the child ---- */

static void read_config(struct own *own)
{
	char path[96];
	struct ob_error err;
	own->config.size = sizeof own->config;
	snprintf(path, sizeof path, "%s/outboard.json", own->dir);
	if (ob_config_read(path, &own->config, &err) < 0) {
		bench_die("reading the child's config", err.text);
	}
}

void own_place(const struct own *own, char *to, size_t size)
{
	const char *address = own->config.rpc_addr;
	bool tcp = strncmp(address, "tcp://", 6) == 0;
	snprintf(to, size, "%s:%s", tcp ? "tcp" : "unix", strstr(address, "://") + 3);
}

static int connect_once(struct own *own, ob_client **ret_client, struct ob_error *err)
{
	char mechanisms[128];
	const char *list[MECHANISMS + 1];
	snprintf(mechanisms, sizeof mechanisms, "%s", own->config.auth);
	for (char *at = mechanisms; (at = strchr(at, ',')) != NULL;) {
		*at = '+';
	}
	split(mechanisms, list);
	struct ob_client_options options = {.size = sizeof options,
					    .address = own->config.rpc_addr,
					    .codec = own->config.codec,
					    .auth = list,
					    .token = own->config.token,
					    .settings = own->settings,
					    .allow_plaintext = true};
	int r = ob_client_connect(own->runtime, &options, NULL, ret_client, err);
	if (r == OB_OK &&
	    (r = ob_client_callf(*ret_client, 0, NULL, err, "bench.echo", "[i]", 1)) < 0) {
		ob_client_free(*ret_client);
	}
	return r;
}

/* Repeated while the server is too busy to let it in. */
static ob_client *connect_client(struct own *own, uint64_t *count_again)
{
	const int64_t most_ns = (int64_t)60 * 1000000000;
	struct ob_error err = {0};
	ob_client *client;
	int64_t begin = bench_now_ns();
	while (connect_once(own, &client, &err) < 0) {
		++*count_again;
		(void)ob_runtime_run(own->runtime, 1);
		if (bench_now_ns() - begin > most_ns) {
			bench_die("connecting", err.text);
		}
	}
	return client;
}

double own_connect(struct own *own, uint64_t *count_again)
{
	int64_t begin = bench_now_ns();
	ob_client_free(connect_client(own, count_again));
	return (double)(bench_now_ns() - begin);
}

/* No child remains when the program exits early. */
static void end_all(void)
{
	for (const struct own *own = open_ones; own != NULL; own = own->next) {
		int32_t pid = own->connector != NULL ? ob_connector_pid(own->connector) : 0;
		if (pid > 0) {
			kill(pid, SIGKILL);
		}
		remove_dir(own);
	}
}

static struct own *make(void)
{
	static bool registered;
	struct own *own = calloc(1, sizeof *own);
	if (!registered) {
		atexit(end_all);
		registered = true;
	}
	snprintf(own->dir, sizeof own->dir, "/tmp/outboard-bench-XXXXXX");
	if (mkdtemp(own->dir) == NULL) {
		bench_die("making a directory", own->dir);
	}
	own->next = open_ones;
	open_ones = own;
	return own;
}

struct own *own_open(enum bench_wire wire, const char *codec, const char *auth)
{
	char self[4096], mechanisms[128], listen[160], settings[SETTINGS];
	const char *list[MECHANISMS + 1];
	struct own *own = make();
	bool tls = strcmp(auth, "tls") == 0;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[n > 0 ? n : 0] = '\0';
	snprintf(mechanisms, sizeof mechanisms, "%s", tls ? "token" : auth);
	split(mechanisms, list);
	if (tls) {
		make_certificate(own);
		write_settings(own, settings);
		own->settings = strdup(settings);
	}
	if (wire == BENCH_TCP) {
		snprintf(listen, sizeof listen, "%stcp://127.0.0.1:0", tls ? "tls+" : "");
	} else {
		snprintf(listen, sizeof listen, "%sunix://%s/rpc.sock", tls ? "tls+" : "",
			 own->dir);
	}
	const char *argv[] = {self, "serve", NULL};
	struct ob_connector_options options = {.size = sizeof options,
					       .name = "bench",
					       .data_path = own->dir,
					       .argv = argv,
					       .listen = listen,
					       .settings = tls ? settings : NULL,
					       .child_settings = tls ? settings : NULL,
					       .codec = codec,
					       .auth = list,
					       .allow_plaintext = wire != BENCH_UNIX,
					       .health_interval_ms = -1};
	own->text = strcmp(codec, "json") == 0;
	own->payload = malloc(LARGEST);
	memset(own->payload, 'x', LARGEST);
	start(own, &options);
	read_config(own);
	return own;
}

void own_close(struct own *own)
{
	struct own **at = &open_ones;
	while (*at != own) {
		at = &(*at)->next;
	}
	*at = own->next;
	for (int i = 1; i < BENCH_CONNECTIONS; i++) {
		ob_client_free(own->callers[i].client);
	}
	ob_connector_close(own->connector);
	ob_reply_free(own->reply);
	ob_runtime_free(own->runtime);
	remove_dir(own);
	ob_config_clear(&own->config);
	free(own->settings);
	free(own->payload);
	free(own);
}

static struct ob_value payload_of(const struct own *own)
{
	return own->text ? ob_stringn(own->payload, own->size) : ob_binary(own->payload, own->size);
}

/* ---- Calling, blocking ---- */

struct bench_round own_run_inline(void *self, const struct bench_load *load, double *samples)
{
	struct own *own = self;
	struct ob_error err;
	own->size = load->size;
	struct ob_value items[1] = {payload_of(own)};
	struct ob_value params = ob_array(items, 1);
	int64_t begin = bench_now_ns();
	for (uint64_t i = 0; i < load->count; i++) {
		int64_t t = bench_now_ns();
		if (ob_client_call(own->client, "bench.echo", &params, 0, NULL, own->reply, &err) <
		    0) {
			bench_die("echo", err.text);
		}
		samples[i] = (double)(bench_now_ns() - t);
	}
	return bench_round_of(begin, load->count, samples, load->count);
}

/* ---- Calling, asynchronous ---- */

static void send_one(struct caller *caller);

static void on_echo(void *user, int result, const struct ob_value *value,
		    const struct ob_error *err)
{
	struct caller *caller = user;
	struct own *own = caller->own;
	if (result != OB_OK || value->count != own->size) {
		bench_die("echo", err != NULL ? err->text : "another size");
	}
	if (own->samples != NULL) {
		own->samples[own->taken++] = (double)(bench_now_ns() - own->sent_ns);
	}
	if (--own->to_come == 0) {
		ob_runtime_stop(own->runtime);
	} else if (caller->to_send > 0) {
		send_one(caller);
	}
}

static void send_one(struct caller *caller)
{
	struct own *own = caller->own;
	struct ob_value items[1] = {payload_of(own)};
	struct ob_value params = ob_array(items, 1);
	struct ob_error err;
	caller->to_send--;
	own->sent_ns = own->samples != NULL ? bench_now_ns() : 0;
	if (ob_client_call_async(caller->client, "bench.echo", &params, 0, on_echo, caller, NULL,
				 &err) < 0) {
		bench_die("echo", err.text);
	}
}

static void need_client(struct own *own, struct caller *caller)
{
	uint64_t again = 0;
	if (caller->client == NULL) {
		*caller = (struct caller){.own = own, .client = connect_client(own, &again)};
	}
}

static void echo_many(struct own *own, const struct bench_load *load)
{
	uint32_t connections = load->connections > 0 ? load->connections : 1;
	own->to_come = load->count / connections * connections;
	for (uint32_t c = 0; c < connections; c++) {
		need_client(own, &own->callers[c]);
		own->callers[c].to_send = load->count / connections;
		for (uint32_t i = 0; i < load->outstanding / connections; i++) {
			send_one(&own->callers[c]);
		}
	}
	(void)ob_runtime_run(own->runtime, -1);
}

/* Notifications. The loop is turned after each 256 KiB, and a full queue is waited for. The last
 * message is a call. */
static void one_way(struct own *own, uint64_t count)
{
	enum { TOGETHER = 256 * 1024 };
	struct ob_value items[1] = {payload_of(own)};
	struct ob_value params = ob_array(items, 1);
	struct ob_error err;
	size_t unsent = 0;
	for (uint64_t i = 1; i < count; i++) {
		int r;
		while ((r = ob_client_notify(own->client, "bench.sink", &params, &err)) ==
		       OB_EAGAIN) {
			(void)ob_runtime_run(own->runtime, 1);
		}
		if (r < 0) {
			bench_die("sink", err.text);
		}
		unsent += own->size;
		if (unsent >= TOGETHER) {
			(void)ob_runtime_run(own->runtime, 0);
			unsent = 0;
		}
	}
	while (ob_client_call(own->client, "bench.echo", &params, 0, NULL, own->reply, &err) ==
	       OB_EAGAIN) {
		(void)ob_runtime_run(own->runtime, 1);
	}
}

struct bench_round own_run_async(void *self, const struct bench_load *load, double *samples)
{
	struct own *own = self;
	own->size = load->size;
	own->samples = load->outstanding == 1 ? samples : NULL;
	own->taken = 0;
	int64_t begin = bench_now_ns();
	if (load->outstanding > 0) {
		echo_many(own, load);
	} else {
		one_way(own, load->count);
	}
	return bench_round_of(begin, load->count, samples, own->taken);
}
