/* SPDX-License-Identifier: MIT */
/* outboard agent list, outboard agent ping: ask an agent. */
#include <signal.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/error.h"
#include "cli/agent/agent.h"
#include "cli/args.h"
#include "cli/call/address.h"
#include "cli/call/settings.h"
#include "cli/report.h"
#include "cli/table.h"

enum { TIMEOUT_MS = 30000, TABLE_MAX = 4 << 20 };

struct asking {
	struct obi_address to;
	const char *settings_file;
	bool json;
};

/* ---- What is printed ---- */

/* A member of the facts as a cell; "" if it is not there. What an agent says is not trusted. */
static void add_cell(struct obi_table *table, const struct ob_value *facts, const char *key)
{
	const struct ob_value *value = ob_value_find(facts, key);
	struct ob_bytes text;
	int64_t number;
	if (ob_get_string(value, &text)) {
		obi_table_cell(table, "%.*s", (int)text.len, (const char *)text.data);
	} else if (ob_get_int(value, &number) && number != 0) {
		obi_table_cell(table, "%lld", (long long)number);
	} else {
		obi_table_cell(table, "%s", "");
	}
}

static void add_exit(struct obi_table *table, const struct ob_value *facts)
{
	const struct ob_value *end = ob_value_find(facts, "exit");
	int64_t kind = OB_EXIT_UNKNOWN, value = 0;
	(void)ob_get_int(ob_value_find(end, "kind"), &kind);
	(void)ob_get_int(ob_value_find(end, "value"), &value);
	if (ob_is_nil(end)) {
		obi_table_cell(table, "%s", "");
	} else if (kind == OB_EXIT_UNKNOWN) {
		obi_table_cell(table, "%s", "unknown");
	} else {
		obi_table_cell(table, "%s %lld", kind == OB_EXIT_CODE ? "status" : "signal",
			       (long long)value);
	}
}

static int print_list(const struct ob_value *list, struct ob_error *reterr)
{
	static const char *const headings[] = {"NAME", "STATE", "PID", "EXIT", "ERROR", NULL};
	struct obi_arena arena;
	struct obi_table table;
	obi_arena_init(&arena, TABLE_MAX);
	obi_table_init(&table, &arena, headings);
	for (uint32_t i = 0; i < list->count && list->type == OB_ARRAY; i++) {
		const struct ob_value *facts = ob_value_at(list, i);
		obi_table_row(&table);
		add_cell(&table, facts, "name");
		add_cell(&table, facts, "state");
		add_cell(&table, facts, "pid");
		add_exit(&table, facts);
		add_cell(&table, facts, "error");
	}
	int r = obi_table_print(&table, reterr);
	obi_arena_free(&arena);
	return r;
}

/* ---- Asking ---- */

static int ask(const struct asking *a, ob_client *client, const char *method)
{
	struct ob_error err = {0};
	ob_reply *reply = NULL;
	int status = OBI_EXIT_OK;
	int r = ob_reply_new(&reply, &err);
	if (r < 0) {
		return obi_give_up(method, &err);
	}
	r = ob_client_call(client, method, NULL, a->to.timeout_ms, NULL, reply, &err);
	const struct ob_value *result = ob_reply_value(reply);
	if (r < 0) {
		status = obi_give_up_call(method, &err);
	} else if (a->json) {
		r = obi_print_json(stdout, result, &err);
	} else if (result->type == OB_ARRAY) {
		r = print_list(result, &err);
	}
	if (r < 0 && status == OBI_EXIT_OK) {
		status = obi_give_up(method, &err);
	}
	ob_reply_free(reply);
	return status;
}

static int connect_and_ask(const struct asking *a, const char *method)
{
	struct ob_error err = {0};
	ob_runtime *rt = NULL;
	ob_client *client = NULL;
	signal(SIGPIPE, SIG_IGN);
	int r = ob_runtime_new(NULL, &rt, &err);
	r = r == OB_OK ? obi_connect_address(rt, &a->to, &client, &err) : r;
	int status = r == OB_OK ? ask(a, client, method) : obi_give_up(NULL, &err);
	ob_client_free(client);
	ob_runtime_free(rt);
	return status;
}

static int run(const char *command, const char *about, const char *method, int argc, char **argv)
{
	struct asking a = {.to = {.timeout_ms = TIMEOUT_MS}};
	struct obi_words words;
	int status;
	const struct obi_option options[] = {
	    {"codec", "NAME", "the codec; default msgpack", OBI_OPTION_TEXT, &a.to.codec},
	    {"auth", "NAME[,NAME...]", "mechanisms; default by the address", OBI_OPTION_TEXT,
	     &a.to.auth},
	    {"token-file", "FILE", "file with the token, 64 hex digits, mode 0600", OBI_OPTION_TEXT,
	     &a.to.token_file},
	    {"settings", "FILE", "JSON with settings of plugins", OBI_OPTION_TEXT,
	     &a.settings_file},
	    {"allow-plaintext", NULL, "permit an unencrypted connection that others can reach",
	     OBI_OPTION_FLAG, &a.to.allow_plaintext},
	    {"json", NULL, "print the answer as JSON", OBI_OPTION_FLAG, &a.json},
	    {"timeout", "D", "limit for connecting and calling; default 30s", OBI_OPTION_LIMIT,
	     &a.to.timeout_ms},
	    {0},
	};
	const struct obi_usage usage = {.command = command,
					.words = "URI",
					.about = about,
					.options = options,
					.min_words = 1,
					.max_words = 1};
	if (!obi_args_read(&usage, argc, argv, &words, &status)) {
		return status;
	}
	a.to.address = words.items[0];
	struct obi_buf text;
	status = obi_settings_read(command, a.settings_file, &text, &a.to.settings)
		     ? connect_and_ask(&a, method)
		     : OBI_EXIT_USAGE;
	obi_buf_free(&text);
	return status;
}

int obi_agent_list(int argc, char **argv)
{
	return run("agent list",
		   "Shows the children of the agent at URI. The host that it serves is not "
		   "disturbed.\n",
		   "outboard-agent.list", argc, argv);
}

int obi_agent_ping(int argc, char **argv)
{
	return run("agent ping",
		   "Exits with 0 if the agent at URI answers. With --json its health is printed.\n",
		   "outboard-control.health", argc, argv);
}
