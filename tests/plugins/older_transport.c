/* SPDX-License-Identifier: MIT */
/* A transport for an older library: its table was compiled before `flags` was added. It must
 * work, and counts as reachable by others. */
#define SKELETON "skeletons/transport.c"
#include "skeleton.h"

static const struct ob_transport_ops older_ops = {
    .size = offsetof(struct ob_transport_ops, flags),
    .schemes = schemes,
    .listen = listen_at,
    .listener_fd = listener_fd,
    .accept = accept_one,
    .local_uri = local_uri,
    .listener_close = listener_close,
    .dial = dial,
    .finish_dial = finish_dial,
    .dial_close = dial_close,
    .fd = stream_fd,
    .readv = stream_readv,
    .writev = stream_writev,
    .shutdown_write = shutdown_write,
    .peer = peer,
    .close = stream_close,
    .flags = OB_TRANSPORT_LOCAL, /* behind the end: must not be read */
};

static const struct ob_plugin older = {sizeof older, OB_PLUGIN_TRANSPORT, "older_transport", "0",
				       &older_ops};

ENTRY_OF(&older);
