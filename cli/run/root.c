/* SPDX-License-Identifier: MIT */
#include "cli/run/root.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/value.h"
#include "base/names.h"
#include "cli/config/load.h"
#include "cli/run/root_lock.h"

enum { RECORD_MAX = 16 << 20 };

/* Ten years, as the longest duration of a config. */
#define TIMEOUT_MAX_MS (INT64_C(10) * 366 * 24 * 3600 * 1000)

/* ---- The directory and its lock ---- */

/* Others who can write there could replace the directory of a child. */
static int check_root(int fd, struct ob_error *reterr)
{
	struct stat st;
	if (fstat(fd, &st) < 0) {
		return obi_fail(reterr, OB_EIO, errno, "its owner and mode cannot be read");
	}
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		return obi_fail(reterr, OB_EPERM, 0, "belongs to user %u", (unsigned)st.st_uid);
	}
	if ((st.st_mode & 022) != 0) {
		return obi_fail(reterr, OB_EPERM, 0, "can be written by others (mode %04o)",
				(unsigned)st.st_mode & 07777);
	}
	return OB_OK;
}

static int open_root(struct obi_root *root, int kept, struct ob_error *reterr)
{
	int r = ob_directory_open(root->path, root->shared ? 0711 : 0700, &root->fd, reterr);
	if (r < 0) {
		return r; /* the error names the path, or a part of it */
	}
	r = check_root(root->fd, reterr);
	r = r == OB_OK ? obi_root_lock(root->fd, kept, &root->lock, reterr) : r;
	return r == OB_OK ? OB_OK : obi_wrap(reterr, "%s", root->path);
}

int obi_root_open(const char *path, bool shared, struct obi_root *ret, struct ob_error *reterr)
{
	*ret = OBI_ROOT_NONE;
	ret->path = path;
	ret->shared = shared;
	obi_arena_init(&ret->arena, RECORD_MAX);
	int r = open_root(ret, -1, reterr);
	if (r < 0) {
		obi_root_close(ret);
		return r;
	}
	ob_file_sweep(ret->fd);
	ret->record = obi_root_read(ret->fd, geteuid(), &ret->arena);
	return OB_OK;
}

static void close_fd(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
	*fd = -1;
}

static void close_files(struct obi_root *root)
{
	close_fd(&root->lock);
	close_fd(&root->fd);
}

void obi_root_close(struct obi_root *root)
{
	close_files(root);
	close_fd(&root->kept_lock);
	obi_arena_free(&root->arena);
	root->record = NULL;
}

/* ---- Removed while it is in use ---- */

bool obi_root_is_in_place(const struct obi_root *root)
{
	struct stat ours, there;
	return fstat(root->fd, &ours) == 0 && stat(root->path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

int obi_root_renew(struct obi_root *root, struct ob_error *reterr)
{
	struct obi_root fresh = OBI_ROOT_NONE;
	struct stat st;
	fresh.path = root->path;
	fresh.shared = root->shared;
	int r = open_root(&fresh, root->kept_lock, reterr);
	if (r < 0) {
		close_files(&fresh);
		return r;
	}
	if (fstat(root->lock, &st) == 0 && st.st_nlink > 0) {
		close_fd(&root->kept_lock);
		root->kept_lock = root->lock;
		root->lock = -1;
	}
	close_files(root);
	root->fd = fresh.fd;
	root->lock = fresh.lock;
	return OB_OK;
}

/* ---- The record ---- */

static const char *text_of(const struct ob_value *value, struct obi_arena *arena)
{
	struct ob_bytes text;
	if (!ob_get_string(value, &text) || text.len == 0 ||
	    memchr(text.data, '\0', text.len) != NULL) {
		return NULL;
	}
	return obi_arena_text(arena, (const char *)text.data, text.len);
}

static struct obi_record_entry *read_entry(const struct ob_value *value, struct obi_arena *arena)
{
	int64_t signal_number = 0, timeout_ms = 0;
	struct obi_record_entry *entry = ob_arena_alloc(&arena->ob, sizeof *entry);
	const char *name = text_of(ob_value_find(value, "name"), arena);
	const char *path = text_of(ob_value_find(value, "data_path"), arena);
	if (entry == NULL || name == NULL || path == NULL || path[0] != '/' ||
	    !obi_name_is_child(ob_bytes_text(name))) {
		return NULL;
	}
	*entry = (struct obi_record_entry){.name = name,
					   .data_path = path,
					   .stop_signal = SIGINT,
					   .stop_timeout_ms = OBI_STOP_TIMEOUT_MS};
	if (ob_get_int(ob_value_find(value, "stop_signal"), &signal_number) && signal_number > 0 &&
	    signal_number <= 64) {
		entry->stop_signal = (int)signal_number;
	}
	if (ob_get_int(ob_value_find(value, "stop_timeout_ms"), &timeout_ms) && timeout_ms != 0 &&
	    timeout_ms <= TIMEOUT_MAX_MS) {
		entry->stop_timeout_ms = timeout_ms;
	}
	return entry;
}

/* A record that cannot be parsed is as good as none: children in data_root are found without it. */
struct obi_record_entry *obi_root_read(int fd, uid_t owner, struct obi_arena *arena)
{
	struct obi_record_entry *list = NULL, **last = &list;
	struct obi_arena tree_arena;
	struct obi_buf text;
	struct ob_value tree;
	obi_buf_init(&text, RECORD_MAX);
	obi_arena_init(&tree_arena, (size_t)64 * RECORD_MAX);
	if (ob_file_read(fd, OBI_ROOT_RECORD, owner, obi_buf_sink(&text), NULL) == OB_OK &&
	    ob_value_from_json(obi_buf_bytes(&text), NULL, &tree_arena.ob, &tree, NULL) == OB_OK) {
		const struct ob_value *children = ob_value_find(&tree, "children");
		for (uint32_t i = 0; ob_value_at(children, i) != NULL; i++) {
			struct obi_record_entry *entry =
			    read_entry(ob_value_at(children, i), arena);
			if (entry != NULL) {
				*last = entry;
				last = &entry->next;
			}
		}
	}
	obi_arena_free(&tree_arena);
	obi_buf_free(&text);
	return list;
}

int obi_root_write(const struct obi_root *root, const struct obi_record_entry *entries,
		   struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_bytes text;
	struct ob_builder b;
	struct ob_value tree;
	obi_arena_init(&arena, (size_t)4 * RECORD_MAX);
	ob_builder_init(&b, &arena.ob);
	ob_build(&b, "{s:i,s:[", "pid", (int)getpid(), "children");
	for (const struct obi_record_entry *e = entries; e != NULL; e = e->next) {
		ob_build(&b, "{s:s,s:s,s:i,s:I}", "name", e->name, "data_path", e->data_path,
			 "stop_signal", e->stop_signal, "stop_timeout_ms", e->stop_timeout_ms);
	}
	ob_build(&b, "]}");
	int r = ob_builder_finish(&b, &tree);
	r = r == OB_OK ? ob_value_to_json(&tree, NULL, &arena.ob, &text, reterr)
		       : obi_fail(reterr, r, 0, "writing " OBI_ROOT_RECORD ": out of memory");
	if (r == OB_OK) {
		r = ob_file_replace(root->fd, OBI_ROOT_RECORD, text, OB_FILE_SYNC, reterr);
	}
	obi_arena_free(&arena);
	return r;
}
