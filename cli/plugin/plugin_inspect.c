/* SPDX-License-Identifier: MIT */
/* outboard plugin inspect: the content of a plugin file. */
#include <stdlib.h>

#include "cli/args.h"
#include "base/error.h"
#include "base/text.h"
#include "base/value.h"
#include "cli/plugin/plugin.h"
#include "cli/report.h"
#include "cli/plugin/check_runner.h"

enum { INSPECT_MEMORY = 16 << 20, INSPECT_PATIENCE_MS = 60000, VALUES_MAX = 64 };

/* A fact about a plugin: one value or several. */
static const struct fact {
	const char *key;
	bool number;
	bool several;
} facts[] = {
    {"descriptor_size", true, false},
    {"descriptor_size_here", true, false},
    {"table_size", true, false},
    {"table_size_here", true, false},
    {"schemes", false, true},
    {"flags", false, true},
    {"has", false, true},
    {"lacks", false, true},
};

enum { FACTS = sizeof facts / sizeof facts[0] };

struct known {
	struct known *next;
	const char *kind, *name, *version;
	const char *values[FACTS][VALUES_MAX];
	uint32_t counts[FACTS];
};

struct inspection {
	const char *file;
	struct obi_arena arena;
	struct known *first, *last;
	bool refused;
	bool full; /* there was no memory for all that was reported */
};

static const char *keep(struct inspection *in, const char *text)
{
	char *copy = obi_arena_text(&in->arena, text, strlen(text));
	if (copy == NULL) {
		in->full = true;
		return "";
	}
	obi_text_clean(copy);
	return copy;
}

static void add_plugin(struct inspection *in, const char *const *fields)
{
	struct known *k = ob_arena_alloc(&in->arena.ob, sizeof *k);
	if (k == NULL) {
		in->full = true;
		return;
	}
	memset(k, 0, sizeof *k);
	k->kind = keep(in, fields[1]);
	k->name = keep(in, fields[2]);
	k->version = keep(in, fields[3]);
	*(in->last != NULL ? &in->last->next : &in->first) = k;
	in->last = k;
}

static void reported(void *user, const char *const fields[OBI_CHECK_PROCESS_FIELDS])
{
	struct inspection *in = user;
	if (strcmp(fields[0], "plugin") == 0) {
		add_plugin(in, fields);
	}
	for (int i = 0; in->last != NULL && strcmp(fields[0], "fact") == 0 && i < FACTS; i++) {
		if (strcmp(fields[1], facts[i].key) == 0 && in->last->counts[i] < VALUES_MAX) {
			in->last->values[i][in->last->counts[i]++] = keep(in, fields[2]);
		}
	}
}

/* A broken promise means that the file is refused. */
static void found(void *user, const struct obi_finding *f)
{
	struct inspection *in = user;
	if (strcmp(f->verdict, "broken") != 0) {
		return;
	}
	if (f->promise[0] != '\0' && strncmp(f->why, "it ", 3) == 0) {
		obi_complain("%s: \"%s\": %s", in->file, f->promise, f->why);
	} else {
		obi_complain("%s", f->why);
	}
	in->refused = true;
}

/* ---- Showing ---- */

static void print_words(const struct known *k, int i)
{
	if (k->counts[i] == 0) {
		return;
	}
	printf("  %-11s", facts[i].key);
	for (uint32_t n = 0; n < k->counts[i]; n++) {
		printf(" %s", k->values[i][n]);
	}
	putchar('\n');
}

static void print_text(const struct inspection *in)
{
	for (const struct known *k = in->first; k != NULL; k = k->next) {
		obi_print_safe(stdout, ob_bytes_text(k->name));
		printf(" (%s), version ", k->kind);
		obi_print_safe(stdout, ob_bytes_text(k->version));
		printf("\n  descriptor  %s bytes, here %s\n  table       %s bytes, here %s\n",
		       k->values[0][0], k->values[1][0], k->values[2][0], k->values[3][0]);
		for (int i = 4; i < FACTS; i++) {
			print_words(k, i);
		}
	}
}

static void build_fact(struct ob_builder *b, const struct known *k, int i)
{
	ob_build_key(b, facts[i].key);
	if (facts[i].several) {
		ob_build_array(b);
	}
	for (uint32_t n = 0; n < k->counts[i]; n++) {
		if (facts[i].number) {
			ob_build_int(b, strtoll(k->values[i][n], NULL, 10));
		} else {
			ob_build_string(b, k->values[i][n]);
		}
	}
	if (facts[i].several) {
		ob_build_end(b);
	}
}

static int print_json(struct inspection *in)
{
	struct ob_error err = {0};
	struct ob_builder b;
	struct ob_value list;
	ob_builder_init(&b, &in->arena.ob);
	ob_build_array(&b);
	for (const struct known *k = in->first; k != NULL; k = k->next) {
		ob_build_map(&b);
		ob_build_key(&b, "name");
		ob_build_string(&b, k->name);
		ob_build_key(&b, "kind");
		ob_build_string(&b, k->kind);
		ob_build_key(&b, "version");
		ob_build_string(&b, k->version);
		for (int i = 0; i < FACTS; i++) {
			build_fact(&b, k, i);
		}
		ob_build_end(&b);
	}
	ob_build_end(&b);
	if (ob_builder_finish(&b, &list) < 0 || obi_print_json(stdout, &list, &err) < 0) {
		obi_complain("%s", err.text[0] != '\0' ? err.text : "out of memory");
		return OBI_EXIT_USAGE;
	}
	return OBI_EXIT_OK;
}

static int inspect(const char *file, bool json)
{
	struct inspection in = {.file = file};
	struct obi_check_runner runner = {.mode = "inspect",
					  .file = file,
					  .patience_ms = INSPECT_PATIENCE_MS,
					  .found = found,
					  .reported = reported,
					  .user = &in};
	struct ob_error err = {0};
	int status = OBI_EXIT_OK;
	obi_arena_init(&in.arena, INSPECT_MEMORY);
	if (obi_check_runner_run(&runner, &err) < 0) {
		status = obi_give_up(file, &err);
	} else if (in.full) {
		obi_fail(&err, OB_ENOMEM, 0, "out of memory");
		status = obi_give_up(file, &err);
	} else if (in.first != NULL && json) {
		status = print_json(&in);
	} else {
		print_text(&in);
	}
	obi_arena_free(&in.arena);
	return in.refused ? OBI_EXIT_USAGE : status;
}

int obi_plugin_inspect(int argc, char **argv)
{
	bool json = false;
	const struct obi_option options[] = {
	    {"json", NULL, "print a JSON array, an object for each plugin", OBI_OPTION_FLAG, &json},
	    {0},
	};
	const struct obi_usage usage = {
	    .command = "plugin inspect",
	    .words = "FILE",
	    .about =
		"Shows the content of a plugin file: kinds, names, versions, sizes, flags, and\n"
		"which members of its tables are set. It is loaded in a process of its own. The\n"
		"exit status is 2 if the file is refused.\n",
	    .options = options,
	    .min_words = 1,
	    .max_words = 1,
	};
	struct obi_words words;
	int status;
	return obi_args_read(&usage, argc, argv, &words, &status) ? inspect(words.items[0], json)
								  : status;
}
