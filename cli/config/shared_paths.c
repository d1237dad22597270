/* SPDX-License-Identifier: MIT */
#include "cli/config/shared.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/uri.h"
#include "cli/config/resolve.h"

enum { MEMORY = 1 << 30 };

/* In the order in which paths that are equal are sorted. */
enum kind {
	RESERVED, /* files of outboard run */
	STATES,	  /* data_root/.state: the parent's side of all children */
	DATA,	  /* a child's directory */
	OWN,	  /* DATA_PATH/rpc.sock, which is removed when the child ends */
	SOCKET,	  /* where a child listens, if its config says so */
	CLIENTS,  /* client_listen */
	DIALLED,  /* connect */
	ACCEPTED  /* accept */
};

struct item {
	const char *path;    /* resolved */
	const char *written; /* as the config says */
	enum kind kind;
	uint32_t index;				  /* of the child */
	const struct ob_connector_options *child; /* NULL: of outboard run */
};

struct list {
	struct obi_arena arena;
	struct item *items;
	size_t count;
};

/* ---- Collecting ---- */

static void add(struct list *list, const struct obi_run_config *config, enum kind kind, uint32_t i,
		const char *path)
{
	const char *resolved = path != NULL ? obi_path_resolve(path, &list->arena) : NULL;
	if (resolved != NULL) {
		list->items[list->count++] = (struct item){
		    resolved, path, kind, i, kind >= DATA ? &config->children[i] : NULL};
	}
}

/* A file of a directory. */
static const char *file(struct list *list, const char *directory, const char *name)
{
	size_t size = strlen(directory) + 1 + strlen(name) + 1;
	char *path = ob_arena_alloc(&list->arena.ob, size);
	if (path != NULL) {
		snprintf(path, size, "%s/%s", directory, name);
	}
	return path;
}

static void add_root(struct list *list, const struct obi_run_config *config)
{
	static const char *const names[] = {OBI_ROOT_SOCKET, OBI_ROOT_LOCK, OBI_ROOT_RECORD};
	if (config->data_root == NULL) {
		return;
	}
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		add(list, config, RESERVED, 0, file(list, config->data_root, names[i]));
	}
	add(list, config, STATES, 0, file(list, config->data_root, ".state"));
}

static void add_socket(struct list *list, const struct obi_run_config *config, enum kind kind,
		       uint32_t i, const char *address)
{
	struct ob_uri uri;
	if (obi_child_listens_here(&config->children[i], address, &list->arena, &uri) &&
	    ob_bytes_is(obi_uri_socket(&uri), "unix")) {
		add(list, config, kind, i, (const char *)uri.path.data);
	}
}

/* The socket of a virtual machine is one for each port: to dial it all have one file, and each that
 * listens there has a file of its own. */
static void add_outer(struct list *list, const struct obi_run_config *config, enum kind kind,
		      uint32_t i, const char *address)
{
	struct ob_uri uri;
	char *path;
	if (address == NULL || obi_uri_parse(address, &list->arena.ob, &uri, NULL) < 0) {
		return;
	}
	if (ob_bytes_is(obi_uri_socket(&uri), "unix")) {
		add(list, config, kind, i, (const char *)uri.path.data);
	} else if (ob_bytes_is(obi_uri_socket(&uri), "hvsock") &&
		   (path = ob_arena_alloc(&list->arena.ob, uri.path.len + 16)) != NULL) {
		snprintf(path, uri.path.len + 16, "%s%c%d", (const char *)uri.path.data,
			 kind == DIALLED ? ':' : '_', (int)uri.port);
		add(list, config, kind, i, path);
	}
}

static void add_child(struct list *list, const struct obi_run_config *config, uint32_t i)
{
	const struct ob_connector_options *child = &config->children[i];
	add(list, config, DATA, i, child->data_path);
	add(list, config, OWN, i, file(list, child->data_path, "rpc.sock"));
	add_socket(list, config, SOCKET, i, child->listen);
	add_socket(list, config, CLIENTS, i, child->client_listen);
	add_outer(list, config, DIALLED, i, child->connect);
	add_outer(list, config, ACCEPTED, i, child->accept);
}

static int compare(const void *a, const void *b)
{
	const struct item *one = a, *two = b;
	int by_path = obi_path_compare(one->path, two->path);
	int by_kind = (int)one->kind - (int)two->kind;
	int by_index = one->index < two->index ? -1 : one->index > two->index;
	return by_path != 0 ? by_path : by_kind != 0 ? by_kind : by_index;
}

/* ---- Judging ---- */

static const char reserved[] = "is reserved for the files of outboard run";

static const char *key_of(const struct item *item)
{
	return item->kind == ACCEPTED  ? "accept"
	       : item->kind == DIALLED ? "connect"
	       : item->kind == CLIENTS ? "client_listen"
	       : item->kind == SOCKET  ? "listen"
				       : "data_path";
}

/* item lies inside outer, the nearest directory of all. */
static void check_inside(const struct item *item, const struct item *outer,
			 struct obi_faults *faults)
{
	const char *key = key_of(item);
	bool same = strcmp(item->path, outer->path) == 0;
	if (item->kind == STATES && outer->kind == DATA) {
		obi_child_fault(faults, outer->child, "data_path",
				"%s: the child could write the supervisor's state", reserved);
	} else if (item->kind == OWN || item->kind < DATA) {
		return; /* the fault is at another item */
	} else if (outer->kind < DATA) {
		obi_child_fault(faults, item->child, key, "%s", reserved);
	} else if (item->kind == DATA && same) {
		obi_child_fault(faults, item->child, key, "is already used by \"%s\"",
				outer->child->name);
	} else if (item->kind == DATA) {
		obi_child_fault(faults, item->child, key, "lies inside the data_path of \"%s\"",
				outer->child->name);
	}
}

/* before: the previous OWN or SOCKET item. */
static void check_socket(const struct item *item, const struct item *before,
			 struct obi_faults *faults)
{
	if (item->kind < SOCKET || before == NULL || strcmp(item->path, before->path) != 0) {
		return;
	}
	if (before->child == item->child) {
		/* Nobody listens at rpc.sock if listen is elsewhere. The library finds paths that
		 * are written alike. */
		if (item->kind == CLIENTS && strcmp(item->written, before->written) != 0 &&
		    (before->kind == SOCKET || item->child->listen == NULL)) {
			obi_child_fault(faults, item->child, "client_listen",
					"is the address of listen");
		}
		return;
	}
	obi_child_fault(faults, item->child, key_of(item),
			before->kind == OWN ? "is already used by \"%s\": rpc.sock in its data_path"
					    : "is already used by \"%s\"",
			before->child->name);
}

/* The directories around the item that is looked at, from the outermost one, are a stack. */
static void check_all(const struct list *list, const struct item **stack, struct obi_faults *faults)
{
	const struct item *socket = NULL;
	size_t depth = 0;
	for (size_t i = 0; i < list->count; i++) {
		const struct item *item = &list->items[i];
		while (depth > 0 && !obi_path_is_inside(item->path, stack[depth - 1]->path)) {
			depth--;
		}
		if (depth > 0) {
			check_inside(item, stack[depth - 1], faults);
		}
		if (item->kind <= DATA) {
			stack[depth++] = item;
		} else {
			check_socket(item, socket, faults);
			socket = item;
		}
	}
}

void obi_check_shared_paths(const struct obi_run_config *config, struct obi_faults *faults)
{
	struct list list = {.count = 0};
	size_t most = 4 + 6 * (size_t)config->count;
	obi_arena_init(&list.arena, MEMORY);
	list.items = calloc(most, sizeof *list.items);
	const struct item **stack = calloc(most, sizeof *stack);
	if (list.items == NULL || stack == NULL) {
		obi_faults_add(faults, "children", "out of memory");
	} else {
		add_root(&list, config);
		for (uint32_t i = 0; i < config->count; i++) {
			add_child(&list, config, i);
		}
		qsort(list.items, list.count, sizeof *list.items, compare);
		check_all(&list, stack, faults);
	}
	free(stack);
	free(list.items);
	obi_arena_free(&list.arena);
}
