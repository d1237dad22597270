/* SPDX-License-Identifier: MIT */
#include "process/holders.h"

#include "base/error.h"
#include "base/id_map.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum {
	HOLDERS_MAX = 512, /* of all locks: each has a pidfd */
	OF_LOCK_MAX = 64,  /* of one lock */
	FDS_MAX = 1024,	   /* of one process that are looked at */
	LINES_MAX = 8192,  /* of one file */
	ANCESTORS_MAX = 64,
	LINE_SIZE = 512,
	VARIABLES_MAX = 10000
};

enum pass { PASS_FD3, PASS_ALL_FDS, PASS_MAPS, PASS_DONE };

struct lock {
	struct obi_lock_id id;
	bool found; /* in an earlier pass */
	bool found_now;
	size_t holders;	 /* how many were found */
	int32_t seen_in; /* the last process it was seen in */
};

struct obi_holder_scan {
	struct lock *locks;
	size_t lock_count;
	struct obi_holder *holders;
	size_t holder_count;
	size_t holder_room;
	DIR *proc;
	enum pass pass;
	bool thorough;
	bool incomplete;
};

/* ---- Lines of /proc ---- */

/* Called with the identity of a lock or of a mapped file. */
typedef void identity_fn(void *user, const char *id);

/* "lock:\t1: OFDLCK  ADVISORY  READ -1 fe:01:1234 0 EOF" -> "fe:01:1234". */
static bool read_lock_line(const char *line, char id[OBI_LOCK_ID_SIZE])
{
	return sscanf(line, "lock: %*d: OFDLCK %*s %*s %*d %47s", id) == 1;
}

/* "7f01-7f02 r--s 0000 fe:01 1234   /path" -> "fe:01:1234". */
static bool read_map_line(const char *line, char id[OBI_LOCK_ID_SIZE])
{
	unsigned major, minor;
	unsigned long long inode;
	if (sscanf(line, "%*s %*s %*s %x:%x %llu", &major, &minor, &inode) != 3 || inode == 0) {
		return false;
	}
	snprintf(id, OBI_LOCK_ID_SIZE, "%02x:%02x:%llu", major, minor, inode);
	return true;
}

/* All identities that a file of /proc names. */
static void each_in_file(const char *path, bool (*read)(const char *line, char *id),
			 identity_fn *fn, void *user)
{
	char line[LINE_SIZE], id[OBI_LOCK_ID_SIZE];
	FILE *file = fopen(path, "re");
	for (int i = 0; file != NULL && i < LINES_MAX && fgets(line, sizeof line, file) != NULL;
	     i++) {
		if (read(line, id)) {
			fn(user, id);
		}
		while (strchr(line, '\n') == NULL && fgets(line, sizeof line, file) != NULL) {
		}
	}
	if (file != NULL) {
		fclose(file);
	}
}

static void take_first(void *user, const char *id)
{
	struct obi_lock_id *first = user;
	if (first->text[0] == '\0') {
		snprintf(first->text, sizeof first->text, "%s", id);
	}
}

int obi_lock_id_of(int fd, struct obi_lock_id *ret, struct ob_error *reterr)
{
	char path[64];
	struct obi_lock_id id = {""};
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	each_in_file(path, read_lock_line, take_first, &id);
	if (id.text[0] == '\0') {
		return obi_fail(reterr, OB_ENOENT, 0, "%s names no lock", path);
	}
	*ret = id;
	return OB_OK;
}

/* ---- One process ---- */

/* Returns the number of files that were looked at. */
static unsigned each_in_all_fds(int32_t pid, identity_fn *fn, void *user)
{
	char path[64];
	unsigned files = 1;
	const struct dirent *entry;
	snprintf(path, sizeof path, "/proc/%d/fdinfo", (int)pid);
	DIR *dir = opendir(path);
	while (dir != NULL && files <= FDS_MAX && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.') {
			snprintf(path, sizeof path, "/proc/%d/fdinfo/%.16s", (int)pid,
				 entry->d_name);
			each_in_file(path, read_lock_line, fn, user);
			files++;
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return files;
}

/* All identities that this pass sees in the process. Returns the number of files that were looked
 * at. */
static unsigned each_in_process(int32_t pid, enum pass pass, identity_fn *fn, void *user)
{
	char path[64];
	if (pass == PASS_ALL_FDS) {
		return each_in_all_fds(pid, fn, user);
	}
	snprintf(path, sizeof path, pass == PASS_FD3 ? "/proc/%d/fdinfo/3" : "/proc/%d/maps",
		 (int)pid);
	each_in_file(path, pass == PASS_FD3 ? read_lock_line : read_map_line, fn, user);
	return 1;
}

struct comparison {
	const char *wanted;
	bool found;
};

static void compare(void *user, const char *id)
{
	struct comparison *comparison = user;
	comparison->found = comparison->found || strcmp(id, comparison->wanted) == 0;
}

static bool holds(int32_t pid, enum pass pass, const struct obi_lock_id *lock)
{
	struct comparison comparison = {.wanted = lock->text};
	(void)each_in_process(pid, pass, compare, &comparison);
	return comparison.found;
}

/* Parent and session of a process. */
static bool read_family(int32_t pid, int *ret_parent, int *ret_session)
{
	char path[64], text[LINE_SIZE];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	const char *after = obi_proc_read(path, text, sizeof text) == 0 ? strrchr(text, ')') : NULL;
	return after != NULL && sscanf(after + 1, " %*c %d %*d %d", ret_parent, ret_session) == 2;
}

static bool is_descendant(int32_t pid)
{
	int parent = pid, session;
	for (int i = 0; i < ANCESTORS_MAX && read_family(parent, &parent, &session); i++) {
		if (parent == getpid()) {
			return true;
		}
	}
	return false;
}

static void read_name(struct obi_holder *holder)
{
	char path[64], text[32];
	snprintf(path, sizeof path, "/proc/%d/comm", (int)holder->process.id.pid);
	if (obi_proc_read(path, text, sizeof text) == 0) {
		text[strcspn(text, "\n")] = '\0';
		snprintf(holder->name, sizeof holder->name, "%.15s", text);
	}
}

/* Open the process and look again: by now the pid may be another's. */
static bool open_holder(int32_t pid, enum pass pass, const struct obi_lock_id *lock,
			struct obi_holder *ret)
{
	int parent, session;
	*ret = (struct obi_holder){.process = {.pidfd = pidfd_open(pid, 0)}};
	bool ok = ret->process.pidfd >= 0 &&
		  obi_procid_of(ret->process.pidfd, pid, &ret->process.id, NULL) == OB_OK &&
		  holds(pid, pass, lock) && read_family(pid, &parent, &session) &&
		  obi_process_user(&ret->process, &ret->uid, NULL) == OB_OK &&
		  !obi_process_is_dead(&ret->process);
	if (!ok) {
		obi_process_close(&ret->process);
		return false;
	}
	ret->session = session;
	ret->descendant = is_descendant(pid);
	read_name(ret);
	return true;
}

/* ---- The scan ---- */

static bool add_holder(struct obi_holder_scan *scan, const struct obi_holder *holder)
{
	if (scan->holder_count == scan->holder_room) {
		size_t room = scan->holder_room == 0 ? 8 : 2 * scan->holder_room;
		struct obi_holder *more =
		    room <= HOLDERS_MAX ? realloc(scan->holders, room * sizeof *more) : NULL;
		if (more == NULL) {
			return false;
		}
		scan->holders = more;
		scan->holder_room = room;
	}
	scan->holders[scan->holder_count++] = *holder;
	return true;
}

struct look {
	struct obi_holder_scan *scan;
	int32_t pid;
};

static bool is_known(const struct obi_holder_scan *scan, size_t index, int32_t pid)
{
	for (size_t i = 0; i < scan->holder_count; i++) {
		if (scan->holders[i].lock == index && scan->holders[i].process.id.pid == pid) {
			return true;
		}
	}
	return false;
}

static void take_holder(struct obi_holder_scan *scan, size_t index, int32_t pid)
{
	struct lock *lock = &scan->locks[index];
	struct obi_holder holder;
	lock->seen_in = pid;
	if (lock->holders >= OF_LOCK_MAX) {
		scan->incomplete = true;
		return;
	}
	if (is_known(scan, index, pid) || !open_holder(pid, scan->pass, &lock->id, &holder)) {
		return;
	}
	holder.lock = index;
	if (!add_holder(scan, &holder)) {
		scan->incomplete = true;
		obi_process_close(&holder.process);
		return;
	}
	lock->found_now = true;
	lock->holders++;
}

static void match(void *user, const char *id)
{
	const struct look *look = user;
	for (size_t i = 0; i < look->scan->lock_count; i++) {
		const struct lock *lock = &look->scan->locks[i];
		if (!lock->found && lock->seen_in != look->pid && strcmp(lock->id.text, id) == 0) {
			take_holder(look->scan, i, look->pid);
		}
	}
}

static void next_pass(struct obi_holder_scan *scan)
{
	bool all = true;
	for (size_t i = 0; i < scan->lock_count; i++) {
		scan->locks[i].found =
		    scan->locks[i].found || (scan->locks[i].found_now && !scan->thorough);
		scan->locks[i].seen_in = 0;
		all = all && scan->locks[i].found;
	}
	scan->pass = all ? PASS_DONE : scan->pass + 1;
	rewinddir(scan->proc);
}

int obi_holder_scan_new(const struct obi_lock_id *locks, size_t count, bool thorough,
			struct obi_holder_scan **ret, struct ob_error *reterr)
{
	struct obi_holder_scan *scan = calloc(1, sizeof *scan);
	if (scan != NULL) {
		scan->locks = calloc(count > 0 ? count : 1, sizeof *scan->locks);
		scan->proc = opendir("/proc");
	}
	if (scan == NULL || scan->locks == NULL || scan->proc == NULL) {
		int sys = errno;
		obi_holder_scan_free(scan);
		return obi_fail(reterr, obi_code_of_errno(sys), sys, "reading /proc");
	}
	for (size_t i = 0; i < count; i++) {
		scan->locks[i].id = locks[i];
		scan->locks[i].found = locks[i].text[0] == '\0';
	}
	scan->lock_count = count;
	scan->thorough = thorough;
	*ret = scan;
	return OB_OK;
}

/* Files that cannot be opened are those of processes that have ended, or of other users; or there
 * is no descriptor left, and then nothing was seen. */
static bool has_descriptors(void)
{
	int fd = open("/", O_PATH | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
	}
	return fd >= 0;
}

bool obi_holder_scan_step(struct obi_holder_scan *scan, unsigned files)
{
	unsigned done = 0;
	while (done < files && scan->pass != PASS_DONE) {
		const struct dirent *entry = readdir(scan->proc);
		int32_t pid = entry != NULL ? (int32_t)strtol(entry->d_name, NULL, 10) : 0;
		if (entry == NULL) {
			next_pass(scan);
		} else if (pid > 0 && pid != getpid()) {
			struct look look = {scan, pid};
			done += each_in_process(pid, scan->pass, match, &look);
		}
	}
	scan->incomplete = scan->incomplete || !has_descriptors();
	return scan->pass != PASS_DONE;
}

bool obi_holder_scan_is_complete(const struct obi_holder_scan *scan)
{
	return scan->pass == PASS_DONE && !scan->incomplete;
}

struct obi_holder *obi_holder_scan_results(struct obi_holder_scan *scan, size_t *ret_count)
{
	*ret_count = scan->holder_count;
	return scan->holders;
}

void obi_holder_scan_free(struct obi_holder_scan *scan)
{
	if (scan == NULL) {
		return;
	}
	for (size_t i = 0; i < scan->holder_count; i++) {
		obi_process_close(&scan->holders[i].process);
	}
	if (scan->proc != NULL) {
		closedir(scan->proc);
	}
	free(scan->holders);
	free(scan->locks);
	free(scan);
}

/* ---- Whom to kill ---- */

/* Whether the process was executed with this variable. */
static bool has_variable(const struct obi_process *process, const char *name, const char *value)
{
	char path[64], *line = NULL;
	size_t room = 0, len = strlen(name);
	bool found = false;
	snprintf(path, sizeof path, "/proc/%d/environ", (int)process->id.pid);
	FILE *file = fopen(path, "re");
	for (int i = 0; file != NULL && !found && i < VARIABLES_MAX; i++) {
		if (getdelim(&line, &room, '\0', file) <= 0) {
			break;
		}
		found = strncmp(line, name, len) == 0 && strcmp(line + len, value) == 0;
	}
	if (file != NULL) {
		fclose(file);
	}
	free(line);
	/* By now the pid may be another's. */
	return found && !obi_process_is_dead(process);
}

static bool is_of_child(const struct obi_holder *holder, const struct obi_holder_rule *rule)
{
	return rule->config_path != NULL &&
	       has_variable(&holder->process, "OUTBOARD_CONFIG=", rule->config_path);
}

bool obi_holder_may_be_killed(const struct obi_holder *holder, const struct obi_holder_rule *rule)
{
	/* The overflow id may be any user's. */
	bool own_user = rule->child_uid != 0 && rule->child_uid != geteuid() &&
			rule->child_uid != OBI_OVERFLOW_ID && holder->uid == rule->child_uid;
	for (size_t i = 0; i < rule->spared_count; i++) {
		if (holder->session == rule->spared[i]) {
			return false;
		}
	}
	return (rule->session > 0 && holder->session == rule->session) || holder->descendant ||
	       own_user || is_of_child(holder, rule);
}
