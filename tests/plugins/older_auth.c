/* SPDX-License-Identifier: MIT */
/* An authenticator from the past: its table was made before sealing was appended. */
#define SKELETON "skeletons/auth.c"
#include "skeleton.h"

static const struct ob_auth_ops older_ops = {
    .size = offsetof(struct ob_auth_ops, overhead),
    .flags = OB_AUTH_LOCAL_ONLY,
    .admit = admit,
    .identity = identity,
    .overhead = 77, /* behind the end: not to be looked at */
};

static const struct ob_plugin older = {sizeof older, OB_PLUGIN_AUTH, "older_auth", "0", &older_ops};

ENTRY_OF(&older);
