/* SPDX-License-Identifier: MIT */
/* A shared object that is not a plugin of outboard, or one for another major version of the
 * ABI. */
#include <outboard/codec.h>

OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v0(void);
OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v0(void)
{
	return NULL;
}
