/* SPDX-License-Identifier: MIT */
#include "files/statefile.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "json/json.h"
#include "files/file.h"

#include <string.h>
#include <unistd.h>

enum { STATE_MAX = 64 * 1024, VALUES_MAX = 1024 };

/* The last ms of the year 9999. Sums and differences of two times do not overflow. */
#define TIME_MAX INT64_C(253402300799999)

enum field_kind {
	TEXT,
	MESSAGE,
	RUN,
	U32,
	PID,
	U64,
	TIME,
	BOOL,
	STATE,
	DESIRED,
	EXIT,
	ARGV,
	LEFTOVER
};

/* A key and the place of its value. The restart counters are in an inner struct, but the file is
 * flat. */
static const struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
	size_t
	    cap; /* of a TEXT, which must fit, or a MESSAGE, which is for people and may be cut */
} fields[] = {
#define AT(member)    offsetof(struct obi_statefile, member)
#define ROOM(member)  sizeof(((struct obi_statefile *)0)->member)
#define CHARS(member) TEXT, AT(member), ROOM(member)
    {"state", STATE, AT(state), 0},
    {"desired", DESIRED, AT(desired), 0},
    {"record", CHARS(record)},
    {"instance", CHARS(instance)},
    {"token", CHARS(token)},
    {"listen", CHARS(listen)},
    {"codec", CHARS(codec)},
    {"auth", CHARS(auth)},
    {"transport", CHARS(transport)},
    {"allow_plaintext", BOOL, AT(allow_plaintext), 0},
    {"port", U32, AT(numbers.port), 0},
    {"cid", U32, AT(numbers.cid), 0},
    {"message_max", U32, AT(message_max), 0},
    {"uid", U32, AT(local.uid), 0},
    {"gid", U32, AT(local.gid), 0},
    {"lock", CHARS(local.lock.text)},
    {"cgroup", CHARS(local.cgroup.path)},
    {"cgroup_inode", U64, AT(local.cgroup.inode), 0},
    {"cleanup", ARGV, AT(local.cleanup.argv), ROOM(local.cleanup.argv)},
    {"cleanup_timeout_ms", TIME, AT(local.cleanup.timeout_ms), 0},
    {"cleanup_pending", BOOL, AT(local.cleanup.pending), 0},
    {"cleanup_record", CHARS(local.cleanup.record)},
    {"leftover", LEFTOVER, AT(local.leftover), 0},
    {"made_device", U64, AT(local.made.device), 0},
    {"made_inode", U64, AT(local.made.inode), 0},
    {"restart_count", U32, AT(restart.count), 0},
    {"restart_last_ms", TIME, AT(restart.last_ms), 0},
    {"restart_total", U64, AT(restart.total), 0},
    {"restart_versions", U32, AT(restart.versions), 0},
    {"restart_boot", CHARS(restart_boot)},
    {"config_hash", CHARS(config_hash)},
    {"started_ms", TIME, AT(started_ms), 0},
    {"started_boot_ms", TIME, AT(started_boot_ms), 0},
    {"adopted", BOOL, AT(adopted), 0},
    {"was_ready", BOOL, AT(was_ready), 0},
    {"version", U64, AT(version), 0},
    {"run", RUN, AT(run.id), 0},
    {"run_pid", PID, AT(run.pid), 0},
    {"run_uptime_ms", TIME, AT(run.uptime_ms), 0},
    {"address", CHARS(address)},
    {"accept", CHARS(accept)},
    {"client_address", CHARS(client_address)},
    {"agent", CHARS(agent)},
    {"last_exit", EXIT, AT(last_exit), 0},
    {"last_error", MESSAGE, AT(last_error), ROOM(last_error)},
#undef AT
#undef ROOM
#undef CHARS
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static const char *const exit_kinds[] = {"unknown", "code", "signal"};
static const char *const leftovers[] = {"kill", "wait", "fail"};

/* ---- Arguments ---- */

int obi_cleanup_state_set(struct obi_cleanup_state *state, const char *const *argv,
			  struct ob_error *reterr)
{
	size_t len = 0;
	*state = (struct obi_cleanup_state){.timeout_ms = state->timeout_ms};
	for (int i = 0; argv != NULL && argv[i] != NULL; i++) {
		size_t size = strlen(argv[i]) + 1;
		if (size == 1 || i >= OBI_CLEANUP_ARGS_MAX || size >= sizeof state->argv - len) {
			return obi_fail(reterr, OB_EINVAL, 0,
					"cleanup: an argument is empty, or the command is longer "
					"than %d arguments or %zu bytes",
					OBI_CLEANUP_ARGS_MAX, sizeof state->argv - 2);
		}
		memcpy(state->argv + len, argv[i], size);
		len += size;
	}
	return OB_OK;
}

void obi_cleanup_argv(const struct obi_cleanup_state *state,
		      const char *argv[OBI_CLEANUP_ARGS_MAX + 1])
{
	const char *at = state->argv;
	int count = 0;
	for (; *at != '\0' && count < OBI_CLEANUP_ARGS_MAX; at += strlen(at) + 1) {
		argv[count++] = at;
	}
	argv[count] = NULL;
}

/* ---- Writing ---- */

static void put_text(struct ob_sink *out, const char *text)
{
	obi_json_quote(ob_bytes_text(text), out); /* a path or a message may be invalid UTF-8 */
}

static void put_exit(struct ob_sink *out, const struct obi_exit *end)
{
	struct ob_value value = ob_int(end->value);
	ob_sink_text(out, "{\"kind\":");
	put_text(out, exit_kinds[end->kind]);
	ob_sink_text(out, ",\"value\":");
	obi_json_write(&value, out, NULL);
	ob_sink_byte(out, '}');
}

static void put_argv(struct ob_sink *out, const char *at)
{
	ob_sink_byte(out, '[');
	for (bool more = false; *at != '\0'; at += strlen(at) + 1, more = true) {
		ob_sink_text(out, more ? "," : "");
		put_text(out, at);
	}
	ob_sink_byte(out, ']');
}

static struct ob_value number_at(enum field_kind kind, const void *at)
{
	switch (kind) {
	case U32:
		return ob_uint(*(const uint32_t *)at);
	case PID:
		return ob_int(*(const int32_t *)at);
	case U64:
		return ob_uint(*(const uint64_t *)at);
	case TIME:
		return ob_int(*(const int64_t *)at);
	case BOOL:
		return ob_bool(*(const bool *)at);
	default:
		return ob_nil();
	}
}

static void put_field(struct ob_sink *out, const struct field *field, const void *at)
{
	struct ob_value value = number_at(field->kind, at);
	switch (field->kind) {
	case TEXT:
	case MESSAGE:
	case RUN:
		put_text(out, at);
		break;
	case STATE:
		put_text(out, ob_state_name(*(const uint32_t *)at));
		break;
	case DESIRED:
		put_text(out, *(const enum obi_desired *)at == OBI_DESIRED_RUNNING ? "running"
										   : "stopped");
		break;
	case EXIT:
		put_exit(out, at);
		break;
	case ARGV:
		put_argv(out, at);
		break;
	case LEFTOVER:
		put_text(out, leftovers[*(const uint32_t *)at]);
		break;
	default:
		obi_json_write(&value, out, NULL);
		break;
	}
}

int obi_statefile_format(const struct obi_statefile *state, struct ob_sink *out,
			 struct ob_error *reterr)
{
	for (size_t i = 0; i < FIELDS; i++) {
		ob_sink_text(out, i == 0 ? "{\"" : ",\"");
		ob_sink_text(out, fields[i].key);
		ob_sink_text(out, "\":");
		put_field(out, &fields[i], (const char *)state + fields[i].offset);
	}
	ob_sink_byte(out, '}');
	return out->failed ? obi_fail(reterr, OB_ENOMEM, 0, "out of memory") : OB_OK;
}

/* ---- Reading ---- */

/* Copy the whole text. False: it does not fit, or contains a NUL. */
static bool copy_text(struct ob_bytes text, char *to, size_t cap)
{
	if (text.len >= cap || (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)) {
		return false;
	}
	if (text.len > 0) {
		memcpy(to, text.data, text.len);
	}
	to[text.len] = '\0';
	return true;
}

bool obi_run_id_read(struct ob_bytes text, char ret[OBI_RUN_SIZE])
{
	if (text.len != OBI_RUN_SIZE - 1) {
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.data[i];
		if ((c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F')) {
			return false;
		}
	}
	return copy_text(text, ret, OBI_RUN_SIZE);
}

static bool read_state(struct ob_bytes text, uint32_t *ret)
{
	for (uint32_t i = OB_STATE_IDLE; i <= OB_STATE_RECONNECTING; i++) {
		if (ob_bytes_is(text, ob_state_name(i))) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static bool read_desired(struct ob_bytes text, enum obi_desired *ret)
{
	*ret = ob_bytes_is(text, "running") ? OBI_DESIRED_RUNNING : OBI_DESIRED_STOPPED;
	return *ret == OBI_DESIRED_RUNNING || ob_bytes_is(text, "stopped");
}

static bool read_exit(const struct ob_value *value, struct obi_exit *ret)
{
	struct ob_bytes kind;
	int64_t number;
	if (!ob_get_string(ob_value_find(value, "kind"), &kind) ||
	    !ob_get_int(ob_value_find(value, "value"), &number) || number < 0 || number > 255) {
		return false;
	}
	for (int i = OB_EXIT_UNKNOWN; i <= OB_EXIT_SIGNAL; i++) {
		if (ob_bytes_is(kind, exit_kinds[i])) {
			*ret = (struct obi_exit){(enum ob_exit_kind)i, (int)number};
			return true;
		}
	}
	return false;
}

static bool read_argv(const struct ob_value *value, char *to, size_t cap)
{
	struct ob_bytes text;
	size_t len = 0;
	for (uint32_t i = 0; value->type == OB_ARRAY && i < value->count; i++) {
		/* Two NULs must fit behind it. */
		if (!ob_get_string(&value->as.items[i], &text) || text.len == 0 ||
		    i >= OBI_CLEANUP_ARGS_MAX || len + text.len + 2 > cap ||
		    !copy_text(text, to + len, cap - len)) {
			return false;
		}
		len += text.len + 1;
	}
	to[len] = '\0';
	return value->type == OB_ARRAY;
}

static bool read_leftover(struct ob_bytes text, uint32_t *ret)
{
	for (uint32_t i = OB_LEFTOVER_KILL; i <= OB_LEFTOVER_FAIL; i++) {
		if (ob_bytes_is(text, leftovers[i])) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static bool read_u32(const struct ob_value *value, uint32_t *ret)
{
	uint64_t number;
	if (!ob_get_uint(value, &number) || number > UINT32_MAX) {
		return false;
	}
	*ret = (uint32_t)number;
	return true;
}

static bool read_pid(const struct ob_value *value, int32_t *ret)
{
	int64_t number;
	if (!ob_get_int(value, &number) || number < 0 || number > INT32_MAX) {
		return false;
	}
	*ret = (int32_t)number;
	return true;
}

static bool read_time(const struct ob_value *value, int64_t *ret)
{
	int64_t number;
	if (!ob_get_int(value, &number) || number < 0 || number > TIME_MAX) {
		return false;
	}
	*ret = number;
	return true;
}

static bool read_text(struct ob_bytes text, const struct field *field, void *at)
{
	switch (field->kind) {
	case STATE:
		return read_state(text, at);
	case DESIRED:
		return read_desired(text, at);
	case LEFTOVER:
		return read_leftover(text, at);
	case RUN:
		return text.len == 0 ? copy_text(text, at, OBI_RUN_SIZE)
				     : obi_run_id_read(text, at);
	case MESSAGE:
		text.len = text.len < field->cap ? text.len : field->cap - 1;
		return copy_text(text, at, field->cap);
	default:
		return copy_text(text, at, field->cap);
	}
}

static bool read_field(const struct ob_value *value, const struct field *field, void *at)
{
	struct ob_bytes text;
	switch (field->kind) {
	case U32:
		return read_u32(value, at);
	case PID:
		return read_pid(value, at);
	case U64:
		return ob_get_uint(value, at);
	case TIME:
		return read_time(value, at);
	case BOOL:
		return ob_get_bool(value, at);
	case EXIT:
		return read_exit(value, at);
	case ARGV:
		return read_argv(value, at, field->cap);
	default:
		return ob_get_string(value, &text) && read_text(text, field, at);
	}
}

static int read_fields(const struct ob_value *tree, struct obi_statefile *state,
		       struct ob_error *reterr)
{
	if (tree->type != OB_MAP) {
		return obi_fail(reterr, OB_EINVAL, 0, "not a JSON object");
	}
	for (size_t i = 0; i < FIELDS; i++) {
		const struct ob_value *value = ob_value_find(tree, fields[i].key);
		if (value != NULL &&
		    !read_field(value, &fields[i], (char *)state + fields[i].offset)) {
			return obi_fail(reterr, OB_EINVAL, 0, "%s: wrong type or out of range",
					fields[i].key);
		}
	}
	return OB_OK;
}

int obi_statefile_parse(struct ob_bytes text, struct obi_statefile *ret, struct ob_error *reterr)
{
	const struct obi_json_limits limits = {.depth = 4, .values = VALUES_MAX};
	struct obi_statefile state = {0};
	struct ob_error err = {0};
	struct obi_arena arena;
	struct ob_value tree;
	obi_arena_init(&arena, 64 * (size_t)STATE_MAX);
	int r = text.len <= STATE_MAX ? obi_json_parse(text, &arena.ob, &limits, &tree, &err)
				      : obi_fail(&err, OB_ETOOBIG, 0, "larger than 64 KiB");
	if (r == OB_OK) {
		r = read_fields(&tree, &state, &err);
	}
	obi_arena_free(&arena);
	struct obi_cleanup_state *cleanup = &state.local.cleanup;
	cleanup->pending = cleanup->pending && cleanup->argv[0] != '\0';
	if (r < 0) {
		return obi_fail(reterr, r == OB_ENOMEM ? r : OB_EINVAL, 0,
				"parsing " OBI_FILE_STATE ": %s", err.text);
	}
	*ret = state;
	return OB_OK;
}

struct obi_procid obi_statefile_procid(const struct obi_statefile *state)
{
	struct obi_procid id = {0};
	(void)obi_procid_parse(state->record, &id);
	return id;
}

/* ---- The file ---- */

/* Times of CLOCK_BOOTTIME of another boot cannot be compared. */
static void forget_other_boots(struct obi_statefile *state)
{
	char boot[OBI_BOOT_ID_SIZE];
	if (obi_boot_id(boot, NULL) < 0 || strcmp(boot, state->restart_boot) != 0) {
		obi_restart_state_clear(&state->restart);
	}
}

int obi_statefile_read(const struct obi_statedir *dir, struct obi_statefile *ret,
		       struct ob_error *reterr)
{
	struct ob_error err = {0};
	struct obi_buf text;
	obi_buf_init(&text, STATE_MAX);
	/* The file must be the parent's own: a child of another user must not write it. */
	int r = obi_file_read(dir->fd, OBI_FILE_STATE, geteuid(), obi_buf_sink(&text), &err);
	if (r < 0) {
		obi_wrap(&err, "reading state");
	} else {
		r = obi_statefile_parse(obi_buf_bytes(&text), ret, &err);
	}
	obi_buf_free(&text);
	if (r == OB_OK) {
		forget_other_boots(ret);
	} else if (reterr != NULL) {
		*reterr = err;
	}
	return r;
}

int obi_statefile_find(const struct obi_statedir *dir, struct obi_statefile *ret, bool *ret_has,
		       struct ob_error *reterr)
{
	int r = obi_statefile_read(dir, ret, reterr);
	*ret_has = r == OB_OK;
	return r == OB_ENOMEM || r == OB_EIO ? r : OB_OK;
}

void obi_statefile_note_boot(struct obi_statefile *state)
{
	if (obi_boot_id(state->restart_boot, NULL) < 0) {
		state->restart_boot[0] = '\0';
	}
}

int obi_statefile_write(const struct obi_statedir *dir, const struct obi_statefile *state,
			struct ob_error *reterr)
{
	struct ob_error err = {0};
	struct obi_buf text;
	obi_buf_init(&text, STATE_MAX);
	int r = obi_statefile_format(state, obi_buf_sink(&text), &err);
	if (r == OB_OK) {
		r = obi_file_replace(dir->fd, OBI_FILE_STATE, "state", obi_buf_bytes(&text), 0,
				     (uid_t)-1, (gid_t)-1, &err);
	}
	obi_buf_free(&text);
	if (r < 0) {
		obi_wrap(&err, "writing state");
		if (reterr != NULL) {
			*reterr = err;
		}
	}
	return r;
}
