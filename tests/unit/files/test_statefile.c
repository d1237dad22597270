/* SPDX-License-Identifier: MIT */
/* state.json: what one parent leaves to the next. */
#include "base/buf.h"
#include "files/statefile.h"
#include "support/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define BOOT "01234567-89ab-cdef-0123-456789abcdef"
#define RUN  "0123456789abcdef0123456789abcdef"
#define SAMPLE                                                                                    \
	"{\"state\":\"ready\",\"desired\":\"running\",\"record\":\"" BOOT                         \
	":4711:99:7\",\"instance\":\"feed\","                                                     \
	"\"token\":\"0123\",\"listen\":\"unix:///d/rpc.sock\",\"codec\":\"msgpack\","             \
	"\"auth\":\"peercred,token\",\"transport\":\"unix\",\"allow_plaintext\":true,"            \
	"\"port\":20001,\"cid\":4294967294,\"message_max\":65536,"                                \
	"\"uid\":65533,\"gid\":65532,\"lock\":\"fe:01:77\","                                      \
	"\"cgroup\":\"/sys/fs/cgroup/x\",\"cgroup_inode\":18446744073709551614,"                  \
	"\"cleanup\":[\"/bin/rm\",\"-r\",\"a b\"],\"cleanup_timeout_ms\":7000,"                   \
	"\"cleanup_pending\":true,\"cleanup_record\":\"" BOOT ":12:3:4\",\"leftover\":\"wait\","  \
	"\"made_device\":5,"                                                                      \
	"\"made_inode\":18446744073709551615,"                                                    \
	"\"restart_count\":3,\"restart_last_ms\":12345,\"restart_total\":18446744073709551615,"   \
	"\"restart_versions\":4,\"restart_boot\":\"" BOOT                                         \
	"\",\"config_hash\":\"abcd\",\"started_ms\":1700000000000,"                               \
	"\"started_boot_ms\":5000,\"adopted\":true,\"was_ready\":true,\"version\":8,"             \
	"\"run\":\"" RUN "\",\"run_pid\":2147483647,\"run_uptime_ms\":9,"                         \
	"\"address\":\"unix:///d/rpc.sock\",\"accept\":\"unix:///h\",\"client_address\":\"tcp://" \
	"0.0.0.0:7\",\"agent\":\"/s/guest1\",\"last_exit\":{\"kind\":\"signal\",\"value\":9},"    \
	"\"last_error\":\"a \\\"b\\\"\"}"

static const struct obi_local_state local_sample = {
    .uid = 65533,
    .gid = 65532,
    .lock = {"fe:01:77"},
    .cgroup = {"/sys/fs/cgroup/x", UINT64_MAX - 1},
    .cleanup = {.argv = "/bin/rm\0-r\0a b\0",
		.timeout_ms = 7000,
		.pending = true,
		.record = BOOT ":12:3:4"},
    .leftover = OB_LEFTOVER_WAIT,
    .made = {5, UINT64_MAX},
};

static struct obi_statefile sample(void)
{
	return (struct obi_statefile){
	    .state = OB_STATE_READY,
	    .desired = OBI_DESIRED_RUNNING,
	    .record = BOOT ":4711:99:7",
	    .instance = "feed",
	    .token = "0123",
	    .listen = "unix:///d/rpc.sock",
	    .codec = "msgpack",
	    .auth = "peercred,token",
	    .transport = "unix",
	    .allow_plaintext = true,
	    .numbers = {20001, 4294967294},
	    .message_max = 65536,
	    .local = local_sample,
	    .restart = {.count = 3, .last_ms = 12345, .total = UINT64_MAX, .versions = 4},
	    .restart_boot = BOOT,
	    .config_hash = "abcd",
	    .started_ms = 1700000000000,
	    .started_boot_ms = 5000,
	    .adopted = true,
	    .was_ready = true,
	    .version = 8,
	    .run = {.id = RUN, .pid = INT32_MAX, .uptime_ms = 9},
	    .address = "unix:///d/rpc.sock",
	    .accept = "unix:///h",
	    .client_address = "tcp://0.0.0.0:7",
	    .agent = "/s/guest1",
	    .last_exit = {OB_EXIT_SIGNAL, 9},
	    .last_error = "a \"b\"",
	};
}

static void expect_text(const struct obi_statefile *state, const char *want)
{
	struct obi_buf out;
	obi_buf_init(&out, 65536);
	assert_int_equal(obi_statefile_format(state, obi_buf_sink(&out), NULL), OB_OK);
	ob_sink_byte(obi_buf_sink(&out), 0);
	assert_string_equal((const char *)obi_buf_bytes(&out).data, want);
	obi_buf_free(&out);
}

static void all_members_are_written_and_read(void **unused)
{
	(void)unused;
	struct obi_statefile state = sample(), back;
	expect_text(&state, SAMPLE);
	assert_int_equal(obi_statefile_parse(ob_bytes_text(SAMPLE), &back, NULL), OB_OK);
	expect_text(&back, SAMPLE);
	assert_string_equal(back.record, state.record);
	const struct obi_procid want = {.pid = 4711, .start = 99, .inode = 7, .boot = BOOT};
	struct obi_procid id = obi_statefile_procid(&back);
	assert_true(obi_procid_equal(&id, &want));
	assert_int_equal(back.restart.total, UINT64_MAX);
	assert_string_equal(back.last_error, "a \"b\"");
}

static void an_empty_object_is_valid(void **unused)
{
	(void)unused;
	struct obi_statefile back = sample();
	assert_int_equal(obi_statefile_parse(ob_bytes_text("{}"), &back, NULL), OB_OK);
	assert_int_equal(back.state, OB_STATE_IDLE);
	assert_int_equal(back.desired, OBI_DESIRED_STOPPED);
	assert_string_equal(back.record, "");
	assert_int_equal(obi_statefile_procid(&back).pid, 0);
	assert_int_equal(back.restart.count, 0);
	/* A newer version's keys are no fault. */
	assert_int_equal(
	    obi_statefile_parse(ob_bytes_text("{\"later\":[1],\"version\":2}"), &back, NULL),
	    OB_OK);
	assert_int_equal(back.version, 2);
}

static void expect_refused(const char *text)
{
	struct obi_statefile state = {.version = 77};
	struct ob_error err = {0};
	assert_int_equal(obi_statefile_parse(ob_bytes_text(text), &state, &err), OB_EINVAL);
	assert_memory_equal(err.text, "parsing state.json: ", 20);
	assert_int_equal(state.version, 77);
}

static void malformed_files_are_refused(void **unused)
{
	(void)unused;
	const char *bad[] = {
	    "",
	    "[]",
	    "{\"state\":\"dancing\"}",
	    "{\"state\":4}",
	    "{\"desired\":\"\"}",
	    "{\"record\":4711}",
	    "{\"record\":\"a\\u0000\"}",
	    "{\"restart_count\":-1}",
	    "{\"restart_count\":4294967296}",
	    "{\"adopted\":1}",
	    "{\"last_exit\":{\"kind\":\"code\"}}",
	    "{\"last_exit\":{\"kind\":\"code\",\"value\":256}}",
	    "{\"last_exit\":{\"kind\":\"x\",\"value\":1}}",
	    "{\"instance\":\"0123456789012345678901234567890123456789\"}",
	    "{\"instance\":\"a\\u0000\"}",
	    "{\"run\":\"0123456789abcdef0123456789abcde\"}",
	    "{\"run\":\"0123456789abcdef0123456789abcdef0\"}",
	    "{\"run\":\"0123456789abcdef0123456789abcdeg\"}",
	    "{\"run\":7}",
	    "{\"state\":\"ready\",\"state\":\"ready\"}",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		expect_refused(bad[i]);
	}
	for (size_t len = 0; len < strlen(SAMPLE); len++) {
		struct obi_statefile state;
		assert_int_equal(obi_statefile_parse(ob_bytes_of(SAMPLE, len), &state, NULL),
				 OB_EINVAL);
	}
}

static void fault_82_numbers_out_of_range_are_refused(void **unused)
{
	(void)unused;
	const char *bad[] = {
	    "{\"restart_last_ms\":-1}",
	    "{\"restart_last_ms\":-9223372036854775808}",
	    "{\"restart_last_ms\":9223372036854775807}",
	    "{\"started_boot_ms\":-9223372036854775808}",
	    "{\"started_ms\":253402300800000}",
	    "{\"started_ms\":1e3}",
	    "{\"restart_total\":18446744073709551616}",
	    "{\"restart_versions\":4294967296}",
	    "{\"run_pid\":-1}",
	    "{\"run_pid\":2147483648}",
	    "{\"run_uptime_ms\":-1}",
	    "{\"run_uptime_ms\":253402300800000}",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		expect_refused(bad[i]);
	}
}

static void fault_82_size_and_values_are_bounded(void **unused)
{
	(void)unused;
	static char text[64 * 1024 + 2];
	struct obi_statefile state;
	struct ob_error err = {0};
	memset(text, ' ', sizeof text - 1);
	memcpy(text, "{}", 2);
	assert_int_equal(obi_statefile_parse(ob_bytes_of(text, sizeof text - 2), &state, &err),
			 OB_OK);
	assert_int_equal(obi_statefile_parse(ob_bytes_of(text, sizeof text - 1), &state, &err),
			 OB_EINVAL);
	assert_string_equal(err.text, "parsing state.json: larger than 64 KiB");
	size_t len = (size_t)sprintf(text, "{\"later\":[0");
	for (int i = 0; i < 1024; i++) {
		len += (size_t)sprintf(text + len, ",0");
	}
	len += (size_t)sprintf(text + len, "]}");
	assert_int_equal(obi_statefile_parse(ob_bytes_of(text, len), &state, &err), OB_EINVAL);
	assert_non_null(strstr(err.text, "too many values"));
}

static void an_error_text_of_invalid_utf8_keeps_the_file_readable(void **unused)
{
	(void)unused;
	struct obi_statefile state = sample(), back;
	struct obi_buf out;
	memset(state.last_error, 0xff, sizeof state.last_error - 1);
	state.last_error[sizeof state.last_error - 1] = '\0';
	obi_buf_init(&out, 65536);
	assert_int_equal(obi_statefile_format(&state, obi_buf_sink(&out), NULL), OB_OK);
	assert_int_equal(obi_statefile_parse(obi_buf_bytes(&out), &back, NULL), OB_OK);
	assert_int_equal(strlen(back.last_error), sizeof back.last_error - 1);
	assert_int_equal(obi_statefile_procid(&back).pid, 4711);
	obi_buf_free(&out);
}

static void file_is_ours_and_counters_are_of_this_boot(void **unused)
{
	(void)unused;
	struct ob_error err = {0};
	struct obi_statedir dir;
	struct obi_statefile state = sample(), back;
	char *scratch = scratch_make();
	assert_int_equal(obi_statedir_open(scratch, true, geteuid(), &dir, NULL), OB_OK);
	assert_int_equal(obi_statefile_read(&dir, &back, &err), OB_ENOENT);
	assert_string_equal(err.text, "reading state: state.json: No such file or directory");

	assert_int_equal(obi_statefile_write(&dir, &state, NULL), OB_OK);
	assert_int_equal(obi_statefile_read(&dir, &back, NULL), OB_OK);
	assert_int_equal(back.restart.count, 0); /* of another boot */
	assert_int_equal(back.restart.last_ms, 0);
	assert_true(back.restart.total == UINT64_MAX);

	assert_int_equal(obi_boot_id(state.restart_boot, NULL), OB_OK);
	assert_int_equal(obi_statefile_write(&dir, &state, NULL), OB_OK);
	assert_int_equal(obi_statefile_read(&dir, &back, NULL), OB_OK);
	assert_int_equal(back.restart.count, 3);

	/* A file of another user is not the parent's. */
	if (geteuid() == 0) {
		assert_int_equal(fchownat(dir.fd, OBI_FILE_STATE, 65533, 65533, 0), 0);
		assert_int_equal(obi_statefile_read(&dir, &back, &err), OB_EPERM);
	}
	obi_statedir_close(&dir);
	scratch_remove(scratch);
}

/* What cannot be told is not taken for a missing file. */
static void a_file_is_found_or_not_or_that_cannot_be_told(void **unused)
{
	(void)unused;
	bool has = true;
	struct ob_error err = {0};
	struct obi_statedir dir;
	struct obi_statefile state = sample(), back = {.version = 1};
	char *scratch = scratch_make(), *path = scratch_text("%s/" OBI_FILE_STATE, scratch);
	assert_int_equal(obi_statedir_open(scratch, true, geteuid(), &dir, NULL), OB_OK);
	assert_int_equal(obi_statefile_find(&dir, &back, &has, NULL), OB_OK);
	assert_false(has);
	scratch_write(path, "{", 1, 0600);
	assert_int_equal(obi_statefile_find(&dir, &back, &has, NULL), OB_OK);
	assert_false(has);
	assert_int_equal(back.version, 1);
	assert_int_equal(obi_statefile_write(&dir, &state, NULL), OB_OK);
	struct rlimit was = scratch_limit_fds(0);
	int r = obi_statefile_find(&dir, &back, &has, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(r, OB_ENOMEM);
	assert_string_equal(err.text, "reading state: state.json: Too many open files");
	assert_int_equal(obi_statefile_find(&dir, &back, &has, NULL), OB_OK);
	assert_true(has);
	assert_int_equal(back.version, state.version);
	obi_statedir_close(&dir);
	free(path);
	scratch_remove(scratch);
}

static void a_record_of_another_place_is_kept_and_is_no_procid(void **unused)
{
	(void)unused;
	struct obi_statefile back;
	const char *text = "{\"record\":\"agent:vm1/child-7\"}";
	assert_int_equal(obi_statefile_parse(ob_bytes_text(text), &back, NULL), OB_OK);
	assert_string_equal(back.record, "agent:vm1/child-7");
	assert_int_equal(obi_statefile_procid(&back).pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_members_are_written_and_read),
	    cmocka_unit_test(an_empty_object_is_valid),
	    cmocka_unit_test(malformed_files_are_refused),
	    cmocka_unit_test(fault_82_numbers_out_of_range_are_refused),
	    cmocka_unit_test(fault_82_size_and_values_are_bounded),
	    cmocka_unit_test(an_error_text_of_invalid_utf8_keeps_the_file_readable),
	    cmocka_unit_test(a_record_of_another_place_is_kept_and_is_no_procid),
	    cmocka_unit_test(file_is_ours_and_counters_are_of_this_boot),
	    cmocka_unit_test(a_file_is_found_or_not_or_that_cannot_be_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
