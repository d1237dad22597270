/* SPDX-License-Identifier: MIT */
/* The conformance suite on each transport of ours; or, given a URI to listen on as argument, on the one that it names. */
#include "unit/wire_bed.h"

#include "conformance/transport.h"
#include "support/vmm.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void tell(void *user, const char *promise, enum obi_verdict verdict, const char *why)
{
	static const char *const words[] = {"holds  ", "BROKEN ", "skipped"};
	(void)user;
	printf("    %s %s%s%s\n", words[verdict], promise, why[0] != '\0' ? ": " : "", why);
}

static uint32_t conform(const char *listen, const char *dial)
{
	void *state = NULL;
	char *scheme = strndup(listen, strcspn(listen, ":"));
	int rc = wire_begin(&state, scheme, "");
	free(scheme);
	if (rc != 0) {
		return 1;
	}
	struct wire_bed *wire = state;
	struct obi_conform_transport it = {
	    .ops = wire->bed.ops, .host = wire->bed.host, .listen = listen, .dial = dial};
	printf("  %s\n", listen);
	uint32_t broken = obi_conform_transport(&it, tell, NULL);
	wire_end(&state);
	return broken;
}

static void unix_conforms(void **state)
{
	char *dir = scratch_make(), *uri = scratch_text("unix://%s/s", dir);
	(void)state;
	assert_int_equal(conform(uri, NULL), 0);
	free(uri);
	scratch_remove(dir);
}

static void tcp_conforms(void **state)
{
	(void)state;
	assert_int_equal(conform("tcp://127.0.0.1:0", NULL), 0);
}

static void tcp_conforms_over_ipv6(void **state)
{
	(void)state;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || access("/proc/net/if_inet6", R_OK) != 0) {
		print_message("skipped: this kernel has no IPv6\n");
		skip();
	}
	close(fd);
	assert_int_equal(conform("tcp://[::1]:0", NULL), 0);
}

/* Both ends by hybrid vsock: out through a VMM, in where it leads. */
static void hvsock_conforms(void **state)
{
	struct vmm vmm;
	char *dir = scratch_make();
	(void)state;
	vmm_begin(&vmm, dir);
	char *listen = scratch_text("hvsock://%s:5000", vmm.guest), *dial = scratch_text("hvsock://%s:5000", vmm.path);
	assert_int_equal(conform(listen, dial), 0);
	vmm_end(&vmm);
	free(listen);
	free(dial);
	scratch_remove(dir);
}

/* A wrapper keeps the promises of what it wraps, however late and in what small pieces. */
static const char mild[] = "seed=7&delay=0..1ms&chop=1..5000&pause=1/100000:1ms..5ms";

static void chaos_over_unix_conforms(void **state)
{
	char *dir = scratch_make(), *uri = scratch_text("chaos+unix://%s/s?%s", dir, mild);
	(void)state;
	assert_int_equal(conform(uri, NULL), 0);
	free(uri);
	uri = scratch_text("chaos+unix://%s/s", dir);
	assert_int_equal(conform(uri, NULL), 0);
	free(uri);
	scratch_remove(dir);
}

static void chaos_over_tcp_conforms(void **state)
{
	char *uri = scratch_text("chaos+tcp://127.0.0.1:0?%s", mild);
	(void)state;
	assert_int_equal(conform(uri, NULL), 0);
	free(uri);
}

static void chaos_over_hvsock_conforms(void **state)
{
	struct vmm vmm;
	char *dir = scratch_make();
	(void)state;
	vmm_begin(&vmm, dir);
	char *listen = scratch_text("chaos+hvsock://%s:5000?%s", vmm.guest, mild);
	char *dial = scratch_text("chaos+hvsock://%s:5000?%s", vmm.path, mild);
	assert_int_equal(conform(listen, dial), 0);
	vmm_end(&vmm);
	free(listen);
	free(dial);
	scratch_remove(dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(unix_conforms),
	    cmocka_unit_test(tcp_conforms),
	    cmocka_unit_test(tcp_conforms_over_ipv6),
	    cmocka_unit_test(hvsock_conforms),
	    cmocka_unit_test(chaos_over_unix_conforms),
	    cmocka_unit_test(chaos_over_tcp_conforms),
	    cmocka_unit_test(chaos_over_hvsock_conforms),
	};
	if (argc > 1) {
		return conform(argv[1], argc > 2 ? argv[2] : NULL) == 0 ? 0 : 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
