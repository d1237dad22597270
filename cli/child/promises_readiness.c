/* SPDX-License-Identifier: MIT */
/* PROTOCOL.md: What a child finds when it starts, outboard.json, Readiness. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/value.h"
#include "cli/child/exam.h"

static enum obi_verdict says_where(struct obi_exam *t)
{
	struct ob_bytes address, listen;
	int64_t pid;
	const struct ob_value *a = ob_value_find(&t->s->after, "rpc_addr");
	const struct ob_value *b = ob_value_find(&t->s->before, "listen");
	const struct ob_value *c = ob_value_find(&t->s->after, "pid");
	if (a == NULL || !ob_get_string(a, &address)) {
		return obi_broken(t, "outboard.json has no text as rpc_addr");
	}
	if (b != NULL && ob_get_string(b, &listen) && !ob_bytes_equal(address, listen)) {
		return obi_broken(t, "rpc_addr is %.*s, not the configured %.*s",
				  (int)(address.len < 100 ? address.len : 100),
				  (const char *)address.data, (int)listen.len,
				  (const char *)listen.data);
	}
	if (c == NULL || !ob_get_int(c, &pid) || pid < 1) {
		return obi_broken(t, "outboard.json has no positive integer as pid");
	}
	return OBI_VERDICT_PASS;
}

/* Equal, in any order of keys. */
static bool same(const struct ob_value *a, const struct ob_value *b)
{
	char key[64];
	if (a->type != OB_MAP || b->type != OB_MAP) {
		return obi_value_equal(a, b);
	}
	for (uint32_t i = 0; i < a->count; i++) {
		snprintf(key, sizeof key, "%.*s", (int)a->as.pairs[i].key.count,
			 a->as.pairs[i].key.as.string);
		const struct ob_value *other = ob_value_find(b, key);
		if (other == NULL || !obi_value_equal(&a->as.pairs[i].value, other)) {
			return false;
		}
	}
	return a->count == b->count;
}

static enum obi_verdict keeps_keys(struct obi_exam *t)
{
	static const char *const own[] = {"pid", "rpc_addr", "ready", "message_max"};
	const struct ob_value *before = &t->s->before;
	for (uint32_t i = 0; i < before->count; i++) {
		char key[64];
		bool changes = false;
		snprintf(key, sizeof key, "%.*s", (int)before->as.pairs[i].key.count,
			 before->as.pairs[i].key.as.string);
		for (size_t k = 0; k < sizeof own / sizeof own[0]; k++) {
			changes |= strcmp(key, own[k]) == 0;
		}
		const struct ob_value *after = ob_value_find(&t->s->after, key);
		if (!changes && (after == NULL || !same(&before->as.pairs[i].value, after))) {
			return obi_broken(t, "the key \"%s\" %s", key,
					  after == NULL ? "is gone" : "has another value");
		}
	}
	return OBI_VERDICT_PASS;
}

static enum obi_verdict replaces_whole(struct obi_exam *t)
{
	if (t->s->readiness.in_place) {
		return obi_broken(t, "it was written into, so a reader can see half of it");
	}
	return t->s->readiness.strays == 0
		   ? OBI_VERDICT_PASS
		   : obi_broken(t, "outboard-config-*.tmp was left beside it");
}

static enum obi_verdict keeps_private(struct obi_exam *t)
{
	const struct obi_readiness *r = &t->s->readiness;
	if (!S_ISREG(r->mode)) {
		return obi_broken(t, "it is no regular file");
	}
	if (r->owner != geteuid()) {
		return obi_broken(t, "it belongs to user %u", r->owner);
	}
	return (r->mode & 07777) == 0600
		   ? OBI_VERDICT_PASS
		   : obi_broken(t, "its mode is %04o, not 0600", r->mode & 07777);
}

static enum obi_verdict socket_private(struct obi_exam *t)
{
	char path[OBI_SUBJECT_PATH_MAX + 16];
	struct stat st;
	obi_subject_socket(t->s, path, sizeof path);
	if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		return obi_broken(t, "there is no socket where it is to listen");
	}
	return (st.st_mode & 0777) == 0600
		   ? OBI_VERDICT_PASS
		   : obi_broken(t, "its mode is %04o, not 0600", st.st_mode & 0777);
}

/* A flag of an open descriptor, by the kernel. -1: it cannot be read. */
static int descriptor_flag(const struct obi_subject *s, int fd, unsigned int flag)
{
	char path[64], line[128];
	unsigned int flags;
	int found = -1;
	snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", s->pid, fd);
	FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "flags: %o", &flags) == 1) {
			found = (flags & flag) != 0;
		}
	}
	if (file != NULL) {
		fclose(file);
	}
	return found;
}

static enum obi_verdict keeps_lock(struct obi_exam *t)
{
	char path[64], target[4096];
	snprintf(path, sizeof path, "/proc/%d/fd/3", t->s->pid);
	int inherited = descriptor_flag(t->s, 3, 02000000) == 0;
	ssize_t n = readlink(path, target, sizeof target - 1);
	target[n > 0 ? n : 0] = '\0';
	if (n < 0 && errno == EACCES) {
		return obi_skipped(t, "the descriptors of process %d cannot be seen", t->s->pid);
	}
	if (n <= 0 || strstr(target, "/outboard.lock") == NULL) {
		return obi_broken(t, "descriptor 3 of process %d is not the lock any more",
				  t->s->pid);
	}
	return !inherited ? OBI_VERDICT_PASS
			  : obi_broken(t, "close-on-exec is not set on descriptor 3");
}

static enum obi_verdict pipes_blocking(struct obi_exam *t)
{
	for (int fd = 1; fd <= 2; fd++) {
		if (descriptor_flag(t->s, fd, 04000) == 1) {
			return obi_broken(t, "O_NONBLOCK is set on descriptor %d", fd);
		}
	}
	return OBI_VERDICT_PASS;
}

static enum obi_verdict takes_over_socket(struct obi_exam *t)
{
	struct ob_error err = {0};
	obi_subject_end(t->s);
	if (obi_subject_start(t->s, true, &err) < 0) {
		return obi_broken(t, "%.400s", err.text);
	}
	return OBI_VERDICT_PASS;
}

const struct obi_promise obi_promises_readiness[] = {
    {"says where it listens, and its pid", says_where, OBI_NEEDS_OUTBOARD_JSON},
    {"keeps all other keys of outboard.json", keeps_keys, OBI_NEEDS_OUTBOARD_JSON},
    {"replaces outboard.json as a whole", replaces_whole, OBI_NEEDS_OUTBOARD_JSON},
    {"keeps outboard.json private", keeps_private, OBI_NEEDS_OUTBOARD_JSON},
    {"gives its socket mode 0600", socket_private, OBI_NEEDS_START},
    {"keeps descriptor 3, and does not pass it on", keeps_lock, OBI_NEEDS_START},
    {"leaves its pipes blocking", pipes_blocking, OBI_NEEDS_START},
    {"replaces the socket of a dead child", takes_over_socket, OBI_NEEDS_NOTHING},
    {0},
};
