/* SPDX-License-Identifier: MIT */
/*
 * outboard/outboard.h - run parts of a program out of process and use them like a library.
 *
 * The parent makes an ob_runtime and an ob_connector for each child. It starts the child, calls it
 * through an ob_client, and receives its logs and events. The child makes an ob_server, exposes
 * interfaces on it and runs it. The transport, the codec and the authenticators between them are
 * plugins, chosen by name in options or in a config.
 *
 * This header includes all headers for users:
 *
 *   runtime.h    the event loop, and the conventions of all headers
 *   check.h      the options of a parent, checked
 *   connector.h  the parent: start, supervise, adopt and stop a child
 *   cgroup.h     the control group of a child
 *   client.h     calls to a peer, and handlers of calls from it
 *   server.h     the child: expose interfaces and serve them
 *   agent.h      an agent: children for a host that is elsewhere
 *   log.h        log records
 *   child.h      a child by its data directory alone
 *   config.h     outboard.json, which parent and child share
 *   file.h       small private files
 *   json.h       values from and to JSON
 *   plugin.h     the plugins of a runtime, and plugin files
 *   watch.h      descriptors, signals and timers on a runtime
 *
 * Plugins include abi.h, value.h and one of transport.h, codec.h and auth.h instead.
 */
#ifndef OUTBOARD_OUTBOARD_H
#define OUTBOARD_OUTBOARD_H

#include <outboard/agent.h>
#include <outboard/cgroup.h>
#include <outboard/child.h>
#include <outboard/client.h>
#include <outboard/config.h>
#include <outboard/check.h>
#include <outboard/connector.h>
#include <outboard/file.h>
#include <outboard/json.h>
#include <outboard/log.h>
#include <outboard/plugin.h>
#include <outboard/runtime.h>
#include <outboard/server.h>
#include <outboard/watch.h>

#endif
