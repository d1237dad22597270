/* SPDX-License-Identifier: MIT */
/* The config of `outboard run`: faults are reported if and only if it is refused, and an
 * accepted config is complete. */
#include "base/names.h"
#include "supervisor/backoff.h"
#include "cli/config/run_config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

static void count(void *user, const char *key, const char *reason)
{
	must(strlen(key) < 256 && reason[0] != '\0');
	(*(unsigned *)user)++;
}

static void check_list(const char *const *list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		must(strlen(list[i]) < SIZE_MAX);
	}
}

static void check_child(const struct ob_connector_options *child)
{
	must(obi_name_is_child(ob_bytes_text(child->name)));
	must(child->data_path != NULL && child->data_path[0] == '/');
	must(child->argv != NULL && child->argv[0] != NULL && child->argv[0][0] != '\0');
	const char *reason;
	must(obi_backoff_check(&child->restart, &reason) == NULL);
	must(child->umask >= -1 && child->umask <= 0777);
	must(child->ready_timeout_ms >= -1 && child->stop_timeout_ms >= -1 &&
	     child->health_interval_ms >= -1);
	check_list(child->argv);
	check_list(child->env);
	check_list(child->auth);
	for (size_t i = 0; child->limits != NULL && child->limits[i].name != NULL; i++) {
		must(child->limits[i].soft <= child->limits[i].hard);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct obi_run_config config;
	struct ob_error err = {0};
	unsigned faults = 0;
	int r = obi_run_config_parse(ob_bytes_of(data, size), &config, count, &faults, &err);
	must((r == OB_OK) == (faults == 0));
	must(r == OB_OK || (r == OB_EINVAL && err.text[0] != '\0'));
	for (uint32_t i = 0; r == OB_OK && i < config.count; i++) {
		check_child(&config.children[i]);
	}
	if (r == OB_OK) {
		obi_run_config_free(&config);
	}
	return 0;
}
