/* SPDX-License-Identifier: MIT */
/* A program that knows nothing of outboard but its installation: it makes a runtime and loads the
 * plugins of a default child. */
#include <outboard/outboard.h>
#include <stdio.h>

static int print_plugin(void *user, const struct ob_plugin_info *info)
{
	(void)user;
	printf("%s %s from %s\n", info->name, info->version, info->origin);
	return 0;
}

int main(void)
{
	static const char *const names[] = {"unix", "msgpack", "token", "bearer"};
	struct ob_error err;
	ob_runtime *runtime;
	int r = ob_runtime_new(NULL, &runtime, &err);
	if (r != OB_OK) {
		fprintf(stderr, "consumer: %s\n", err.text);
		return 1;
	}
	for (size_t i = 0; r == OB_OK && i < sizeof names / sizeof *names; i++) {
		r = ob_plugin_load(runtime, names[i], &err);
	}
	if (r == OB_OK) {
		printf("outboard %s\n", ob_version());
		ob_plugin_each(runtime, print_plugin, NULL);
	} else {
		fprintf(stderr, "consumer: %s\n", err.text);
	}
	ob_runtime_free(runtime);
	return r == OB_OK ? 0 : 1;
}
