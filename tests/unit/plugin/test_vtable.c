/* SPDX-License-Identifier: MIT */
/* plugin/vtable: which members of a table are copied, and which tables are refused. */
#include "plugin/vtable.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Each table is in memory of exactly its size, so that a sanitizer notices a read beyond its end.
 */
static void *exact(const void *table, size_t size)
{
	void *copy = malloc(size);
	assert_non_null(copy);
	memcpy(copy, table, size);
	return copy;
}

/* A table with all pointers set; none of them is called or followed. */
static void fill(void *table, size_t size, uint32_t says)
{
	memset(table, 0x5a, size);
	memcpy(table, &says, sizeof says);
}

static int transport_of_size(uint32_t size, struct ob_transport_ops *ret, struct ob_error *err)
{
	struct ob_transport_ops table[2];
	fill(table, sizeof table, size);
	table[0].flags &= ~(uint32_t)OB_TRANSPORT_SEALED; /* it would require binding */
	void *given = exact(table, size);
	int rc = obi_vtable_transport(given, ret, err);
	free(given);
	return rc;
}

static void a_table_of_our_size_is_copied_whole(void **state)
{
	struct ob_transport_ops given, ret;
	struct ob_error err;
	(void)state;
	fill(&given, sizeof given, sizeof given);
	assert_int_equal(obi_vtable_transport(&given, &ret, &err), OB_OK);
	assert_int_equal(ret.size, sizeof ret);
	assert_ptr_equal(ret.schemes, given.schemes);
	assert_true(ret.close == given.close);
	assert_int_equal(ret.flags, given.flags);
}

static void a_shorter_table_lacks_only_its_tail(void **state)
{
	struct ob_transport_ops ret;
	struct ob_error err;
	(void)state;
	assert_int_equal(transport_of_size(offsetof(struct ob_transport_ops, peer), &ret, &err),
			 OB_OK);
	assert_null(ret.peer);
	assert_non_null(ret.close);
	assert_int_equal(ret.size, sizeof ret);
}

static void a_longer_table_is_cut_to_ours(void **state)
{
	struct {
		uint64_t before;
		struct ob_transport_ops ops;
		uint64_t behind;
	} ret = {.before = 1, .behind = 2};
	struct ob_error err;
	(void)state;
	assert_int_equal(transport_of_size(2 * sizeof ret.ops, &ret.ops, &err), OB_OK);
	assert_int_equal(ret.ops.size, sizeof ret.ops);
	assert_int_equal(ret.before, 1);
	assert_int_equal(ret.behind, 2);
}

static void a_member_cut_in_two_is_absent(void **state)
{
	struct ob_transport_ops ret;
	struct ob_error err;
	(void)state;
	for (uint32_t cut = 1; cut < sizeof ret.peer; cut++) {
		assert_int_equal(
		    transport_of_size(offsetof(struct ob_transport_ops, peer) + cut, &ret, &err),
		    OB_OK);
		assert_null(ret.peer);
	}
	assert_int_equal(
	    transport_of_size(offsetof(struct ob_transport_ops, close) + 4, &ret, &err),
	    OB_EPLUGIN);
	assert_non_null(strstr(err.text, "close"));
}

static void every_size_too_short_is_refused_and_names_a_member(void **state)
{
	struct ob_transport_ops ret;
	struct ob_error err;
	(void)state;
	for (uint32_t size = sizeof size; size < offsetof(struct ob_transport_ops, peer); size++) {
		assert_int_equal(transport_of_size(size, &ret, &err), OB_EPLUGIN);
		assert_non_null(strstr(err.text, "transport table is too short"));
	}
	assert_int_equal(transport_of_size(sizeof ret.size, &ret, &err), OB_EPLUGIN);
	assert_non_null(strstr(err.text, "schemes"));
}

static void a_refusal_leaves_the_result_alone(void **state)
{
	struct ob_codec_ops given, ret, before;
	(void)state;
	fill(&ret, sizeof ret, 77);
	before = ret;
	fill(&given, sizeof given, sizeof given);
	given.encode = NULL;
	assert_int_equal(obi_vtable_codec(&given, &ret, NULL), OB_EPLUGIN);
	assert_memory_equal(&ret, &before, sizeof ret);
}

/* ---- A required member that is NULL is named ---- */

struct hole {
	const char *member;
	size_t offset;
	size_t size;
};
#define HOLE(type, member)                                                   \
	{                                                                    \
#member, offsetof(type, member), sizeof(((type *)0)->member) \
	}

static void transport_names_what_it_lacks(void **state)
{
	static const struct hole holes[] = {
	    HOLE(struct ob_transport_ops, schemes),
	    HOLE(struct ob_transport_ops, listen),
	    HOLE(struct ob_transport_ops, listener_fd),
	    HOLE(struct ob_transport_ops, accept),
	    HOLE(struct ob_transport_ops, local_uri),
	    HOLE(struct ob_transport_ops, listener_close),
	    HOLE(struct ob_transport_ops, dial),
	    HOLE(struct ob_transport_ops, finish_dial),
	    HOLE(struct ob_transport_ops, dial_close),
	    HOLE(struct ob_transport_ops, fd),
	    HOLE(struct ob_transport_ops, readv),
	    HOLE(struct ob_transport_ops, writev),
	    HOLE(struct ob_transport_ops, shutdown_write),
	    HOLE(struct ob_transport_ops, close),
	};
	(void)state;
	for (size_t i = 0; i < sizeof holes / sizeof *holes; i++) {
		struct ob_transport_ops given, ret;
		struct ob_error err;
		char expected[64];
		fill(&given, sizeof given, sizeof given);
		memset((char *)&given + holes[i].offset, 0, holes[i].size);
		assert_int_equal(obi_vtable_transport(&given, &ret, &err), OB_EPLUGIN);
		snprintf(expected, sizeof expected, "its transport table lacks %s",
			 holes[i].member);
		assert_string_equal(err.text, expected);
	}
}

static void transport_may_lack_peer_and_flags(void **state)
{
	struct ob_transport_ops given, ret;
	(void)state;
	fill(&given, sizeof given, sizeof given);
	given.peer = NULL;
	given.flags = 0;
	assert_int_equal(obi_vtable_transport(&given, &ret, NULL), OB_OK);
}

static void a_transport_that_seals_needs_a_binding(void **state)
{
	struct ob_transport_ops given, ret;
	struct ob_error err;
	(void)state;
	fill(&given, sizeof given, sizeof given);
	given.binding = NULL;
	given.flags = OB_TRANSPORT_SEALED;
	assert_int_equal(obi_vtable_transport(&given, &ret, &err), OB_EPLUGIN);
	assert_string_equal(err.text,
			    "its transport table has OB_TRANSPORT_SEALED but lacks binding");
	given.flags = 0;
	assert_int_equal(obi_vtable_transport(&given, &ret, &err), OB_OK);
}

static void codec_names_what_it_lacks(void **state)
{
	static const struct hole holes[] = {
	    HOLE(struct ob_codec_ops, scan),
	    HOLE(struct ob_codec_ops, decode),
	    HOLE(struct ob_codec_ops, encode),
	};
	(void)state;
	for (size_t i = 0; i < sizeof holes / sizeof *holes; i++) {
		struct ob_codec_ops given, ret;
		struct ob_error err;
		char expected[64];
		fill(&given, sizeof given, sizeof given);
		memset((char *)&given + holes[i].offset, 0, holes[i].size);
		assert_int_equal(obi_vtable_codec(&given, &ret, &err), OB_EPLUGIN);
		snprintf(expected, sizeof expected, "its codec table lacks %s", holes[i].member);
		assert_string_equal(err.text, expected);
	}
}

static void descriptor_names_what_it_lacks(void **state)
{
	static const struct hole holes[] = {
	    HOLE(struct ob_plugin, name),
	    HOLE(struct ob_plugin, version),
	    HOLE(struct ob_plugin, ops),
	};
	(void)state;
	for (size_t i = 0; i < sizeof holes / sizeof *holes; i++) {
		struct ob_plugin given, ret;
		struct ob_error err;
		char expected[64];
		fill(&given, sizeof given, sizeof given);
		memset((char *)&given + holes[i].offset, 0, holes[i].size);
		assert_int_equal(obi_vtable_plugin(&given, &ret, &err), OB_EPLUGIN);
		snprintf(expected, sizeof expected, "its descriptor lacks %s", holes[i].member);
		assert_string_equal(err.text, expected);
	}
}

/* ---- Members of an authenticator that depend on each other ---- */

static struct ob_auth_ops sealing_auth(void)
{
	struct ob_auth_ops ops;
	fill(&ops, sizeof ops, sizeof ops);
	ops.overhead = OB_AUTH_OVERHEAD_MAX;
	return ops;
}

static struct ob_auth_ops plain_auth(void)
{
	struct ob_auth_ops ops = sealing_auth();
	ops.overhead = 0;
	ops.seal = NULL;
	ops.open = NULL;
	ops.binding = NULL;
	return ops;
}

static void assert_auth(const struct ob_auth_ops *given, int rc, const char *text)
{
	struct ob_auth_ops ret;
	struct ob_error err = {.text = ""};
	assert_int_equal(obi_vtable_auth(given, &ret, &err), rc);
	assert_string_equal(err.text, text);
}

static void auth_needs_admit_or_create(void **state)
{
	struct ob_auth_ops ops = plain_auth();
	(void)state;
	assert_auth(&ops, OB_OK, "");
	ops.admit = NULL;
	assert_auth(&ops, OB_OK, "");
	ops = plain_auth();
	ops.create = NULL;
	assert_auth(&ops, OB_EPLUGIN, "its auth table has wait but lacks create");
	ops.wait = NULL;
	assert_auth(&ops, OB_OK, "");
	ops.step = NULL;
	ops.destroy = NULL;
	ops.identity = NULL;
	assert_auth(&ops, OB_OK, "");
	ops.admit = NULL;
	char expected[80];
	snprintf(expected, sizeof expected,
		 "its auth table (%zu bytes) has neither admit nor create", sizeof ops);
	assert_auth(&ops, OB_EPLUGIN, expected);
}

static void auth_with_create_needs_step_and_destroy(void **state)
{
	struct ob_auth_ops ops = plain_auth();
	(void)state;
	ops.step = NULL;
	assert_auth(&ops, OB_EPLUGIN, "its auth table has create but lacks step");
	ops = plain_auth();
	ops.destroy = NULL;
	assert_auth(&ops, OB_EPLUGIN, "its auth table has create but lacks destroy");
}

static void auth_has_all_of_sealing_or_none(void **state)
{
	struct ob_auth_ops ops = sealing_auth();
	(void)state;
	assert_auth(&ops, OB_OK, "");
	ops.overhead = 0;
	assert_auth(&ops, OB_EPLUGIN, "its auth table has sealing but lacks overhead");
	ops.overhead = OB_AUTH_OVERHEAD_MAX + 1;
	assert_auth(&ops, OB_EPLUGIN,
		    "its auth table has an overhead of 257 bytes; at most 256 can be carried");
	ops = sealing_auth();
	ops.seal = NULL;
	assert_auth(&ops, OB_EPLUGIN, "its auth table has sealing but lacks seal");
	ops = sealing_auth();
	ops.open = NULL;
	assert_auth(&ops, OB_EPLUGIN, "its auth table has sealing but lacks open");
	ops = sealing_auth();
	ops.binding = NULL;
	assert_auth(&ops, OB_EPLUGIN, "its auth table has sealing but lacks binding");
	ops = sealing_auth();
	ops.create = NULL;
	ops.wait = NULL;
	assert_auth(&ops, OB_EPLUGIN, "its auth table has sealing but lacks create");
}

static void auth_table_that_ends_before_sealing_does_not_seal(void **state)
{
	struct ob_auth_ops whole = sealing_auth(), ret;
	uint32_t size = offsetof(struct ob_auth_ops, overhead);
	(void)state;
	memcpy(&whole, &size, sizeof size);
	void *given = exact(&whole, size);
	assert_int_equal(obi_vtable_auth(given, &ret, NULL), OB_OK);
	assert_null(ret.seal);
	assert_int_equal(ret.overhead, 0);
	free(given);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_table_of_our_size_is_copied_whole),
	    cmocka_unit_test(a_shorter_table_lacks_only_its_tail),
	    cmocka_unit_test(a_longer_table_is_cut_to_ours),
	    cmocka_unit_test(a_member_cut_in_two_is_absent),
	    cmocka_unit_test(every_size_too_short_is_refused_and_names_a_member),
	    cmocka_unit_test(a_refusal_leaves_the_result_alone),
	    cmocka_unit_test(transport_names_what_it_lacks),
	    cmocka_unit_test(transport_may_lack_peer_and_flags),
	    cmocka_unit_test(a_transport_that_seals_needs_a_binding),
	    cmocka_unit_test(codec_names_what_it_lacks),
	    cmocka_unit_test(descriptor_names_what_it_lacks),
	    cmocka_unit_test(auth_needs_admit_or_create),
	    cmocka_unit_test(auth_with_create_needs_step_and_destroy),
	    cmocka_unit_test(auth_has_all_of_sealing_or_none),
	    cmocka_unit_test(auth_table_that_ends_before_sealing_does_not_seal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
