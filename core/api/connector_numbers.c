/* SPDX-License-Identifier: MIT */
#include "api/connector_numbers.h"

void obi_connector_numbers_init(struct obi_connector_numbers *n,
				struct obi_connector_settings *settings)
{
	*n = (struct obi_connector_numbers){settings, OBI_NUMBER_LEASE_NONE, OBI_NUMBER_LEASE_NONE};
}

void obi_connector_numbers_free(struct obi_connector_numbers *n)
{
	if (n->settings != NULL) {
		obi_number_give_back(&n->port);
		obi_number_give_back(&n->cid);
	}
}

/* FNV-1a: the same for a child whenever it starts, and another one for each. */
static uint64_t seed_of(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (; *text != '\0'; text++) {
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	}
	return hash ^ hash >> 32;
}

/* Take one, if the options refer to it. *number: the one of before, and then this one. */
static int take(const struct obi_connector_numbers *n, enum obi_placeholder which,
		enum obi_number_kind kind, struct obi_number_lease *lease, uint32_t *number,
		struct ob_error *reterr)
{
	const struct obi_connector_settings *s = n->settings;
	if (!obi_expansion_uses(&s->expansion, which)) {
		*number = 0;
		return OB_OK;
	}
	int r = obi_number_take(lease, kind,
				kind == OBI_NUMBER_PORT ? &s->expansion.ports : &s->expansion.cids,
				*number, seed_of(s->options.state_path), reterr);
	*number = r == OB_OK ? lease->number : *number;
	return r;
}

static int choose(void *user, struct obi_numbers *numbers, struct ob_error *reterr)
{
	struct obi_connector_numbers *n = user;
	int r = take(n, OBI_PLACEHOLDER_PORT, OBI_NUMBER_PORT, &n->port, &numbers->port, reterr);
	r = r == OB_OK
		? take(n, OBI_PLACEHOLDER_CID, OBI_NUMBER_CID, &n->cid, &numbers->cid, reterr)
		: r;
	return r == OB_OK ? obi_connector_settings_number(n->settings, numbers, reterr) : r;
}

/* Whether the options refer to a number that the start of this child did not have. */
static bool lacks_number(const struct obi_connector_numbers *n, const struct obi_numbers *numbers)
{
	const struct obi_expansion *e = &n->settings->expansion;
	return (obi_expansion_uses(e, OBI_PLACEHOLDER_PORT) && numbers->port == 0) ||
	       (obi_expansion_uses(e, OBI_PLACEHOLDER_CID) && numbers->cid == 0);
}

/* A child that was started with other options, without numbers, is dialled where it was. */
static void known(void *user, const struct obi_statefile *state)
{
	struct obi_connector_numbers *n = user;
	struct ob_connector_options *o = &n->settings->options;
	if (obi_expansion_uses(&n->settings->expansion, OBI_PLACEHOLDER_PORT)) {
		obi_number_keep(&n->port, OBI_NUMBER_PORT, state->numbers.port);
	}
	if (obi_expansion_uses(&n->settings->expansion, OBI_PLACEHOLDER_CID)) {
		obi_number_keep(&n->cid, OBI_NUMBER_CID, state->numbers.cid);
	}
	if (!lacks_number(n, &state->numbers)) {
		(void)obi_connector_settings_number(n->settings, &state->numbers, NULL);
	} else if (o->connect != NULL && state->address[0] != '\0') {
		const char *address =
		    obi_arena_text(&n->settings->texts, state->address, strlen(state->address));
		o->connect = address != NULL ? address : o->connect;
	}
}

struct obi_number_source obi_connector_numbers_source(struct obi_connector_numbers *n)
{
	return (struct obi_number_source){choose, known, n};
}
