/* SPDX-License-Identifier: MIT */
/* outboard plugin check: whether plugin files keep the promises of their headers. */
#include "cli/args.h"
#include "base/text.h"
#include "base/value.h"
#include "cli/plugin/plugin.h"
#include "cli/report.h"
#include "cli/plugin/check_runner.h"

enum { CHECK_MEMORY = 64 << 20, PATIENCE_MS = 60000 };

struct check {
	const char *file;
	bool verbose;
	bool json;
	uint32_t held, broken, skipped; /* of this file */
	uint32_t broken_in_all, tried_in_all;
	char subject[4800]; /* the current heading */
	struct obi_arena arena;
	struct ob_builder list;
};

static void count(struct check *c, const char *verdict)
{
	c->held += strcmp(verdict, "held") == 0;
	c->broken += strcmp(verdict, "broken") == 0;
	c->skipped += strcmp(verdict, "skipped") == 0;
}

/* ---- Text ---- */

static void print_subject(struct check *c, const struct obi_finding *f)
{
	char subject[sizeof c->subject];
	bool whole = f->name[0] == '\0', somewhere = f->address[0] != '\0';
	snprintf(subject, sizeof subject, "%s%s%s%s%s%s", whole ? c->file : f->name,
		 whole ? "" : " (", f->kind, whole ? "" : ")", somewhere ? " at " : "", f->address);
	if (strcmp(subject, c->subject) != 0) {
		memcpy(c->subject, subject, sizeof subject);
		obi_print_safe(stdout, ob_bytes_text(subject));
		putchar('\n');
	}
}

static void print_finding(struct check *c, const struct obi_finding *f)
{
	bool held = strcmp(f->verdict, "held") == 0, broken = strcmp(f->verdict, "broken") == 0;
	if (held && !c->verbose) {
		return;
	}
	print_subject(c, f);
	printf("  %-8s ", broken ? "BROKEN" : f->verdict);
	obi_print_safe(stdout, ob_bytes_text(f->promise));
	fputs(f->why[0] != '\0' ? ": " : "", stdout);
	obi_print_safe(stdout, ob_bytes_text(f->why));
	putchar('\n');
	fflush(stdout); /* the next may take a while */
}

static void print_summary(const struct check *c)
{
	obi_print_safe(stdout, ob_bytes_text(c->file));
	printf(": %u held, %u broken, %u skipped\n", c->held, c->broken, c->skipped);
}

/* ---- JSON ---- */

static const char *keep(struct check *c, const char *text)
{
	char *copy = obi_arena_text(&c->arena, text, strlen(text));
	if (copy != NULL) {
		obi_text_clean(copy);
	}
	return copy != NULL ? copy : "";
}

static void add_finding(struct check *c, const struct obi_finding *f)
{
	ob_build(&c->list, "{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "file", c->file, "kind",
		 keep(c, f->kind), "name", keep(c, f->name), "address", keep(c, f->address),
		 "promise", keep(c, f->promise), "verdict", keep(c, f->verdict), "reason",
		 keep(c, f->why));
}

static int print_list(struct check *c)
{
	struct ob_error err = {0};
	struct ob_value list;
	ob_build_end(&c->list);
	if (ob_builder_finish(&c->list, &list) < 0 || obi_print_json(stdout, &list, &err) < 0) {
		obi_complain("%s", err.text[0] != '\0' ? err.text : "out of memory");
		return OBI_EXIT_USAGE;
	}
	return OBI_EXIT_OK;
}

/* ---- The command ---- */

static void found(void *user, const struct obi_finding *finding)
{
	struct check *c = user;
	count(c, finding->verdict);
	if (c->json) {
		add_finding(c, finding);
	} else {
		print_finding(c, finding);
	}
}

static int check_file(struct check *c, struct obi_check_runner *runner, const char *file)
{
	struct ob_error err = {0};
	c->file = runner->file = file;
	c->held = c->broken = c->skipped = 0;
	c->subject[0] = '\0';
	int rc = obi_check_runner_run(runner, &err);
	if (rc < 0) {
		return obi_give_up(file, &err);
	}
	c->broken_in_all += c->broken;
	c->tried_in_all += c->held + c->broken + c->skipped;
	if (!c->json) {
		print_summary(c);
	}
	return OBI_EXIT_OK;
}

static int check_files(struct check *c, struct obi_check_runner *runner,
		       const struct obi_words *words)
{
	int status = OBI_EXIT_OK;
	obi_arena_init(&c->arena, CHECK_MEMORY);
	ob_builder_init(&c->list, &c->arena.ob);
	ob_build_array(&c->list);
	for (int i = 0; i < words->count && status == OBI_EXIT_OK; i++) {
		status = check_file(c, runner, words->items[i]);
	}
	if (c->json && status == OBI_EXIT_OK) {
		status = print_list(c);
	}
	obi_arena_free(&c->arena);
	if (status == OBI_EXIT_OK && c->tried_in_all == 0) {
		obi_complain("plugin check: nothing was tried");
		return OBI_EXIT_USAGE;
	}
	return status == OBI_EXIT_OK && c->broken_in_all > 0 ? OBI_EXIT_REMOTE : status;
}

static bool addresses_are_sound(const struct obi_list *listen, const struct obi_list *dial)
{
	if (dial->count > listen->count) {
		obi_complain("plugin check: each --dial requires a --listen");
		return false;
	}
	for (int i = 0; i < listen->count; i++) {
		if (strstr(listen->items[i], "://") == NULL) {
			obi_complain("plugin check: --listen %s is not a URI", listen->items[i]);
			return false;
		}
	}
	return true;
}

static const char about[] =
    "Loads plugin files in a process of their own and tries what the headers of their kind\n"
    "promise. A FILE is a path, or the bare name of a plugin in the plugin path. If a plugin\n"
    "crashes, hangs or exits, the promise being tried is broken, and the others are still tried.\n"
    "Transports other than unix, tcp and wrappers of them (x+tcp) need --listen, in which {dir}\n"
    "is a directory made for the check. A plugin with settings gets those of a file such as\n"
    "{\"settings\": {...}, \"child_settings\": {...}}: the first for the end that dials, the\n"
    "second, by default the same, for the one that listens. The exit status is 1 if a promise is\n"
    "broken, 2 if none was tried.\n";

int obi_plugin_check(int argc, char **argv)
{
	struct check c = {.file = NULL};
	struct obi_list listen = {.count = 0}, dial = {.count = 0};
	struct obi_check_runner runner = {.mode = "check",
					  .patience_ms = PATIENCE_MS,
					  .listen = &listen,
					  .dial = &dial,
					  .found = found,
					  .user = &c};
	const struct obi_option options[] = {
	    {"verbose", NULL, "also show promises that are kept", OBI_OPTION_FLAG, &c.verbose},
	    {"json", NULL,
	     "print a JSON array: file, kind, name, address, promise, verdict, reason",
	     OBI_OPTION_FLAG, &c.json},
	    {"listen", "URI", "where a transport may listen; may be repeated", OBI_OPTION_LIST,
	     &listen},
	    {"dial", "URI", "address for the --listen in the same position, if it differs",
	     OBI_OPTION_LIST, &dial},
	    {"settings", "FILE", "JSON: settings, and child_settings if they differ",
	     OBI_OPTION_TEXT, &runner.settings},
	    {"only", "PROMISE", "try only this promise", OBI_OPTION_TEXT, &runner.only},
	    {"timeout", "D", "limit for one promise; default 60s", OBI_OPTION_DURATION,
	     &runner.patience_ms},
	    {0},
	};
	const struct obi_usage usage = {.command = "plugin check",
					.words = "FILE...",
					.about = about,
					.options = options,
					.min_words = 1,
					.max_words = -1};
	struct obi_words words;
	int status;
	if (!obi_args_read(&usage, argc, argv, &words, &status)) {
		return status;
	}
	return addresses_are_sound(&listen, &dial) ? check_files(&c, &runner, &words)
						   : OBI_EXIT_USAGE;
}
