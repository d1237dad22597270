/* SPDX-License-Identifier: MIT */
/* What children of a config cannot share: directories, sockets, ports. */
#include "cli/config/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/scratch.h"

enum { CHILDREN_MAX = 8 };

static char *root; /* data_root */

/* A config of children a, b, c, ... */
static struct ob_connector_options children[CHILDREN_MAX];
static struct obi_run_config config;

/* NULL: the default. */
struct given {
	const char *data_path;
	const char *listen;
	const char *connect;
	const char *clients; /* client_listen */
};

static const char *const names[CHILDREN_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h"};

/* "ROOT" stands for the root. */
static char *whole(const char *text, const char *otherwise)
{
	if (text == NULL) {
		return scratch_text("%s/%s", root, otherwise);
	}
	const char *at = strstr(text, "ROOT");
	return at != NULL ? scratch_text("%.*s%s%s", (int)(at - text), text, root, at + 4)
			  : scratch_text("%s", text);
}

static void make(const struct given *given, uint32_t count)
{
	config = (struct obi_run_config){.data_root = root, .children = children, .count = count};
	for (uint32_t i = 0; i < count; i++) {
		children[i] = (struct ob_connector_options){
		    .size = sizeof children[i],
		    .name = names[i],
		    .data_path = whole(given[i].data_path, names[i]),
		    .listen = given[i].listen != NULL ? whole(given[i].listen, "") : NULL,
		    .client_listen = given[i].clients != NULL ? whole(given[i].clients, "") : NULL,
		    .connect = given[i].connect};
	}
}

static void unmake(void)
{
	for (uint32_t i = 0; i < config.count; i++) {
		free((char *)(uintptr_t)children[i].data_path);
		free((char *)(uintptr_t)children[i].listen);
		free((char *)(uintptr_t)children[i].client_listen);
	}
}

/* The faults as "NAME.KEY: REASON\n", without what is the same in each. */
static void expect_faults(const struct given *given, uint32_t count, const char *want)
{
	char text[2048] = "";
	struct obi_faults faults;
	make(given, count);
	obi_faults_init(&faults, "");
	obi_check_shared_paths(&config, &faults);
	obi_check_shared_ports(&config, &faults);
	for (const struct obi_fault *f = faults.first; f != NULL; f = f->next) {
		size_t len = strlen(text);
		assert_memory_equal(f->key, "children.", 9);
		snprintf(text + len, sizeof text - len, "%s: %s\n", f->key + 9, f->reason);
	}
	assert_string_equal(text, want);
	obi_faults_free(&faults);
	unmake();
}

#define EXPECT(want, ...)                                                     \
	do {                                                                  \
		const struct given given[] = {__VA_ARGS__};                   \
		expect_faults(given, sizeof given / sizeof given[0], (want)); \
	} while (0)

/* ---- Directories ---- */

static void one_directory_is_found_however_it_is_written(void **state)
{
	static const char *const ways[] = {"ROOT/a",	    "ROOT//a/",	   "ROOT/./a/.",
					   "ROOT/x/../a",   "ROOT/link/a", "ROOT/alias",
					   "ROOT/link/../a"};
	(void)state;
	for (size_t i = 0; i + 1 < sizeof ways / sizeof ways[0]; i++) {
		EXPECT("b.data_path: is already used by \"a\"\n", {0}, {.data_path = ways[i]});
	}
	/* The ".." of a link is above what it points to. */
	EXPECT("", {0}, {.data_path = ways[6]});
	EXPECT("c.data_path: is already used by \"b\"\n", {0}, {.data_path = "/nowhere/x"},
	       {.data_path = "/nowhere/y/../x"});
	EXPECT("", {0}, {0}, {.data_path = "ROOT/aa"}, {.data_path = "ROOT/a.b"},
	       {.data_path = "ROOT/a-b"});
}

static void directories_do_not_lie_inside_each_other(void **state)
{
	(void)state;
	EXPECT("b.data_path: lies inside the data_path of \"a\"\n", {0},
	       {.data_path = "ROOT/a/deep/er"});
	EXPECT("a.data_path: lies inside the data_path of \"c\"\n", {.data_path = "ROOT/c/a"}, {0},
	       {0});
	/* Others sort between a directory and what lies inside it. */
	EXPECT("d.data_path: lies inside the data_path of \"a\"\n", {0}, {.data_path = "ROOT/a-"},
	       {.data_path = "ROOT/a.b"}, {.data_path = "ROOT/a/d"});
	EXPECT("b.data_path: lies inside the data_path of \"a\"\n"
	       "c.data_path: lies inside the data_path of \"b\"\n"
	       "d.data_path: lies inside the data_path of \"a\"\n",
	       {0}, {.data_path = "ROOT/a/b"}, {.data_path = "ROOT/a/b/c"},
	       {.data_path = "ROOT/a/d"});
	EXPECT("b.data_path: lies inside the data_path of \"a\"\n", {0},
	       {.data_path = "ROOT/alias/b"});
}

static void the_files_of_the_supervisor_are_its_own(void **state)
{
	static const char *const taken[] = {
	    "ROOT/.state",    "ROOT/.state/b",	"ROOT/x/../.state/a/x", "ROOT/run.sock",
	    "ROOT/run.lock/", "ROOT//run.json", "ROOT/states/b"};
	(void)state;
	for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
		EXPECT("a.data_path: is reserved for the files of outboard run\n",
		       {.data_path = taken[i]});
	}
	static const char *const above[] = {"ROOT", "ROOT/", "ROOT/..", "/"};
	for (size_t i = 0; i < sizeof above / sizeof above[0]; i++) {
		EXPECT("a.data_path: is reserved for the files of outboard run: the child could "
		       "write the supervisor's state\n",
		       {.data_path = above[i]});
	}
}

/* ---- Sockets ---- */

static void one_socket_is_found_however_it_is_written(void **state)
{
	(void)state;
	EXPECT("b.listen: is already used by \"a\"\n", {.listen = "unix://ROOT/s"},
	       {.listen = "unix://ROOT/x/..//%73?mode=0660"});
	EXPECT("b.listen: is already used by \"a\"\n", {.listen = "unix://ROOT/s"},
	       {.listen = "chaos+unix://ROOT/s"});
	EXPECT("b.listen: is already used by \"a\": rpc.sock in its data_path\n", {0},
	       {.listen = "unix://ROOT/alias/rpc.sock"});
	/* A child may name what is its own, and use its directory for more. */
	EXPECT("", {.listen = "unix://ROOT/a/rpc.sock"}, {.listen = "unix://ROOT/b/other.sock"});
	EXPECT("a.listen: is reserved for the files of outboard run\n",
	       {.listen = "unix://ROOT/./run.sock"});
	EXPECT("a.listen: is reserved for the files of outboard run\n",
	       {.listen = "unix://ROOT/.state/b/s"});
	/* In a container a path means another file. */
	EXPECT("", {0}, {.listen = "unix://ROOT/a/rpc.sock", .connect = "unix:///run/b"},
	       {.listen = "unix://ROOT/a/rpc.sock", .connect = "unix:///run/c"});
}

static void the_second_socket_is_looked_at_too(void **state)
{
	(void)state;
	EXPECT("b.client_listen: is already used by \"a\"\n", {.clients = "unix://ROOT/s"},
	       {.clients = "unix://ROOT/x/../s"});
	EXPECT("b.client_listen: is already used by \"a\"\n", {.listen = "unix://ROOT/s"},
	       {.clients = "unix://ROOT/s"});
	EXPECT("a.client_listen: is already used by \"b\"\n", {.clients = "unix://ROOT/s"},
	       {.listen = "unix://ROOT/s"});
	EXPECT("b.client_listen: is already used by \"a\": rpc.sock in its data_path\n", {0},
	       {.clients = "unix://ROOT/alias/rpc.sock"});
	EXPECT("a.client_listen: is reserved for the files of outboard run\n",
	       {.clients = "unix://ROOT/./run.sock"});
	EXPECT("a.client_listen: is the address of listen\n",
	       {.listen = "unix://ROOT/s", .clients = "unix://ROOT/x/../s"});
	EXPECT("a.client_listen: is the address of listen\n",
	       {.clients = "unix://ROOT/alias/rpc.sock"});
	EXPECT("", {.clients = "unix://ROOT/a/clients.sock"},
	       {.listen = "unix://ROOT/s", .clients = "unix://ROOT/b/rpc.sock"},
	       {.connect = "unix:///run/c", .clients = "unix://ROOT/s"});
}

/* ---- Ports ---- */

struct two {
	const char *a, *b;
};

static void one_port_is_found_however_it_is_written(void **state)
{
	static const struct two meet[] = {
	    {"tcp://127.0.0.1:70", "tcp://127.0.0.1:070"},
	    {"tcp://127.0.0.1:70", "tcp://localhost:70"},
	    {"tcp://[::1]:70", "tcp://[0:0::0:1]:70"},
	    {"tcp://[::ffff:127.0.0.1]:70", "tcp://127.0.0.1:70"},
	    {"tcp://0.0.0.0:70", "tcp://127.0.0.1:70"},
	    {"tcp://0.0.0.0:70", "tcp://0.0.0.0:70"},
	    {"tcp://[::]:70", "tcp://0.0.0.0:70"},
	    {"tcp://[::]:70", "tcp://[::1]:70"},
	    {"tcp://[::]:70", "chaos+tcp://192.0.2.1:70"},
	    {"vsock://any:70", "vsock://3:70"},
	    {"vsock://3:70", "vsock://3:70"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof meet / sizeof meet[0]; i++) {
		char *want = scratch_text("b.listen: the port is already used by \"a\", which "
					  "listens on %s\n",
					  meet[i].a);
		EXPECT(want, {.listen = meet[i].a}, {.listen = meet[i].b});
		free(want);
		want = scratch_text("b.client_listen: the port is already used by \"a\", which "
				    "listens on %s\n",
				    meet[i].a);
		EXPECT(want, {.clients = meet[i].a}, {.clients = meet[i].b});
		free(want);
		want = scratch_text("a.client_listen: the port is already used by listen, which is "
				    "%s\n",
				    meet[i].a);
		bool alike = strcmp(meet[i].a, meet[i].b) == 0; /* the library tells that */
		EXPECT(alike ? "" : want, {.listen = meet[i].a, .clients = meet[i].b});
		free(want);
	}
}

static void other_ports_do_not_meet(void **state)
{
	static const struct two apart[] = {
	    {"tcp://127.0.0.1:70", "tcp://127.0.0.1:71"},
	    {"tcp://127.0.0.1:70", "tcp://127.0.0.2:70"},
	    {"tcp://0.0.0.0:70", "tcp://[::1]:70"},
	    {"tcp://0.0.0.0:0", "tcp://0.0.0.0:0"},
	    {"tcp://[::]:70", "vsock://any:70"},
	    {"tcp://no:uri", "tcp://no:uri"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof apart / sizeof apart[0]; i++) {
		EXPECT("", {.listen = apart[i].a}, {.listen = apart[i].b});
		EXPECT("", {.listen = apart[i].b}, {.listen = apart[i].a});
	}
	EXPECT("", {.listen = "tcp://0.0.0.0:70", .connect = "tcp://192.0.2.1:70"},
	       {.listen = "tcp://0.0.0.0:70"});
}

static void the_widest_address_of_a_port_meets_all(void **state)
{
	(void)state;
	EXPECT("b.listen: the port is already used by \"c\", which listens on tcp://0.0.0.0:70\n"
	       "d.listen: the port is already used by \"c\", which listens on tcp://0.0.0.0:70\n",
	       {.listen = "tcp://[::1]:70"}, {.listen = "tcp://127.0.0.1:70"},
	       {.listen = "tcp://0.0.0.0:70"}, {.listen = "tcp://192.0.2.1:70"},
	       {.listen = "tcp://192.0.2.1:71"});
}

/* ---- The group ---- */

static int setup(void **state)
{
	(void)state;
	char *base = scratch_make();
	root = realpath(base, NULL); /* TMPDIR may be a link */
	assert_non_null(root);
	free(base);
	const char *const links[][2] = {
	    {"link", "."}, {"alias", "a"}, {"states", ".state"}, {"loop", "loop"}};
	static const char *const made[] = {"a", "x", ".state"};
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
		char *path = scratch_text("%s/%s", root, made[i]);
		assert_int_equal(mkdir(path, 0700), 0);
		free(path);
	}
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
		char *path = scratch_text("%s/%s", root, links[i][0]);
		assert_int_equal(symlink(links[i][1], path), 0);
		free(path);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(root);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_directory_is_found_however_it_is_written),
	    cmocka_unit_test(directories_do_not_lie_inside_each_other),
	    cmocka_unit_test(the_files_of_the_supervisor_are_its_own),
	    cmocka_unit_test(one_socket_is_found_however_it_is_written),
	    cmocka_unit_test(the_second_socket_is_looked_at_too),
	    cmocka_unit_test(one_port_is_found_however_it_is_written),
	    cmocka_unit_test(other_ports_do_not_meet),
	    cmocka_unit_test(the_widest_address_of_a_port_meets_all),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
