/* SPDX-License-Identifier: MIT */
/* Log records of any descriptor. */
#include <outboard/outboard.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/expect.h"

struct log {
	ob_runtime *runtime;
	ob_log_reader *reader;
	int count;
	int wanted;
	bool close;
	char last[64];
};

static void on_log(void *user, const struct ob_log_record *record)
{
	struct log *log = user;
	assert_string_equal(record->name, "pipe");
	assert_int_equal(record->stream, 2);
	snprintf(log->last, sizeof log->last, "%.*s", (int)record->message.len,
		 (const char *)record->message.data);
	if (++log->count == log->wanted) {
		ob_runtime_stop(log->runtime);
	}
	if (log->close) {
		ob_log_reader_close(log->reader);
		log->reader = NULL;
	}
}

static void open_log(struct log *log, int ends[2])
{
	struct ob_error err;
	memset(log, 0, sizeof *log);
	expect(ob_runtime_new(NULL, &log->runtime, &err), OB_OK, &err, NULL);
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	struct ob_log_reader_options options = {.size = sizeof options,
						.fd = ends[0],
						.name = "pipe",
						.stream = 2,
						.on_log = on_log,
						.user_data = log};
	expect(ob_log_reader_new(log->runtime, &options, &log->reader, &err), OB_OK, &err, NULL);
}

static void close_log(struct log *log, int ends[2])
{
	ob_log_reader_close(log->reader);
	ob_runtime_free(log->runtime);
	close(ends[0]);
	close(ends[1]);
}

static void records_of_a_logger_come_back(void **state)
{
	struct log log;
	ob_logger *logger;
	int ends[2];
	(void)state;
	open_log(&log, ends);
	log.wanted = 2;
	assert_int_equal(ob_logger_new(ends[1], &logger, NULL), OB_OK);
	ob_log(logger, OB_LOG_INFO, "one", NULL);
	ob_log(logger, OB_LOG_INFO, "two", NULL);
	assert_int_equal(ob_runtime_run(log.runtime, 60000), OB_OK);
	assert_string_equal(log.last, "two");
	ob_logger_free(logger);
	close_log(&log, ends);
}

static void closing_reports_what_is_there(void **state)
{
	struct log log;
	int ends[2];
	(void)state;
	open_log(&log, ends);
	assert_int_equal(write(ends[1], "one\ntwo\nlast", 12), 12);
	ob_log_reader_close(log.reader);
	log.reader = NULL;
	assert_int_equal(log.count, 3);
	assert_string_equal(log.last, "last");
	close_log(&log, ends);
}

static void a_reader_can_be_closed_in_its_callback(void **state)
{
	struct log log;
	int ends[2];
	(void)state;
	open_log(&log, ends);
	log.wanted = 1;
	log.close = true;
	assert_int_equal(write(ends[1], "one\ntwo\n", 8), 8);
	assert_int_equal(ob_runtime_run(log.runtime, 60000), OB_OK);
	assert_int_equal(log.count, 1);
	close_log(&log, ends);
}

static void bad_options_are_refused(void **state)
{
	ob_log_reader *reader;
	ob_runtime *runtime;
	struct ob_error err;
	(void)state;
	struct ob_log_reader_options options = {.size = sizeof options, .fd = 0};
	assert_int_equal(ob_runtime_new(NULL, &runtime, NULL), OB_OK);
	expect(ob_log_reader_new(runtime, &options, &reader, &err), OB_EINVAL, &err,
	       "fd and on_log are required");
	ob_log_reader_close(NULL);
	ob_runtime_free(runtime);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_of_a_logger_come_back),
	    cmocka_unit_test(closing_reports_what_is_there),
	    cmocka_unit_test(a_reader_can_be_closed_in_its_callback),
	    cmocka_unit_test(bad_options_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
