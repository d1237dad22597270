/* SPDX-License-Identifier: MIT */
/* consumer [FILE]: a program that is built against an installation. It makes a runtime and loads
 * the plugins of a default child, then the plugin FILE. */
#include <outboard/outboard.h>
#include <stdio.h>

static int print_plugin(void *user, const struct ob_plugin_info *info)
{
	(void)user;
	printf("%s %s from %s\n", info->name, info->version, info->origin);
	return 0;
}

int main(int argc, char **argv)
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
	if (r == OB_OK && argc > 1) {
		r = ob_plugin_load(runtime, argv[1], &err);
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
