/* SPDX-License-Identifier: MIT */
#include "cli/config/run_config_read.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/names.h"
#include "base/duration.h"
#include "base/uri.h"
#include "base/signal_names.h"
#include "cli/config/expand.h"

#include <stdio.h>
#include <stdlib.h>

/* No kernel takes a longer variable: 32 pages of at most 64 KiB. */
enum { VARIABLE_MAX = 2 << 20 };

void obi_reading_fault_at(struct obi_reading *r, const char *reason, const size_t *offset)
{
	if (r->quiet > 0) {
		r->hidden = true;
		return;
	}
	if (r->count++ == 0) {
		struct ob_sink first = ob_sink_fixed(r->first, sizeof r->first - 1);
		ob_sink_text(&first, r->key);
		ob_sink_text(&first, r->key_len > 0 ? ": " : "");
		ob_sink_text(&first, reason);
		r->first[first.len] = '\0';
	}
	if (r->setup->fault != NULL) {
		r->setup->fault(r->setup->user, r->key, reason, offset);
	}
}

void obi_reading_fault(struct obi_reading *r, const char *reason)
{
	obi_reading_fault_at(r, reason, NULL);
}

size_t obi_reading_enter(struct obi_reading *r, struct ob_bytes key)
{
	size_t was = r->key_len, len = was;
	if (was > 0 && len < OBI_READING_KEY_MAX - 1) {
		r->key[len++] = '.';
	}
	for (size_t i = 0; i < key.len && len < OBI_READING_KEY_MAX - 1; i++) {
		r->key[len++] = key.data[i] < ' ' || key.data[i] == 0x7f ? '?' : (char)key.data[i];
	}
	r->key[len] = '\0';
	r->key_len = len;
	return was;
}

void obi_reading_leave(struct obi_reading *r, size_t was)
{
	r->key_len = was;
	r->key[was] = '\0';
}

void *obi_reading_alloc(struct obi_reading *r, size_t size)
{
	void *memory = ob_arena_alloc(&r->arena->ob, size);
	if (memory == NULL) {
		obi_reading_fault(r, "out of memory");
	} else {
		memset(memory, 0, size);
	}
	return memory;
}

static struct ob_bytes key_of(const struct ob_pair *pair)
{
	return ob_bytes_of(pair->key.as.string, pair->key.count);
}

/* ---- Objects: a table of keys ---- */

static const struct obi_key *find_key(const struct obi_key *keys, struct ob_bytes name)
{
	while (keys->name != NULL && !ob_bytes_is(name, keys->name)) {
		keys++;
	}
	return keys;
}

bool obi_reading_hush(struct obi_reading *r, const struct ob_value *object, uint32_t i)
{
	const struct obi_merged *merged = r->merged;
	while (merged != NULL && merged->pairs != object->as.pairs) {
		merged = merged->next;
	}
	bool inherited = merged != NULL && merged->inherited[i];
	r->quiet += inherited ? 1 : 0;
	return inherited;
}

void obi_reading_speak(struct obi_reading *r, bool hushed)
{
	r->quiet -= hushed ? 1 : 0;
}

void obi_read_nothing(struct obi_reading *r, const struct ob_value *value, void *at,
		      const void *more)
{
	(void)r, (void)value, (void)at, (void)more;
}

/* more: the table of the object's keys. */
void obi_read_object(struct obi_reading *r, const struct ob_value *value, void *at,
		     const void *more)
{
	if (value->type != OB_MAP) {
		obi_reading_fault(r, "must be an object");
		return;
	}
	for (uint32_t i = 0; i < value->count; i++) {
		const struct ob_pair *pair = &value->as.pairs[i];
		const struct obi_key *key = find_key(more, key_of(pair));
		size_t was = obi_reading_enter(r, key_of(pair));
		bool hushed = obi_reading_hush(r, value, i);
		if (key->name == NULL) {
			obi_reading_fault(r, "is not a known key");
		} else {
			key->read(r, &pair->value, (char *)at + key->offset, key->more);
		}
		obi_reading_speak(r, hushed);
		obi_reading_leave(r, was);
	}
}

/* ---- Text ---- */

/* A C string with these bytes. */
static const char *copy_text(struct obi_reading *r, struct ob_bytes text)
{
	char *copy = obi_arena_text(r->arena, (const char *)text.data, text.len);
	if (copy == NULL) {
		obi_reading_fault(r, "out of memory");
	}
	return copy;
}

const char *obi_reading_text(struct obi_reading *r, const struct ob_value *value)
{
	struct ob_bytes text;
	if (!ob_get_string(value, &text)) {
		obi_reading_fault(r, "must be a string");
		return NULL;
	}
	if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL) {
		obi_reading_fault(r, "must not contain a NUL character");
		return NULL;
	}
	return copy_text(r, text);
}

void obi_read_text(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	(void)more;
	const char *text = obi_reading_text(r, value);
	if (text != NULL && text[0] == '\0') {
		obi_reading_fault(r, "must not be empty");
	}
	*(const char **)at = text;
}

void obi_read_uri(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	(void)more;
	struct ob_uri uri;
	struct ob_error err = {0};
	const char *text = obi_reading_text(r, value);
	const char *sample = text != NULL ? obi_reading_sample(r, text) : NULL;
	if (sample != NULL && obi_uri_parse(sample, &r->arena->ob, &uri, &err) < 0) {
		obi_reading_fault(r, err.text);
	}
	*(const char **)at = text;
}

void obi_read_plugin_name(struct obi_reading *r, const struct ob_value *value, void *at,
			  const void *more)
{
	(void)more;
	const char *text = obi_reading_text(r, value);
	if (text != NULL && !obi_name_is_plugin(ob_bytes_text(text))) {
		obi_reading_fault(r, "must be the name of a plugin");
	}
	*(const char **)at = text;
}

void obi_read_list(struct obi_reading *r, const struct ob_value *value, void *at, obi_read_fn *read)
{
	if (value->type != OB_ARRAY || value->count == 0) {
		obi_reading_fault(r, "must be a list of strings that is not empty");
		return;
	}
	const char **list = obi_reading_alloc(r, ((size_t)value->count + 1) * sizeof *list);
	for (uint32_t i = 0; list != NULL && i < value->count; i++) {
		char number[16];
		snprintf(number, sizeof number, "%u", i);
		size_t was = obi_reading_enter(r, ob_bytes_text(number));
		read(r, &value->as.items[i], &list[i], NULL);
		obi_reading_leave(r, was);
	}
	*(const char *const **)at = list;
}

static void read_any_text(struct obi_reading *r, const struct ob_value *value, void *at,
			  const void *more)
{
	(void)more;
	*(const char **)at = obi_reading_text(r, value);
}

static void read_argument(struct obi_reading *r, const struct ob_value *value, void *at,
			  const void *more)
{
	const char **text = at;
	read_any_text(r, value, at, more);
	if (*text != NULL && obi_reading_sample(r, *text) == NULL) {
		*text = NULL; /* the fault was reported */
	}
}

static bool is_program(const char *text)
{
	return text[0] == '/' || (text[0] != '\0' && strchr(text, '/') == NULL);
}

void obi_read_command(struct obi_reading *r, const struct ob_value *value, void *at,
		      const void *more)
{
	(void)more;
	obi_read_list(r, value, at, read_argument);
	const char *const *argv = *(const char *const **)at;
	if (argv != NULL && argv[0] != NULL && !is_program(obi_reading_sample(r, argv[0]))) {
		obi_reading_fault(r,
				  "must begin with an absolute path, or a name to look up in PATH");
	}
}

void obi_read_command_or_null(struct obi_reading *r, const struct ob_value *value, void *at,
			      const void *more)
{
	if (!ob_is_nil(value)) {
		obi_read_command(r, value, at, more);
	}
}

void obi_read_texts(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	(void)more;
	obi_read_list(r, value, at, read_any_text);
}

void obi_read_paths(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	(void)more;
	obi_read_list(r, value, at, obi_read_path);
}

/* One plugin, or a list of them. */
static void read_plugins(struct obi_reading *r, const struct ob_value *value, void *at,
			 obi_read_fn *read)
{
	const struct ob_value one = ob_array(value, 1);
	bool alone = value->type == OB_STRING || value->type == OB_MAP;
	obi_read_list(r, alone ? &one : value, at, read);
}

void obi_read_auth(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	(void)more;
	read_plugins(r, value, at, obi_read_plugin);
}

void obi_read_client_auth(struct obi_reading *r, const struct ob_value *value, void *at,
			  const void *more)
{
	(void)more;
	read_plugins(r, value, at, obi_read_client_plugin);
}

static bool is_variable(const struct ob_value *name)
{
	return name->count > 0 && memchr(name->as.string, '=', name->count) == NULL &&
	       memchr(name->as.string, '\0', name->count) == NULL;
}

static const char *environment(void *user, const char *name)
{
	(void)user;
	return getenv(name);
}

/* Append the value with what it refers to. */
static bool put_value(struct obi_reading *r, struct ob_bytes value, struct ob_sink *out)
{
	struct ob_error err = {0};
	size_t before = out->len;
	int why = obi_expand(value, environment, NULL, out, &err);
	if (why == OB_ENOENT && r->setup->other_environment) {
		out->len = before;
		why = value.len == 0 || ob_sink_put(out, value.data, value.len)
			  ? OB_OK
			  : obi_fail(&err, OB_ETOOBIG, 0, "is too long");
	}
	if (why < 0) {
		obi_reading_fault(r, err.text);
	}
	return why == OB_OK;
}

static bool put_name(const char *name, size_t len, struct ob_sink *out)
{
	for (size_t i = 0; i < len; i++) {
		ob_sink_text(out, name[i] == '$' ? "$" : "");
		ob_sink_byte(out, (uint8_t)name[i]);
	}
	return !out->failed;
}

/* One pair as "NAME=value", a text with placeholders: a dollar in the name is none. */
static const char *variable(struct obi_reading *r, const struct ob_pair *pair)
{
	struct ob_bytes value;
	struct obi_buf text;
	const char *copy = NULL;
	if (!is_variable(&pair->key)) {
		obi_reading_fault(r, "is not a valid name of a variable");
		return NULL;
	}
	if (!ob_get_string(&pair->value, &value) ||
	    (value.len > 0 && memchr(value.data, '\0', value.len) != NULL)) {
		obi_reading_fault(r, "must be a string without NUL characters");
		return NULL;
	}
	obi_buf_init(&text, VARIABLE_MAX);
	if (!put_name(pair->key.as.string, pair->key.count, obi_buf_sink(&text)) ||
	    !ob_sink_byte(obi_buf_sink(&text), '=')) {
		obi_reading_fault(r, "is too long");
	} else if (put_value(r, value, obi_buf_sink(&text))) {
		copy = copy_text(r, obi_buf_bytes(&text));
	}
	if (copy != NULL) {
		obi_reading_note(r, copy);
	}
	obi_buf_free(&text);
	return copy;
}

void obi_read_env(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	(void)more;
	if (value->type != OB_MAP) {
		obi_reading_fault(r, "must be an object of strings");
		return;
	}
	const char **list = obi_reading_alloc(r, ((size_t)value->count + 1) * sizeof *list);
	for (uint32_t i = 0; list != NULL && i < value->count; i++) {
		size_t was = obi_reading_enter(r, key_of(&value->as.pairs[i]));
		bool hushed = obi_reading_hush(r, value, i);
		list[i] = variable(r, &value->as.pairs[i]);
		obi_reading_speak(r, hushed);
		obi_reading_leave(r, was);
	}
	*(const char *const **)at = list;
}

/* ---- Numbers and words ---- */

void obi_read_bool(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	(void)more;
	if (!ob_get_bool(value, at)) {
		obi_reading_fault(r, "must be true or false");
	}
}

void obi_read_wait(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	(void)more;
	struct ob_error err = {0};
	struct ob_bytes text;
	int64_t ms = 0;
	if (!ob_get_string(value, &text)) {
		obi_reading_fault(r, "must be a duration in quotes, such as \"1m30s\"");
	} else if (obi_duration_parse(text, &ms, &err) < 0) {
		obi_reading_fault(r, err.text);
	}
	*(int64_t *)at = ms;
}

/* "0s" means none, which is -1 in the options; there 0 is the default. */
void obi_read_duration(struct obi_reading *r, const struct ob_value *value, void *at,
		       const void *more)
{
	int64_t ms = 0;
	obi_read_wait(r, value, &ms, more);
	*(int64_t *)at = ms == 0 ? -1 : ms;
}

void obi_read_u64(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	(void)more;
	if (!ob_get_uint(value, at)) {
		obi_reading_fault(r, "must be an integer, not below 0");
	}
}

void obi_read_u32(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	uint64_t number = 0;
	const struct obi_range *range = more;
	if (!ob_get_uint(value, &number) || number < range->least || number > range->most) {
		char reason[64];
		snprintf(reason, sizeof reason, "must be an integer from %u to %u", range->least,
			 range->most);
		obi_reading_fault(r, reason);
		return;
	}
	*(uint32_t *)at = (uint32_t)number;
}

void obi_read_max_restarts(struct obi_reading *r, const struct ob_value *value, void *at,
			   const void *more)
{
	(void)more;
	int64_t number = 0;
	if (!ob_get_int(value, &number) || number < -1 || number > INT32_MAX) {
		obi_reading_fault(r, "must be an integer, not below -1");
		return;
	}
	*(int32_t *)at = (int32_t)number;
}

void obi_read_jitter(struct obi_reading *r, const struct ob_value *value, void *at,
		     const void *more)
{
	(void)more;
	double number = 0;
	if (!ob_get_double(value, &number) || !(number >= 0 && number <= 1)) {
		obi_reading_fault(r, "must be a number from 0 to 1");
		return;
	}
	*(double *)at = number;
}

/* more: words ended by NULL; the result is the index of one. */
void obi_read_word(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	const char *const *words = more;
	struct ob_bytes text = {NULL, 0};
	char reason[96] = "must be";
	ob_get_string(value, &text);
	for (uint32_t i = 0; words[i] != NULL; i++) {
		if (value->type == OB_STRING && ob_bytes_is(text, words[i])) {
			*(uint32_t *)at = i;
			return;
		}
		size_t len = strlen(reason);
		snprintf(reason + len, sizeof reason - len, "%s \"%s\"", i > 0 ? " or" : "",
			 words[i]);
	}
	obi_reading_fault(r, reason);
}

void obi_read_signal(struct obi_reading *r, const struct ob_value *value, void *at,
		     const void *more)
{
	(void)more;
	struct ob_bytes text;
	int number = ob_get_string(value, &text) ? obi_signal_number(text) : -1;
	if (number < 0) {
		obi_reading_fault(r, "must be a signal, such as \"SIGTERM\"");
		return;
	}
	*(int *)at = number;
}

/* 0 in the options is the default, so "000" is -1. */
void obi_read_umask(struct obi_reading *r, const struct ob_value *value, void *at, const void *more)
{
	(void)more;
	struct ob_bytes text;
	int32_t mask = 0;
	bool good = ob_get_string(value, &text) && text.len >= 1 && text.len <= 4;
	for (size_t i = 0; good && i < text.len; i++) {
		good = text.data[i] >= '0' && text.data[i] <= '7';
		mask = mask * 8 + (text.data[i] - '0');
	}
	if (!good || mask > 0777) {
		obi_reading_fault(r, "must be octal digits in quotes, such as \"022\"");
		return;
	}
	*(int32_t *)at = mask == 0 ? -1 : mask;
}

static bool read_limit_number(const struct ob_value *value, uint64_t *ret)
{
	struct ob_bytes text;
	if (ob_get_string(value, &text) && ob_bytes_is(text, "unlimited")) {
		*ret = UINT64_MAX;
		return true;
	}
	return ob_get_uint(value, ret);
}

/* A number for both, or [soft, hard]; either may be "unlimited". */
static void read_limit(struct obi_reading *r, const struct ob_pair *pair, struct ob_rlimit *limit)
{
	bool two = pair->value.type == OB_ARRAY && pair->value.count == 2;
	const struct ob_value *soft = two ? &pair->value.as.items[0] : &pair->value;
	const struct ob_value *hard = two ? &pair->value.as.items[1] : &pair->value;
	limit->name = obi_reading_text(r, &pair->key);
	if (obi_rlimit_number(key_of(pair)) < 0) {
		obi_reading_fault(r, "is not a known limit");
	} else if (!read_limit_number(soft, &limit->soft) ||
		   !read_limit_number(hard, &limit->hard)) {
		obi_reading_fault(
		    r, "must be a number, \"unlimited\", or a list [soft, hard] of these");
	} else if (limit->soft > limit->hard) {
		obi_reading_fault(r, "the soft limit must not be above the hard one");
	}
}

void obi_read_limits(struct obi_reading *r, const struct ob_value *value, void *at,
		     const void *more)
{
	(void)more;
	if (value->type != OB_MAP) {
		obi_reading_fault(r, "must be an object");
		return;
	}
	struct ob_rlimit *limits =
	    obi_reading_alloc(r, ((size_t)value->count + 1) * sizeof *limits);
	for (uint32_t i = 0; limits != NULL && i < value->count; i++) {
		size_t was = obi_reading_enter(r, key_of(&value->as.pairs[i]));
		bool hushed = obi_reading_hush(r, value, i);
		read_limit(r, &value->as.pairs[i], &limits[i]);
		obi_reading_speak(r, hushed);
		obi_reading_leave(r, was);
	}
	*(const struct ob_rlimit **)at = limits;
}
