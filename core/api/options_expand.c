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

static void expand_all(struct expanding *e, struct ob_connector_options *o)
{
	expand_list(e, "argv", &o->argv);
	expand_list(e, "env", &o->env);
	expand_list(e, "cleanup", &o->cleanup);
	expand_uri(e, "listen", &o->listen);
	expand_uri(e, "connect", &o->connect);
	expand_uri(e, "client_listen", &o->client_listen);
	expand_uri(e, "accept", &o->accept);
	expand_uri(e, "dial", &o->dial);
}

/* ---- Ranges ---- */

typedef int range_fn(const char *text, struct obi_number_range *ret, struct ob_error *reterr);

static void read_range(struct expanding *e, const char *option, const char *text, range_fn *read,
		       struct obi_number_range *ret)
{
	struct ob_error err;
	*ret = (struct obi_number_range){0};
	if (text != NULL && read(text, ret, &err) < 0) {
		report(e, option, &err);
	}
}

static bool uses(const struct expanding *e, enum obi_placeholder which)
{
	return (e->names.used & 1u << which) != 0;
}

/* `text` is what the option says. */
static void require(struct expanding *e, enum obi_placeholder which, const char *name,
		    const char *option, const char *text)
{
	if (uses(e, which) && text == NULL) {
		obi_option_fault(e->faults, OB_FAULT_ERROR, option,
				 "is required: ${%s} refers to it", name);
	}
}

/* A child that others start has its numbers from them. */
static void refuse_numbers(struct expanding *e)
{
	if (uses(e, OBI_PLACEHOLDER_PORT) || uses(e, OBI_PLACEHOLDER_CID)) {
		obi_option_fault(e->faults, OB_FAULT_ERROR, "connect",
				 "has ${port} or ${cid}, which are chosen for a child that is "
				 "started here: without a command write the number");
	}
}

static void check_used(struct expanding *e, const struct ob_connector_options *o)
{
	require(e, OBI_PLACEHOLDER_DATA_PATH, "data_path", "data_path", o->data_path);
	require(e, OBI_PLACEHOLDER_CONFIG, "config", "data_path", o->data_path);
	require(e, OBI_PLACEHOLDER_TOKEN_FILE, "token_file", "data_path", o->data_path);
	if (o->argv == NULL) {
		refuse_numbers(e);
		return;
	}
	require(e, OBI_PLACEHOLDER_PORT, "port", "ports", o->ports);
	require(e, OBI_PLACEHOLDER_CID, "cid", "cids", o->cids);
}

/* numbers: NULL: the first of each range. */
static void expand(struct ob_connector_options *o, const struct obi_numbers *numbers,
		   struct obi_arena *arena, struct obi_expansion *ret,
		   struct obi_option_faults *faults)
{
	struct expanding e = {.faults = faults};
	struct ob_error err;
	*ret = (struct obi_expansion){0};
	if (!o->placeholders || o->name == NULL || (o->data_path == NULL && o->argv != NULL)) {
		return; /* what is missing is reported elsewhere */
	}
	read_range(&e, "ports", o->ports, obi_range_of_ports, &ret->ports);
	read_range(&e, "cids", o->cids, obi_range_of_cids, &ret->cids);
	const struct obi_numbers first = {ret->ports.first, ret->cids.first};
	if (obi_placeholders_init(&e.names, o->name, o->data_path, arena, &err) < 0 ||
	    obi_placeholders_number(&e.names, numbers != NULL ? numbers : &first, &err) < 0) {
		report(&e, "", &err);
		return;
	}
	expand_all(&e, o);
	check_used(&e, o);
	ret->used = e.names.used;
}

void obi_options_expand(struct ob_connector_options *o, const struct obi_numbers *numbers,
			struct obi_arena *arena, struct obi_expansion *ret,
			struct obi_option_faults *faults)
{
	expand(o, numbers, arena, ret, faults);
}

void obi_options_expand_first(struct ob_connector_options *o, struct obi_arena *arena,
			      struct obi_expansion *ret, struct obi_option_faults *faults)
{
	expand(o, NULL, arena, ret, faults);
}
