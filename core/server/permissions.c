/* SPDX-License-Identifier: MIT */
#include "server/permissions.h"

#include "access/trusted_uid.h"

static bool is_control(const char *method)
{
	return strncmp(method, "outboard-control.", 17) == 0;
}

bool obi_permissions_call(const struct obi_permissions *p, const struct ob_identity *who,
			  const char *method)
{
	if (who->parent && is_control(method)) {
		return true;
	}
	if (strcmp(method, "outboard-control.logs") == 0) {
		return false; /* whoever reads them takes them away */
	}
	enum obi_acl_verdict verdict = obi_acl_judge(&p->acl, who, ob_bytes_text(method));
	return verdict == OBI_ACL_ALLOWED ||
	       (verdict == OBI_ACL_NO_MATCH && strcmp(method, "outboard-control.shutdown") != 0);
}

/* Without a secret, authenticators may admit peers of several users. Not each of them may take over
 * the child. */
static bool may_supervise_by_default(const struct obi_permissions *p, const struct ob_identity *who)
{
	return p->secret_required || ((who->known & OB_PEER_UID) != 0 &&
				      obi_uid_is_trusted(who->uid, p->own_uid, p->allowed_uid));
}

bool obi_permissions_supervise(const struct obi_permissions *p, const struct ob_identity *who)
{
	enum obi_acl_verdict verdict =
	    obi_acl_judge(&p->acl, who, ob_bytes_text("outboard.supervise"));
	return verdict == OBI_ACL_ALLOWED ||
	       (verdict == OBI_ACL_NO_MATCH && may_supervise_by_default(p, who));
}
