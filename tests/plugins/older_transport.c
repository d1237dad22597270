/* SPDX-License-Identifier: MIT */
/* A transport for an older library: its table was compiled before `peer` was added. It must
 * work; nothing is known about its peers. */
#define SKELETON "skeletons/transport.c"
#include "skeleton.h"

static const struct ob_transport_ops older_ops = {
    .size = offsetof(struct ob_transport_ops, peer),
    .flags = OB_TRANSPORT_LOCAL,
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
    .close = stream_close,
    .peer = peer, /* behind the end: must not be read */
};

static const struct ob_plugin older = {.size = sizeof older,
				       .kind = OB_PLUGIN_TRANSPORT,
				       .name = "older_transport",
				       .version = "0",
				       .ops = &older_ops};

ENTRY_OF(&older);
