/* SPDX-License-Identifier: MIT */
/* A plugin that returns no list. */
#include <outboard/codec.h>

OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void);
OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void)
{
	return NULL;
}
