/* SPDX-License-Identifier: MIT */
/* The public functions that read and write outboard.json by its path. */
#include <outboard/config.h>

#include "support/scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* As an older header has it: the members behind these are not the caller's memory. */
enum { OLD = offsetof(struct ob_config, allow_plaintext) };

static void members_behind_the_size_are_not_touched(void **unused)
{
	char *top = scratch_make(), *path = scratch_text("%s/outboard.json", top);
	static const char text[] = "{\"pid\":7,\"name\":\"a\",\"rules\":\"allow *\",\"odd\":1}";
	struct ob_config config, whole = {.size = sizeof whole};
	(void)unused;
	scratch_write(path, text, sizeof text - 1, 0600);
	memset(&config, 0x5a, sizeof config);
	memset(&config, 0, OLD);
	config.size = OLD;
	assert_int_equal(ob_config_read(path, &config, NULL), OB_OK);
	assert_int_equal(config.size, OLD);
	assert_int_equal(config.pid, 7);
	assert_string_equal(config.name, "a");
	for (size_t i = OLD; i < sizeof config; i++) {
		assert_int_equal(((const uint8_t *)&config)[i], 0x5a);
	}
	/* What it does not know is not lost. */
	config.pid = 8;
	assert_int_equal(ob_config_write(path, &config, NULL), OB_OK);
	assert_int_equal(ob_config_read(path, &whole, NULL), OB_OK);
	assert_int_equal(whole.pid, 8);
	assert_string_equal(whole.rules, "allow *");
	ob_config_clear(&whole);
	ob_config_clear(&config);
	free(path);
	scratch_remove(top);
}

static void a_size_that_is_not_set_is_refused(void **unused)
{
	struct ob_config config = {0};
	struct ob_error err = {0};
	(void)unused;
	assert_int_equal(ob_config_read("/dev/null", &config, &err), OB_EINVAL);
	assert_string_equal(err.text, "reading outboard config: size is not set");
}

static void a_directory_that_cannot_be_opened_is_told_with_its_reason(void **unused)
{
	char *top = scratch_make(), *path = scratch_text("%s/outboard.json", top),
	     *missing = scratch_text("%s/none/outboard.json", top);
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	struct rlimit was, none;
	(void)unused;
	assert_int_equal(ob_config_write(missing, &config, &err), OB_ENOENT);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){0, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int r = ob_config_write(path, &config, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(r, OB_ENOMEM);
	assert_non_null(strstr(err.text, "Too many open files"));
	if (geteuid() != 0) {
		assert_int_equal(chmod(top, 0), 0);
		r = ob_config_write(path, &config, &err);
		assert_int_equal(chmod(top, 0700), 0);
		assert_int_equal(r, OB_EPERM);
	}
	free(missing);
	free(path);
	scratch_remove(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_behind_the_size_are_not_touched),
	    cmocka_unit_test(a_size_that_is_not_set_is_refused),
	    cmocka_unit_test(a_directory_that_cannot_be_opened_is_told_with_its_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
