/* SPDX-License-Identifier: MIT */
#include "process/cgroup_parent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "process/cgroup.h"
#include "process/cgroup_file.h"
#include "process/cgroup_limits.h"

enum { OWN_SIZE = 16 * 1024, MOUNTS_SIZE = 1 << 20, TEXT_SIZE = 4096 };

static const char *const controllers[] = {"memory", "pids", "cpu", "io"};
enum { CONTROLLERS = sizeof controllers / sizeof controllers[0] };

/* ---- Where it is ---- */

static struct ob_bytes read_own(char text[OWN_SIZE])
{
	ssize_t n = obi_cgroup_read(AT_FDCWD, "/proc/self/cgroup", text, OWN_SIZE);
	return ob_bytes_of(text, n > 0 ? (size_t)n : 0);
}

/* The directory of the cgroup of this process. */
static int find_own(char dir[OBI_CGROUP_PATH_SIZE], struct ob_error *reterr)
{
	char own[OWN_SIZE], path[OBI_CGROUP_PATH_SIZE], *mounts = malloc(MOUNTS_SIZE);
	bool mounted = false, found = false;
	bool has_path = obi_cgroup_own_path(read_own(own), path, sizeof path);
	ssize_t n = mounts != NULL
			? obi_cgroup_read(AT_FDCWD, "/proc/self/mountinfo", mounts, MOUNTS_SIZE)
			: -ENOMEM;
	if (n > 0) {
		found = obi_cgroup_directory(ob_bytes_of(mounts, (size_t)n), has_path ? path : "/",
					     dir, OBI_CGROUP_PATH_SIZE, &mounted) &&
			has_path;
	}
	free(mounts);
	if (n < 0) {
		return obi_fail(reterr, obi_code_of_errno((int)-n), (int)-n,
				"/proc/self/mountinfo");
	}
	if (!mounted) {
		return obi_fail(reterr, OB_ENOTSUP, 0,
				"no cgroup v2 hierarchy is mounted (/proc/self/mountinfo)");
	}
	return found ? OB_OK
		     : obi_fail(reterr, OB_ENOTSUP, 0,
				"no mount of cgroup v2 shows the cgroup %s of this process",
				has_path ? path : "?");
}

/* A process that has moved itself is in the leaf: the parent is around that. */
static void leave_leaf(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash != NULL && slash != path && strcmp(slash + 1, OBI_CGROUP_LEAF) == 0) {
		*slash = '\0';
	}
}

int obi_cgroup_parent_open(const struct ob_cgroup *options, struct obi_cgroup_parent *ret,
			   struct ob_error *reterr)
{
	int r = find_own(ret->own_path, options->parent == NULL ? reterr : NULL);
	ret->fd = -1;
	ret->own = options->parent == NULL;
	if (r < 0) {
		ret->own_path[0] = '\0';
	}
	if (ret->own && r < 0) {
		return r;
	}
	int n =
	    snprintf(ret->path, sizeof ret->path, "%s", ret->own ? ret->own_path : options->parent);
	if (n < 0 || (size_t)n >= sizeof ret->path || ret->path[0] != '/') {
		return obi_fail(reterr, OB_EINVAL, 0,
				"parent: must be an absolute path of less "
				"than %d bytes",
				OBI_CGROUP_PATH_SIZE);
	}
	if (ret->own) {
		leave_leaf(ret->path);
	}
	while (n > 1 && ret->path[n - 1] == '/') {
		ret->path[--n] = '\0';
	}
	return obi_cgroup_open(ret->path, &ret->fd, reterr);
}

void obi_cgroup_parent_close(struct obi_cgroup_parent *parent)
{
	if (parent->fd >= 0) {
		close(parent->fd);
	}
	parent->fd = -1;
}

/* ---- Controllers ---- */

static bool lists(const struct obi_cgroup_parent *parent, const char *file, const char *controller)
{
	char text[TEXT_SIZE];
	ssize_t n = obi_cgroup_read(parent->fd, file, text, sizeof text);
	return n > 0 && obi_cgroup_has_word(ob_bytes_of(text, (size_t)n), controller);
}

static int missing(const struct obi_cgroup_parent *parent, const char *file, const char *controller,
		   struct ob_error *reterr)
{
	char own[OWN_SIZE];
	return obi_fail(reterr, OB_ENOTSUP, 0,
			"%s: there is no controller \"%s\" in %s/cgroup.controllers%s", file,
			controller, parent->path,
			obi_cgroup_is_v1(read_own(own), controller)
			    ? "; it is attached to cgroup v1 (kernel option cgroup_no_v1=all)"
			    : "; it is not delegated, or the kernel does not have it");
}

static int not_delegated(const struct obi_cgroup_parent *parent, const char *file, int sys,
			 struct ob_error *reterr)
{
	return obi_fail(reterr, sys == EROFS ? OB_EPERM : obi_code_of_errno(sys), sys,
			"the cgroup %s is not delegated to user %u: %s", parent->path,
			(unsigned)geteuid(), file);
}

static int in_use(const struct obi_cgroup_parent *parent, const char *file, const char *controller,
		  struct ob_error *reterr)
{
	char names[160];
	struct stat st = {.st_ino = 0};
	struct obi_cgroup_id id = {.inode = 0};
	(void)fstat(parent->fd, &st);
	id.inode = st.st_ino;
	memcpy(id.path, parent->path, sizeof id.path);
	obi_cgroup_names(&id, names, sizeof names);
	return obi_fail(reterr, OB_EBUSY, 0,
			"%s: the controller %s cannot be enabled for the cgroups below %s, since "
			"there are processes in it: %s",
			file, controller, parent->path, names);
}

/* The root of the hierarchy may have processes and controllers. */
static bool is_hierarchy_root(const struct obi_cgroup_parent *parent)
{
	return faccessat(parent->fd, "cgroup.type", F_OK, 0) < 0 && errno == ENOENT;
}

/* ---- Checking ---- */

/* Whether processes are in it, other than this one if but_us. */
static bool has_processes(const struct obi_cgroup_parent *parent, bool but_us)
{
	char text[TEXT_SIZE];
	size_t at = 0;
	int32_t pid;
	ssize_t n = obi_cgroup_read(parent->fd, "cgroup.procs", text, sizeof text);
	while (n > 0 && obi_cgroup_next_pid(ob_bytes_of(text, (size_t)n), &at, &pid)) {
		if (!but_us || pid != getpid()) {
			return true;
		}
	}
	return false;
}

static int check_writable(const struct obi_cgroup_parent *parent, const char *file,
			  struct ob_error *reterr)
{
	return faccessat(parent->fd, file, W_OK, AT_EACCESS) == 0
		   ? OB_OK
		   : not_delegated(parent, file, errno, reterr);
}

static int check_controller(const struct obi_cgroup_parent *parent, const char *file,
			    const char *controller, struct ob_error *reterr)
{
	if (!lists(parent, "cgroup.controllers", controller)) {
		return missing(parent, file, controller, reterr);
	}
	if (lists(parent, "cgroup.subtree_control", controller)) {
		return OB_OK;
	}
	int r = check_writable(parent, "cgroup.subtree_control", reterr);
	if (r == OB_OK && !is_hierarchy_root(parent) && has_processes(parent, parent->own)) {
		r = in_use(parent, file, controller, reterr);
	}
	return r;
}

/* A process moves between cgroups only where it may write to cgroup.procs of the nearest one around
 * both. */
static int check_way(const struct obi_cgroup_parent *parent, struct ob_error *reterr)
{
	char path[OBI_CGROUP_PATH_SIZE + sizeof "/cgroup.procs"];
	size_t end = 0, i = 0;
	const char *a = parent->path, *b = parent->own_path;
	if (*b == '\0') {
		return OB_OK;
	}
	for (; a[i] != '\0' && a[i] == b[i]; i++) {
		end = a[i] == '/' ? i : end;
	}
	if ((a[i] == '\0' || a[i] == '/') && (b[i] == '\0' || b[i] == '/')) {
		end = i;
	}
	snprintf(path, sizeof path, "%.*s/cgroup.procs", (int)end, a);
	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 || errno == ENOENT) {
		return OB_OK;
	}
	return obi_fail(reterr, OB_EPERM, errno,
			"no process can be moved from %s to a cgroup in %s: %s", b, a, path);
}

int obi_cgroup_parent_check(const struct obi_cgroup_parent *parent, const struct ob_cgroup *options,
			    struct ob_error *reterr)
{
	int r = OB_OK;
	for (size_t i = 0; r == OB_OK && i < CONTROLLERS; i++) {
		const char *file = obi_cgroup_needs(options, controllers[i]);
		r = file != NULL ? check_controller(parent, file, controllers[i], reterr) : r;
	}
	r = r == OB_OK ? check_writable(parent, ".", reterr) : r;
	return r == OB_OK ? check_way(parent, reterr) : r;
}

/* ---- Preparing ---- */

/* Returns 0 or a negative errno. */
static int enable(const struct obi_cgroup_parent *parent, const char *controller)
{
	char text[32];
	snprintf(text, sizeof text, "+%s", controller);
	return obi_cgroup_write(parent->fd, "cgroup.subtree_control", text);
}

static int move_to_leaf(const struct obi_cgroup_parent *parent, struct ob_error *reterr)
{
	int sys = 0, leaf = -1;
	if (mkdirat(parent->fd, OBI_CGROUP_LEAF, 0755) < 0 && errno != EEXIST) {
		sys = errno;
	} else {
		leaf = openat(parent->fd, OBI_CGROUP_LEAF, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		sys = leaf < 0 ? errno : -obi_cgroup_write(leaf, "cgroup.procs", "0");
	}
	if (leaf >= 0) {
		close(leaf);
	}
	return sys == 0 ? OB_OK
			: obi_fail(reterr, obi_code_of_errno(sys), sys,
				   "moving this process to %s/" OBI_CGROUP_LEAF, parent->path);
}

/*
 * Whether controllers may be enabled. The kernel refuses most while there are processes, but not
 * pids and cpu: with those the cgroups below become "domain invalid", and no process can join them.
 */
static bool is_free(const struct obi_cgroup_parent *parent)
{
	return is_hierarchy_root(parent) || !has_processes(parent, false);
}

static int require(const struct obi_cgroup_parent *parent, const char *file, const char *controller,
		   struct ob_error *reterr)
{
	if (lists(parent, "cgroup.subtree_control", controller)) {
		return OB_OK;
	}
	if (!lists(parent, "cgroup.controllers", controller)) {
		return missing(parent, file, controller, reterr);
	}
	int r = is_free(parent) || !parent->own ? OB_OK : move_to_leaf(parent, reterr);
	if (r < 0) {
		return r;
	}
	int sys = is_free(parent) ? -enable(parent, controller) : EBUSY;
	if (sys == EBUSY) {
		return in_use(parent, file, controller, reterr);
	}
	return sys == 0 ? OB_OK : not_delegated(parent, "cgroup.subtree_control", sys, reterr);
}

int obi_cgroup_parent_prepare(const struct obi_cgroup_parent *parent,
			      const struct ob_cgroup *options, struct ob_error *reterr)
{
	int r = OB_OK;
	for (size_t i = 0; r == OB_OK && i < CONTROLLERS; i++) {
		const char *file = obi_cgroup_needs(options, controllers[i]);
		r = file != NULL ? require(parent, file, controllers[i], reterr) : r;
	}
	for (size_t i = 0; r == OB_OK && is_free(parent) && i < 2; i++) {
		if (!lists(parent, "cgroup.subtree_control", controllers[i])) {
			(void)enable(parent, controllers[i]);
		}
	}
	return r;
}
