/* SPDX-License-Identifier: MIT */
#include "cli/config/load.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "base/value.h"
#include "cli/report.h"

enum { CONFIG_MAX = 16 << 20, FAULTS_MEMORY = 64 << 20 };

/* ---- Faults ---- */

void obi_faults_init(struct obi_faults *faults, const char *file)
{
	*faults = (struct obi_faults){.file = obi_input_name(file)};
	obi_arena_init(&faults->arena, FAULTS_MEMORY);
	obi_buf_init(&faults->read, CONFIG_MAX);
}

void obi_faults_free(struct obi_faults *faults)
{
	obi_buf_free(&faults->read);
	obi_arena_free(&faults->arena);
}

static void add(struct obi_faults *faults, const char *key, const char *reason,
		struct obi_place place)
{
	struct obi_fault *fault = ob_arena_alloc(&faults->arena.ob, sizeof *fault);
	char *key_copy = obi_arena_text(&faults->arena, key, strlen(key));
	char *reason_copy = obi_arena_text(&faults->arena, reason, strlen(reason));
	faults->count++;
	if (fault == NULL || key_copy == NULL || reason_copy == NULL) {
		return; /* counted, but not printed */
	}
	*fault = (struct obi_fault){NULL, key_copy, reason_copy, place};
	if (faults->last != NULL) {
		faults->last->next = fault;
	} else {
		faults->first = fault;
	}
	faults->last = fault;
}

void obi_faults_add(struct obi_faults *faults, const char *key, const char *reason)
{
	add(faults, key, reason, (struct obi_place){0, 0});
}

void obi_faults_print(struct obi_faults *faults)
{
	obi_faults_locate(faults);
	for (const struct obi_fault *f = faults->first; f != NULL; f = f->next) {
		obi_print_safe(stderr, ob_bytes_text(faults->file));
		if (f->place.line > 0) {
			fprintf(stderr, ":%u:%u", f->place.line, f->place.column);
		}
		fputs(": ", stderr);
		fputs(faults->word != NULL ? faults->word : "", stderr);
		obi_print_safe(stderr, ob_bytes_text(f->key));
		fputs(*f->key != '\0' ? ": " : "", stderr);
		obi_print_safe(stderr, ob_bytes_text(f->reason));
		fputc('\n', stderr);
	}
}

static struct ob_value number_or_nil(uint32_t number)
{
	return number > 0 ? ob_int(number) : ob_nil();
}

/* JSON is UTF-8, but names of files need not be, and a message may be cut within a character: such
 * bytes become U+FFFD, since a list with one replaced is better than none. */
static const char *as_utf8(struct obi_arena *arena, const char *text)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);
	char *copy = ob_arena_alloc(&arena->ob, 3 * strlen(text) + 1), *to = copy;
	while (copy != NULL && at < end) {
		size_t step = obi_utf8_step(at, end);
		to = mempcpy(to, step > 0 ? (const char *)at : "\xef\xbf\xbd", step > 0 ? step : 3);
		at += step > 0 ? step : 1;
	}
	if (copy != NULL) {
		*to = '\0';
	}
	return copy != NULL ? copy : "";
}

void obi_fault_build(struct ob_builder *b, struct obi_arena *arena, const struct obi_faults *faults,
		     const struct obi_fault *fault)
{
	const struct ob_value line = number_or_nil(fault->place.line);
	const struct ob_value column = number_or_nil(fault->place.column);
	ob_build(b, "{s:s,s:v,s:v,s:s,s:s}", "file", as_utf8(arena, faults->file), "line", &line,
		 "column", &column, "key", as_utf8(arena, fault->key), "reason",
		 as_utf8(arena, fault->reason));
}

/* ---- Reading ---- */

static void on_fault(void *user, const char *key, const char *reason, const size_t *offset)
{
	struct obi_faults *faults = user;
	if (offset == NULL) {
		obi_faults_add(faults, key, reason);
		return;
	}
	add(faults, key, reason, obi_place_of(obi_buf_bytes(&faults->read), *offset));
	faults->text = ob_bytes_of(NULL, 0); /* it has no keys */
}

bool obi_load_config(const char *path, struct obi_run_config *ret, struct obi_faults *faults)
{
	const struct obi_run_config_setup setup = {on_fault, faults, faults->other_environment};
	struct ob_error err = {0};
	uint32_t before = faults->count;
	bool is_file = false;
	obi_buf_truncate(&faults->read, 0);
	int r = obi_input_read(path, &faults->read, &is_file, &err);
	if (r == OB_OK) {
		faults->text = obi_buf_bytes(&faults->read);
		r = obi_run_config_parse(faults->text, &setup, ret, &err);
	}
	if (r < 0 && faults->count == before) {
		obi_faults_add(faults, "", err.text);
	}
	if (r < 0) {
		return false;
	}
	ret->is_file = is_file;
	return true;
}

int obi_load_runtime(const struct obi_run_config *config, ob_runtime **ret, struct ob_error *reterr)
{
	struct ob_runtime_options options = {.size = sizeof options, .mode = OB_RUNTIME_INLINE};
	options.plugin_path = config != NULL ? config->plugin_path : NULL;
	return ob_runtime_new(&options, ret, reterr);
}
