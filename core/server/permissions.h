/* SPDX-License-Identifier: MIT */
/* server/permissions - which authenticated peer may call what, and which may supervise: by the
 * rules of the ACL, and by default where no rule matches. */
#ifndef OBI_SERVER_PERMISSIONS_H
#define OBI_SERVER_PERMISSIONS_H

#include "access/acl.h"

struct obi_permissions {
	struct obi_acl acl;
	bool secret_required; /* by at least one authenticator */
	uint32_t own_uid;
	uint32_t allowed_uid; /* UINT32_MAX: none */
};

bool obi_permissions_call(const struct obi_permissions *p, const struct ob_identity *who,
			  const char *method);
bool obi_permissions_supervise(const struct obi_permissions *p, const struct ob_identity *who);

#endif
