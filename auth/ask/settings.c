/* SPDX-License-Identifier: MIT */
#include "auth/ask/settings.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/ask/answer.h"
#include "common/small_file.h"

enum {
	URI_BUDGET = 16 * 1024,
	TIMEOUT_MS = 3000,
	TIMEOUT_MAX_MS = 60 * 1000,
	PASSWD_MAX = 64 * 1024
};

static const char *const names[] = {"socket", "codec", "timeout", "user", "send", "send_file"};

static int fault(const struct obi_ask_settings *s, const char *key, const char *why,
		 struct ob_error *reterr)
{
	return s->host->fail(reterr, OB_EINVAL, 0, "%s: %s", key, why);
}

static int check_names(const struct obi_ask_settings *s, const struct ob_value *value,
		       struct ob_error *reterr)
{
	for (uint32_t i = 0; value->type == OB_MAP && i < value->count; i++) {
		const struct ob_value *key = &value->as.pairs[i].key;
		bool known = false;
		for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
			known =
			    known || ob_bytes_is(ob_bytes_of(key->as.string, key->count), names[k]);
		}
		if (!known) {
			return s->host->fail(reterr, OB_EINVAL, 0, "%.*s: is not a known key",
					     (int)(key->count < 64 ? key->count : 64),
					     key->as.string);
		}
	}
	return OB_OK;
}

/* A string without NUL, as a new string with one. Sets nothing if there is no such key. */
static int take_text(const struct obi_ask_settings *s, const struct ob_value *value,
		     const char *key, char **ret, struct ob_error *reterr)
{
	const struct ob_value *found = ob_value_find(value, key);
	struct ob_bytes text;
	if (ob_is_nil(found)) {
		return OB_OK;
	}
	if (!ob_get_string(found, &text) || text.len == 0 || text.len >= PATH_MAX ||
	    memchr(text.data, '\0', text.len) != NULL) {
		return fault(s, key, "not a string of 1 to 4095 bytes", reterr);
	}
	*ret = calloc(1, text.len + 1);
	if (*ret == NULL) {
		return s->host->fail(reterr, OB_ENOMEM, 0, "%s: out of memory", key);
	}
	memcpy(*ret, text.data, text.len);
	return OB_OK;
}

/* ---- The helper ---- */

/* unix:// and the path, percent-encoded. */
static char *uri_of(const char *path, struct ob_arena *arena)
{
	static const char digits[] = "0123456789ABCDEF";
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~/";
	char *uri = ob_arena_alloc(arena, strlen("unix://") + 3 * strlen(path) + 1), *at = uri;
	if (uri == NULL) {
		return NULL;
	}
	at = stpcpy(at, "unix://");
	for (; *path != '\0'; path++) {
		unsigned char c = (unsigned char)*path;
		if (strchr(plain, *path) != NULL) {
			*at++ = *path;
		} else {
			*at++ = '%';
			*at++ = digits[c >> 4];
			*at++ = digits[c & 15];
		}
	}
	*at = '\0';
	return uri;
}

static int take_address(struct obi_ask_settings *s, const char *text, struct ob_error *reterr)
{
	struct ob_error err = {.text = ""};
	char *uri = NULL;
	if (text[0] == '/') {
		uri = uri_of(text, &s->arena.ob);
	} else if (strncmp(text, "unix://", 7) == 0) {
		uri = ob_arena_alloc(&s->arena.ob, strlen(text) + 1);
		if (uri != NULL) {
			strcpy(uri, text);
		}
	} else {
		return fault(s, "socket", "neither an absolute path nor a unix:// URI", reterr);
	}
	if (uri == NULL) {
		return s->host->fail(reterr, OB_ENOMEM, 0, "socket: out of memory");
	}
	int r = s->host->parse_uri(uri, &s->arena.ob, &s->address, &err);
	return r == OB_OK ? OB_OK : fault(s, "socket", err.text, reterr);
}

/* Only a local transport whose peers the kernel identifies will do. */
static int take_socket(struct obi_ask_settings *s, const char *text, struct ob_error *reterr)
{
	const struct ob_host *host = s->host;
	int r = take_address(s, text, reterr);
	if (r < 0) {
		return r;
	}
	s->transport = host->find_transport(host, ob_bytes_text("unix"));
	if (s->transport == NULL || (s->transport->flags & OB_TRANSPORT_LOCAL) == 0 ||
	    s->transport->peer == NULL || s->transport->handshake != NULL) {
		s->transport = NULL;
		return fault(s, "socket", "there is no transport for unix sockets", reterr);
	}
	return OB_OK;
}

static int take_codec(struct obi_ask_settings *s, const struct ob_value *value,
		      struct ob_error *reterr)
{
	char *name = NULL;
	if (!OB_HAS(s->host, find_codec)) {
		return fault(s, "codec", "this program is too old for ask", reterr);
	}
	int r = take_text(s, value, "codec", &name, reterr);
	if (r == OB_OK) {
		s->codec = s->host->find_codec(s->host, name != NULL ? name : "json");
		if (s->codec == NULL) {
			r = fault(s, "codec", "no such codec, or one that needs settings", reterr);
		}
	}
	free(name);
	return r;
}

static int find_user(struct obi_ask_settings *s, const char *name, struct ob_error *reterr)
{
	struct passwd entry, *found = NULL;
	char *room = malloc(PASSWD_MAX);
	int sys = room != NULL ? getpwnam_r(name, &entry, room, PASSWD_MAX, &found) : 0;
	if (found != NULL) {
		s->user = found->pw_uid;
	}
	free(room);
	if (room == NULL) {
		return s->host->fail(reterr, OB_ENOMEM, 0, "user: out of memory");
	}
	return found != NULL ? OB_OK
			     : s->host->fail(reterr, OB_EINVAL, sys, "user: no user %.64s", name);
}

static int take_user(struct obi_ask_settings *s, const struct ob_value *value,
		     struct ob_error *reterr)
{
	const struct ob_value *user = ob_value_find(value, "user");
	uint64_t number;
	char *name = NULL;
	s->user = (uint32_t)-1;
	if (ob_is_nil(user)) {
		return OB_OK;
	}
	if (ob_get_uint(user, &number)) {
		s->user = number < (uint32_t)-1 ? (uint32_t)number : (uint32_t)-1;
		return s->user != (uint32_t)-1 ? OB_OK : fault(s, "user", "not a user id", reterr);
	}
	int r = take_text(s, value, "user", &name, reterr);
	r = r == OB_OK ? find_user(s, name, reterr) : r;
	free(name);
	return r;
}

/* "500ms", "3s", "1m" */
static int64_t duration_of(const char *text)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}};
	char *end;
	long number = text[0] >= '0' && text[0] <= '9' ? strtol(text, &end, 10) : -1;
	for (size_t i = 0; number > 0 && i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(end, units[i].name) == 0 && number <= TIMEOUT_MAX_MS) {
			return number * units[i].ms;
		}
	}
	return -1;
}

static int take_timeout(struct obi_ask_settings *s, const struct ob_value *value,
			struct ob_error *reterr)
{
	char *text = NULL;
	s->timeout_ms = TIMEOUT_MS;
	int r = take_text(s, value, "timeout", &text, reterr);
	if (r == OB_OK && text != NULL) {
		s->timeout_ms = duration_of(text);
	}
	free(text);
	return r < 0 || (s->timeout_ms > 0 && s->timeout_ms <= TIMEOUT_MAX_MS)
		   ? r
		   : fault(s, "timeout", "not a duration up to one minute, such as \"3s\"", reterr);
}

static int take_helper(struct obi_ask_settings *s, const struct ob_value *value, const char *socket,
		       struct ob_error *reterr)
{
	int r = take_socket(s, socket, reterr);
	r = r == OB_OK ? take_codec(s, value, reterr) : r;
	r = r == OB_OK ? take_user(s, value, reterr) : r;
	return r == OB_OK ? take_timeout(s, value, reterr) : r;
}

/* ---- The message ---- */

/* The file may end in a newline, as an editor leaves it, which is not part of the message. code is
 * for a file that cannot be used. */
static int read_message(const struct obi_ask_settings *s, struct ob_sink *out, int code,
			struct ob_error *reterr)
{
	uint8_t memory[OBI_ASK_DATA + 1];
	struct ob_sink text = ob_sink_fixed(memory, sizeof memory);
	char why[OBI_SMALL_FILE_WHY];
	int r = OB_OK;
	if (!obi_small_file_read(s->file, OBI_LINKS_REFUSED, 07177, &text, NULL, why)) {
		r = s->host->fail(reterr, code, 0, "send_file: %s", why);
	} else {
		size_t len = text.len > 0 && memory[text.len - 1] == '\n' ? text.len - 1 : text.len;
		if (len == 0 || len > OBI_ASK_DATA) {
			r = s->host->fail(reterr, code, 0, "send_file: %s: not of 1 to 4096 bytes",
					  s->file);
		} else if (!ob_sink_put(out, memory, len)) {
			r = s->host->fail(reterr, OB_ENOMEM, 0, "no room for a message");
		}
	}
	explicit_bzero(memory, sizeof memory);
	return r;
}

int obi_ask_settings_message(const struct obi_ask_settings *s, struct ob_sink *out,
			     struct ob_error *reterr)
{
	if (s->file != NULL) {
		return read_message(s, out, OB_EDOWN, reterr);
	}
	return ob_sink_text(out, s->text)
		   ? OB_OK
		   : s->host->fail(reterr, OB_ENOMEM, 0, "no room for a message");
}

static int check_file(const struct obi_ask_settings *s, struct ob_error *reterr)
{
	uint8_t memory[OBI_ASK_DATA];
	struct ob_sink out = ob_sink_fixed(memory, sizeof memory);
	if (s->file[0] != '/') {
		return fault(s, "send_file", "not an absolute path", reterr);
	}
	int r = read_message(s, &out, OB_EINVAL, reterr);
	explicit_bzero(memory, sizeof memory);
	return r;
}

/* ---- All ---- */

static bool is_there(const struct ob_value *value, const char *key)
{
	return !ob_is_nil(ob_value_find(value, key));
}

/* What belongs to a helper must not stand beside a message: it would have no effect. */
static int check_together(const struct obi_ask_settings *s, const struct ob_value *value,
			  struct ob_error *reterr)
{
	int ways =
	    is_there(value, "socket") + is_there(value, "send") + is_there(value, "send_file");
	if (ways != 1) {
		return fault(s, "socket", "exactly one of socket, send and send_file is required",
			     reterr);
	}
	for (int i = 1; i < 4 && !is_there(value, "socket"); i++) {
		if (is_there(value, names[i])) {
			return fault(s, names[i], "has no effect without socket", reterr);
		}
	}
	return OB_OK;
}

static int take_all(struct obi_ask_settings *s, const struct ob_value *value,
		    struct ob_error *reterr)
{
	char *socket = NULL;
	int r = check_names(s, value, reterr);
	r = r == OB_OK ? check_together(s, value, reterr) : r;
	r = r == OB_OK ? take_text(s, value, "socket", &socket, reterr) : r;
	r = r == OB_OK ? take_text(s, value, "send", &s->text, reterr) : r;
	r = r == OB_OK ? take_text(s, value, "send_file", &s->file, reterr) : r;
	if (r == OB_OK && socket != NULL) {
		r = take_helper(s, value, socket, reterr);
	} else if (r == OB_OK && s->file != NULL) {
		r = check_file(s, reterr);
	}
	free(socket);
	return r;
}

int obi_ask_settings_new(const struct ob_host *host, const struct ob_value *value,
			 struct obi_ask_settings **ret, struct ob_error *reterr)
{
	struct obi_ask_settings *s = calloc(1, sizeof *s);
	if (s == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	s->host = host;
	obi_ask_arena_init(&s->arena, URI_BUDGET * 2);
	int r = take_all(s, value, reterr);
	if (r < 0) {
		obi_ask_settings_free(s);
		return r;
	}
	*ret = s;
	return OB_OK;
}

void obi_ask_settings_free(struct obi_ask_settings *s)
{
	if (s == NULL) {
		return;
	}
	if (s->text != NULL) {
		explicit_bzero(s->text, strlen(s->text));
	}
	free(s->text);
	free(s->file);
	obi_ask_arena_clear(&s->arena);
	free(s);
}
