/* SPDX-License-Identifier: MIT */
/* The files of the authenticator keys: what is understood, and what is refused with its reason. */
#include "auth/keys/authorized_file.h"
#include "support/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define K1 KEYS_PUBLIC_1
#define K2 KEYS_PUBLIC_2

/* ---- Secret keys ---- */

static void a_secret_key_is_read_and_written(void **state)
{
	struct obi_key_pair pair;
	char why[OBI_KEYS_WHY] = "", line[OBI_KEYS_LINE];
	(void)state;
	assert_true(obi_key_pair_parse(ob_bytes_text(KEYS_SECRET_1), &pair, why));
	assert_string_equal(pair.comment, "parent");
	obi_key_secret_line(&pair, line);
	assert_string_equal(line, KEYS_SECRET_1);
	obi_key_public_line(&pair, line);
	assert_string_equal(line, K1 " parent\n");
	assert_true(obi_key_pair_parse(ob_bytes_text(KEYS_SECRET_2), &pair, why));
	obi_key_public_line(&pair, line);
	assert_string_equal(line, K2 "\n");
}

static void bad_secret_keys_are_refused(void **state)
{
	static const char seed[] = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
	static const struct {
		const char *format, *why;
	} table[] = {
	    {"", "it does not begin with"},
	    {"\n", "it does not begin with"},
	    {"ed25519 %s\n", "it does not begin with"},
	    {"outboard-ed25519-secret\n", "its key is not 32 bytes"},
	    {"outboard-ed25519-secret %.43s\n", "its key is not 32 bytes"},
	    {"outboard-ed25519-secret %sA\n", "its key is not 32 bytes"},
	    {"outboard-ed25519-secret %.42sF=\n", "its key is not 32 bytes"},
	    {"outboard-ed25519-secret %s\n\n", "more than one line"},
	    {"outboard-ed25519-secret %s\r\n", "its key is not 32 bytes"},
	    {"outboard-ed25519-secret %s a\x01\n", "control character"},
	    {"outboard-ed25519-secret %s \xff\n", "not UTF-8"},
	};
	const struct obi_key_pair none = {.comment = ""};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct obi_key_pair pair;
		char text[256], why[OBI_KEYS_WHY] = "";
		print_message("%s\n", table[i].format);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof text, table[i].format, seed);
#pragma GCC diagnostic pop
		assert_false(obi_key_pair_parse(ob_bytes_text(text), &pair, why));
		assert_non_null(strstr(why, table[i].why));
		assert_memory_equal(&pair, &none, sizeof pair);
	}
}

static void files_that_others_can_reach_are_refused(void **state)
{
	char *dir = scratch_make(), *path = scratch_text("%s/key", dir);
	char why[OBI_KEYS_WHY];
	static const mode_t modes[] = {0640, 0604, 0620, 0602, 0601, 0700, 04600};
	struct obi_key_pair pair;
	(void)state;
	scratch_write(path, KEYS_SECRET_1, strlen(KEYS_SECRET_1), 0600);
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_false(obi_key_pair_load(path, &pair, why));
		assert_non_null(strstr(why, "its mode is"));
	}
	assert_int_equal(chmod(path, 0400), 0);
	assert_true(obi_key_pair_load(path, &pair, why));
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, 12345), 0);
		assert_false(obi_key_pair_load(path, &pair, why));
		assert_non_null(strstr(why, "belongs neither to root nor to this user"));
	}
	free(path);
	scratch_remove(dir);
}

static void other_kinds_of_files_are_refused(void **state)
{
	char *dir = scratch_make(), *path = scratch_text("%s/key", dir);
	char *link = scratch_text("%s/link", dir), why[OBI_KEYS_WHY];
	struct obi_key_pair pair;
	(void)state;
	assert_false(obi_key_pair_load(path, &pair, why));
	assert_non_null(strstr(why, "/key: No such file"));
	assert_false(obi_key_pair_load(dir, &pair, why));
	assert_non_null(strstr(why, "not a regular file"));
	scratch_write(path, KEYS_SECRET_1, strlen(KEYS_SECRET_1), 0600);
	assert_int_equal(symlink(path, link), 0);
	assert_false(obi_key_pair_load(link, &pair, why));
	assert_non_null(strstr(why, "a symbolic link"));
	unlink(link);
	assert_int_equal(mkfifo(link, 0600), 0);
	assert_false(obi_key_pair_load(link, &pair, why));
	assert_non_null(strstr(why, "not a regular file"));
	assert_int_equal(truncate(path, OBI_KEYS_SECRET_FILE + 1), 0);
	assert_false(obi_key_pair_load(path, &pair, why));
	assert_non_null(strstr(why, "larger than 4096 bytes"));
	free(path);
	free(link);
	scratch_remove(dir);
}

static void the_directories_above_are_checked(void **state)
{
	char *dir = scratch_make(), *above = scratch_text("%s/above", dir);
	char *path = scratch_text("%s/key", above), *link = scratch_text("%s/link", dir);
	char *through = scratch_text("%s/key", link), why[OBI_KEYS_WHY];
	struct obi_key_pair pair;
	(void)state;
	assert_int_equal(mkdir(above, 0700), 0);
	scratch_write(path, KEYS_SECRET_1, strlen(KEYS_SECRET_1), 0600);
	assert_true(obi_key_pair_load(path, &pair, why));
	assert_int_equal(chmod(above, 0770), 0);
	assert_false(obi_key_pair_load(path, &pair, why));
	assert_non_null(strstr(why, "/above: others can write to a directory above the file"));
	assert_int_equal(chmod(above, 01777), 0);
	assert_true(obi_key_pair_load(path, &pair, why));
	assert_int_equal(symlink(above, link), 0);
	assert_false(obi_key_pair_load(through, &pair, why));
	assert_non_null(strstr(why, "/link: a symbolic link above the file"));
	if (geteuid() == 0) {
		assert_int_equal(chown(above, 12345, 12345), 0);
		assert_false(obi_key_pair_load(path, &pair, why));
		assert_non_null(strstr(why, "above the file belongs neither to root"));
	}
	free(through);
	free(link);
	free(path);
	free(above);
	scratch_remove(dir);
}

/* ---- Authorized keys ---- */

static void good_lists_are_read(void **state)
{
	struct obi_authorized list;
	struct obi_key_pair pair;
	char why[OBI_KEYS_WHY] = "";
	static const char text[] =
	    "# comment\n\n \t\r\n  " K1 "   a name \t\r\n"
	    "from=\"192.0.2.0/24,2001:db8::/32,::1\",expires=\"2027-01-31T00:00:00Z\" " K2
	    " h\xc3\xa9llo";
	(void)state;
	assert_true(obi_authorized_parse(ob_bytes_text(text), &list, why));
	assert_int_equal(list.count, 2);
	assert_true(obi_key_pair_parse(ob_bytes_text(KEYS_SECRET_1), &pair, why));
	const struct obi_authorized_key *key = obi_authorized_find(&list, pair.public);
	assert_true(ob_bytes_is(key->subject, "a name"));
	assert_int_equal(key->line, 4);
	assert_true(key->expires == INT64_MAX && key->from.len == 0);
	assert_true(obi_key_pair_parse(ob_bytes_text(KEYS_SECRET_2), &pair, why));
	key = obi_authorized_find(&list, pair.public);
	assert_true(ob_bytes_is(key->subject, "h\xc3\xa9llo"));
	assert_true(key->expires == 1801353600);
	pair.public[31] ^= 1;
	assert_null(obi_authorized_find(&list, pair.public));
	obi_authorized_free(&list);
	assert_true(obi_authorized_parse(ob_bytes_text(""), &list, why));
	assert_int_equal(list.count, 0);
	assert_null(obi_authorized_find(&list, pair.public));
}

static const struct {
	const char *text, *why;
} bad_lists[] = {
    {"x", "1: it begins neither with ed25519 nor with options"},
    {"\n#\nssh-ed25519 AAAA me\n", "3: it begins neither"},
    {"ed25519", "1: its key is not 32 bytes"},
    {"ed25519 AAAA me", "1: its key is not 32 bytes"},
    {K1, "1: it has no comment, which is the subject"},
    {K1 "A x", "1: its key is not 32 bytes"},
    {K1 " a\tb", "1: its comment has a control character"},
    {K1 " a\xc2\x85", "1: its comment has a control character"},
    {K1 " \xed\xa0\x80", "1: its comment is not UTF-8"},
    {K1 " a\n" K2 " b\n" K1 " c\n", "3: the same key as in line 1"},
    {K1 " a\n" K2 " a\n", "2: the same subject as in line 1"},
    {"from=\"::1\"", "1: ed25519 is missing before the key"},
    {"from=\"::1\" " K1, "1: it has no comment"},
    {"from=\"::1\"," K1 " a", "1: it begins neither"},
    {"from=\"::1 " K1 " a", "1: it begins neither"},
    {"from=::1 " K1 " a", "1: it begins neither"},
    {"from=\"::1\",from=\"::1\" " K1 " a", "1: from: given twice"},
    {"from=\"\" " K1 " a", "1: from: an address is missing"},
    {"from=\"::1,\" " K1 " a", "1: from: an address is missing"},
    {"from=\",::1\" " K1 " a", "1: from: not a list"},
    {"from=\"localhost\" " K1 " a", "1: from: not a list"},
    {"from=\"1.2.3\" " K1 " a", "1: from: not a list"},
    {"from=\"1.2.3.4/33\" " K1 " a", "1: from: not a list"},
    {"from=\"1.2.3.4/\" " K1 " a", "1: from: not a list"},
    {"from=\"1.2.3.0/024\" " K1 " a", "1: from: not a list"},
    {"from=\"1.2.3.4/-1\" " K1 " a", "1: from: not a list"},
    {"from=\"::/129\" " K1 " a", "1: from: not a list"},
    {"from=\"1.2.3.4/24\" " K1 " a", "1: from: an address has bits"},
    {"from=\"::ffff:1.2.3.0/120\" " K1 " a", "1: from: a prefix of IPv4 in IPv6"},
    {"expires=\"2027-01-31\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2027-02-29T00:00:00Z\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2027-01-31T24:00:00Z\" " K1 " a", "1: expires: not a time"},
    {"expires=\"1969-12-31T23:59:59Z\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2027-00-10T00:00:00Z\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2027-13-10T00:00:00Z\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2027-01-00T00:00:00Z\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2027-01-32T00:00:00Z\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2100-02-29T00:00:00Z\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2027-01-31T00:60:00Z\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2027-01-31T00:00:60Z\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2027-01-3/T00:00:00Z\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2027-01-3:T00:00:00Z\" " K1 " a", "1: expires: not a time"},
    {"from=\"1.2.3.4/2222\" " K1 " a", "1: from: not a list"},
    {"from=\"1.2.3.4/x\" " K1 " a", "1: from: not a list"},
    {"from=\"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001\" " K1 " a",
     "1: from: not a list"},
    {"from=\"::1,,::2\" " K1 " a", "1: from: not a list"},
    {"expires=\"2027-01-31T00:00:00+\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2027-01-31T00:00:00Z0\" " K1 " a", "1: expires: not a time"},
    {"expires=\"2027-01-31T00:00:00Z\",expires=\"2027-01-31T00:00:00Z\" " K1 " a",
     "1: expires: given twice"},
    {"command=\"x\" " K1 " a", "1: an unknown option"},
};

static void bad_lists_are_refused_with_the_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_lists / sizeof bad_lists[0]; i++) {
		struct obi_authorized list;
		char why[OBI_KEYS_WHY] = "";
		print_message("%s\n", bad_lists[i].text);
		assert_false(obi_authorized_parse(ob_bytes_text(bad_lists[i].text), &list, why));
		assert_ptr_equal(strstr(why, bad_lists[i].why), why);
		assert_null(list.keys);
	}
}

static void comments_have_a_limit(void **state)
{
	char text[512], why[OBI_KEYS_WHY] = "";
	struct obi_authorized list;
	(void)state;
	for (int len = 255; len <= 256; len++) {
		snprintf(text, sizeof text, "%s %0*d", K1, len, 7);
		assert_int_equal(obi_authorized_parse(ob_bytes_text(text), &list, why), len == 255);
		obi_authorized_free(&list);
	}
	assert_string_equal(why, "1: its comment is longer than 255 bytes");
}

static void too_many_keys_are_refused(void **state)
{
	char *text = malloc((OBI_AUTHORIZED_KEYS + 1) * 64), why[OBI_KEYS_WHY] = "";
	size_t len = 0;
	struct obi_authorized list;
	(void)state;
	assert_non_null(text);
	for (int i = 0; i <= OBI_AUTHORIZED_KEYS; i++) {
		static const char digits[] = "ABCDEFGHIJKLMNOP";
		len += (size_t)sprintf(text + len, "ed25519 %c%c%c%c%.39s= %d\n", digits[i >> 12],
				       digits[i >> 8 & 15], digits[i >> 4 & 15], digits[i & 15],
				       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", i);
	}
	assert_false(obi_authorized_parse(ob_bytes_of(text, len), &list, why));
	assert_string_equal(why, "4097: more than 4096 keys");
	while (text[--len - 1] != '\n') {
	}
	assert_true(obi_authorized_parse(ob_bytes_of(text, len), &list, why));
	assert_int_equal(list.count, OBI_AUTHORIZED_KEYS);
	obi_authorized_free(&list);
	free(text);
}

/* ---- Decisions ---- */

static void addresses_are_compared(void **state)
{
	static const struct {
		const char *from, *address;
		bool admitted;
	} table[] = {
	    {"192.0.2.7", "192.0.2.7:1234", true},
	    {"192.0.2.7", "192.0.2.7", true},
	    {"192.0.2.7", "192.0.2.8:1", false},
	    {"192.0.2.0/25", "192.0.2.127:1", true},
	    {"192.0.2.0/25", "192.0.2.128:1", false},
	    {"0.0.0.0/0", "8.8.8.8:1", true},
	    {"0.0.0.0/0", "[::1]:1", false},
	    {"::/0", "8.8.8.8:1", false},
	    {"::ffff:192.0.2.7", "192.0.2.7:1", true},
	    {"192.0.2.7", "[::ffff:192.0.2.7]:1", true},
	    {"2001:db8::/33", "[2001:db8:7fff::1]:1", true},
	    {"2001:db8::/33", "[2001:db8:8000::1]:1", false},
	    {"fe80::1", "[fe80::1%eth0]:9", true},
	    {"10.0.0.1,::1", "[::1]:9", true},
	    {"10.0.0.1,::1", "::1", true},
	    {"0.0.0.0/0,::/0", "unix:///run/x", false},
	    {"0.0.0.0/0,::/0", "", false},
	    {"0.0.0.0/0,::/0", NULL, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct obi_authorized_key key;
		char why[OBI_KEYS_WHY] = "",
		     *line = scratch_text("from=\"%s\" " K1 " a", table[i].from);
		print_message("%s %s\n", table[i].from, table[i].address);
		assert_true(obi_authorized_line(ob_bytes_text(line), &key, why));
		assert_int_equal(obi_authorized_refusal(&key, table[i].address, 0) == NULL,
				 table[i].admitted);
		free(line);
	}
}

static void keys_expire_at_their_second(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} table[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    {"2000-02-29T12:34:56Z", 951827696},
	    {"2027-01-31T00:00:00Z", 1801353600},
	    {"2100-03-01T00:00:00Z", 4107542400},
	    {"9999-12-31T23:59:59Z", 253402300799},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct obi_authorized_key key;
		char why[OBI_KEYS_WHY] = "";
		char *line = scratch_text("expires=\"%s\" " K1 " a", table[i].text);
		assert_true(obi_authorized_line(ob_bytes_text(line), &key, why));
		assert_true(key.expires == table[i].seconds);
		assert_null(obi_authorized_refusal(&key, NULL, table[i].seconds - 1));
		assert_non_null(obi_authorized_refusal(&key, NULL, table[i].seconds));
		free(line);
	}
}

/* ---- The file at work ---- */

static void a_changed_file_is_read_again(void **state)
{
	char *dir = scratch_make(), why[OBI_KEYS_WHY] = "";
	struct obi_authorized_file file = {.path = scratch_text("%s/authorized", dir)};
	(void)state;
	assert_false(obi_authorized_file_refresh(&file, why));
	assert_non_null(strstr(why, "/authorized: No such file"));
	keys_put(dir, "authorized", K1 " a\n" K2 " b\n");
	assert_true(obi_authorized_file_refresh(&file, why));
	assert_int_equal(file.list.count, 2);
	keys_put(dir, "authorized", K1 " a\n");
	assert_true(obi_authorized_file_refresh(&file, why));
	assert_int_equal(file.list.count, 1);
	/* In place, of the same size, within one tick of the clock. */
	int fd = open(file.path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "#", 1, 0), 1);
	close(fd);
	assert_true(obi_authorized_file_refresh(&file, why));
	assert_int_equal(file.list.count, 0);
	keys_put(dir, "authorized", K1 " a\nx\n");
	assert_false(obi_authorized_file_refresh(&file, why));
	assert_non_null(strstr(why, "/authorized:2: it begins neither"));
	assert_int_equal(file.list.count, 0);
	keys_put(dir, "authorized", K1 " a\n");
	assert_true(obi_authorized_file_refresh(&file, why));
	assert_int_equal(chmod(file.path, 0620), 0);
	assert_false(obi_authorized_file_refresh(&file, why));
	assert_non_null(strstr(why, "its mode is 0620"));
	assert_int_equal(chmod(file.path, 0644), 0);
	assert_true(obi_authorized_file_refresh(&file, why));
	assert_int_equal(truncate(file.path, OBI_AUTHORIZED_BYTES + 1), 0);
	assert_false(obi_authorized_file_refresh(&file, why));
	assert_non_null(strstr(why, "larger than 262144 bytes"));
	obi_authorized_file_clear(&file);
	scratch_remove(dir);
}

/* A file that has not changed for long is not read, but looked at. */
static void an_unchanged_file_is_not_read(void **state)
{
	char *dir = scratch_make(), why[OBI_KEYS_WHY] = "";
	struct obi_authorized_file file = {.path = scratch_text("%s/authorized", dir)};
	(void)state;
	keys_put(dir, "authorized", K1 " a\n");
	assert_true(obi_authorized_file_refresh(&file, why));
	file.stamp.settled = true;
	const uint8_t *text = file.text;
	file.text[0] = '#'; /* would be gone if it were read */
	assert_true(obi_authorized_file_refresh(&file, why));
	assert_ptr_equal(file.text, text);
	assert_int_equal(file.text[0], '#');
	assert_int_equal(chmod(file.path, 0640), 0);
	assert_true(obi_authorized_file_refresh(&file, why));
	assert_int_equal(file.text[0], 'e');
	obi_authorized_file_clear(&file);
	scratch_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_secret_key_is_read_and_written),
	    cmocka_unit_test(bad_secret_keys_are_refused),
	    cmocka_unit_test(files_that_others_can_reach_are_refused),
	    cmocka_unit_test(other_kinds_of_files_are_refused),
	    cmocka_unit_test(the_directories_above_are_checked),
	    cmocka_unit_test(good_lists_are_read),
	    cmocka_unit_test(bad_lists_are_refused_with_the_line),
	    cmocka_unit_test(comments_have_a_limit),
	    cmocka_unit_test(too_many_keys_are_refused),
	    cmocka_unit_test(addresses_are_compared),
	    cmocka_unit_test(keys_expire_at_their_second),
	    cmocka_unit_test(a_changed_file_is_read_again),
	    cmocka_unit_test(an_unchanged_file_is_not_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
