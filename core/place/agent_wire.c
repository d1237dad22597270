/* SPDX-License-Identifier: MIT */
#include "place/agent_wire.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/names.h"
#include "base/text.h"
#include "files/child_config.h"
#include "json/json.h"

/* ---- Single values ---- */

bool obi_agent_text(const struct ob_value *value, char *ret, size_t size)
{
	struct ob_bytes text;
	if (!ob_get_string(value, &text) || text.len >= size ||
	    (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)) {
		return false;
	}
	memcpy(ret, text.len > 0 ? text.data : (const uint8_t *)"", text.len);
	ret[text.len] = '\0';
	return true;
}

bool obi_agent_id(const struct ob_value *value, char ret[OBI_AGENT_ID_SIZE])
{
	struct ob_bytes text;
	if (!ob_get_string(value, &text) || text.len != OBI_AGENT_ID_SIZE - 1) {
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
			return false;
		}
	}
	memcpy(ret, text.data, text.len);
	ret[text.len] = '\0';
	return true;
}

/* ---- Facts ---- */

static const char *const state_names[] = {"absent", "prepared", "running", "lingering",
					  "ended",  "held",	"failed"};
enum { STATES = sizeof state_names / sizeof state_names[0] };

const char *obi_agent_state_name(enum obi_agent_state state)
{
	return (unsigned)state < STATES ? state_names[state] : "unknown";
}

void obi_agent_text_set(char to[OBI_AGENT_TEXT_SIZE], const char *text)
{
	obi_text_show(text != NULL ? text : "", to, OBI_AGENT_TEXT_SIZE);
}

/* A key and its text, unless that is empty. */
static void build_text(struct ob_builder *b, const char *key, const char *text)
{
	if (text[0] != '\0') {
		ob_build_key(b, key);
		ob_build_string(b, text);
	}
}

void obi_agent_exit_build(struct ob_builder *b, const struct obi_agent_exit *end,
			  const char *time_key, int64_t time_ms)
{
	ob_build_map(b);
	ob_build_key(b, "kind");
	ob_build_int(b, end->how.kind);
	ob_build_key(b, "value");
	ob_build_int(b, end->how.value);
	build_text(b, "cause", end->cause);
	ob_build_key(b, time_key);
	ob_build_int(b, time_ms);
	ob_build_end(b);
}

static const struct usage_key {
	const char *key;
	size_t offset;
} usage_keys[] = {
    {"memory", offsetof(struct ob_cgroup_usage, memory)},
    {"memory_peak", offsetof(struct ob_cgroup_usage, memory_peak)},
    {"cpu_us", offsetof(struct ob_cgroup_usage, cpu_us)},
    {"pids", offsetof(struct ob_cgroup_usage, pids)},
    {"oom_kills", offsetof(struct ob_cgroup_usage, oom_kills)},
};
enum { USAGE_KEYS = sizeof usage_keys / sizeof usage_keys[0] };

static int64_t *usage_of(struct ob_cgroup_usage *usage, size_t i)
{
	return (int64_t *)(void *)((char *)usage + usage_keys[i].offset);
}

static void build_usage(struct ob_builder *b, struct ob_cgroup_usage usage)
{
	ob_build_key(b, "usage");
	ob_build_map(b);
	for (size_t i = 0; i < USAGE_KEYS; i++) {
		if (*usage_of(&usage, i) >= 0) {
			ob_build_key(b, usage_keys[i].key);
			ob_build_int(b, *usage_of(&usage, i));
		}
	}
	ob_build_end(b);
}

void obi_agent_facts_build(struct ob_builder *b, const struct obi_agent_facts *facts)
{
	ob_build_map(b);
	ob_build_key(b, "name");
	ob_build_string(b, facts->name);
	build_text(b, "instance", facts->instance);
	ob_build_key(b, "state");
	ob_build_string(b, obi_agent_state_name(facts->state));
	ob_build_key(b, "version");
	ob_build_uint(b, facts->version);
	ob_build_key(b, "pid");
	ob_build_int(b, facts->pid);
	build_text(b, "record", facts->record);
	if (facts->exit.known) {
		ob_build_key(b, "exit");
		obi_agent_exit_build(b, &facts->exit, "ago_ms", facts->exit.ago_ms);
	}
	build_text(b, "remains", facts->remains);
	build_text(b, "error", facts->error);
	ob_build_key(b, "config_version");
	ob_build_uint(b, facts->config_version);
	if (facts->has_usage) {
		build_usage(b, facts->usage);
	}
	ob_build_end(b);
}

static int wrong(struct ob_error *reterr, const char *key)
{
	return obi_fail(reterr, OB_EPROTO, 0, "facts: %s: malformed", key);
}

/* A text that is for people. One that is absent is "". */
static bool read_shown(const struct ob_value *map, const char *key, char ret[OBI_AGENT_TEXT_SIZE])
{
	const struct ob_value *value = ob_value_find(map, key);
	char text[OBI_AGENT_TEXT_SIZE];
	if (ob_is_nil(value)) {
		ret[0] = '\0';
		return true;
	}
	if (!obi_agent_text(value, text, sizeof text)) {
		return false;
	}
	obi_agent_text_set(ret, text);
	return true;
}

/* A text of printable ASCII. One that is absent is "". */
static bool read_plain(const struct ob_value *map, const char *key, char *ret, size_t size)
{
	const struct ob_value *value = ob_value_find(map, key);
	ret[0] = '\0';
	if (!ob_is_nil(value) && !obi_agent_text(value, ret, size)) {
		return false;
	}
	for (const char *at = ret; *at != '\0'; at++) {
		if (*at < 0x20 || *at > 0x7e) {
			return false;
		}
	}
	return true;
}

static bool read_pid(const struct ob_value *value, int32_t *ret)
{
	int64_t number = 0;
	if (!ob_is_nil(value) &&
	    (!ob_get_int(value, &number) || number < 0 || number > INT32_MAX)) {
		return false;
	}
	*ret = (int32_t)number;
	return true;
}

bool obi_agent_exit_read(const struct ob_value *value, const char *time_key,
			 struct obi_agent_exit *ret, int64_t *ret_time_ms)
{
	int64_t kind, number;
	*ret = (struct obi_agent_exit){.known = false};
	if (ob_is_nil(value)) {
		return true;
	}
	if (!ob_get_int(ob_value_find(value, "kind"), &kind) || kind < OB_EXIT_UNKNOWN ||
	    kind > OB_EXIT_SIGNAL || !ob_get_int(ob_value_find(value, "value"), &number) ||
	    number < 0 || number > 255 ||
	    !ob_get_int(ob_value_find(value, time_key), ret_time_ms) || *ret_time_ms < 0 ||
	    !read_shown(value, "cause", ret->cause)) {
		return false;
	}
	ret->how = (struct obi_exit){(enum ob_exit_kind)kind, (int)number};
	ret->known = true;
	return true;
}

static int read_usage(const struct ob_value *map, struct obi_agent_facts *ret,
		      struct ob_error *reterr)
{
	const struct ob_value *usage = ob_value_find(map, "usage");
	ret->usage = OBI_CGROUP_USAGE_NONE;
	if (ob_is_nil(usage)) {
		return OB_OK;
	}
	if (usage->type != OB_MAP) {
		return wrong(reterr, "usage");
	}
	for (size_t i = 0; i < USAGE_KEYS; i++) {
		const struct ob_value *value = ob_value_find(usage, usage_keys[i].key);
		int64_t number = -1;
		if (!ob_is_nil(value) && (!ob_get_int(value, &number) || number < 0)) {
			return wrong(reterr, "usage");
		}
		*usage_of(&ret->usage, i) = number;
	}
	ret->has_usage = true;
	return OB_OK;
}

static bool read_state(const struct ob_value *value, enum obi_agent_state *ret)
{
	struct ob_bytes word = {NULL, 0};
	(void)ob_get_string(value, &word);
	for (int i = 0; i < STATES; i++) {
		if (ob_bytes_is(word, state_names[i])) {
			*ret = (enum obi_agent_state)i;
			return true;
		}
	}
	return false;
}

static const char *read_texts(const struct ob_value *map, struct obi_agent_facts *ret)
{
	const struct ob_value *instance = ob_value_find(map, "instance");
	if (!obi_agent_text(ob_value_find(map, "name"), ret->name, sizeof ret->name) ||
	    !obi_name_is_child(ob_bytes_text(ret->name))) {
		return "name";
	}
	if (!ob_is_nil(instance) && !obi_agent_id(instance, ret->instance)) {
		return "instance";
	}
	if (!read_plain(map, "record", ret->record, sizeof ret->record)) {
		return "record";
	}
	if (!read_shown(map, "remains", ret->remains)) {
		return "remains";
	}
	return read_shown(map, "error", ret->error) ? NULL : "error";
}

static const char *read_numbers(const struct ob_value *map, struct obi_agent_facts *ret)
{
	if (!read_state(ob_value_find(map, "state"), &ret->state)) {
		return "state";
	}
	if (!ob_get_uint(ob_value_find(map, "version"), &ret->version)) {
		return "version";
	}
	if (!read_pid(ob_value_find(map, "pid"), &ret->pid)) {
		return "pid";
	}
	return ob_get_uint(ob_value_find(map, "config_version"), &ret->config_version)
		   ? NULL
		   : "config_version";
}

int obi_agent_facts_read(const struct ob_value *value, struct obi_agent_facts *ret,
			 struct ob_error *reterr)
{
	*ret = (struct obi_agent_facts){0};
	if (value == NULL || value->type != OB_MAP) {
		return obi_fail(reterr, OB_EPROTO, 0, "facts: must be a map");
	}
	const char *bad = read_texts(value, ret);
	bad = bad == NULL ? read_numbers(value, ret) : bad;
	if (bad != NULL) {
		return wrong(reterr, bad);
	}
	int64_t ago_ms = 0;
	if (!obi_agent_exit_read(ob_value_find(value, "exit"), "ago_ms", &ret->exit, &ago_ms)) {
		return wrong(reterr, "exit");
	}
	ret->exit.ago_ms = ago_ms;
	return read_usage(value, ret, reterr);
}

/* ---- outboard.json ---- */

static const char *const given_keys[] = {"token",	  "name",
					 "codec",	  "auth",
					 "instance",	  "rules",
					 "peer_uids",	  "peer_gids",
					 "settings",	  "allow_plaintext",
					 "logs",	  "message_max",
					 "heartbeat_ms",  "plugin_trust",
					 "client_listen", "client_transport",
					 "client_auth",	  NULL};
static const char *const written_keys[] = {"ready",	  "instance",	 "rpc_addr", "pid",
					   "message_max", "client_addr", NULL};

static bool is_of(enum obi_agent_config_keys keys, const struct ob_value *name)
{
	const char *const *list = keys == OBI_AGENT_CONFIG_GIVEN ? given_keys : written_keys;
	while (*list != NULL && !ob_bytes_is(ob_bytes_of(name->as.string, name->count), *list)) {
		list++;
	}
	return *list != NULL;
}

/* Whether the value says something: outboard.json has some keys always. */
static bool is_set(const struct ob_value *value)
{
	return !ob_is_nil(value) && (value->type != OB_STRING || value->count > 0);
}

/* The pairs of map that are of these keys. */
static void build_chosen(struct ob_builder *b, enum obi_agent_config_keys keys,
			 const struct ob_value *map)
{
	ob_build_map(b);
	for (uint32_t i = 0; i < map->count; i++) {
		const struct ob_pair *pair = &map->as.pairs[i];
		if (is_of(keys, &pair->key) && is_set(&pair->value)) {
			ob_build_value(b, pair->key);
			ob_build_value(b, pair->value);
		}
	}
	ob_build_end(b);
}

int obi_agent_config_build(struct ob_builder *b, struct obi_arena *arena,
			   enum obi_agent_config_keys keys, const struct ob_config *config,
			   struct ob_error *reterr)
{
	struct ob_value map = ob_nil();
	struct obi_buf text;
	obi_buf_init(&text, OBI_CHILD_CONFIG_MAX);
	int r = obi_child_config_format(config, obi_buf_sink(&text), reterr);
	/* The tree borrows from the text, which must live as long. */
	size_t len = obi_buf_len(&text);
	char *copy =
	    r == OB_OK ? obi_arena_text(arena, (const char *)obi_buf_bytes(&text).data, len) : NULL;
	if (r == OB_OK && copy == NULL) {
		r = obi_fail(reterr, OB_ENOMEM, 0, "config: out of memory");
	}
	r = r == OB_OK ? obi_json_parse(ob_bytes_of(copy, len), &arena->ob, NULL, &map, reterr) : r;
	obi_buf_free(&text);
	if (r == OB_OK) {
		build_chosen(b, keys, &map);
	}
	return r;
}

int obi_agent_config_read(const struct ob_value *value, enum obi_agent_config_keys keys,
			  struct ob_config *ret, struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_builder b;
	struct obi_buf text;
	struct ob_value chosen = ob_nil();
	if (value == NULL || value->type != OB_MAP) {
		return obi_fail(reterr, OB_EINVAL, 0, "config: must be a map");
	}
	obi_arena_init(&arena, (size_t)OBI_CHILD_CONFIG_MAX);
	obi_buf_init(&text, OBI_CHILD_CONFIG_MAX);
	ob_builder_init(&b, &arena.ob);
	build_chosen(&b, keys, value);
	int r = ob_builder_finish(&b, &chosen);
	if (r < 0) {
		obi_fail(reterr, r, 0, "config: out of memory");
	}
	r = r == OB_OK ? obi_json_write(&chosen, obi_buf_sink(&text), reterr) : r;
	r = r == OB_OK ? obi_child_config_parse(obi_buf_bytes(&text), ret, reterr) : r;
	obi_buf_free(&text);
	obi_arena_free(&arena);
	return r;
}

/* ---- Logs ---- */

void obi_agent_chunk_build(struct ob_builder *b, const struct obi_agent_chunk *chunk)
{
	ob_build_array(b);
	ob_build_int(b, chunk->stream);
	ob_build_uint(b, chunk->lost);
	ob_build_binary(b, chunk->bytes.data, chunk->bytes.len);
	ob_build_end(b);
}

int obi_agent_chunk_read(const struct ob_value *value, struct obi_agent_chunk *ret,
			 struct ob_error *reterr)
{
	int64_t stream = 0;
	if (value == NULL || value->type != OB_ARRAY ||
	    !ob_get_int(ob_value_at(value, 0), &stream) || stream < 1 || stream > 3 ||
	    !ob_get_uint(ob_value_at(value, 1), &ret->lost) ||
	    !ob_get_binary(ob_value_at(value, 2), &ret->bytes)) {
		return obi_fail(reterr, OB_EPROTO, 0, "logs: a chunk is malformed");
	}
	ret->stream = (int)stream;
	return OB_OK;
}
