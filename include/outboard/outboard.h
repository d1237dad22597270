/* SPDX-License-Identifier: MIT */
/*
 * outboard/outboard.h - run parts of a program out of process and treat them as a library.
 *
 * The parent makes an ob_runtime and, for each child, an ob_connector; it starts the child, calls
 * it through an ob_client, and gets its logs and events. The child makes an ob_server, exposes
 * interfaces on it and runs it. Both talk over a transport, a codec and authenticators that are
 * plugins, chosen by name in options or config.
 *
 * This header includes all headers for users. The conventions are in runtime.h.
 */
#ifndef OUTBOARD_OUTBOARD_H
#define OUTBOARD_OUTBOARD_H

#include <outboard/child.h>
#include <outboard/client.h>
#include <outboard/config.h>
#include <outboard/connector.h>
#include <outboard/file.h>
#include <outboard/json.h>
#include <outboard/log.h>
#include <outboard/plugin.h>
#include <outboard/runtime.h>
#include <outboard/server.h>
#include <outboard/watch.h>

#endif
