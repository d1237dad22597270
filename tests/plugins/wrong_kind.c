/* SPDX-License-Identifier: MIT */
/* A plugin of an unknown kind. */
#include <outboard/abi.h>

static const uint32_t ops = sizeof ops;
static const struct ob_plugin plugin = {sizeof plugin, 9, "wrong_kind", "1", &ops};

OB_PLUGIN_ENTRY(&plugin);
