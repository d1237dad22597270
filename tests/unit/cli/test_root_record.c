/* SPDX-License-Identifier: MIT */
/* data_root: who may own it, and what of its record is believed. */
#include "cli/run/root.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/expect.h"
#include "support/scratch.h"

#define RECORD "run.json"

static char *dir;

static int make_dir(void **state)
{
	(void)state;
	dir = scratch_make();
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	scratch_remove(dir);
	return 0;
}

/* The entries of a record with this text. */
static const struct obi_record_entry *read_record(struct obi_root *root, const char *text)
{
	char *path = scratch_text("%s/" RECORD, dir);
	(void)unlink(path);
	scratch_write(path, text, strlen(text), 0600);
	free(path);
	root->record = obi_root_read(root->fd, geteuid(), &root->arena);
	return root->record;
}

static void an_entry_that_cannot_be_used_is_left_out(void **state)
{
	static const char *const bad[] = {
	    "",
	    "{",
	    "[]",
	    "{\"children\":{}}",
	    "{\"children\":[null]}",
	    "{\"children\":[{\"name\":\"a\"}]}",
	    "{\"children\":[{\"data_path\":\"/a\"}]}",
	    "{\"children\":[{\"name\":\"\",\"data_path\":\"/a\"}]}",
	    "{\"children\":[{\"name\":7,\"data_path\":\"/a\"}]}",
	    "{\"children\":[{\"name\":\"a\\u0000b\",\"data_path\":\"/a\"}]}",
	    "{\"children\":[{\"name\":\"../a\",\"data_path\":\"/a\"}]}",
	    "{\"children\":[{\"name\":\".state\",\"data_path\":\"/a\"}]}",
	    "{\"children\":[{\"name\":\"a\",\"data_path\":\"a\"}]}",
	    "{\"children\":[{\"name\":\"a\",\"data_path\":\"/a\\u0000\"}]}",
	};
	struct obi_root root;
	struct ob_error err;
	(void)state;
	expect(obi_root_open(dir, false, &root, &err), OB_OK, &err, NULL);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_null(read_record(&root, bad[i]));
	}
	obi_root_close(&root);
}

static void what_an_entry_leaves_open_has_a_default(void **state)
{
	static const struct {
		const char *more;
		int signal;
		int64_t timeout_ms;
	} table[] = {
	    {"", SIGINT, OBI_STOP_TIMEOUT_MS},
	    {",\"stop_signal\":15,\"stop_timeout_ms\":-1", SIGTERM, -1},
	    {",\"stop_signal\":64,\"stop_timeout_ms\":1", 64, 1},
	    {",\"stop_signal\":65,\"stop_timeout_ms\":0", SIGINT, OBI_STOP_TIMEOUT_MS},
	    {",\"stop_signal\":0,\"stop_timeout_ms\":\"1s\"", SIGINT, OBI_STOP_TIMEOUT_MS},
	    {",\"stop_signal\":-9,\"stop_timeout_ms\":9000000000000000", SIGINT,
	     OBI_STOP_TIMEOUT_MS},
	};
	struct obi_root root;
	struct ob_error err;
	(void)state;
	expect(obi_root_open(dir, false, &root, &err), OB_OK, &err, NULL);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char *text = scratch_text(
		    "{\"children\":[{},{\"name\":\"a\",\"data_path\":\"/a\"%s},7]}", table[i].more);
		const struct obi_record_entry *entry = read_record(&root, text);
		free(text);
		assert_non_null(entry);
		assert_null(entry->next);
		assert_string_equal(entry->name, "a");
		assert_string_equal(entry->data_path, "/a");
		assert_int_equal(entry->stop_signal, table[i].signal);
		assert_true(entry->stop_timeout_ms == table[i].timeout_ms);
	}
	obi_root_close(&root);
}

static void a_root_that_others_can_write_is_refused(void **state)
{
	struct obi_root root;
	struct ob_error err;
	(void)state;
	assert_int_equal(chmod(dir, 0770), 0);
	expect(obi_root_open(dir, false, &root, &err), OB_EPERM, &err,
	       "can be written by others (mode 0770)");
	assert_int_equal(chmod(dir, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(dir, 65533, 65533), 0);
		expect(obi_root_open(dir, false, &root, &err), OB_EPERM, &err,
		       "belongs to user 65533");
		assert_int_equal(chown(dir, 0, 0), 0);
	}
}

static void a_root_is_locked_once(void **state)
{
	struct obi_root root, other;
	struct ob_error err;
	(void)state;
	expect(obi_root_open(dir, false, &root, &err), OB_OK, &err, NULL);
	expect(obi_root_open(dir, false, &other, &err), OB_EBUSY, &err, NULL);
	obi_root_close(&root);
	expect(obi_root_open(dir, false, &root, &err), OB_OK, &err, NULL);
	obi_root_close(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_entry_that_cannot_be_used_is_left_out),
	    cmocka_unit_test(what_an_entry_leaves_open_has_a_default),
	    cmocka_unit_test(a_root_that_others_can_write_is_refused),
	    cmocka_unit_test(a_root_is_locked_once),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
