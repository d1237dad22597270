/* SPDX-License-Identifier: MIT */
/*
 * access/acl - which peer may call what. A rule is a line of words:
 *
 *     allow|deny [CONDITION...] METHOD...
 *
 * CONDITION is one of subject=TEXT claim.NAME=TEXT method=NAME uid=NUMBER gid=NUMBER cid=NUMBER
 * listener=parent listener=client parent. All of them must hold. TEXT may be in double quotes; that
 * of a claim may be "". METHOD is "interface.method", "interface.*", or "*".
 *
 * The first rule that matches decides. The last rule must match everything: "allow *" or "deny *".
 *
 * outboard-control.shutdown and outboard.supervise are reserved for the parent unless a rule names
 * them. "*" does not match them, and neither does "interface.*" of a rule that allows.
 */
#ifndef OBI_ACCESS_ACL_H
#define OBI_ACCESS_ACL_H

#include <outboard/outboard.h>

enum { OBI_ACL_MAX = 64, OBI_ACL_TEXT_MAX = 16 * 1024 };

enum obi_acl_verdict { OBI_ACL_ALLOWED, OBI_ACL_DENIED, OBI_ACL_NO_MATCH };

struct obi_acl_rule {
	bool allow;
	bool parent;	   /* only for the connection that supervises */
	uint32_t listener; /* enum ob_listener_kind; OB_LISTENER_NONE: any */
	uint32_t numbers;  /* bits: which of uid, gid and cid are compared */
	uint32_t known;	   /* enum ob_peer_known: the facts that the comparison needs */
	uint32_t uid, gid, cid;
	struct ob_bytes subject, method; /* empty: any */
	bool claims;			 /* claims are compared: those of `conditions` */
	struct ob_bytes conditions;	 /* as written */
	struct ob_bytes patterns;	 /* as written */
};

/* All zero: no rules. */
struct obi_acl {
	char *text;
	struct obi_acl_rule *list;
	uint32_t count;
};

/* Parse rules that are separated by ';' or line ends. text may be NULL: no rules. OB_EINVAL: the
 * error says which rule is wrong. */
int obi_acl_parse(const char *text, struct obi_acl *ret, struct ob_error *reterr);

void obi_acl_free(struct obi_acl *rules);

/* Check that the rules can be parsed. list ends with NULL, and may be NULL. */
int obi_acl_check(const char *const *list, struct ob_error *reterr);

/* Decide on this caller and this method, "interface.method". OBI_ACL_NO_MATCH: no rule matches. */
enum obi_acl_verdict obi_acl_judge(const struct obi_acl *rules, const struct ob_identity *who,
				   struct ob_bytes method);

#endif
