/* SPDX-License-Identifier: MIT */
#include "place/agent_options.h"

#include "base/error.h"

enum kind { TEXT, LIST, FLAG, INT32, UINT32, INT64, UINT64, LEFTOVER, RUN_AS, LIMITS, CGROUP };

struct key {
	const char *name;
	enum kind kind;
	size_t offset;
};

#define OPTION(member, kind)                                                 \
	{                                                                    \
#member, kind, offsetof(struct ob_connector_options, member) \
	}
#define LIMIT(member, kind)                                       \
	{                                                         \
#member, kind, offsetof(struct ob_cgroup, member) \
	}
#define ID(member)                                                  \
	{                                                           \
#member, UINT32, offsetof(struct ob_run_as, member) \
	}

static const struct key options_keys[] = {
    OPTION(argv, LIST),
    OPTION(env, LIST),
    OPTION(env_clear, FLAG),
    OPTION(cwd, TEXT),
    OPTION(umask, INT32),
    OPTION(user, TEXT),
    OPTION(group, TEXT),
    OPTION(run_as, RUN_AS),
    OPTION(limits, LIMITS),
    OPTION(stdin_path, TEXT),
    OPTION(cleanup, LIST),
    OPTION(cleanup_timeout_ms, INT64),
    OPTION(stop_timeout_ms, INT64),
    OPTION(leftover, LEFTOVER),
    OPTION(cgroup, CGROUP),
    OPTION(log_pipe_bytes, UINT32),
    OPTION(placeholders, FLAG),
    {NULL, TEXT, 0},
};

static const struct key cgroup_keys[] = {
    LIMIT(parent, TEXT),       LIMIT(memory_max, UINT64), LIMIT(memory_high, UINT64),
    LIMIT(pids_max, UINT64),   LIMIT(cpu_max_us, UINT64), LIMIT(cpu_period_us, UINT64),
    LIMIT(cpu_weight, UINT32), LIMIT(io_weight, UINT32),  LIMIT(oom_group, FLAG),
    {NULL, TEXT, 0},
};

static const struct key run_as_keys[] = {ID(uid), ID(gid), {NULL, TEXT, 0}};

static const char *const leftovers[] = {"kill", "wait", "fail"};

/* ---- Building ---- */

static void build_text(struct ob_builder *b, const char *text)
{
	if (ob_is_utf8(ob_bytes_text(text))) {
		ob_build_string(b, text);
	} else {
		ob_build_binary(b, text, strlen(text));
	}
}

static void build_list(struct ob_builder *b, const char *const *list)
{
	ob_build_array(b);
	for (size_t i = 0; list[i] != NULL; i++) {
		build_text(b, list[i]);
	}
	ob_build_end(b);
}

static void build_limits(struct ob_builder *b, const struct ob_rlimit *limits)
{
	ob_build_array(b);
	for (size_t i = 0; limits[i].name != NULL; i++) {
		ob_build_array(b);
		build_text(b, limits[i].name);
		ob_build_uint(b, limits[i].soft);
		ob_build_uint(b, limits[i].hard);
		ob_build_end(b);
	}
	ob_build_end(b);
}

static void build_map(struct ob_builder *b, const struct key *keys, const void *from);

/* The member that the key names, as it is in memory. */
static const void *member_of(const void *from, const struct key *key)
{
	return (const char *)from + key->offset;
}

/* Whether the member is what a zeroed struct has. */
static bool is_default(const void *member, enum kind kind)
{
	switch (kind) {
	case FLAG:
		return !*(const bool *)member;
	case INT32:
	case UINT32:
	case LEFTOVER:
		return *(const uint32_t *)member == 0;
	case INT64:
	case UINT64:
		return *(const uint64_t *)member == 0;
	default:
		return *(const void *const *)member == NULL;
	}
}

static void build_member(struct ob_builder *b, const void *member, enum kind kind)
{
	switch (kind) {
	case TEXT:
		build_text(b, *(const char *const *)member);
		break;
	case LIST:
		build_list(b, *(const char *const *const *)member);
		break;
	case FLAG:
		ob_build_bool(b, *(const bool *)member);
		break;
	case INT32:
		ob_build_int(b, *(const int32_t *)member);
		break;
	case UINT32:
		ob_build_uint(b, *(const uint32_t *)member);
		break;
	case INT64:
		ob_build_int(b, *(const int64_t *)member);
		break;
	case UINT64:
		ob_build_uint(b, *(const uint64_t *)member);
		break;
	case LEFTOVER:
		ob_build_string(b, leftovers[*(const uint32_t *)member % 3]);
		break;
	case RUN_AS:
		build_map(b, run_as_keys, *(const struct ob_run_as *const *)member);
		break;
	case LIMITS:
		build_limits(b, *(const struct ob_rlimit *const *)member);
		break;
	case CGROUP:
		build_map(b, cgroup_keys, *(const struct ob_cgroup *const *)member);
		break;
	}
}

static void build_map(struct ob_builder *b, const struct key *keys, const void *from)
{
	ob_build_map(b);
	for (const struct key *key = keys; key->name != NULL; key++) {
		const void *member = member_of(from, key);
		if (keys == run_as_keys || !is_default(member, key->kind)) {
			ob_build_key(b, key->name);
			build_member(b, member, key->kind);
		}
	}
	ob_build_end(b);
}

void obi_agent_options_build(struct ob_builder *b, const struct ob_connector_options *options)
{
	build_map(b, options_keys, options);
}

/* ---- Reading ---- */

struct reader {
	struct obi_arena *arena;
	size_t left;	 /* bytes that texts may still take */
	const char *key; /* that is read */
	struct ob_error *reterr;
};

static int wrong(struct reader *r, const char *what)
{
	return obi_fail(r->reterr, OB_EINVAL, 0, "options: %s: %s", r->key, what);
}

static int out_of_memory(struct reader *r)
{
	return obi_fail(r->reterr, OB_ENOMEM, 0, "options: %s: out of memory", r->key);
}

static int read_text(struct reader *r, const struct ob_value *value, const char **ret)
{
	struct ob_bytes text;
	if (!ob_get_binary(value, &text)) {
		return wrong(r, "must be a string");
	}
	if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL) {
		return wrong(r, "must not hold a NUL");
	}
	if (text.len >= r->left) {
		return obi_fail(r->reterr, OB_ETOOBIG, 0, "options: %s: more than %d bytes in all",
				r->key, OBI_AGENT_OPTIONS_MAX);
	}
	r->left -= text.len + 1;
	*ret = obi_arena_text(r->arena, (const char *)text.data, text.len);
	return *ret != NULL ? OB_OK : out_of_memory(r);
}

/* An array of at most max items, as memory for so many and an end of this size. */
static int begin_list(struct reader *r, const struct ob_value *value, uint32_t max, size_t size,
		      void **ret)
{
	if (value->type != OB_ARRAY) {
		return wrong(r, "must be a list");
	}
	if (value->count > max) {
		return obi_fail(r->reterr, OB_ETOOBIG, 0, "options: %s: more than %u items", r->key,
				max);
	}
	*ret = ob_arena_alloc(&r->arena->ob, ((size_t)value->count + 1) * size);
	if (*ret == NULL) {
		return out_of_memory(r);
	}
	memset(*ret, 0, ((size_t)value->count + 1) * size);
	return OB_OK;
}

static int read_list(struct reader *r, const struct ob_value *value, const char *const **ret)
{
	void *list = NULL;
	int result = begin_list(r, value, OBI_AGENT_ITEMS_MAX, sizeof(char *), &list);
	for (uint32_t i = 0; result == OB_OK && i < value->count; i++) {
		result = read_text(r, ob_value_at(value, i), (const char **)list + i);
	}
	*ret = list;
	return result;
}

static int read_limits(struct reader *r, const struct ob_value *value, const struct ob_rlimit **ret)
{
	void *memory = NULL;
	int result = begin_list(r, value, OBI_AGENT_LIMITS_MAX, sizeof(struct ob_rlimit), &memory);
	struct ob_rlimit *limits = memory;
	for (uint32_t i = 0; result == OB_OK && i < value->count; i++) {
		const struct ob_value *item = ob_value_at(value, i);
		if (item->type != OB_ARRAY || item->count != 3 ||
		    !ob_get_uint(ob_value_at(item, 1), &limits[i].soft) ||
		    !ob_get_uint(ob_value_at(item, 2), &limits[i].hard)) {
			return wrong(r, "must be a list of [name, soft, hard]");
		}
		result = read_text(r, ob_value_at(item, 0), &limits[i].name);
	}
	*ret = limits;
	return result;
}

static int read_number(struct reader *r, const struct ob_value *value, enum kind kind, void *member)
{
	uint64_t number = 0;
	int64_t whole = 0;
	if (kind == INT32 || kind == INT64) {
		if (!ob_get_int(value, &whole) || (kind == INT32 && whole != (int32_t)whole)) {
			return wrong(r, "must be an integer in range");
		}
		number = (uint64_t)whole;
	} else if (!ob_get_uint(value, &number) || (kind == UINT32 && number > UINT32_MAX)) {
		return wrong(r, "must be a non-negative integer in range");
	}
	if (kind == INT32) {
		*(int32_t *)member = (int32_t)whole;
	} else if (kind == UINT32) {
		*(uint32_t *)member = (uint32_t)number;
	} else {
		*(uint64_t *)member = number;
	}
	return OB_OK;
}

static int read_leftover(struct reader *r, const struct ob_value *value, uint32_t *ret)
{
	struct ob_bytes word = {NULL, 0};
	(void)ob_get_string(value, &word);
	for (uint32_t i = 0; i < 3; i++) {
		if (ob_bytes_is(word, leftovers[i])) {
			*ret = i;
			return OB_OK;
		}
	}
	return wrong(r, "must be \"kill\", \"wait\" or \"fail\"");
}

static int read_map(struct reader *r, const struct ob_value *value, const struct key *keys,
		    void *to);

/* A struct of its own for the map. */
static int read_struct(struct reader *r, const struct ob_value *value, enum kind kind,
		       const void **ret)
{
	struct ob_cgroup cgroup = {.size = sizeof cgroup};
	struct ob_run_as as = {0};
	bool is_cgroup = kind == CGROUP;
	int result = is_cgroup ? read_map(r, value, cgroup_keys, &cgroup)
			       : read_map(r, value, run_as_keys, &as);
	if (result == OB_OK && !is_cgroup && value->count != 2) {
		return wrong(r, "must have uid and gid");
	}
	if (result == OB_OK) {
		*ret = is_cgroup ? obi_arena_copy(r->arena, &cgroup, sizeof cgroup)
				 : obi_arena_copy(r->arena, &as, sizeof as);
		result = *ret != NULL ? OB_OK : out_of_memory(r);
	}
	return result;
}

static int read_member(struct reader *r, const struct ob_value *value, enum kind kind, void *member)
{
	switch (kind) {
	case TEXT:
		return read_text(r, value, member);
	case LIST:
		return read_list(r, value, member);
	case FLAG:
		return ob_get_bool(value, member) ? OB_OK : wrong(r, "must be true or false");
	case LEFTOVER:
		return read_leftover(r, value, member);
	case LIMITS:
		return read_limits(r, value, member);
	case RUN_AS:
	case CGROUP:
		return read_struct(r, value, kind, member);
	default:
		return read_number(r, value, kind, member);
	}
}

static const struct key *find_key(const struct key *keys, const struct ob_value *name)
{
	const struct key *key = keys;
	while (key->name != NULL &&
	       !ob_bytes_is(ob_bytes_of(name->as.string, name->count), key->name)) {
		key++;
	}
	return key->name != NULL ? key : NULL;
}

/* An unknown name is shown only if it is one that could be a key. */
static int unknown_key(struct reader *r, const struct ob_value *name)
{
	bool plain = name->count > 0 && name->count <= 64;
	for (uint32_t i = 0; plain && i < name->count; i++) {
		char c = name->as.string[i];
		plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
	}
	return obi_fail(r->reterr, OB_EINVAL, 0, "options: %.*s: unknown key",
			plain ? (int)name->count : 1, plain ? name->as.string : "?");
}

static int read_map(struct reader *r, const struct ob_value *value, const struct key *keys,
		    void *to)
{
	if (value->type != OB_MAP) {
		return wrong(r, "must be a map");
	}
	for (uint32_t i = 0; i < value->count; i++) {
		const struct ob_pair *pair = &value->as.pairs[i];
		const struct key *key = find_key(keys, &pair->key);
		if (key == NULL) {
			return unknown_key(r, &pair->key);
		}
		r->key = key->name;
		int result = ob_is_nil(&pair->value) ? OB_OK
						     : read_member(r, &pair->value, key->kind,
								   (char *)to + key->offset);
		if (result < 0) {
			return result;
		}
	}
	return OB_OK;
}

int obi_agent_options_read(const struct ob_value *value, struct obi_arena *arena,
			   struct ob_connector_options *ret, struct ob_error *reterr)
{
	struct reader r = {arena, OBI_AGENT_OPTIONS_MAX, "options", reterr};
	*ret = (struct ob_connector_options){.size = sizeof *ret};
	if (value == NULL || value->type != OB_MAP) {
		return obi_fail(reterr, OB_EINVAL, 0, "options: must be a map");
	}
	int result = read_map(&r, value, options_keys, ret);
	if (result == OB_OK && (ret->argv == NULL || ret->argv[0] == NULL)) {
		return obi_fail(reterr, OB_EINVAL, 0, "options: argv: is required");
	}
	return result;
}
