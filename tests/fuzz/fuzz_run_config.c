/* SPDX-License-Identifier: MIT */
/* The config of `outboard run`: faults are reported if and only if it is refused, each with a place
 * in the text, and an accepted config is complete. */
#include "base/names.h"
#include "supervisor/backoff.h"
#include "cli/config/load.h"
#include "cli/config/order.h"
#include "cli/config/where.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

/* What is not JSON has an offset, and no key; the rest gets its place from its key. */
static void collect(void *user, const char *key, const char *reason, const size_t *offset)
{
	struct obi_faults *faults = user;
	must(strlen(key) < 256 && reason[0] != '\0');
	must(offset == NULL || (*offset <= faults->text.len && key[0] == '\0'));
	obi_faults_add(faults, key, reason);
	if (offset != NULL) {
		faults->last->place = obi_place_of(faults->text, *offset);
		faults->text.len = 0;
	}
}

static void check_places(struct obi_faults *faults, struct ob_bytes text)
{
	obi_faults_locate(faults);
	struct obi_place end = obi_place_of(text, text.len);
	for (const struct obi_fault *f = faults->first; f != NULL; f = f->next) {
		must(f->place.line >= 1 && f->place.line <= end.line && f->place.column >= 1);
		must(f->place.line < end.line || f->place.column <= end.column);
	}
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
	must(child->argv == NULL || (child->argv[0] != NULL && child->argv[0][0] != '\0'));
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

/* What the text shows of an order is a name; what only all children show is a fault in addition. */
static void check_order(const struct obi_run_config *config, struct ob_bytes text)
{
	struct obi_faults faults;
	obi_faults_init(&faults, "-");
	faults.text = text;
	for (uint32_t i = 0; i < config->count; i++) {
		const struct obi_child_order *order = &config->orders[i];
		must(order->where < OBI_WHERES && obi_child_order_equals(order, order));
		must(order->within == NULL || obi_name_is_child(ob_bytes_text(order->within)));
		for (size_t k = 0; order->after != NULL && order->after[k] != NULL; k++) {
			must(obi_name_is_child(ob_bytes_text(order->after[k])));
		}
	}
	obi_check_order(config, &faults);
	check_places(&faults, text);
	obi_faults_free(&faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct obi_run_config config;
	struct obi_faults faults;
	const struct obi_run_config_setup setup = {.fault = collect, .user = &faults};
	struct ob_error err = {0};
	setenv("OB_FUZZ", "$value", 1);
	obi_faults_init(&faults, "-");
	faults.text = ob_bytes_of(data, size);
	int r = obi_run_config_parse(faults.text, &setup, &config, &err);
	must((r == OB_OK) == (faults.count == 0));
	check_places(&faults, ob_bytes_of(data, size));
	obi_faults_free(&faults);
	must(r == OB_OK || (r == OB_EINVAL && err.text[0] != '\0'));
	for (uint32_t i = 0; r == OB_OK && i < config.count; i++) {
		check_child(&config.children[i]);
	}
	if (r == OB_OK) {
		check_order(&config, ob_bytes_of(data, size));
		obi_run_config_free(&config);
	}
	return 0;
}
