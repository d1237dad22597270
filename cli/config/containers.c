/* SPDX-License-Identifier: MIT */
/* Children in containers and virtual machines: what their config says that cannot work there. */
#include "cli/config/shared.h"

#include <stdio.h>

#include "base/names.h"
#include "base/uri.h"
#include "cli/config/mounts.h"
#include "cli/config/resolve.h"

enum { MEMORY = 64 << 20 };

struct container {
	const struct ob_connector_options *child;
	struct obi_mounts mounts;
	struct obi_arena *arena;
	struct obi_faults *faults;
};

static const char *join(const char *directory, const char *name, struct obi_arena *arena)
{
	size_t size = strlen(directory) + 1 + strlen(name) + 1;
	char *path = ob_arena_alloc(&arena->ob, size);
	if (path != NULL) {
		snprintf(path, size, "%s/%s", directory, name);
	}
	return path;
}

/* Whether this path in the container is that one on the host; what cannot be told is. */
static bool is_same(const struct container *c, const char *inside, const char *outside,
		    bool *ret_writable)
{
	const char *seen = obi_mounts_outside(&c->mounts, inside, c->arena, ret_writable);
	const char *want = obi_path_resolve(outside, c->arena);
	return want == NULL || (seen != NULL && strcmp(seen, want) == 0);
}

/* A child finds its config at OUTBOARD_CONFIG, and writes there that it is ready. */
static void check_config(const struct container *c)
{
	const struct ob_connector_options *child = c->child;
	const char *outside = join(child->data_path, OBI_FILE_CONFIG, c->arena);
	const char *inside = c->mounts.config != NULL ? c->mounts.config : outside;
	bool writable = false;
	if (outside == NULL || child->ready == OB_READY_NONE) {
		return;
	}
	if (!is_same(c, inside, outside, &writable)) {
		obi_child_fault(
		    c->faults, child, "command",
		    "the container does not see the child's data directory %s, with its "
		    "outboard.json, at %s",
		    child->data_path, inside);
	} else if (!writable && child->ready == OB_READY_CONFIG) {
		obi_child_fault(
		    c->faults, child, "ready.mode",
		    "\"config\" requires that the child writes its outboard.json, and the "
		    "container can only read %s: use \"rpc\"",
		    child->data_path);
	}
}

/* dialled: NULL: at the same path. */
static void check_socket(const struct container *c, const char *key, const char *listen,
			 const char *dialled)
{
	struct ob_uri at, from;
	bool writable = false;
	if (listen == NULL || obi_uri_parse(listen, &c->arena->ob, &at, NULL) < 0 ||
	    !ob_bytes_is(obi_uri_socket(&at), "unix")) {
		return;
	}
	from = at;
	if (dialled != NULL && (obi_uri_parse(dialled, &c->arena->ob, &from, NULL) < 0 ||
				!ob_bytes_is(obi_uri_socket(&from), "unix"))) {
		return; /* somebody forwards it */
	}
	const char *inside = (const char *)at.path.data, *outside = (const char *)from.path.data;
	if (!is_same(c, inside, outside, &writable)) {
		obi_child_fault(
		    c->faults, c->child, key,
		    "the container does not see %s of the host at %s: bind its directory, "
		    "or listen in the data directory",
		    outside, inside);
	} else if (!writable) {
		obi_child_fault(c->faults, c->child, key,
				"the container can only read where the socket %s is to be made",
				inside);
	}
}

static void check_container(const struct container *c)
{
	const struct ob_connector_options *child = c->child;
	const char *own = join(child->data_path, OBI_FILE_SOCKET, c->arena);
	bool seen = false;
	check_config(c);
	if (child->listen != NULL) {
		check_socket(c, "listen", child->listen, child->connect);
	} else if (own != NULL && child->ready != OB_READY_NONE && child->accept == NULL &&
		   is_same(c, own, own, &seen) && !seen) {
		obi_child_fault(c->faults, child, "command",
				"the container can only read %s, where the child is to listen",
				child->data_path);
	}
	check_socket(c, "client_listen", child->client_listen, NULL);
}

/* The outboard.json of a guest is a copy: nobody sees what is written there. */
static void check_machine(const struct ob_connector_options *child, struct obi_arena *arena,
			  struct obi_faults *faults)
{
	struct ob_uri uri;
	if (child->ready == OB_READY_CONFIG && child->connect != NULL &&
	    obi_uri_parse(child->connect, &arena->ob, &uri, NULL) == OB_OK &&
	    obi_uri_is_of_machine(&uri)) {
		obi_child_fault(
		    faults, child, "ready.mode",
		    "\"config\" requires that the child writes its outboard.json here, and "
		    "%s is in a virtual machine: use \"rpc\"",
		    child->connect);
	}
}

void obi_check_containers(const struct obi_run_config *config, struct obi_faults *faults)
{
	struct obi_arena arena;
	obi_arena_init(&arena, MEMORY);
	for (uint32_t i = 0; i < config->count; i++) {
		const struct ob_connector_options *child = &config->children[i];
		struct container c = {.child = child, .arena = &arena, .faults = faults};
		if (obi_mounts_of_command(child->argv, child->cwd, &arena, &c.mounts)) {
			check_container(&c);
		}
		check_machine(child, &arena, faults);
		obi_arena_reset(&arena);
	}
	obi_arena_free(&arena);
}
