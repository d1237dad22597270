/* SPDX-License-Identifier: MIT */
/*
 * relay - what an agent costs: calls of a child that listens at a unix socket, through an agent,
 * beside direct calls of a child that listens where the agent does, by the same transport and with
 * the same authenticator. Both alternate; each figure is the median of the rounds.
 *
 *   bench-relay [ROUNDS]
 */
#include <outboard/outboard.h>

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/relay.h"
#include "api/client.h"
#include "rpc/via_stream.h"
#include "server/server_parts.h"
#include "support/bench.h"

#define TOKEN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

enum { ROUNDS = 11, ROUNDS_MAX = 99, TEXT = 512, WAIT_MS = 20000 };

extern char **environ;

/* ---- The other processes: ROLE DIRECTORY NAME ---- */

static struct obi_agent_relays relays;
static char kv_path[TEXT];
static ob_server *served;

static void echo(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	ob_call_reply(call, ob_value_at(params, 0));
}

static void on_connect(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user, (void)params;
	obi_agent_relay_begin(&relays, call, "kv", kv_path, (uint32_t)geteuid());
}

static void must(int r, const char *what, const struct ob_error *err)
{
	if (r < 0) {
		bench_die(what, err->text);
	}
}

static void on_term(int number)
{
	(void)number;
	ob_server_stop(served);
}

static int serve(const char *role, const char *dir, const char *name)
{
	static const struct ob_method methods[] = {{"echo", echo}, {NULL, NULL}};
	static const struct ob_method agent[] = {{"connect", on_connect}, {NULL, NULL}};
	char path[TEXT];
	struct ob_error err = {.text = ""};
	snprintf(path, sizeof path, "%s/%s.json", dir, name);
	snprintf(kv_path, sizeof kv_path, "%s/kv.sock", dir);
	const struct ob_server_options options = {.size = sizeof options, .config_path = path};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(ob_server_open(&options, &served, &err), role, &err);
	struct obi_connections *cs = obi_server_connections(served);
	must(obi_interfaces_add(&cs->interfaces, "outboard-agent", agent, NULL, &err), role, &err);
	must(obi_agent_relays_begin(&relays, cs, &err), role, &err);
	must(ob_server_expose(served, "bench", methods, NULL, &err), role, &err);
	signal(SIGTERM, on_term);
	must(ob_server_start(served, &err), role, &err);
	printf("%s\n", ob_server_config(served)->rpc_addr);
	fflush(stdout);
	(void)ob_server_run(served, NULL);
	obi_agent_relays_end(&relays);
	ob_server_close(served);
	return 0;
}

struct process {
	pid_t pid;
	char uri[TEXT];
};

static void write_config(const char *path, const char *listen, const char *auth,
			 const char *settings)
{
	struct ob_error err = {.text = ""};
	struct ob_config config = {.size = sizeof config};
	bool set = ob_config_set(&config.token, TOKEN) == OB_OK &&
		   ob_config_set(&config.listen, listen) == OB_OK &&
		   ob_config_set(&config.auth, auth) == OB_OK &&
		   ob_config_set(&config.settings, settings) == OB_OK;
	must(set ? ob_config_write(path, &config, &err) : OB_ENOMEM, "the config", &err);
	ob_config_clear(&config);
}

/* Start this program as `name`, and wait until it says where it listens. */
static void start(struct process *p, const char *dir, const char *name, const char *listen,
		  const char *auth, const char *settings)
{
	char path[TEXT];
	int out[2];
	posix_spawn_file_actions_t files;
	const char *const argv[] = {"/proc/self/exe", "serve", dir, name, NULL};
	snprintf(path, sizeof path, "%s/%s.json", dir, name);
	write_config(path, listen, auth, settings);
	posix_spawn_file_actions_init(&files);
	if (pipe(out) < 0 || posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO) != 0 ||
	    posix_spawn(&p->pid, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, environ) !=
		0) {
		bench_die(name, "cannot be started");
	}
	posix_spawn_file_actions_destroy(&files);
	close(out[1]);
	FILE *said = fdopen(out[0], "r");
	if (said == NULL || fgets(p->uri, sizeof p->uri, said) == NULL) {
		bench_die(name, "it said nothing");
	}
	p->uri[strcspn(p->uri, "\n")] = '\0';
	fclose(said);
}

static void stop(const struct process *p)
{
	kill(p->pid, SIGTERM);
	waitpid(p->pid, NULL, 0);
}

/* ---- Connections ---- */

struct link {
	struct obi_endpoint endpoint;
	struct obi_connection *connection;
	struct obi_peer *peer;
	ob_client *client;
	bool open;
};

static void on_opened(void *user, struct obi_connection *connection)
{
	struct link *link = user;
	obi_peer_set_connection(link->peer, connection);
	link->open = true;
}

static void on_closed(void *user, struct obi_connection *connection, const struct ob_error *err)
{
	(void)user, (void)connection;
	bench_die("a connection", err->text);
}

static void resolve(ob_runtime *rt, struct link *link, const char *uri, const char *auth,
		    const char *settings)
{
	struct ob_error err = {.text = ""};
	const char *const list[] = {auth, NULL};
	struct obi_endpoint_names names = {.use = OBI_ENDPOINT_DIALER,
					   .uri = uri,
					   .auth = auth != NULL ? list : NULL,
					   .parent_dials = true,
					   .allowed_uid = UINT32_MAX};
	must(obi_endpoint_init(rt, &names, &link->endpoint, &err), uri, &err);
	must(obi_endpoint_set_token(&link->endpoint, TOKEN, &err), uri, &err);
	must(obi_endpoint_configure(&link->endpoint, settings, &err), uri, &err);
}

static void dial(ob_runtime *rt, struct link *link, const char *uri, struct obi_via_setup *via)
{
	struct ob_error err = {.text = ""};
	struct obi_connection_setup setup = obi_endpoint_connection(rt, &link->endpoint);
	setup.events = (struct obi_connection_events){on_opened, on_closed, NULL, NULL, link};
	setup.open_timeout_ms = WAIT_MS;
	if (via != NULL) {
		setup.transport = obi_via_transport();
		setup.transport_state = via;
	}
	link->peer = obi_peer_new(rt);
	link->client = obi_client_new(link->peer, "bench");
	must(obi_connection_dial(&setup, uri, &link->connection, &err), uri, &err);
	while (!link->open) {
		obi_runtime_turn(rt);
	}
}

static void hang_up(struct link *link)
{
	ob_client_free(link->client);
	if (link->connection != NULL) {
		obi_connection_free(link->connection);
		obi_peer_set_connection(link->peer, NULL);
	}
	obi_peer_unref(link->peer);
	obi_endpoint_clear(&link->endpoint);
}

/* ---- Loads ---- */

static char payload[1 << 20];
static double samples[2000];

/* ns of one echo: the median. */
static double echoes(const struct link *link, size_t size, size_t count)
{
	struct ob_error err = {.text = ""};
	for (size_t i = 0; i < count; i++) {
		int64_t begin = bench_now_ns();
		must(ob_client_callf(link->client, WAIT_MS, NULL, &err, "echo", "[S]", payload,
				     size),
		     "echo", &err);
		samples[i] = (double)(bench_now_ns() - begin);
	}
	return bench_quantile(samples, count, 0.5);
}

static const struct load {
	const char *what;
	size_t size, count;
	double bytes; /* that cross for one; 0: the time is of interest */
} loads[] = {
    {"64 B echo", 64, 2000, 0},
    {"64 KiB echo", 64 << 10, 200, 2 * 65536.0},
    {"1 MiB echo", 1 << 20, 12, 2 * 1048576.0},
};

static void compare(const struct link *direct, const struct link *via, const struct load *load,
		    size_t rounds)
{
	double d[ROUNDS_MAX], v[ROUNDS_MAX];
	for (size_t r = 0; r <= rounds; r++) { /* the first one warms up, and is overwritten */
		d[r > 0 ? r - 1 : 0] = echoes(direct, load->size, load->count);
		v[r > 0 ? r - 1 : 0] = echoes(via, load->size, load->count);
	}
	double dm = bench_quantile(d, rounds, 0.5), vm = bench_quantile(v, rounds, 0.5);
	if (load->bytes == 0) {
		printf("  %-16s direct %8.1f us    relay %8.1f us    %.2f x the time\n", load->what,
		       dm / 1000, vm / 1000, vm / dm);
	} else {
		printf("  %-16s direct %8.0f MB/s  relay %8.0f MB/s  %.2f x the rate\n", load->what,
		       load->bytes * 1000 / dm, load->bytes * 1000 / vm, dm / vm);
	}
	fflush(stdout);
}

/* ---- Ways to the agent ---- */

struct way {
	const char *name, *listen, *auth, *settings;
};

static void run_way(ob_runtime *rt, const char *dir, const struct way *way, size_t rounds)
{
	struct process kv, direct, agent;
	struct link to_agent = {.open = false}, to_direct = {.open = false},
		    to_kv = {.open = false};
	char listen[TEXT];
	snprintf(listen, sizeof listen, "unix://%s/kv.sock", dir);
	start(&kv, dir, "kv", listen, "peercred,token", NULL);
	snprintf(listen, sizeof listen, way->listen, dir, "direct");
	start(&direct, dir, "direct", listen, way->auth, way->settings);
	snprintf(listen, sizeof listen, way->listen, dir, "agent");
	start(&agent, dir, "agent", listen, way->auth, way->settings);
	resolve(rt, &to_direct, direct.uri, way->auth, way->settings);
	resolve(rt, &to_agent, agent.uri, way->auth, way->settings);
	resolve(rt, &to_kv, kv.uri, NULL, NULL);
	struct obi_via_setup via = {.host = to_agent.endpoint.host,
				    .transport = &to_agent.endpoint.transport->as.transport,
				    .transport_state = to_agent.endpoint.transport_state,
				    .codec = &to_agent.endpoint.codec->as.codec,
				    .codec_state = to_agent.endpoint.codec_state,
				    .auth = &to_agent.endpoint.auth,
				    .uri = agent.uri,
				    .owner = UINT32_MAX,
				    .agent = "agent",
				    .child = "kv",
				    .host_id = "bench"};
	dial(rt, &to_direct, direct.uri, NULL);
	dial(rt, &to_kv, "via://agent/kv", &via);
	printf("%s\n", way->name);
	for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
		compare(&to_direct, &to_kv, &loads[i], rounds);
	}
	hang_up(&to_kv);
	hang_up(&to_direct);
	obi_endpoint_clear(&to_agent.endpoint);
	stop(&kv);
	stop(&direct);
	stop(&agent);
}

static void make_certificate(const char *dir)
{
	char command[TEXT];
	snprintf(command, sizeof command,
		 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "
		 "%s/key -out %s/certificate -subj /CN=bench -days 30 2>%s/said",
		 dir, dir, dir);
	if (system(command) != 0) {
		bench_die("the openssl command", "cannot make a certificate");
	}
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/bench-relay-XXXXXX", settings[TEXT], command[TEXT];
	size_t rounds = argc == 2 ? strtoul(argv[1], NULL, 10) : ROUNDS;
	struct ob_error err = {.text = ""};
	ob_runtime *rt;
	if (argc == 4 && strcmp(argv[1], "serve") == 0) {
		return serve(argv[1], argv[2], argv[3]);
	}
	if (argc > 2 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench-relay [ROUNDS, 1 to %d]\n", ROUNDS_MAX);
		return 2;
	}
	if (mkdtemp(dir) == NULL) {
		bench_die(dir, "cannot be made");
	}
	bench_pin(0); /* and so run the others */
	make_certificate(dir);
	snprintf(settings, sizeof settings,
		 "{\"transport\":{\"certificate\":\"%s/certificate\",\"key\":\"%s/key\","
		 "\"ca\":\"%s/certificate\",\"names\":[\"bench\"]}}",
		 dir, dir, dir);
	const struct way ways[] = {
	    {"unix, token", "unix://%s/%s.sock", "token", NULL},
	    {"tcp, noise", "tcp://127.0.0.1:0", "noise", NULL},
	    {"tls over tcp, token", "tls+tcp://127.0.0.1:0", "token", settings},
	};
	must(ob_runtime_new(NULL, &rt, &err), "the runtime", &err);
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		run_way(rt, dir, &ways[i], rounds);
	}
	ob_runtime_free(rt);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command) != 0;
}
