/* SPDX-License-Identifier: MIT */
/*
 * process/sandbox - what the arguments of a command tell of the user namespace that it makes:
 * bubblewrap, unshare and runc. It is a guess for warnings: an option that is not known ends it.
 */
#ifndef OBI_PROCESS_SANDBOX_H
#define OBI_PROCESS_SANDBOX_H

#include <outboard/value.h>

enum obi_sandbox_users {
	OBI_SANDBOX_UNKNOWN, /* no namespace is made, or it cannot be told who is in it */
	OBI_SANDBOX_ONE,     /* only the user who runs the command has a number */
	OBI_SANDBOX_NOBODY   /* no user has */
};

/* as_root: root runs the command. */
enum obi_sandbox_users obi_sandbox_of(const char *const *argv, bool as_root);

/*
 * Of config.json in a bundle (OCI runtime specification): whether a user of the host has a number
 * in the container, and as which user of the host its process runs. False where that is not known.
 */
bool obi_bundle_shows(const struct ob_value *config, uint32_t uid);
bool obi_bundle_user(const struct ob_value *config, uint32_t *ret_uid, uint32_t *ret_gid);

#endif
