/* SPDX-License-Identifier: MIT */
/* An authenticator for an older library: its table was compiled before sealing was added. */
#define SKELETON "skeletons/auth.c"
#include "skeleton.h"

static const struct ob_auth_ops older_ops = {
    .size = offsetof(struct ob_auth_ops, overhead),
    .flags = OB_AUTH_LOCAL_ONLY,
    .admit = admit,
    .identity = identity,
    .overhead = 77, /* behind the end: must not be read */
};

static const struct ob_plugin older = {.size = sizeof older,
				       .kind = OB_PLUGIN_AUTH,
				       .name = "older_auth",
				       .version = "0",
				       .ops = &older_ops};

ENTRY_OF(&older);
