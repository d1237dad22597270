/* SPDX-License-Identifier: MIT */
#include "cli/config/expanded.h"

#include "base/placeholders.h"

static bool expand_child(struct ob_connector_options *child, struct obi_arena *arena)
{
	struct obi_placeholders names;
	const char **const uris[] = {&child->listen, &child->connect, &child->client_listen,
				     &child->accept, &child->dial};
	const char *const **const lists[] = {&child->argv, &child->env, &child->cleanup};
	int r = obi_placeholders_init(&names, child->name, child->data_path, arena, NULL);
	for (size_t i = 0; r == OB_OK && i < sizeof uris / sizeof uris[0]; i++) {
		r = obi_placeholders_text(&names, *uris[i], OBI_PLACEHOLDER_IN_URI, uris[i], NULL);
	}
	for (size_t i = 0; r == OB_OK && i < sizeof lists / sizeof lists[0]; i++) {
		r = obi_placeholders_list(&names, *lists[i], lists[i], NULL);
	}
	child->placeholders = false;
	return r == OB_OK;
}

bool obi_config_expand(const struct obi_run_config *config, struct obi_arena *arena,
		       struct obi_run_config *ret)
{
	*ret = *config;
	ret->children =
	    ob_arena_alloc(&arena->ob, ((size_t)config->count + 1) * sizeof *ret->children);
	bool good = ret->children != NULL;
	for (uint32_t i = 0; good && i < config->count; i++) {
		ret->children[i] = config->children[i];
		good = expand_child(&ret->children[i], arena);
	}
	return good;
}
