/* SPDX-License-Identifier: MIT */
#include "cli/findings.h"

#include "base/text.h"
#include "base/value.h"
#include "cli/report.h"

enum { FINDINGS_MEMORY = 64 << 20 };

void obi_findings_begin(struct obi_findings *f)
{
	f->held = f->broken = f->skipped = f->broken_in_all = f->tried_in_all = 0;
	f->heading[0] = '\0';
	obi_arena_init(&f->arena, FINDINGS_MEMORY);
	ob_builder_init(&f->list, &f->arena.ob);
	ob_build_array(&f->list);
}

/* ---- Text ---- */

static void print_heading(struct obi_findings *f, const char *heading)
{
	if (strcmp(heading, f->heading) != 0) {
		snprintf(f->heading, sizeof f->heading, "%s", heading);
		obi_print_safe(stdout, ob_bytes_text(heading));
		putchar('\n');
	}
}

static void print_one(struct obi_findings *f, const struct obi_found *found)
{
	bool broken = strcmp(found->verdict, "broken") == 0;
	if (strcmp(found->verdict, "held") == 0 && !f->verbose) {
		return;
	}
	print_heading(f, found->heading);
	printf("  %-8s ", broken ? "BROKEN" : found->verdict);
	obi_print_safe(stdout, ob_bytes_text(found->promise));
	fputs(found->why[0] != '\0' ? ": " : "", stdout);
	obi_print_safe(stdout, ob_bytes_text(found->why));
	putchar('\n');
	fflush(stdout); /* the next may take a while */
}

/* ---- JSON ---- */

static void build_text(struct obi_findings *f, const char *key, const char *text)
{
	char *copy = obi_arena_text(&f->arena, text, strlen(text));
	if (copy != NULL) {
		obi_text_clean(copy);
	}
	ob_build_key(&f->list, key);
	ob_build_string(&f->list, copy != NULL ? copy : "");
}

static void build_one(struct obi_findings *f, const struct obi_found *found)
{
	ob_build_map(&f->list);
	for (const char *const(*field)[2] = found->fields; (*field)[0] != NULL; field++) {
		build_text(f, (*field)[0], (*field)[1]);
	}
	build_text(f, "promise", found->promise);
	build_text(f, "verdict", found->verdict);
	build_text(f, "reason", found->why);
	ob_build_end(&f->list);
}

static int print_list(struct obi_findings *f)
{
	struct ob_error err = {0};
	struct ob_value list;
	ob_build_end(&f->list);
	if (ob_builder_finish(&f->list, &list) < 0 || obi_print_json(stdout, &list, &err) < 0) {
		obi_complain("%s", err.text[0] != '\0' ? err.text : "out of memory");
		return OBI_EXIT_USAGE;
	}
	return OBI_EXIT_OK;
}

/* ---- All ---- */

void obi_findings_add(struct obi_findings *f, const struct obi_found *found)
{
	bool broken = strcmp(found->verdict, "broken") == 0;
	f->held += strcmp(found->verdict, "held") == 0;
	f->broken += broken;
	f->skipped += strcmp(found->verdict, "skipped") == 0;
	f->broken_in_all += broken;
	f->tried_in_all++;
	if (f->json) {
		build_one(f, found);
	} else {
		print_one(f, found);
	}
}

void obi_findings_sum(struct obi_findings *f, const char *subject)
{
	if (!f->json) {
		obi_print_safe(stdout, ob_bytes_text(subject));
		printf(": %u held, %u broken, %u skipped\n", f->held, f->broken, f->skipped);
	}
	f->held = f->broken = f->skipped = 0;
	f->heading[0] = '\0';
}

int obi_findings_end(struct obi_findings *f, int status)
{
	if (f->json && status == OBI_EXIT_OK) {
		status = print_list(f);
	}
	obi_arena_free(&f->arena);
	return status == OBI_EXIT_OK && f->broken_in_all > 0 ? OBI_EXIT_REMOTE : status;
}
