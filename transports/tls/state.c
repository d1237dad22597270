/* SPDX-License-Identifier: MIT */
#include "tls/state.h"

#include "tls/wire.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAMES_MAX = 1024, LOOK_MS = 1000 };

static const char *const keys[] = {"certificate", "key", "ca", "names", "fingerprints", "mutual"};

static int no_memory(const struct ob_host *host, const char *name, struct ob_error *reterr)
{
	return host->fail(reterr, OB_ENOMEM, 0, "%s: out of memory", name);
}

/* ---- Reading the map ---- */

static int check_keys(const struct ob_host *host, const struct ob_value *settings,
		      struct ob_error *reterr)
{
	for (uint32_t i = 0; settings->type == OB_MAP && i < settings->count; i++) {
		const struct ob_value *key = &settings->as.pairs[i].key;
		struct ob_bytes name = ob_bytes_of(key->as.string, key->count);
		size_t k = 0;
		while (k < sizeof keys / sizeof keys[0] && !ob_bytes_is(name, keys[k])) {
			k++;
		}
		if (k == sizeof keys / sizeof keys[0]) {
			return host->fail(reterr, OB_EINVAL, 0,
					  "unknown key \"%.*s\": there are certificate, key, ca, "
					  "names, fingerprints and mutual",
					  (int)(name.len < 64 ? name.len : 64),
					  (const char *)name.data);
		}
	}
	return OB_OK;
}

/* A copy of a string without NUL; NULL: it is none, or there is no memory. */
static char *copy_of(const struct ob_value *value)
{
	struct ob_bytes text;
	if (!ob_get_string(value, &text) || text.len == 0 ||
	    memchr(text.data, '\0', text.len) != NULL) {
		return NULL;
	}
	char *copy = calloc(1, text.len + 1);
	if (copy != NULL) {
		memcpy(copy, text.data, text.len);
	}
	return copy;
}

static int take_path(struct obi_tls_state *state, const struct ob_value *settings,
		     enum obi_tls_files file, struct ob_error *reterr)
{
	const struct ob_value *value = ob_value_find(settings, keys[file]);
	if (value == NULL) {
		return OB_OK;
	}
	char *path = copy_of(value);
	state->files[file].path = path;
	return path != NULL && path[0] == '/'
		   ? OB_OK
		   : state->host->fail(reterr, OB_EINVAL, 0, "%s: not the absolute path of a file",
				       keys[file]);
}

static int take_mutual(struct obi_tls_state *state, const struct ob_value *settings,
		       struct ob_error *reterr)
{
	const struct ob_value *value = ob_value_find(settings, "mutual");
	state->mutual = true;
	return value == NULL || ob_get_bool(value, &state->mutual)
		   ? OB_OK
		   : state->host->fail(reterr, OB_EINVAL, 0, "mutual: not true or false");
}

/* The list of this key, or nil; it has 1 to NAMES_MAX items. */
static int find_list(struct obi_tls_state *state, const struct ob_value *settings, const char *key,
		     const struct ob_value **ret, struct ob_error *reterr)
{
	*ret = ob_value_find(settings, key);
	return *ret == NULL ||
		       ((*ret)->type == OB_ARRAY && (*ret)->count > 0 && (*ret)->count <= NAMES_MAX)
		   ? OB_OK
		   : state->host->fail(reterr, OB_EINVAL, 0, "%s: not a list of 1 to %d strings",
				       key, NAMES_MAX);
}

static int take_names(struct obi_tls_state *state, const struct ob_value *settings,
		      struct ob_error *reterr)
{
	const struct ob_value *list;
	int rc = find_list(state, settings, "names", &list, reterr);
	if (rc != OB_OK || list == NULL) {
		return rc;
	}
	state->accepted.names = calloc((size_t)list->count + 1, sizeof *state->accepted.names);
	if (state->accepted.names == NULL) {
		return no_memory(state->host, "names", reterr);
	}
	for (uint32_t i = 0; i < list->count; i++) {
		char *name = copy_of(ob_value_at(list, i));
		if (name == NULL || strlen(name) > OBI_TLS_SUBJECT) {
			free(name);
			return state->host->fail(reterr, OB_EINVAL, 0,
						 "names: item %u is not a string of 1 to %d bytes",
						 i + 1, OBI_TLS_SUBJECT);
		}
		state->accepted.names[i] = name;
	}
	return OB_OK;
}

static int take_fingerprints(struct obi_tls_state *state, const struct ob_value *settings,
			     struct ob_error *reterr)
{
	const struct ob_value *list;
	int rc = find_list(state, settings, "fingerprints", &list, reterr);
	if (rc != OB_OK || list == NULL) {
		return rc;
	}
	state->accepted.fingerprints = calloc(list->count, sizeof *state->accepted.fingerprints);
	if (state->accepted.fingerprints == NULL) {
		return no_memory(state->host, "fingerprints", reterr);
	}
	for (uint32_t i = 0; i < list->count; i++) {
		struct ob_bytes text = {0};
		if (!ob_get_string(ob_value_at(list, i), &text) ||
		    !obi_tls_fingerprint_parse(text, state->accepted.fingerprints[i])) {
			return state->host->fail(
			    reterr, OB_EINVAL, 0,
			    "fingerprints: item %u is not a SHA-256 in 64 hex digits", i + 1);
		}
	}
	state->accepted.fingerprint_count = list->count;
	return OB_OK;
}

/* ---- What belongs together ---- */

/* What only one end needs is asked for by listen() and dial(). */
static int check_whole(const struct obi_tls_state *state, struct ob_error *reterr)
{
	bool has_certificate = state->files[OBI_TLS_CERTIFICATE].path != NULL;
	bool has_key = state->files[OBI_TLS_KEY].path != NULL;
	bool has_peer =
	    state->files[OBI_TLS_CA].path != NULL || state->accepted.fingerprint_count > 0;
	const char *missing = NULL;
	if (has_certificate != has_key) {
		missing =
		    has_key ? "certificate: required with key" : "key: required with certificate";
	} else if (state->mutual && !has_certificate) {
		missing = "certificate: required, with key, unless mutual is false";
	} else if (state->mutual && !has_peer) {
		missing = "ca: required, or fingerprints, unless mutual is false";
	} else if (!has_certificate && !has_peer) {
		missing = "certificate: required to listen, or ca or fingerprints to dial";
	} else if (state->accepted.names != NULL && !has_peer) {
		missing = "names: of no use without ca or fingerprints";
	}
	return missing == NULL ? OB_OK : state->host->fail(reterr, OB_EINVAL, 0, "%s", missing);
}

static int take_all(struct obi_tls_state *state, const struct ob_value *settings,
		    struct ob_error *reterr)
{
	int rc = check_keys(state->host, settings, reterr);
	for (int file = 0; rc == OB_OK && file < OBI_TLS_FILES; file++) {
		rc = take_path(state, settings, (enum obi_tls_files)file, reterr);
	}
	rc = rc == OB_OK ? take_mutual(state, settings, reterr) : rc;
	rc = rc == OB_OK ? take_names(state, settings, reterr) : rc;
	rc = rc == OB_OK ? take_fingerprints(state, settings, reterr) : rc;
	return rc == OB_OK ? check_whole(state, reterr) : rc;
}

static int make(struct obi_tls_state *state, struct ob_error *reterr)
{
	char why[OBI_TLS_WHY];
	state->method = obi_tls_wire_method();
	if (state->method == NULL) {
		return no_memory(state->host, "tls", reterr);
	}
	return obi_tls_context(state, &state->context, why)
		   ? OB_OK
		   : state->host->fail(reterr, OB_EINVAL, 0, "%s", why);
}

int obi_tls_configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		      struct ob_error *reterr)
{
	/* The code of a plugin stays loaded; a handler at exit would free what threads still use.
	 */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL) != 1) {
		return host->fail(reterr, OB_EIO, 0, "OpenSSL cannot be initialized");
	}
	struct obi_tls_state *state = calloc(1, sizeof *state);
	if (state == NULL) {
		return no_memory(host, "tls", reterr);
	}
	state->host = host;
	int rc = take_all(state, settings, reterr);
	rc = rc == OB_OK ? make(state, reterr) : rc;
	if (rc != OB_OK) {
		obi_tls_unconfigure(state);
		return rc;
	}
	state->next_look = host->now_ms() + LOOK_MS;
	*ret_state = state;
	return OB_OK;
}

void obi_tls_unconfigure(void *data)
{
	struct obi_tls_state *state = data;
	if (state == NULL) {
		return;
	}
	for (int file = 0; file < OBI_TLS_FILES; file++) {
		free(state->files[file].path);
	}
	for (char **name = state->accepted.names; name != NULL && *name != NULL; name++) {
		free(*name);
	}
	free(state->accepted.names);
	free(state->accepted.fingerprints);
	SSL_CTX_free(state->context);
	BIO_meth_free(state->method);
	free(state);
}

/* ---- Renewal ---- */

void obi_tls_state_refresh(struct obi_tls_state *state)
{
	int64_t now = state->host->now_ms();
	bool same = state->fault[0] == '\0';
	SSL_CTX *context;
	if (now < state->next_look) {
		return;
	}
	state->next_look = now + LOOK_MS;
	for (int file = 0; file < OBI_TLS_FILES; file++) {
		same = same && (state->files[file].path == NULL ||
				obi_small_file_unchanged(state->files[file].path,
							 &state->files[file].stamp));
	}
	if (!same && obi_tls_context(state, &context, state->fault)) {
		SSL_CTX_free(state->context);
		state->context = context;
		state->fault[0] = '\0';
	}
}
