/* SPDX-License-Identifier: MIT */
#include "files/child_config.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "json/json.h"

#include <stdlib.h>

/* OBJECT: the text of a JSON object. */
enum kind { TEXT, LIST, TOKEN, OBJECT, NUMBER, FLAG };

/* The keys, in the order in which they are written. */
static const struct field {
	const char *key;
	size_t offset;
	enum kind kind;
	bool always; /* also written when it is empty */
} fields[] = {
    {"token", offsetof(struct ob_config, token), TOKEN, true},
    {"fifo_stdout", offsetof(struct ob_config, fifo_stdout), TEXT, true},
    {"fifo_stderr", offsetof(struct ob_config, fifo_stderr), TEXT, true},
    {"pid", offsetof(struct ob_config, pid), NUMBER, false},
    {"rpc_addr", offsetof(struct ob_config, rpc_addr), TEXT, false},
    {"ready", offsetof(struct ob_config, ready), FLAG, false},
    {"name", offsetof(struct ob_config, name), TEXT, false},
    {"listen", offsetof(struct ob_config, listen), TEXT, false},
    {"codec", offsetof(struct ob_config, codec), TEXT, false},
    {"auth", offsetof(struct ob_config, auth), LIST, false},
    {"instance", offsetof(struct ob_config, instance), TEXT, false},
    {"allow_plaintext", offsetof(struct ob_config, allow_plaintext), FLAG, false},
    {"rules", offsetof(struct ob_config, rules), LIST, false},
    {"peer_uids", offsetof(struct ob_config, peer_uids), LIST, false},
    {"peer_gids", offsetof(struct ob_config, peer_gids), LIST, false},
    {"parent_address", offsetof(struct ob_config, parent_address), TEXT, false},
    {"transport", offsetof(struct ob_config, transport), TEXT, false},
    {"heartbeat_ms", offsetof(struct ob_config, heartbeat_ms), NUMBER, false},
    {"settings", offsetof(struct ob_config, settings), OBJECT, false},
    {"message_max", offsetof(struct ob_config, message_max), NUMBER, false},
    {"client_listen", offsetof(struct ob_config, client_listen), TEXT, false},
    {"client_auth", offsetof(struct ob_config, client_auth), LIST, false},
    {"client_transport", offsetof(struct ob_config, client_transport), TEXT, false},
    {"client_addr", offsetof(struct ob_config, client_addr), TEXT, false},
    {"plugin_trust", offsetof(struct ob_config, plugin_trust), TEXT, false},
    {"dial", offsetof(struct ob_config, dial), TEXT, false},
    {"logs", offsetof(struct ob_config, logs), TEXT, false},
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static char **text_of(const struct ob_config *config, const struct field *field)
{
	return (char **)(void *)((char *)(uintptr_t)config + field->offset);
}

static bool *flag_of(const struct ob_config *config, const struct field *field)
{
	return (bool *)(void *)((char *)(uintptr_t)config + field->offset);
}

static int64_t *number_of(const struct ob_config *config, const struct field *field)
{
	return (int64_t *)(void *)((char *)(uintptr_t)config + field->offset);
}

/* Whether a config of this size has the field. Fields of later versions are behind the others. */
static bool has(const struct ob_config *config, const struct field *field)
{
	return field->offset < config->size;
}

static size_t size_of(const struct ob_config *config)
{
	return config->size < sizeof *config ? config->size : sizeof *config;
}

static bool is_text(const struct field *field)
{
	return field->kind == TEXT || field->kind == LIST || field->kind == TOKEN ||
	       field->kind == OBJECT;
}

static size_t text_max(const struct field *field)
{
	return field->kind == LIST || field->kind == OBJECT ? OBI_CHILD_CONFIG_LIST_MAX
							    : OBI_CHILD_CONFIG_TEXT_MAX;
}

static void wipe(char *text)
{
	if (text != NULL) {
		explicit_bzero(text, strlen(text));
		free(text);
	}
}

static int set_bytes(char **field, struct ob_bytes text)
{
	char *copy = NULL;
	if (text.len > 0) {
		copy = malloc(text.len + 1);
		if (copy == NULL) {
			return OB_ENOMEM;
		}
		memcpy(copy, text.data, text.len);
		copy[text.len] = '\0';
	}
	wipe(*field);
	*field = copy;
	return OB_OK;
}

int obi_child_config_set(char **field, const char *text)
{
	return set_bytes(field, ob_bytes_text(text));
}

void obi_child_config_clear(struct ob_config *config)
{
	for (size_t i = 0; i < FIELDS; i++) {
		if (has(config, &fields[i]) && is_text(&fields[i])) {
			wipe(*text_of(config, &fields[i]));
		}
	}
	wipe(config->extra);
	const struct ob_config empty = {.size = config->size};
	memcpy(config, &empty, size_of(config));
}

/* ---- Reading ---- */

static bool is_token(struct ob_bytes text)
{
	if (text.len != 64) {
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
			return false;
		}
	}
	return true;
}

static int too_long(const struct field *field, struct ob_error *reterr)
{
	return obi_fail(reterr, OB_EINVAL, 0, "%s: longer than %zu bytes", field->key,
			text_max(field));
}

static int take_text(const struct field *field, const struct ob_value *value,
		     struct ob_config *config, struct ob_error *reterr)
{
	struct ob_bytes text;
	if (!ob_get_string(value, &text)) {
		return obi_fail(reterr, OB_EINVAL, 0, "%s: must be a string", field->key);
	}
	if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL) {
		return obi_fail(reterr, OB_EINVAL, 0, "%s: must not hold a NUL", field->key);
	}
	if (text.len > text_max(field)) {
		return too_long(field, reterr);
	}
	if (field->kind == TOKEN && text.len > 0 && !is_token(text)) {
		return obi_fail(reterr, OB_EINVAL, 0, "%s: must be 64 hex digits", field->key);
	}
	if (set_bytes(text_of(config, field), text) < 0) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	return OB_OK;
}

static int take_object(const struct field *field, const struct ob_value *value,
		       struct ob_config *config, struct ob_error *reterr)
{
	struct ob_error err = {0};
	struct obi_buf text;
	if (value->type != OB_MAP) {
		return obi_fail(reterr, OB_EINVAL, 0, "%s: must be an object", field->key);
	}
	obi_buf_init(&text, text_max(field));
	int r = obi_json_write(value, obi_buf_sink(&text), &err);
	if (r < 0) {
		r = obi_buf_sink(&text)->failed
			? too_long(field, reterr)
			: obi_fail(reterr, r, 0, "%s: %s", field->key, err.text);
	} else if (set_bytes(text_of(config, field), obi_buf_bytes(&text)) < 0) {
		r = obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	obi_buf_free(&text);
	return r;
}

static int take_number(const struct field *field, const struct ob_value *value, int64_t *ret,
		       struct ob_error *reterr)
{
	int64_t number;
	if (!ob_get_int(value, &number) || number < 0 || number > INT32_MAX) {
		return obi_fail(reterr, OB_EINVAL, 0, "%s: must be an integer from 0 to 2147483647",
				field->key);
	}
	*ret = number;
	return OB_OK;
}

static int take(const struct field *field, const struct ob_value *value, struct ob_config *config,
		struct ob_error *reterr)
{
	if (ob_is_nil(value)) {
		return OB_OK;
	}
	switch (field->kind) {
	case OBJECT:
		return take_object(field, value, config, reterr);
	case NUMBER:
		return take_number(field, value, number_of(config, field), reterr);
	case FLAG:
		if (!ob_get_bool(value, flag_of(config, field))) {
			return obi_fail(reterr, OB_EINVAL, 0, "%s: must be true or false",
					field->key);
		}
		return OB_OK;
	default:
		return take_text(field, value, config, reterr);
	}
}

/* A key whose field is not in the caller's older struct counts as unknown. */
static const struct field *find_field(const struct ob_config *config, const struct ob_value *key)
{
	for (size_t i = 0; i < FIELDS; i++) {
		if (has(config, &fields[i]) &&
		    ob_bytes_is(ob_bytes_of(key->as.string, key->count), fields[i].key)) {
			return &fields[i];
		}
	}
	return NULL;
}

/* The unknown members. */
struct kept {
	char *text;
	size_t len;
	size_t room;
};

static const char *skip_string(const char *at)
{
	for (at++; *at != '"'; at++) {
		at += *at == '\\';
	}
	return at + 1;
}

/* The end of the member that begins at `at`: its comma, or the '}' of the object. The text was
 * parsed already, so only strings and the depth matter. */
static const char *skip_member(const char *at)
{
	int depth = 0;
	for (;;) {
		if (*at == '"') {
			at = skip_string(at);
			continue;
		}
		if (depth == 0 && (*at == ',' || *at == '}')) {
			return at;
		}
		depth += *at == '{' || *at == '[';
		depth -= *at == '}' || *at == ']';
		at++;
	}
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Append one unknown member, `"key":value` as it stands, to what is kept. All of them together are
 * no longer than the text, so the room is taken once. */
static int keep(const char *start, const char *end, struct kept *kept, struct ob_error *reterr)
{
	while (is_space(*start)) {
		start++;
	}
	while (is_space(end[-1])) {
		end--;
	}
	if (kept->text == NULL && (kept->text = malloc(kept->room)) == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	if (kept->len > 0) {
		kept->text[kept->len++] = ',';
	}
	memcpy(kept->text + kept->len, start, (size_t)(end - start));
	kept->len += (size_t)(end - start);
	kept->text[kept->len] = '\0';
	return OB_OK;
}

static int take_all(struct ob_bytes text, const struct ob_value *tree, struct ob_config *config,
		    struct ob_error *reterr)
{
	struct kept kept = {.room = text.len};
	if (tree->type != OB_MAP) {
		return obi_fail(reterr, OB_EINVAL, 0, "not a JSON object");
	}
	/* The pairs are in the order of the text, so both are walked in step. */
	const char *at = memchr(text.data, '{', text.len);
	int r = OB_OK;
	for (uint32_t i = 0; i < tree->count && r == OB_OK; i++) {
		const struct field *field = find_field(config, &tree->as.pairs[i].key);
		const char *end = skip_member(at + 1);
		r = field != NULL ? take(field, &tree->as.pairs[i].value, config, reterr)
				  : keep(at + 1, end, &kept, reterr);
		at = end;
	}
	config->extra = kept.text;
	return r;
}

int obi_child_config_parse(struct ob_bytes text, struct ob_config *ret, struct ob_error *reterr)
{
	const struct obi_json_limits limits = {.depth = OB_DEPTH_MAX,
					       .values = OBI_CHILD_CONFIG_VALUES};
	struct ob_config config = {.size = ret->size};
	struct ob_error err = {0};
	struct obi_arena arena;
	struct ob_value tree;
	obi_arena_init(&arena, 64 * (size_t)OBI_CHILD_CONFIG_MAX);
	int r =
	    text.len <= OBI_CHILD_CONFIG_MAX
		? obi_json_parse(text, &arena.ob, &limits, &tree, &err)
		: obi_fail(&err, OB_ETOOBIG, 0, "larger than %d KiB", OBI_CHILD_CONFIG_MAX / 1024);
	if (r == OB_OK) {
		r = take_all(text, &tree, &config, &err);
	}
	obi_arena_free(&arena);
	if (r < 0) {
		obi_child_config_clear(&config);
		r = r == OB_EPROTO ? OB_EINVAL : r;
		return obi_fail(reterr, r, 0, "parsing outboard config: %s", err.text);
	}
	memcpy(ret, &config, size_of(ret));
	return OB_OK;
}

/* ---- Writing ---- */

/* The value of a field; nil: it is not written. */
static struct ob_value value_of(const struct ob_config *config, const struct field *field)
{
	const char *text;
	switch (field->kind) {
	case NUMBER:
		return has(config, field) && *number_of(config, field) != 0
			   ? ob_int(*number_of(config, field))
			   : ob_nil();
	case FLAG:
		return has(config, field) && *flag_of(config, field) ? ob_bool(true) : ob_nil();
	default:
		text = has(config, field) ? *text_of(config, field) : NULL;
		if (text == NULL || text[0] == '\0') {
			return field->always ? ob_string("") : ob_nil();
		}
		return ob_string(text);
	}
}

/* The text comes from a program: it must not break the file. */
static int put_object(const struct field *field, const char *text, struct ob_sink *out,
		      struct ob_error *reterr)
{
	const struct obi_json_limits limits = {.depth = OB_DEPTH_MAX - 1,
					       .values = OBI_CHILD_CONFIG_VALUES};
	struct ob_error err = {0};
	struct obi_arena arena;
	struct ob_value tree;
	obi_arena_init(&arena, 64 * (size_t)OBI_CHILD_CONFIG_MAX);
	int r = obi_json_parse(ob_bytes_text(text), &arena.ob, &limits, &tree, &err);
	if (r == OB_OK && tree.type != OB_MAP) {
		r = obi_fail(&err, OB_EINVAL, 0, "must be an object");
	}
	r = r == OB_OK ? obi_json_write(&tree, out, &err) : r;
	obi_arena_free(&arena);
	return r < 0 && !out->failed
		   ? obi_fail(reterr, OB_EINVAL, 0, "%s: %s", field->key, err.text)
		   : OB_OK;
}

static int put(const struct ob_config *config, const struct field *field, struct ob_sink *out,
	       struct ob_error *reterr)
{
	struct ob_value value = value_of(config, field);
	if (ob_is_nil(&value)) {
		return OB_OK;
	}
	if (is_text(field) && value.count > text_max(field)) {
		return too_long(field, reterr);
	}
	ob_sink_text(out, field == fields ? "{\"" : ",\"");
	ob_sink_text(out, field->key);
	ob_sink_text(out, "\":");
	if (field->kind == OBJECT) {
		return put_object(field, *text_of(config, field), out, reterr);
	}
	struct ob_error err = {0};
	int r = obi_json_write(&value, out, &err);
	if (r < 0 && !out->failed) {
		return obi_fail(reterr, r, 0, "%s: %s", field->key, err.text);
	}
	return OB_OK;
}

int obi_child_config_format(const struct ob_config *config, struct ob_sink *out,
			    struct ob_error *reterr)
{
	if (config->token != NULL && config->token[0] != '\0' &&
	    !is_token(ob_bytes_text(config->token))) {
		return obi_fail(reterr, OB_EINVAL, 0, "token: must be 64 hex digits");
	}
	if (config->pid < 0 || config->pid > INT32_MAX) {
		return obi_fail(reterr, OB_EINVAL, 0, "pid: must be a process id");
	}
	for (size_t i = 0; i < FIELDS; i++) {
		int r = put(config, &fields[i], out, reterr);
		if (r < 0) {
			return r;
		}
	}
	if (config->extra != NULL) {
		ob_sink_byte(out, ',');
		ob_sink_text(out, config->extra);
	}
	ob_sink_byte(out, '}');
	return out->failed ? obi_fail(reterr, OB_ETOOBIG, 0, "the config is too large") : OB_OK;
}
