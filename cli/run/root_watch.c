/* SPDX-License-Identifier: MIT */
#include "cli/run/root_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"
#include "cli/config/load.h"
#include "cli/run/root_lock.h"

/* All states are looked at within so many looks. */
enum { LOOK_MS = 1000, STATES_LOOKS = 30 };

static const char *const parts[] = {
    [OBI_ROOT_ITSELF] = "data_root",
    [OBI_ROOT_ITS_LOCK] = OBI_ROOT_LOCK,
    [OBI_ROOT_ITS_RECORD] = OBI_ROOT_RECORD,
    [OBI_ROOT_ITS_SOCKET] = OBI_ROOT_SOCKET,
};

static void tell_renewed(struct obi_root_watch *w, enum obi_root_part part)
{
	w->told[part][0] = '\0';
	obi_run_log(w->log, NULL, OB_LOG_WARN, "removed by somebody, and made again", "{s:s,s:s}",
		    "what", parts[part], "data_root", w->root->path);
}

/* Once, not with each look. */
static void tell_failure(struct obi_root_watch *w, enum obi_root_part part,
			 const struct ob_error *err)
{
	char text[sizeof w->told[part]];
	snprintf(text, sizeof text, "%.*s", (int)sizeof text - 1, err->text);
	if (strcmp(text, w->told[part]) != 0) {
		obi_run_log(w->log, NULL, OB_LOG_ERROR,
			    "removed by somebody, and cannot be made again", "{s:s,s:s,s:s}",
			    "what", parts[part], "data_root", w->root->path, "cause", err->text);
	}
	memcpy(w->told[part], text, sizeof text);
}

/* ---- data_root and its lock ---- */

/* Whether it is there. */
static bool look_at_root(struct obi_root_watch *w)
{
	struct ob_error err;
	bool in_place = obi_root_is_in_place(w->root);
	enum obi_root_part part = in_place ? OBI_ROOT_ITS_LOCK : OBI_ROOT_ITSELF;
	if (in_place && obi_root_lock_is_in_place(w->root->fd, w->root->lock)) {
		/* It may have been moved back. */
		w->told[OBI_ROOT_ITSELF][0] = w->told[OBI_ROOT_ITS_LOCK][0] = '\0';
		return true;
	}
	if (obi_root_renew(w->root, &err) < 0) {
		tell_failure(w, part, &err);
		return false;
	}
	tell_renewed(w, part);
	return true;
}

static void look_at_record(struct obi_root_watch *w)
{
	struct ob_error err;
	struct stat st;
	if (fstatat(w->root->fd, OBI_ROOT_RECORD, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT) {
		return;
	}
	if (obi_removed_write(w->removed, &err) < 0) {
		tell_failure(w, OBI_ROOT_ITS_RECORD, &err);
	} else {
		tell_renewed(w, OBI_ROOT_ITS_RECORD);
	}
}

/* ---- The socket ---- */

static bool find_socket(const struct obi_root_watch *w, struct stat *ret)
{
	return fstatat(w->root->fd, OBI_ROOT_SOCKET, ret, AT_SYMLINK_NOFOLLOW) == 0;
}

static void note_socket(struct obi_root_watch *w)
{
	struct stat st = {.st_ino = 0};
	(void)find_socket(w, &st);
	w->socket_dev = st.st_dev;
	w->socket_ino = st.st_ino;
}

static void look_at_socket(struct obi_root_watch *w)
{
	struct ob_error err;
	struct stat st;
	if (find_socket(w, &st) && st.st_dev == w->socket_dev && st.st_ino == w->socket_ino) {
		return;
	}
	if (ob_server_listen_again(w->requests->server, &err) < 0) {
		tell_failure(w, OBI_ROOT_ITS_SOCKET, &err);
		return;
	}
	note_socket(w);
	tell_renewed(w, OBI_ROOT_ITS_SOCKET);
}

/* ---- The state directories ---- */

/* The next member in the circle; NULL: there is none. */
static struct obi_member *next_member(struct obi_root_watch *w)
{
	struct obi_member *member = obi_members_behind(w->members, w->looked_at);
	member = member != NULL ? member : obi_members_behind(w->members, 0);
	w->looked_at = member != NULL ? member->number : 0;
	return member;
}

/* Returns whether it was made again. */
static bool look_at_state(struct obi_root_watch *w, struct obi_member *member)
{
	struct ob_error err;
	bool renewed = false;
	int r = ob_connector_renew(member->connector, &renewed, &err);
	if (r < 0 && !member->unsaved) {
		obi_run_log(w->log, member->options->name, OB_LOG_ERROR,
			    "state directory removed by somebody, and cannot be made again",
			    "{s:s}", "cause", err.text);
	} else if (renewed) {
		obi_run_log(w->log, member->options->name, OB_LOG_WARN,
			    "state directory removed by somebody, and made again", NULL);
	}
	member->unsaved = r < 0;
	return renewed;
}

/* A part of them, since there may be many; but when one was removed, all may have been. */
static void look_at_states(struct obi_root_watch *w)
{
	uint32_t count = w->members->count, looks = count / STATES_LOOKS + 1;
	for (uint32_t i = 0; i < count && i < looks; i++) {
		struct obi_member *member = next_member(w);
		if (member != NULL && look_at_state(w, member)) {
			looks = count;
		}
	}
}

/* ---- Looking ---- */

static void on_look(void *user, int what)
{
	struct obi_root_watch *w = user;
	(void)what;
	if (look_at_root(w)) {
		look_at_record(w);
		look_at_socket(w);
		look_at_states(w);
	}
	ob_watch_set_timer(w->timer, LOOK_MS);
}

int obi_root_watch_begin(struct obi_root_watch *watch, struct ob_error *reterr)
{
	note_socket(watch);
	return ob_watch_timer(watch->rt, LOOK_MS, on_look, watch, &watch->timer, reterr);
}

void obi_root_watch_end(struct obi_root_watch *watch)
{
	ob_watch_free(watch->timer);
	watch->timer = NULL;
}
