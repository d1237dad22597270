/* SPDX-License-Identifier: MIT */
#include "api/dial_home.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/uri.h"
#include "files/trusted_path.h"

enum { URI_MEMORY = 64 * 1024 };

static void fault(struct obi_option_faults *faults, const char *option, const char *reason)
{
	obi_option_fault(faults, OB_FAULT_ERROR, option, "%s", reason);
}

/* ---- The child's view of accept ---- */

/* Who listens on all addresses cannot be dialled there. */
static bool can_be_dialled(const struct ob_uri *uri)
{
	return obi_uri_is_of_machine(uri) ||
	       (!ob_bytes_is(uri->host, "0.0.0.0") && !ob_bytes_is(uri->host, "::"));
}

int obi_dial_home_fill(struct obi_arena *arena, struct ob_connector_options *o)
{
	char text[320];
	struct obi_arena memory;
	struct ob_uri uri;
	if (!obi_options_dial_home(o) || o->dial != NULL) {
		return OB_OK;
	}
	obi_arena_init(&memory, URI_MEMORY);
	o->dial = o->accept;
	/* A guest sees its host at another address than the one where that listens. */
	if (obi_uri_parse(o->accept, &memory.ob, &uri, NULL) == OB_OK &&
	    obi_uri_is_of_machine(&uri)) {
		size_t before = uri.scheme.len - obi_uri_socket(&uri).len;
		snprintf(text, sizeof text, "%.*svsock://host:%d",
			 (int)(before < 256 ? before : 256), (const char *)uri.scheme.data,
			 uri.port);
		o->dial = obi_arena_text(arena, text, strlen(text));
	}
	obi_arena_free(&memory);
	return o->dial != NULL ? OB_OK : OB_ENOMEM;
}

/* ---- Contradictions ---- */

static bool is_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);
	while (len > 1 && directory[len - 1] == '/') {
		len--;
	}
	return strncmp(path, directory, len) == 0 && path[len] == '/';
}

static bool has_file(const struct ob_uri *uri)
{
	return uri->host.len == 0 && uri->path.len > 1;
}

static void check_accept(const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	struct obi_arena arena;
	struct ob_uri uri;
	struct ob_error err;
	obi_arena_init(&arena, URI_MEMORY);
	if (obi_uri_parse(o->accept, &arena.ob, &uri, &err) < 0) {
		fault(faults, "accept", err.text);
	} else if (uri.port == 0) {
		fault(faults, "accept",
		      "must have a fixed port: the child dials it, also after a restart of the "
		      "parent");
	} else if (has_file(&uri) && o->data_path != NULL &&
		   is_below((const char *)uri.path.data, o->data_path)) {
		fault(faults, "accept", "lies in data_path, where the child could replace it");
	} else if (o->dial == NULL && !can_be_dialled(&uri)) {
		fault(faults, "dial", "is required: the child cannot dial the address of accept");
	}
	obi_arena_free(&arena);
}

static void check_listen(const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	struct obi_arena arena;
	struct ob_uri uri;
	obi_arena_init(&arena, URI_MEMORY);
	if (obi_uri_parse(o->listen, &arena.ob, &uri, NULL) == OB_OK && uri.port == 0) {
		fault(faults, "listen", "must have a fixed port in the ready mode dial-home");
	} else if (strcmp(o->listen, o->accept) == 0) {
		fault(faults, "listen", "is the address of accept");
	}
	obi_arena_free(&arena);
}

void obi_dial_home_check(const struct ob_connector_options *o, struct obi_option_faults *faults)
{
	if (!obi_options_dial_home(o)) {
		if (o->accept != NULL) {
			fault(faults, "accept", "requires the ready mode dial-home");
		}
		if (o->dial != NULL) {
			fault(faults, "dial", "requires the ready mode dial-home");
		}
		return;
	}
	if (o->accept == NULL) {
		fault(faults, "accept", "is required in the ready mode dial-home");
		return;
	}
	check_accept(o, faults);
	if (o->connect != NULL) {
		fault(faults, "connect", "contradicts the ready mode dial-home: the child dials");
	}
	if (o->listen != NULL) {
		check_listen(o, faults);
	}
}

/* ---- Files ---- */

static int check_path(const char *path, const char *data_path, uid_t child, struct ob_error *reterr)
{
	struct obi_trusted_path at = OBI_TRUSTED_PATH_NONE;
	int r = obi_trusted_path_walk(path, 0, child, &at, reterr);
	if (r == OB_OK && is_below(at.whole, data_path)) {
		r = obi_fail(reterr, OB_EPERM, 0,
			     "%s: lies in data_path, where the child could replace it", path);
	}
	obi_trusted_path_close(&at);
	return r;
}

int obi_dial_home_check_accept(const struct ob_connector_options *o, const char *uri,
			       struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_uri parsed;
	struct obi_user user;
	struct ob_error err = {0};
	int r = obi_child_user(o, &user, &err);
	obi_arena_init(&arena, URI_MEMORY);
	r = r == OB_OK ? obi_uri_parse(uri, &arena.ob, &parsed, &err) : r;
	if (r == OB_OK && has_file(&parsed)) {
		r = check_path((const char *)parsed.path.data, o->data_path, user.uid, &err);
	}
	obi_arena_free(&arena);
	return r == OB_OK ? OB_OK : obi_fail(reterr, r, 0, "accept: %s", err.text);
}
