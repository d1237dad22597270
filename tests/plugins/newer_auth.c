/* SPDX-License-Identifier: MIT */
/* An authenticator for a newer library: its descriptor and its table have members that this
 * library does not know. */
#define SKELETON "skeletons/auth.c"
#include "skeleton.h"

static const struct {
	struct ob_auth_ops known;
	int (*rekey)(struct ob_auth *auth);
	uint64_t rekey_after;
} newer_ops = {
    .known = {.size = sizeof newer_ops,
	      .flags = OB_AUTH_LOCAL_ONLY,
	      .admit = admit,
	      .identity = identity},
    .rekey_after = 1,
};

static const struct {
	struct ob_plugin known;
	const char *license;
} newer = {.known = {.size = sizeof newer,
		     .kind = OB_PLUGIN_AUTH,
		     .name = "newer_auth",
		     .version = "99",
		     .ops = &newer_ops},
	   .license = "MIT"};

ENTRY_OF(&newer.known);
