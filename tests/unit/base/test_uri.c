/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants those first */
#include <cmocka.h>

#include "base/arena.h"
#include "base/uri.h"

static struct obi_arena arena;

static int setup(void **state)
{
	(void)state;
	obi_arena_init(&arena, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	obi_arena_free(&arena);
	return 0;
}

static bool same(struct ob_bytes bytes, const char *text)
{
	return ob_bytes_is(bytes, text);
}

static const struct good {
	const char *text, *scheme, *host;
	int32_t port;
	const char *path, *query;
} valid_uris[] = {
    {"unix:///run/a/rpc.sock", "unix", "", -1, "/run/a/rpc.sock", ""},
    {"unix:///run/a%20b/%e2%82%ac", "unix", "", -1, "/run/a b/\xe2\x82\xac", ""},
    {"unix:///x:5", "unix", "", -1, "/x:5", ""},
    {"tcp://127.0.0.1:80", "tcp", "127.0.0.1", 80, "", ""},
    {"tcp://[::1]:0", "tcp", "::1", 0, "", ""},
    {"tcp://[fe80::1%25eth0]:7", "tcp", "fe80::1%25eth0", 7, "", ""},
    {"tcp://[::1]", "tcp", "::1", -1, "", ""},
    {"tcp://example.org:443/a?b=c&d=/?", "tcp", "example.org", 443, "/a", "b=c&d=/?"},
    {"tcp://*:9", "tcp", "*", 9, "", ""},
    {"tcp://host?q", "tcp", "host", -1, "", "q"},
    {"vsock://3:2147483647", "vsock", "3", INT32_MAX, "", ""},
    {"hvsock:///run/vm.sock:5000", "hvsock", "", 5000, "/run/vm.sock", ""},
    {"hvsock:///run/vm.sock:5000?a=1", "hvsock", "", 5000, "/run/vm.sock", "a=1"},
    {"hvsock:///run/vm%3A1:2", "hvsock", "", 2, "/run/vm:1", ""},
    {"hvsock:///a:b/vm.sock", "hvsock", "", -1, "/a:b/vm.sock", ""},
    {"chaos+hvsock:///v:5?delay=3", "chaos+hvsock", "", 5, "/v", "delay=3"},
    {"chaos+tcp://h:5", "chaos+tcp", "h", 5, "", ""},
    {"x-1.y+z://h", "x-1.y+z", "h", -1, "", ""},
};

static void splits_every_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof valid_uris / sizeof valid_uris[0]; i++) {
		const struct good *want = &valid_uris[i];
		struct ob_uri uri;
		struct ob_error err = {0};
		print_message("%s\n", want->text);
		assert_int_equal(obi_uri_parse(want->text, &arena.ob, &uri, &err), OB_OK);
		assert_true(same(uri.text, want->text));
		assert_true(same(uri.scheme, want->scheme));
		assert_true(same(uri.host, want->host));
		assert_int_equal(uri.port, want->port);
		assert_true(same(uri.path, want->path));
		assert_int_equal(uri.path.data[uri.path.len], '\0');
		assert_true(same(uri.query, want->query));
	}
}

static const char *const invalid_uris[] = {
    "",
    "unix",
    "unix:/x",
    "//host",
    "://host",
    "Unix:///x",
    "1x://h",
    "a_b://h",
    "unix://",
    "unix://host/x",
    "unix://:5/x",
    "hvsock://host/x:5",
    "hvsock:///x:",
    "hvsock:///x:5a",
    "hvsock:///x:2147483648",
    "tcp://h:",
    "tcp://h:x",
    "tcp://h:-1",
    "tcp://h:99999999999999999999",
    "tcp://user@h:1",
    "tcp://[::1",
    "tcp://[::1]5",
    "tcp://[]:5",
    "tcp://[gg]:5",
    "tcp://::1:5",
    "unix:///a b",
    "unix:///a\nb",
    "unix:///a%",
    "unix:///a%2",
    "unix:///a%zz",
    "unix:///a%00b",
    "unix:///a#f",
    "unix:///\xc3\xa9",
    "tcp://h?a b",
    "tcp://h?a#b",
};

static void refuses_invalid_uris_and_quotes_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof invalid_uris / sizeof invalid_uris[0]; i++) {
		struct ob_uri uri = {.port = 12345};
		struct ob_error err = {0};
		print_message("%s\n", invalid_uris[i]);
		assert_int_equal(obi_uri_parse(invalid_uris[i], &arena.ob, &uri, &err), OB_EINVAL);
		assert_int_equal(uri.port, 12345);
		assert_non_null(strstr(err.text, "address \""));
		assert_null(strpbrk(err.text, "\n\t"));
	}
}

static void refuses_a_uri_without_end(void **state)
{
	char text[6000] = "unix:///";
	struct ob_uri uri;
	struct ob_error err = {0};
	(void)state;
	memset(text + 8, 'a', sizeof text - 9);
	assert_int_equal(obi_uri_parse(text, &arena.ob, &uri, &err), OB_EINVAL);
	text[4096] = '\0';
	assert_int_equal(obi_uri_parse(text, &arena.ob, &uri, &err), OB_OK);
}

static void reports_a_full_arena(void **state)
{
	struct ob_arena none = {0};
	struct ob_uri uri;
	(void)state;
	assert_int_equal(obi_uri_parse("unix:///x", &none, &uri, NULL), OB_ENOMEM);
}

static void every_path_survives_as_a_unix_uri(void **state)
{
	char path[256], text[1024];
	struct ob_sink sink = ob_sink_fixed(text, sizeof text - 1);
	struct ob_uri uri;
	(void)state;
	for (int i = 1; i < 256; i++) {
		path[i] = (char)i;
	}
	path[0] = '/';
	char ended[257];
	memcpy(ended, path, 256);
	ended[256] = '\0';
	assert_true(obi_uri_unix(ended, &sink));
	text[sink.len] = '\0';
	assert_int_equal(obi_uri_parse(text, &arena.ob, &uri, NULL), OB_OK);
	assert_true(same(uri.path, ended));
}

static void tells_the_socket_and_whose_it_is(void **state)
{
	static const struct {
		const char *text;
		const char *socket;
		bool is_of_machine;
	} table[] = {
	    {"unix:///x", "unix", false},
	    {"tls+tcp://10.0.2.2:5", "tcp", false},
	    {"chaos+tls+tcp://h:5", "tcp", false},
	    {"hvsock:///x:5", "hvsock", true},
	    {"chaos+hvsock:///x:5", "hvsock", true},
	    {"vsock://any:5", "vsock", true},
	    {"vsock://host:5", "vsock", true},
	    {"vsock://11:5", "vsock", true},
	    {"vsock://local:5", "vsock", false},
	    {"tls+vsock://1:5", "vsock", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct ob_uri uri;
		print_message("%s\n", table[i].text);
		assert_int_equal(obi_uri_parse(table[i].text, &arena.ob, &uri, NULL), OB_OK);
		assert_true(same(obi_uri_socket(&uri), table[i].socket));
		assert_int_equal(obi_uri_is_of_machine(&uri), table[i].is_of_machine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(splits_every_form),
	    cmocka_unit_test(tells_the_socket_and_whose_it_is),
	    cmocka_unit_test(refuses_invalid_uris_and_quotes_them),
	    cmocka_unit_test(refuses_a_uri_without_end),
	    cmocka_unit_test(reports_a_full_arena),
	    cmocka_unit_test(every_path_survives_as_a_unix_uri),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
