/* SPDX-License-Identifier: MIT */
/*
 * access/acl - who may call what. A rule is a line of words:
 *
 *     allow|deny [CONDITION...] METHOD...
 *
 * CONDITION: subject=TEXT method=NAME uid=NUMBER gid=NUMBER cid=NUMBER parent; all must hold. TEXT
 * may stand in double quotes. METHOD: "interface.method", "interface.*", or "*".
 *
 * The first rule that fits decides. The last must fit everybody and everything ("allow *" or "deny
 * *"), so that a list always says what becomes of the rest. "*" does not reach
 * outboard-control.shutdown and outboard.supervise, nor does "interface.*" of a rule that allows:
 * they are for the parent, unless a rule names them.
 */
#ifndef OBI_ACCESS_ACL_H
#define OBI_ACCESS_ACL_H

#include <outboard/outboard.h>

enum { OBI_ACL_MAX = 64, OBI_ACL_TEXT_MAX = 16 * 1024 };

enum obi_acl_verdict { OBI_ACL_ALLOWED, OBI_ACL_DENIED, OBI_ACL_NO_MATCH };

struct obi_acl_rule {
	bool allow;
	bool parent;	  /* only of the connection that supervises */
	uint32_t numbers; /* bits: which of uid, gid and cid count */
	uint32_t known;	  /* enum ob_peer_known: what must be vouched for so that they can */
	uint32_t uid, gid, cid;
	struct ob_bytes subject, method; /* empty: any */
	struct ob_bytes patterns;	 /* as written */
};

/* All zero: no rules. */
struct obi_acl {
	char *text;
	struct obi_acl_rule *list;
	uint32_t count;
};

/* Read rules that stand one behind the other, separated by ';' or line ends. text may be NULL:
 * none. OB_EINVAL says which is wrong. */
int obi_acl_parse(const char *text, struct obi_acl *ret, struct ob_error *reterr);

void obi_acl_free(struct obi_acl *rules);

/* Whether they can be parsed; list is ended by NULL, or NULL. */
int obi_acl_check(const char *const *list, struct ob_error *reterr);

/* What the rules say of this caller and this method, "interface.method". OBI_ACL_NO_MATCH: there
 * are none, or none that names it. */
enum obi_acl_verdict obi_acl_judge(const struct obi_acl *rules, const struct ob_identity *who,
				   struct ob_bytes method);

#endif
