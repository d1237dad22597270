/* SPDX-License-Identifier: MIT */
/* The options of a child behind an agent. */
#include "api/options_check.h"
#include "api/options_expand.h"

enum { EXPANDED_MAX = 64 << 20 };

struct of_host {
	const char *option;
	bool set;
};

static void refuse(const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	const struct of_host options[] = {
	    {"listen", o->listen != NULL},
	    {"connect", o->connect != NULL},
	    {"transport", o->transport != NULL},
	    {"client_listen", o->client_listen != NULL},
	    {"client_auth", o->client_auth != NULL},
	    {"client_transport", o->client_transport != NULL},
	    {"ready", o->ready == OB_READY_DIAL_HOME},
	    {"accept", o->accept != NULL},
	    {"dial", o->dial != NULL},
	    {"ports", o->ports != NULL},
	    {"cids", o->cids != NULL},
	    {"parent_address", o->parent_address != NULL},
	    {"token_file", o->token_file != NULL},
	};
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		if (options[i].set) {
			obi_option_fault(faults, OB_FAULT_ERROR, options[i].option,
					 "is not for a child behind an agent (via)");
		}
	}
}

/* They are replaced by the agent; what they will stand for is not known here. */
static void check_placeholders(const struct ob_connector_options *o,
			       struct obi_option_faults *faults)
{
	struct ob_connector_options copy = *o;
	struct obi_expansion expansion;
	struct obi_arena arena;
	obi_arena_init(&arena, EXPANDED_MAX);
	copy.data_path = "/agent";
	obi_options_expand_first(&copy, &arena, &expansion, faults);
	obi_arena_free(&arena);
}

void obi_options_check_via(const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	if (o->via == NULL) {
		return;
	}
	if (o->argv == NULL) {
		obi_option_fault(faults, OB_FAULT_ERROR, "argv",
				 "is required: the agent (via) starts the child");
	}
	refuse(o, faults);
	check_placeholders(o, faults);
}
