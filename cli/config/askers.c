/* SPDX-License-Identifier: MIT */
/* Children whose clients are let in by a helper (the authenticator ask) that is a child of the same
 * config. */
#include "cli/config/resolve.h"
#include "cli/config/shared.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/uri.h"
#include "json/json.h"

enum { MEMORY = 1 << 30, SHOWN = 8 };

/* A unix socket at which a child listens. */
struct socket {
	const char *path; /* resolved */
	uint32_t child;
	bool for_clients;
};

/* A child, which asks at most one helper. */
struct asker {
	const struct ob_value *settings; /* of ask */
	const struct socket *at;	 /* the helper, if it is a child of the config; or NULL */
	uint32_t walk;			 /* the number of the first walk that came by */
	bool in_circle;
};

struct askers {
	struct obi_arena arena;
	const struct obi_run_config *config;
	struct obi_faults *faults;
	struct socket *sockets;
	size_t count;
	struct asker *askers; /* one for each child */
};

/* ---- Sockets ---- */

static void add_socket(struct askers *a, uint32_t child, const char *address, bool for_clients)
{
	struct ob_uri uri;
	const char *path = NULL;
	if (obi_child_listens_here(&a->config->children[child], address, &a->arena, &uri) &&
	    ob_bytes_is(obi_uri_socket(&uri), "unix")) {
		path = obi_path_resolve((const char *)uri.path.data, &a->arena);
	}
	if (path != NULL) {
		a->sockets[a->count++] = (struct socket){path, child, for_clients};
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct socket *)a)->path, ((const struct socket *)b)->path);
}

static void collect(struct askers *a)
{
	for (uint32_t i = 0; i < a->config->count; i++) {
		add_socket(a, i, a->config->children[i].listen, false);
		add_socket(a, i, a->config->children[i].client_listen, true);
	}
	if (a->count > 0) {
		qsort(a->sockets, a->count, sizeof *a->sockets, compare);
	}
}

/* ---- Who asks whom ---- */

static bool has(const char *const *list, const char *name)
{
	while (list != NULL && *list != NULL && strcmp(*list, name) != 0) {
		list++;
	}
	return list != NULL && *list != NULL;
}

static bool asks(const struct ob_connector_options *child)
{
	return child->client_listen != NULL && has(child->client_auth, "ask");
}

/* The settings of ask of the child; NULL: there are none. */
static const struct ob_value *settings_of(struct askers *a,
					  const struct ob_connector_options *child)
{
	struct ob_value *tree = ob_arena_alloc(&a->arena.ob, sizeof *tree);
	if (tree == NULL || child->child_settings == NULL ||
	    obi_json_parse(ob_bytes_text(child->child_settings), &a->arena.ob, NULL, tree, NULL) <
		0) {
		return NULL;
	}
	return ob_value_find(ob_value_find(tree, "client_auth"), "ask");
}

/* The path of the helper's socket, resolved. */
static const char *path_of(struct askers *a, const struct ob_value *settings)
{
	struct ob_uri uri;
	struct ob_bytes text = {NULL, 0};
	(void)ob_get_string(ob_value_find(settings, "socket"), &text);
	char *copy =
	    text.len > 0 ? obi_arena_text(&a->arena, (const char *)text.data, text.len) : NULL;
	if (copy == NULL || copy[0] == '/') {
		return copy != NULL ? obi_path_resolve(copy, &a->arena) : NULL;
	}
	return obi_uri_parse(copy, &a->arena.ob, &uri, NULL) == OB_OK
		   ? obi_path_resolve((const char *)uri.path.data, &a->arena)
		   : NULL;
}

/* ---- Judging ---- */

/* ask does not authenticate: whoever else is in the list would wait for it. */
static bool lets_ask_in(const struct ob_connector_options *helper, bool for_clients)
{
	const char *const *list = for_clients ? helper->client_auth : helper->auth;
	return list != NULL && list[0] != NULL && strcmp(list[0], "peercred") == 0 &&
	       list[1] == NULL;
}

static void check_helper(struct askers *a, uint32_t i)
{
	const struct asker *asker = &a->askers[i];
	const struct ob_connector_options *child = &a->config->children[i];
	const struct ob_connector_options *helper = &a->config->children[asker->at->child];
	struct ob_bytes codec = ob_bytes_text("json");
	const char *theirs = helper->codec != NULL ? helper->codec : "msgpack";
	(void)ob_get_string(ob_value_find(asker->settings, "codec"), &codec);
	if (!lets_ask_in(helper, asker->at->for_clients)) {
		obi_child_fault(a->faults, child, "client_auth",
				"asks \"%s\", whose %s must be \"peercred\" alone: ask shows no "
				"secret",
				helper->name, asker->at->for_clients ? "client_auth" : "auth");
	} else if (!ob_bytes_is(codec, theirs)) {
		obi_child_fault(a->faults, child, "client_auth",
				"asks \"%s\" with the codec %.*s, which has the codec %s",
				helper->name, (int)codec.len, (const char *)codec.data, theirs);
	}
}

static void find_helper(struct askers *a, uint32_t i)
{
	const struct ob_connector_options *child = &a->config->children[i];
	struct asker *asker = &a->askers[i];
	asker->settings = asks(child) ? settings_of(a, child) : NULL;
	if (asker->settings != NULL && ob_value_find(asker->settings, "socket") == NULL) {
		obi_child_fault(a->faults, child, "client_auth",
				"ask: socket: required where clients come in");
	}
	struct socket key = {.path = asker->settings != NULL ? path_of(a, asker->settings) : NULL};
	if (key.path != NULL && a->count > 0) {
		asker->at = bsearch(&key, a->sockets, a->count, sizeof *a->sockets, compare);
	}
}

/* The next one on the way: a child that must ask before it can answer. */
static struct asker *next_of(const struct askers *a, const struct asker *asker)
{
	const struct socket *at = asker->at;
	return at != NULL && at->for_clients && asks(&a->config->children[at->child])
		   ? &a->askers[at->child]
		   : NULL;
}

static void tell_circle(struct askers *a, struct asker *first)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct asker *at = first;
	uint32_t n = 0;
	do {
		if (out != NULL && n++ < SHOWN) {
			fprintf(out, "%s \"%s\"", n == 1 ? "asks" : ", which asks",
				a->config->children[at->at->child].name);
		}
		at->in_circle = true;
		at = next_of(a, at);
	} while (at != first);
	if (out != NULL && fclose(out) == 0) {
		obi_child_fault(a->faults, &a->config->children[first - a->askers], "client_auth",
				"%s%s: in a circle, no helper can let another in", text,
				n > SHOWN ? ", and so on" : "");
	}
	free(text);
}

/* Follow from each child until somebody comes by for the second time. */
static void find_circles(struct askers *a)
{
	for (uint32_t i = 0; i < a->config->count; i++) {
		struct asker *at = &a->askers[i];
		while (at != NULL && at->walk == 0) {
			at->walk = i + 1;
			at = next_of(a, at);
		}
		if (at != NULL && at->walk == i + 1) {
			tell_circle(a, at);
		}
	}
}

static void check(struct askers *a)
{
	collect(a);
	for (uint32_t i = 0; i < a->config->count; i++) {
		find_helper(a, i);
	}
	find_circles(a);
	for (uint32_t i = 0; i < a->config->count; i++) {
		if (a->askers[i].at != NULL && !a->askers[i].in_circle) {
			check_helper(a, i);
		}
	}
}

void obi_check_askers(const struct obi_run_config *config, struct obi_faults *faults)
{
	struct askers a = {.config = config, .faults = faults};
	obi_arena_init(&a.arena, MEMORY);
	a.sockets = calloc(2 * (size_t)config->count + 1, sizeof *a.sockets);
	a.askers = calloc(config->count + 1u, sizeof *a.askers);
	if (a.sockets != NULL && a.askers != NULL) {
		check(&a);
	} else {
		obi_faults_add(faults, "children", "out of memory");
	}
	free(a.sockets);
	free(a.askers);
	obi_arena_free(&a.arena);
}
