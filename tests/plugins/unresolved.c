/* SPDX-License-Identifier: MIT */
/* A plugin that calls an undefined function: the dynamic linker refuses it. */
#include <outboard/codec.h>

ob_plugin_list nobody_defines_this(void);

OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void);
OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void)
{
	return nobody_defines_this();
}
