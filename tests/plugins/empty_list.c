/* SPDX-License-Identifier: MIT */
/* A plugin with an empty list. */
#include <outboard/codec.h>

OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void);
OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void)
{
	static const struct ob_plugin *const list[] = {NULL};
	return list;
}
