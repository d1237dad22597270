/* SPDX-License-Identifier: MIT */
/* outboard reload: a running supervisor reads its config file again. */
#include "base/value.h"
#include "cli/call/request.h"
#include "cli/commands.h"
#include "cli/report.h"

struct asked {
	bool restart_changed;
	bool json;
};

static void build(const struct obi_request *req, struct ob_builder *b)
{
	const struct asked *asked = req->user;
	ob_build(b, "[b]", (int)asked->restart_changed);
}

static void print_part(const struct ob_value *fault, const char *key, const char *after)
{
	struct ob_bytes text = {NULL, 0};
	if (ob_get_string(ob_value_find(fault, key), &text) && text.len > 0) {
		obi_print_safe(stderr, text);
		fputs(after, stderr);
	}
}

static void print_place(const struct ob_value *fault)
{
	uint64_t line, column;
	if (ob_get_uint(ob_value_find(fault, "line"), &line) &&
	    ob_get_uint(ob_value_find(fault, "column"), &column)) {
		fprintf(stderr, ":%llu:%llu", (unsigned long long)line, (unsigned long long)column);
	}
	fputs(": ", stderr);
}

static void print_faults(const struct ob_value *faults)
{
	for (uint32_t i = 0; ob_value_at(faults, i) != NULL; i++) {
		print_part(ob_value_at(faults, i), "file", "");
		print_place(ob_value_at(faults, i));
		print_part(ob_value_at(faults, i), "key", ": ");
		print_part(ob_value_at(faults, i), "reason", "\n");
	}
}

/* What a change means, as a line: "store: restarted". */
static const char *words_of(const struct ob_value *result, char word[32])
{
	struct ob_bytes change = {NULL, 0};
	(void)ob_get_string(ob_value_find(result, "change"), &change);
	if (ob_bytes_is(change, "stale")) {
		return "stale, its config has changed: outboard restart";
	}
	if (ob_bytes_is(change, "changed")) {
		return "changed, for its next start";
	}
	snprintf(word, 32, "%.*s", (int)(change.len < 31 ? change.len : 31),
		 (const char *)change.data);
	return word;
}

static bool print_changes(const struct ob_value *answer)
{
	const struct ob_value *children = ob_value_find(answer, "children");
	uint64_t unchanged = 0;
	bool good = true;
	for (uint32_t i = 0; ob_value_at(children, i) != NULL; i++) {
		char word[32];
		const struct ob_value *result = ob_value_at(children, i);
		good = obi_print_result(result, words_of(result, word)) && good;
	}
	(void)ob_get_uint(ob_value_find(answer, "unchanged"), &unchanged);
	printf("%llu unchanged\n", (unsigned long long)unchanged);
	return good;
}

static bool is_good(const struct ob_value *answer)
{
	const struct ob_value *children = ob_value_find(answer, "children");
	bool all = true, ok = false;
	for (uint32_t i = 0; ob_value_at(children, i) != NULL; i++) {
		all = ob_get_bool(ob_value_find(ob_value_at(children, i), "ok"), &ok) && ok && all;
	}
	return all;
}

static int print(const struct obi_request *req, const struct ob_value *answer)
{
	const struct asked *asked = req->user;
	const struct ob_value *faults = ob_value_find(answer, "faults");
	struct ob_error err = {0};
	bool good;
	if (asked->json) {
		if (obi_print_json(stdout, answer, &err) < 0) {
			return obi_give_up(req->verb, &err);
		}
		good = is_good(answer);
	} else if (faults != NULL) {
		print_faults(faults);
		good = false;
	} else {
		good = print_changes(answer);
	}
	return faults != NULL ? OBI_EXIT_USAGE : good ? OBI_EXIT_OK : OBI_EXIT_REMOTE;
}

static const char about[] =
    "Makes a running \"outboard run\" read its config file again, as SIGHUP does. Children that\n"
    "are new are started, those that are no longer in the file are ended. One whose config has\n"
    "changed runs on, and is stale until its next start. Waits until what was started is ready,\n"
    "and what was ended has ended. A config with faults changes nothing.\n";

int obi_cmd_reload(int argc, char **argv)
{
	struct asked asked = {.json = false};
	struct obi_request req = {.verb = "reload", .build = build, .print = print, .user = &asked};
	const struct obi_option options[] = {
	    OBI_REQUEST_OPTIONS(&req),
	    {"restart-changed", NULL, "restart children whose config has changed", OBI_OPTION_FLAG,
	     &asked.restart_changed},
	    {"json", NULL, "print the answer as JSON", OBI_OPTION_FLAG, &asked.json},
	    {0},
	};
	const struct obi_usage usage = {
	    .command = "reload", .words = "", .about = about, .options = options};
	struct obi_words words;
	int status;
	return obi_args_read(&usage, argc, argv, &words, &status) ? obi_request_send(&req) : status;
}
