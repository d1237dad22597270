/* SPDX-License-Identifier: MIT */
/* Where a child lives, as its config shows. */
#include "cli/config/where.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct {
	const char *program, *listen, *connect;
	enum obi_where where;
} rows[] = {
    {"/usr/bin/kv", NULL, NULL, OBI_WHERE_HOST},
    {"kv", "unix:///run/kv.sock", NULL, OBI_WHERE_HOST},
    {"kv", "tcp://192.0.2.1:7000", NULL, OBI_WHERE_HOST}, /* an address of this machine */
    {"kv", "tcp://0.0.0.0:7000", "tcp://127.0.0.1:7000", OBI_WHERE_HOST},
    {"kv", NULL, "tcp://[::1]:7000", OBI_WHERE_HOST},
    {"kv", NULL, "tcp://localhost:7000", OBI_WHERE_HOST},
    {"kv", NULL, "tcp://192.0.2.1:7000", OBI_WHERE_FAR},
    {"kv", NULL, "tls+tcp://[2001:db8::1]:7000", OBI_WHERE_FAR},
    {"kv", NULL, "tcp://127.example.org:7000", OBI_WHERE_FAR},
    {"/usr/bin/bwrap", "unix:///run/kv.sock", NULL, OBI_WHERE_BWRAP},
    {"/usr/sbin/runc", NULL, NULL, OBI_WHERE_CONTAINER},
    {"podman", NULL, "tcp://10.0.2.100:7000", OBI_WHERE_CONTAINER},
    {"/usr/bin/systemd-nspawn", NULL, NULL, OBI_WHERE_CONTAINER},
    {"/opt/runc.sh", NULL, NULL, OBI_WHERE_HOST},
    {"/usr/bin/qemu-system-x86_64", NULL, "tcp://127.0.0.1:7000", OBI_WHERE_VM},
    {"/usr/bin/qemu-img", NULL, NULL, OBI_WHERE_HOST},
    {"firecracker", NULL, NULL, OBI_WHERE_VM},
    {"cloud-hypervisor", NULL, NULL, OBI_WHERE_VM},
    {"/bin/sh", "vsock://any:5000", "vsock://42:5000", OBI_WHERE_VM},
    {"/bin/sh", "vsock://any:5000", NULL, OBI_WHERE_VM},
    {"/bin/sh", "vsock://any:5000", "hvsock:///run/vm.sock:5000", OBI_WHERE_VM},
    {"/bin/sh", NULL, "chaos+vsock://42:5000?seed=1", OBI_WHERE_VM},
    {"/bin/sh", "vsock://any:5000", "vsock://${cid}:5000", OBI_WHERE_VM},
    {"/bin/sh", NULL, "tcp://127.0.0.1:${port}", OBI_WHERE_HOST},
    {"/bin/sh", NULL, "tcp://192.0.2.7:${port}", OBI_WHERE_FAR},
    {"/bin/sh", NULL, "hvsock://${data_path}/vm.sock:5000", OBI_WHERE_VM},
    {"/bin/sh", NULL, "hvsock:///${name", OBI_WHERE_HOST},
    {"kv", "vsock://local:5000", NULL, OBI_WHERE_HOST},
    {"/usr/bin/ssh", NULL, "tcp://127.0.0.1:7000", OBI_WHERE_FAR},
    {"kv", "no address", NULL, OBI_WHERE_HOST},
};

static void each_config_shows_where(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *argv[] = {rows[i].program, NULL};
		const struct ob_connector_options options = {.size = sizeof options,
							     .argv = argv,
							     .listen = rows[i].listen,
							     .connect = rows[i].connect};
		if (obi_where_of(&options) != rows[i].where) {
			fail_msg("row %zu: %s", i, obi_where_name(obi_where_of(&options)));
		}
	}
}

/* One that somebody else starts has no command. */
static void a_child_without_a_command_is_where_its_address_is(void **state)
{
	const char *const none[] = {NULL};
	struct ob_connector_options options = {.size = sizeof options,
					       .connect = "tcp://192.0.2.1:7000"};
	(void)state;
	assert_int_equal(obi_where_of(&options), OBI_WHERE_FAR);
	options.argv = none;
	assert_int_equal(obi_where_of(&options), OBI_WHERE_FAR);
	options.connect = NULL;
	assert_int_equal(obi_where_of(&options), OBI_WHERE_HOST);
	options.accept = "vsock://host:5000"; /* it dials home */
	assert_int_equal(obi_where_of(&options), OBI_WHERE_VM);
}

static void every_place_has_a_name(void **state)
{
	(void)state;
	assert_null(obi_where_name(OBI_WHERE_UNKNOWN));
	assert_null(obi_where_name(OBI_WHERES));
	assert_string_equal(obi_where_name(OBI_WHERE_HOST), "host");
	assert_string_equal(obi_where_name(OBI_WHERE_FAR), "far");
	for (int i = OBI_WHERE_HOST; i < OBI_WHERES; i++) {
		assert_ptr_equal(obi_where_name((enum obi_where)i), obi_where_names[i - 1]);
	}
	assert_null(obi_where_names[OBI_WHERES - 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_config_shows_where),
	    cmocka_unit_test(a_child_without_a_command_is_where_its_address_is),
	    cmocka_unit_test(every_place_has_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
