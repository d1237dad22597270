/* SPDX-License-Identifier: MIT */
/* A shared object that is no outboard plugin, or one for another major version of the interface. */
#include <outboard/codec.h>

OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v0(void);
OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v0(void)
{
	return NULL;
}
