/* SPDX-License-Identifier: MIT */
/* outboard agent: starts and watches children for a host that is elsewhere. */
#include "cli/agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/string_list.h"
#include "cli/agent/init.h"
#include "cli/args.h"
#include "cli/call/address.h"
#include "cli/call/settings.h"
#include "cli/commands.h"
#include "cli/report.h"

enum { RESERVE = 4, CHILDREN_END_MS = 5000 };

struct arguments {
	const char *listen; /* NULL: from OUTBOARD_CONFIG */
	const char *root;
	const char *codec;
	const char *auth;
	const char *token_file;
	const char *settings_file;
	const char *log_memory;
	const char *children_max;
	struct obi_list allow;
	bool allow_plaintext;
	bool end_children;
	bool init;
};

/* What runs. */
struct serving {
	ob_runtime *rt;
	ob_server *server;
	ob_agent *agent;
	ob_watch *signals[2];
	bool end_children; /* before the agent ends */
	bool ending;
};

/* ---- The end ---- */

static void children_have_ended(void *user, int result, const struct ob_error *err)
{
	(void)result;
	(void)err;
	ob_server_stop(user);
}

/* An agent whose children live on ends at once. */
static void end(struct serving *s)
{
	if (!s->end_children) {
		ob_server_stop(s->server);
	} else if (!s->ending) {
		s->ending = true;
		ob_agent_end_children(s->agent, CHILDREN_END_MS, children_have_ended, s->server);
	}
}

static void on_signal(void *user, int number)
{
	(void)number;
	end(user);
}

static void on_shutdown(void *user, ob_server *server)
{
	(void)server;
	end(user);
}

/* ---- Serving ---- */

static int open_server(struct serving *s, const struct arguments *a, const char *token,
		       const char *settings, struct ob_error *reterr)
{
	char **auth = a->auth != NULL ? obi_string_list_split(a->auth, ',') : NULL;
	const struct ob_server_options options = {
	    .size = sizeof options,
	    .runtime = s->rt,
	    .listen = a->listen,
	    .codec = a->codec,
	    .auth = (const char *const *)auth,
	    .token = token,
	    .settings = settings,
	    .allow_plaintext = a->allow_plaintext,
	    .reserve = RESERVE,
	    .shutdown = on_shutdown,
	    .user_data = s,
	};
	int r = ob_server_open(&options, &s->server, reterr);
	obi_string_list_free(auth);
	return r;
}

static int read_and_open(struct serving *s, const struct arguments *a, const char *settings,
			 struct ob_error *reterr)
{
	struct obi_buf token;
	obi_buf_init(&token, OBI_TOKEN_FILE_MAX);
	int r = a->token_file != NULL ? obi_token_read(a->token_file, &token, reterr) : OB_OK;
	const char *text = a->token_file != NULL ? (const char *)obi_buf_bytes(&token).data : NULL;
	r = r == OB_OK ? open_server(s, a, text, settings, reterr) : r;
	obi_buf_free(&token);
	return r;
}

static int watch_signals(struct serving *s, struct ob_error *reterr)
{
	int r = ob_watch_signal(s->rt, SIGTERM, on_signal, s, &s->signals[0], reterr);
	return r == OB_OK ? ob_watch_signal(s->rt, SIGINT, on_signal, s, &s->signals[1], reterr)
			  : r;
}

static void tell(ob_server *server, const char *root)
{
	const struct ob_config *config = ob_server_config(server);
	bool listens = config->rpc_addr != NULL;
	ob_log(ob_server_logger(server), OB_LOG_INFO,
	       listens ? "the agent listens" : "the agent dials its host", "{s:s,s:s}", "address",
	       listens ? config->rpc_addr : config->dial, "root", root);
}

static int serve(const struct arguments *a, const struct ob_agent_options *options,
		 const char *settings, struct ob_error *reterr)
{
	struct serving s = {.end_children = a->end_children};
	int r = ob_runtime_new(NULL, &s.rt, reterr);
	r = r == OB_OK ? watch_signals(&s, reterr) : r;
	r = r == OB_OK ? read_and_open(&s, a, settings, reterr) : r;
	r = r == OB_OK ? ob_agent_new(s.server, options, &s.agent, reterr) : r;
	r = r == OB_OK ? ob_server_start(s.server, reterr) : r;
	if (r == OB_OK) {
		tell(s.server, options->root);
		r = ob_server_run(s.server, reterr);
	}
	ob_agent_free(s.agent);
	ob_server_close(s.server);
	ob_watch_free(s.signals[0]);
	ob_watch_free(s.signals[1]);
	ob_runtime_free(s.rt);
	return r;
}

/* ---- The command line ---- */

/* A number of an option; NULL: 0. */
static bool read_number(const char *option, const char *text, uint64_t max, uint64_t *ret)
{
	char *end = NULL;
	errno = 0;
	unsigned long long number = text != NULL ? strtoull(text, &end, 10) : 0;
	*ret = number;
	if (text == NULL || (errno == 0 && end != text && *end == '\0' && text[0] >= '0' &&
			     text[0] <= '9' && number > 0 && number <= max)) {
		return true;
	}
	obi_complain("agent: --%s: must be an integer from 1 to %llu", option,
		     (unsigned long long)max);
	return false;
}

/* OUTBOARD_CONFIG says where to listen, and with what. */
static bool check_source(const struct arguments *a)
{
	const char *config = getenv("OUTBOARD_CONFIG");
	bool is_child = config != NULL && *config != '\0';
	if (a->root == NULL) {
		obi_complain("agent: --root is required");
	} else if (!is_child && a->listen == NULL) {
		obi_complain("agent: --listen is required, unless the agent is itself a child");
	} else if (is_child && (a->listen != NULL || a->codec != NULL || a->auth != NULL ||
				a->token_file != NULL || a->settings_file != NULL)) {
		obi_complain("agent: OUTBOARD_CONFIG is set: --listen, --codec, --auth, "
			     "--token-file and --settings come from there");
	} else {
		return true;
	}
	return false;
}

static int read_settings_and_serve(const struct arguments *a,
				   const struct ob_agent_options *options)
{
	struct ob_error err = {0};
	struct obi_buf text;
	const char *settings;
	int status = OBI_EXIT_USAGE;
	if (obi_settings_read("agent", a->settings_file, &text, &settings)) {
		status = serve(a, options, settings, &err) < 0 ? obi_give_up("agent", &err)
							       : OBI_EXIT_OK;
	}
	obi_buf_free(&text);
	return status;
}

static int run(const struct arguments *a)
{
	const char *allow[OBI_LIST_MAX + 1] = {NULL};
	uint64_t log_memory, children_max;
	if (!check_source(a) ||
	    !read_number("log-memory", a->log_memory, UINT64_C(1) << 40, &log_memory) ||
	    !read_number("children-max", a->children_max, 65536, &children_max)) {
		return OBI_EXIT_USAGE;
	}
	memcpy(allow, a->allow.items, (size_t)a->allow.count * sizeof allow[0]);
	const struct ob_agent_options options = {
	    .size = sizeof options,
	    .root = a->root,
	    .allow = allow,
	    .log_memory = (size_t)log_memory,
	    .children_max = (uint32_t)children_max,
	};
	return read_settings_and_serve(a, &options);
}

static const char about[] =
    "Starts and watches children for a host that is elsewhere, as it is told by the interface\n"
    "outboard-agent. Children of an agent that was killed, or that ended with SIGTERM, live on;\n"
    "the next one with the same root finds them again. If OUTBOARD_CONFIG is set the agent is\n"
    "itself a child, and its address, mechanisms and token come from there.\n\n"
    "--init is for the process 1: it mounts what is missing, runs the agent with --end-children,\n"
    "and reaps. At the end a machine is powered off.\n\n"
    "\"outboard agent list\" shows the children of an agent, \"outboard agent ping\" asks whether\n"
    "it is there; both have a --help of their own.\n";

static int read_and_run(int argc, char **argv)
{
	struct arguments a = {0};
	struct obi_words words;
	int status;
	const struct obi_option options[] = {
	    {"listen", "URI", "where to listen", OBI_OPTION_TEXT, &a.listen},
	    {"root", "DIR", "directory of the children, absolute", OBI_OPTION_TEXT, &a.root},
	    {"codec", "NAME", "the codec; default msgpack", OBI_OPTION_TEXT, &a.codec},
	    {"auth", "NAME[,NAME...]", "mechanisms; default by --listen", OBI_OPTION_TEXT, &a.auth},
	    {"token-file", "FILE", "file with the token, 64 hex digits, mode 0600", OBI_OPTION_TEXT,
	     &a.token_file},
	    {"settings", "FILE", "JSON with settings of plugins", OBI_OPTION_TEXT,
	     &a.settings_file},
	    {"allow", "COMMAND", "path or pattern of a command that may run; default DIR/bin/*",
	     OBI_OPTION_LIST, &a.allow},
	    {"allow-plaintext", NULL, "permit an unencrypted connection that others can reach",
	     OBI_OPTION_FLAG, &a.allow_plaintext},
	    {"log-memory", "BYTES", "kept of what each child writes; default 1048576",
	     OBI_OPTION_TEXT, &a.log_memory},
	    {"children-max", "N", "how many children there may be; default 256", OBI_OPTION_TEXT,
	     &a.children_max},
	    {"end-children", NULL, "end the children before the agent ends", OBI_OPTION_FLAG,
	     &a.end_children},
	    {"init", NULL, "be the first process of a machine or a container", OBI_OPTION_FLAG,
	     &a.init},
	    {0},
	};
	const struct obi_usage usage = {.command = "agent",
					.words = "",
					.about = about,
					.options = options,
					.min_words = 0,
					.max_words = 0};
	if (!obi_args_read(&usage, argc, argv, &words, &status)) {
		return status;
	}
	return a.init ? obi_agent_init(argc, argv) : run(&a);
}

static const struct obi_command subcommands[] = {
    {"list", "show the children of an agent", obi_agent_list},
    {"ping", "ask whether an agent is there", obi_agent_ping},
    {0},
};

int obi_cmd_agent(int argc, char **argv)
{
	const struct obi_command *sub = argc > 0 ? obi_command_find(subcommands, argv[0]) : NULL;
	if (sub != NULL) {
		return sub->run(argc - 1, argv + 1);
	}
	if (obi_args_visited()) {
		(void)obi_group_run(&(struct obi_group){.commands = subcommands}, 0, NULL);
	}
	return read_and_run(argc, argv);
}
