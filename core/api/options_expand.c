/* SPDX-License-Identifier: MIT */
#include "api/options_expand.h"

struct expanding {
	struct obi_placeholders names;
	struct obi_option_faults *faults;
};

static void report(struct expanding *e, const char *option, const struct ob_error *err)
{
	obi_option_fault(e->faults, OB_FAULT_ERROR, option, "%s", err->text);
}

static void expand_uri(struct expanding *e, const char *option, const char **uri)
{
	struct ob_error err;
	if (obi_placeholders_text(&e->names, *uri, OBI_PLACEHOLDER_IN_URI, uri, &err) < 0) {
		report(e, option, &err);
	}
}

static void expand_list(struct expanding *e, const char *option, const char *const **list)
{
	struct ob_error err;
	if (obi_placeholders_list(&e->names, *list, list, &err) < 0) {
		report(e, option, &err);
	}
}

void obi_options_expand(struct ob_connector_options *o, struct obi_arena *arena, uint32_t *ret_used,
			struct obi_option_faults *faults)
{
	struct expanding e = {.faults = faults};
	struct ob_error err;
	*ret_used = 0;
	if (!o->placeholders || o->name == NULL || o->data_path == NULL) {
		return; /* what is missing is reported elsewhere */
	}
	if (obi_placeholders_init(&e.names, o->name, o->data_path, arena, &err) < 0) {
		report(&e, "", &err);
		return;
	}
	expand_list(&e, "argv", &o->argv);
	expand_list(&e, "env", &o->env);
	expand_list(&e, "cleanup", &o->cleanup);
	expand_uri(&e, "listen", &o->listen);
	expand_uri(&e, "connect", &o->connect);
	expand_uri(&e, "client_listen", &o->client_listen);
	*ret_used = e.names.used;
}
