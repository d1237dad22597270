/* SPDX-License-Identifier: MIT */
/* Access rules: parsing, and decisions on callers and methods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "access/acl.h"

static struct ob_identity somebody(const char *subject, const char *method)
{
	return (struct ob_identity){.size = sizeof(struct ob_identity),
				    .subject = ob_bytes_text(subject),
				    .method = ob_bytes_text(method)};
}

static enum obi_acl_verdict judge(const char *text, const struct ob_identity *who,
				  const char *method)
{
	struct obi_acl rules;
	struct ob_error err = {.text = ""};
	if (obi_acl_parse(text, &rules, &err) != OB_OK) {
		fail_msg("%s: %s", text, err.text);
	}
	enum obi_acl_verdict verdict = obi_acl_judge(&rules, who, ob_bytes_text(method));
	obi_acl_free(&rules);
	return verdict;
}

static void the_first_match_decides(void **state)
{
	const struct ob_identity who = somebody("outboard", "token");
	(void)state;
	assert_int_equal(judge("deny kv.set; allow *", &who, "kv.set"), OBI_ACL_DENIED);
	assert_int_equal(judge("deny kv.set; allow *", &who, "kv.get"), OBI_ACL_ALLOWED);
	assert_int_equal(judge("allow *; deny *", &who, "kv.set"), OBI_ACL_ALLOWED);
	assert_int_equal(judge("allow kv.get kv.list\n\n deny\t* ;", &who, "kv.list"),
			 OBI_ACL_ALLOWED);
	assert_int_equal(judge("allow kv.get kv.list\n\n deny\t* ;", &who, "kv.lis"),
			 OBI_ACL_DENIED);
	assert_int_equal(judge(NULL, &who, "kv.set"), OBI_ACL_NO_MATCH);
}

static void a_pattern_names_a_method_or_an_interface(void **state)
{
	static const struct {
		const char *pattern;
		const char *method;
		bool fits;
	} rows[] = {
	    {"kv.get", "kv.get", true},
	    {"kv.get", "kv.gets", false},
	    {"kv.get", "kv.ge", false},
	    {"kv.get", "kw.get", false},
	    {"kv.*", "kv.anything", true},
	    {"kv.*", "kvx.get", false},
	    {"kv.*", "kv.deep.get", false},
	    {"kv.*", "kv", false},
	    {"a.b.*", "a.b.c", true},
	    {"a.b.*", "a.c.c", false},
	    {"a.b.*", "a.b", false},
	    {"*", "kv.get", true},
	    {"*", "nodot", true},
	    {"kv.get", "", false},
	    {"kv.*", ".", false},
	    {"*", "outboard.supervise", false},
	    {"*", "outboard-control.shutdown", false},
	    {"*", "outboard-control.health", true},
	    {"outboard-control.*", "outboard-control.shutdown", true},
	    {"outboard.supervise", "outboard.supervise", true},
	};
	const struct ob_identity who = somebody("outboard", "token");
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[128];
		snprintf(text, sizeof text, "deny %s; allow *", rows[i].pattern);
		bool fits = judge(text, &who, rows[i].method) == OBI_ACL_DENIED;
		if (fits != rows[i].fits) {
			fail_msg("%s and %s", rows[i].pattern, rows[i].method);
		}
	}
}

/* To allow a whole interface does not allow to end or to supervise the child. */
static void methods_of_the_parent_must_be_named_to_be_allowed(void **state)
{
	const struct ob_identity who = somebody("outboard", "token");
	(void)state;
	assert_int_equal(judge("allow outboard-control.*; deny *", &who, "outboard-control.health"),
			 OBI_ACL_ALLOWED);
	assert_int_equal(
	    judge("allow outboard-control.*; deny *", &who, "outboard-control.shutdown"),
	    OBI_ACL_NO_MATCH);
	assert_int_equal(judge("allow outboard.*; deny *", &who, "outboard.supervise"),
			 OBI_ACL_NO_MATCH);
	assert_int_equal(judge("deny outboard.*; allow *", &who, "outboard.supervise"),
			 OBI_ACL_DENIED);
	assert_int_equal(
	    judge("allow outboard-control.shutdown; deny *", &who, "outboard-control.shutdown"),
	    OBI_ACL_ALLOWED);
}

/* Each row: a condition, and the callers that it matches. A condition on an unknown fact matches
 * none. */
static const struct {
	const char *text;
	bool local, guest, unknown, parent;
} conditions[] = {
    {"uid=7", true, false, false, true},
    {"uid=8", false, false, false, false},
    {"gid=8", true, false, false, false},
    {"uid=7 gid=9", false, false, false, true},
    {"cid=3", false, true, false, false},
    {"uid=0", false, false, false, false},
    {"cid=0", false, false, false, false},
    {"method=peercred", true, false, true, true},
    {"method=peer", false, false, false, false},
    {"subject=uid:7", true, false, true, true},
    {"subject=\"host 3\"", false, true, false, false},
    {"parent", false, false, false, true},
    {"parent method=noise", false, false, false, false},
    {"method=noise cid=3 subject=\"host 3\"", false, true, false, false},
    {"listener=parent", true, false, false, true},
    {"listener=client", false, true, false, false},
    {"listener=\"client\" cid=3", false, true, false, false},
};

static void all_conditions_must_hold(void **state)
{
	struct ob_identity local = somebody("uid:7", "peercred"),
			   guest = somebody("host 3", "noise");
	struct ob_identity unknown = local, parent = local;
	(void)state;
	local.known = unknown.known = parent.known = OB_PEER_UID | OB_PEER_PID;
	local.uid = unknown.uid = parent.uid = 7;
	local.gid = unknown.gid = 8;
	guest.known = OB_PEER_CID;
	guest.cid = 3;
	local.listener = parent.listener = OB_LISTENER_PARENT;
	guest.listener = OB_LISTENER_CLIENT;
	parent.gid = 9;
	parent.parent = true;
	unknown.known = 0;
	for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
		char text[160];
		snprintf(text, sizeof text, "allow %s *; deny *", conditions[i].text);
		bool said[] = {judge(text, &local, "a.b") == OBI_ACL_ALLOWED,
			       judge(text, &guest, "a.b") == OBI_ACL_ALLOWED,
			       judge(text, &unknown, "a.b") == OBI_ACL_ALLOWED,
			       judge(text, &parent, "a.b") == OBI_ACL_ALLOWED};
		if (said[0] != conditions[i].local || said[1] != conditions[i].guest ||
		    said[2] != conditions[i].unknown || said[3] != conditions[i].parent) {
			fail_msg("%s: %d %d %d %d", conditions[i].text, said[0], said[1], said[2],
				 said[3]);
		}
	}
}

/* ---- Claims ---- */

/* Each row: conditions, and whether they hold for a peer with the claims below, and for one with
 * none. */
static const struct {
	const char *text;
	bool with, without;
} claims[] = {
    {"claim.role=admin", true, false},
    {"claim.role=\"admin\"", true, false},
    {"claim.role=Admin", false, false},
    {"claim.role=admi", false, false},
    {"claim.role=admins", false, false},
    {"claim.Role=admin", false, false},
    {"claim.rol=admin", false, false},
    {"claim.full_name=\"Ada; Countess\"", true, false},
    {"claim.a.b-c=x=y", true, false},
    {"claim.none=\"\"", true, false},
    {"claim.missing=\"\"", false, false},
    {"claim.role=admin claim.none=\"\"", true, false},
    {"claim.role=admin claim.role=other", false, false},
    {"claim.role=other claim.none=\"\"", false, false},
    {"subject=ada claim.role=admin", true, false},
    {"claim.role=admin subject=eve", false, false},
    {"parent claim.role=admin", false, false},
    {"subject=ada", true, true},
};

static void claims_are_compared(void **state)
{
	const struct ob_pair pairs[] = {
	    {ob_string("role"), ob_string("admin")},
	    {ob_string("full_name"), ob_string("Ada; Countess")},
	    {ob_string("a.b-c"), ob_string("x=y")},
	    {ob_string("none"), ob_string("")},
	};
	const struct ob_value map = ob_map(pairs, 4);
	struct ob_identity with = somebody("ada", "ask"), without = with;
	(void)state;
	with.claims = &map;
	for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
		char text[160];
		snprintf(text, sizeof text, "allow %s *; deny *", claims[i].text);
		bool said[] = {judge(text, &with, "a.b") == OBI_ACL_ALLOWED,
			       judge(text, &without, "a.b") == OBI_ACL_ALLOWED};
		if (said[0] != claims[i].with || said[1] != claims[i].without) {
			fail_msg("%s: %d %d", claims[i].text, said[0], said[1]);
		}
	}
}

static const struct {
	const char *text;
	const char *why;
} errors[] = {
    {"", "the last rule must be \"allow *\" or \"deny *\""},
    {" ; \n", "the last rule must be \"allow *\" or \"deny *\""},
    {"allow kv.get", "the last rule must be \"allow *\" or \"deny *\""},
    {"deny *; allow uid=0 *", "the last rule must be \"allow *\" or \"deny *\""},
    {"allow parent *", "the last rule must be \"allow *\" or \"deny *\""},
    {"deny kv.set; allow any.*", "the last rule must be \"allow *\" or \"deny *\""},
    {"deny any.thing", "the last rule must be \"allow *\" or \"deny *\""},
    {"permit *", "rule 1: neither allow nor deny: \"permit\""},
    {"allow *; Deny *", "rule 2: neither allow nor deny: \"Deny\""},
    {"allow", "rule 1 names no method"},
    {"allow uid=1 ; deny *", "rule 1 names no method"},
    {"allow kv ; deny *", "rule 1: neither a condition nor a method: \"kv\""},
    {"allow *.get ; deny *", "rule 1: neither a condition nor a method: \"*.get\""},
    {"allow kv.g* ; deny *", "rule 1: neither a condition nor a method: \"kv.g*\""},
    {"allow kv.get uid=1 ; deny *", "rule 1: neither a condition nor a method: \"uid=1\""},
    {"allow pid=1 * ; deny *", "rule 1: neither a condition nor a method: \"pid=1\""},
    {"allow uid= * ; deny *", "rule 1: a condition without a valid value: \"uid=\""},
    {"allow uid=root * ; deny *", "rule 1: a condition without a valid value: \"uid=root\""},
    {"allow uid=-1 * ; deny *", "rule 1: a condition without a valid value: \"uid=-1\""},
    {"allow uid=4294967295 * ; deny *",
     "rule 1: a condition without a valid value: \"uid=4294967295\""},
    {"allow cid=99999999999 * ; deny *",
     "rule 1: a condition without a valid value: \"cid=99999999999\""},
    {"allow subject=\"\" * ; deny *",
     "rule 1: a condition without a valid value: \"subject=\"\"\""},
    {"deny *; allow claim.role=admin *", "the last rule must be \"allow *\" or \"deny *\""},
    {"deny *; allow listener=client *", "the last rule must be \"allow *\" or \"deny *\""},
    {"allow listener=child * ; deny *",
     "rule 1: a condition without a valid value: \"listener=child\""},
    {"allow listener= * ; deny *", "rule 1: a condition without a valid value: \"listener=\""},
    {"allow claim.role= * ; deny *", "rule 1: a condition without a valid value: \"claim.role=\""},
    {"allow claim.=x * ; deny *", "rule 1: a condition without a valid value: \"claim.=x\""},
    {"allow claim.r\xc3\xb6le=x * ; deny *",
     "rule 1: a condition without a valid value: \"claim.r\xc3\xb6le=x\""},
    {"allow claim.role=\"a\"b * ; deny *",
     "rule 1: a condition without a valid value: \"claim.role=\"a\"b\""},
    {"allow subject=\"a * ; deny *",
     "rule 1: neither a condition nor a method: \"subject=\"a * ; deny *\""},
};

static void errors_name_the_wrong_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		struct obi_acl rules;
		struct ob_error err = {.text = ""};
		assert_int_equal(obi_acl_parse(errors[i].text, &rules, &err), OB_EINVAL);
		assert_string_equal(err.text, errors[i].why);
		assert_null(rules.list);
	}
}

static void the_size_of_a_list_is_limited(void **state)
{
	char text[OBI_ACL_TEXT_MAX + 2];
	struct obi_acl rules;
	struct ob_error err;
	size_t n = 0;
	(void)state;
	for (int i = 0; i < OBI_ACL_MAX; i++) {
		n += (size_t)snprintf(text + n, sizeof text - n, "allow *;");
	}
	assert_int_equal(obi_acl_parse(text, &rules, &err), OB_OK);
	assert_int_equal(rules.count, OBI_ACL_MAX);
	obi_acl_free(&rules);
	snprintf(text + n, sizeof text - n, "allow *");
	assert_int_equal(obi_acl_parse(text, &rules, &err), OB_EINVAL);
	memset(text, ' ', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	memcpy(text, "allow *", 7);
	assert_int_equal(obi_acl_parse(text, &rules, &err), OB_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_match_decides),
	    cmocka_unit_test(a_pattern_names_a_method_or_an_interface),
	    cmocka_unit_test(methods_of_the_parent_must_be_named_to_be_allowed),
	    cmocka_unit_test(all_conditions_must_hold),
	    cmocka_unit_test(claims_are_compared),
	    cmocka_unit_test(errors_name_the_wrong_rule),
	    cmocka_unit_test(the_size_of_a_list_is_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
