/* SPDX-License-Identifier: MIT */
/* A plugin of an unknown kind. */
#include <outboard/abi.h>

static const uint32_t ops = sizeof ops;
static const struct ob_plugin plugin = {
    .size = sizeof plugin, .kind = 9, .name = "wrong_kind", .version = "1", .ops = &ops};

OB_PLUGIN_ENTRY(&plugin);
