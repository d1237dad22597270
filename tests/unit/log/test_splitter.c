/* SPDX-License-Identifier: MIT */
/* What is lost on the way to the splitter is counted in a record, wherever in a line it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include <stdio.h>

#include "log/splitter.h"

static char seen[512];

/* MESSAGE, or MESSAGE-DISCARDED, and a semicolon. */
static void on_record(void *user, const struct ob_log_record *record)
{
	uint64_t n = 0;
	size_t at = strlen(seen);
	(void)user;
	snprintf(seen + at, sizeof seen - at, "%.*s", (int)record->message.len,
		 (const char *)record->message.data);
	at = strlen(seen);
	if (ob_get_uint(ob_value_find(&record->attrs, "discarded"), &n)) {
		assert_int_equal(record->flags & OB_LOG_TRUNCATED, OB_LOG_TRUNCATED);
		snprintf(seen + at, sizeof seen - at, "-%u;", (unsigned)n);
	} else {
		snprintf(seen + at, sizeof seen - at, ";");
	}
}

static const struct {
	const char *before;
	uint64_t lost;
	const char *after, *seen;
} rows[] = {
    {"one\n", 0, "two\n", "one;two;"},
    {"one\ntw", 7, "ree\nfour\n", "one;tw-10;four;"},
    {"one\n", 8, "four\nfive\n", "one;-12;five;"}, /* nothing of the line is known for sure */
    {"", 8, "\nfive\n", "-8;five;"},
    {"one\n", 8, "", "one;-8;"},
    {"", 1, "\r\n", "-2;"},
};

static void what_is_lost_is_counted(void **unused)
{
	(void)unused;
	struct obi_loop *loop;
	assert_int_equal(obi_loop_new(NULL, 0, &loop, NULL), OB_OK);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct obi_log_splitter splitter;
		seen[0] = '\0';
		obi_log_splitter_init(&splitter, loop, "child", 1, on_record, NULL);
		obi_log_splitter_feed(&splitter, ob_bytes_text(rows[i].before));
		obi_log_splitter_lose(&splitter, rows[i].lost);
		obi_log_splitter_feed(&splitter, ob_bytes_text(rows[i].after));
		obi_log_splitter_end(&splitter);
		assert_string_equal(seen, rows[i].seen);
		obi_log_splitter_stop(&splitter);
	}
	obi_loop_close(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_lost_is_counted)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
