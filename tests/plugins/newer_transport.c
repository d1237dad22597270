/* SPDX-License-Identifier: MIT */
/* A transport for a newer library: its descriptor and its table have members that this library
 * does not know. */
#define SKELETON "skeletons/transport.c"
#include "skeleton.h"

static const struct {
	struct ob_transport_ops known;
	int (*migrate)(struct ob_stream *stream);
	uint64_t migrate_after;
} newer_ops = {
    .known = {.size = sizeof newer_ops,
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
	      .flags = OB_TRANSPORT_LOCAL | UINT32_C(1) << 31},
    .migrate = stream_fd,
    .migrate_after = UINT64_MAX,
};

static const struct {
	struct ob_plugin known;
	const char *license;
} newer = {.known = {.size = sizeof newer,
		     .kind = OB_PLUGIN_TRANSPORT,
		     .name = "newer_transport",
		     .version = "99",
		     .ops = &newer_ops},
	   .license = "MIT"};

ENTRY_OF(&newer.known);
