/* SPDX-License-Identifier: MIT */
#include "common/unixpath.h"

#include "common/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- Addresses ---- */

/* Make an address of path. false: the path is too long. */
static bool set_address(struct sockaddr_un *ret, const char *path)
{
	size_t len = strlen(path);
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len >= sizeof ret->sun_path) {
		return false;
	}
	memcpy(ret->sun_path, path, len + 1);
	return true;
}

/* The address of place: its path if that fits, so that ss(8) shows it, else a path through the
 * descriptor of its directory. */
static bool address_of(const struct obi_unixpath *place, struct sockaddr_un *ret)
{
	char name[sizeof ret->sun_path];
	if (set_address(ret, place->path)) {
		return true;
	}
	int n = snprintf(name, sizeof name, "/proc/self/fd/%d%s", place->dir,
			 strrchr(place->path, '/'));
	return n > 0 && (size_t)n < sizeof name && set_address(ret, name);
}

static int new_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Connect without waiting. Returns 0 and the socket, or the errno. */
static int try_connect(const struct sockaddr_un *address, int *ret_fd)
{
	int fd = new_socket();
	if (fd < 0) {
		return errno;
	}
	if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
		int sys = errno;
		close(fd);
		return sys;
	}
	*ret_fd = fd;
	return 0;
}

/* ---- Connect ---- */

/* Connect through a descriptor of the socket file. */
static int connect_through(int file, int *ret_fd)
{
	struct sockaddr_un address;
	char name[32];
	snprintf(name, sizeof name, "/proc/self/fd/%d", file);
	set_address(&address, name);
	return try_connect(&address, ret_fd);
}

static int connect_any(const char *path, int *ret_fd)
{
	struct sockaddr_un address;
	if (set_address(&address, path)) {
		return try_connect(&address, ret_fd);
	}
	int file = open(path, O_PATH | O_CLOEXEC);
	int sys = file >= 0 ? connect_through(file, ret_fd) : errno;
	if (file >= 0) {
		close(file);
	}
	return sys;
}

static int check_owner(const struct ob_host *host, const char *path, int file, uid_t owner,
		       struct ob_error *reterr)
{
	struct stat st;
	if (fstat(file, &st) < 0) {
		return host->fail(reterr, OB_EIO, errno, "connecting to %s", path);
	}
	if (!S_ISSOCK(st.st_mode)) {
		return host->fail(reterr, OB_EREFUSED, 0, "connecting to %s: %s", path,
				  S_ISLNK(st.st_mode) ? "it is a symbolic link"
						      : "it is not a socket");
	}
	if (st.st_uid != owner) {
		return host->fail(reterr, OB_EREFUSED, 0,
				  "connecting to %s: the socket belongs to user %u, not %u", path,
				  (unsigned)st.st_uid, (unsigned)owner);
	}
	return OB_OK;
}

int obi_unixpath_connect(const struct ob_host *host, const char *path, uid_t owner, int *ret_fd,
			 struct ob_error *reterr)
{
	int file = -1, sys = 0;
	if (owner == OBI_UNIXPATH_ANY_OWNER) {
		sys = connect_any(path, ret_fd);
	} else if ((file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC)) < 0) {
		sys = errno;
	} else {
		int r = check_owner(host, path, file, owner, reterr);
		sys = r == OB_OK ? connect_through(file, ret_fd) : 0;
		close(file);
		if (r < 0) {
			return r;
		}
	}
	if (sys == ENOENT && file >= 0 && access("/proc/self/fd", X_OK) != 0) {
		return host->fail(reterr, OB_ENOTSUP, 0, "connecting to %s: /proc is not mounted",
				  path);
	}
	if (sys != 0) {
		return host->fail(reterr, obi_socket_code(sys), sys, "connecting to %s", path);
	}
	return OB_OK;
}

/* ---- Removal of a dead socket ---- */

static int look(const struct obi_unixpath *place, struct stat *ret)
{
	return fstatat(place->dir, strrchr(place->path, '/') + 1, ret, AT_SYMLINK_NOFOLLOW) == 0
		   ? 0
		   : errno;
}

/* Whether a server listens on the socket at place. A full backlog counts as one. */
static bool is_live(const struct obi_unixpath *place)
{
	struct sockaddr_un address;
	int fd = -1;
	int sys = address_of(place, &address) ? try_connect(&address, &fd) : ENAMETOOLONG;
	if (fd >= 0) {
		close(fd);
	}
	return sys != ECONNREFUSED && sys != ENOENT;
}

/* What the caller asks for. */
struct wishes {
	bool lock_held;
	uint32_t backlog;
	uid_t owner;
};

static struct wishes wishes_of(const struct ob_listen_params *params)
{
	bool given = OB_HAS(params, owner) && params->owner != 0 && params->owner != UINT32_MAX;
	return (struct wishes){
	    .lock_held = OB_HAS(params, lock_held) && params->lock_held,
	    .backlog = OB_HAS(params, backlog) && params->backlog > 0 ? params->backlog : SOMAXCONN,
	    .owner = given ? (uid_t)params->owner : geteuid(),
	};
}

static int judge(const struct ob_host *host, const struct obi_unixpath *place,
		 const struct stat *st, const struct wishes *wishes, struct ob_error *reterr)
{
	if (!S_ISSOCK(st->st_mode)) {
		return host->fail(reterr, OB_EEXIST, 0, "listening on %s: the file is not a socket",
				  place->path);
	}
	if (st->st_uid != geteuid() && st->st_uid != wishes->owner) {
		return host->fail(reterr, OB_EEXIST, 0,
				  "listening on %s: the socket belongs to user %u", place->path,
				  st->st_uid);
	}
	if (!wishes->lock_held && is_live(place)) {
		return host->fail(reterr, OB_EEXIST, 0,
				  "listening on %s: another server is listening", place->path);
	}
	return OB_OK;
}

/* Remove a dead socket at place. */
static int make_way(const struct ob_host *host, const struct obi_unixpath *place,
		    const struct wishes *wishes, struct ob_error *reterr)
{
	struct stat judged, now;
	if (look(place, &judged) == ENOENT) {
		return OB_OK;
	}
	int rc = judge(host, place, &judged, wishes, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	/* Look again: another server may have removed it and bound its own socket. */
	if (look(place, &now) == 0 && now.st_dev == judged.st_dev && now.st_ino == judged.st_ino) {
		unlinkat(place->dir, strrchr(place->path, '/') + 1, 0);
	}
	return OB_OK;
}

/* ---- Listen ---- */

static int split(const struct ob_host *host, struct obi_unixpath *place, struct ob_error *reterr)
{
	const char *slash = strrchr(place->path, '/');
	char dir[PATH_MAX];
	if (place->path[0] != '/' || slash[1] == '\0' ||
	    (size_t)(slash - place->path) + 1 >= sizeof dir) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "listening on %s: not the absolute path of a file", place->path);
	}
	snprintf(dir, sizeof dir, "%.*s/", (int)(slash - place->path), place->path);
	place->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place->dir < 0) {
		return host->fail(reterr, obi_socket_code(errno), errno,
				  "listening on %s: opening its directory", place->path);
	}
	return OB_OK;
}

/* bind() gives the file the mode of the socket, less the umask. Set before bind(), the mode leaves
 * no moment in which others can connect. */
static int bind_once(struct obi_unixpath *place, const struct sockaddr_un *address,
		     const char **ret_step)
{
	*ret_step = "socket";
	if (place->fd < 0 && (place->fd = new_socket()) < 0) {
		return errno;
	}
	*ret_step = "fchmod";
	if (fchmod(place->fd, S_IRUSR | S_IWUSR) != 0) {
		return errno;
	}
	*ret_step = "bind";
	return bind(place->fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
}

static int bind_place(const struct ob_host *host, struct obi_unixpath *place,
		      const struct wishes *wishes, struct ob_error *reterr)
{
	struct sockaddr_un address;
	struct stat st;
	const char *step;
	if (!address_of(place, &address)) {
		return host->fail(reterr, OB_EINVAL, ENAMETOOLONG, "listening on %s", place->path);
	}
	int sys = bind_once(place, &address, &step);
	if (sys == EADDRINUSE) {
		int rc = make_way(host, place, wishes, reterr);
		if (rc != OB_OK) {
			return rc;
		}
		sys = bind_once(place, &address, &step);
	}
	if (sys != 0) {
		return host->fail(reterr, obi_socket_code(sys), sys, "listening on %s: %s",
				  place->path, step);
	}
	if (look(place, &st) == 0) {
		place->bound = true;
		place->dev = st.st_dev;
		place->ino = st.st_ino;
	}
	return OB_OK;
}

/* A descriptor of the file, if it is still the one that we created: in a directory that others can
 * write to, the name may belong to another file by now. -1: see errno. */
static int open_ours(const struct obi_unixpath *place)
{
	struct stat st;
	int fd = openat(place->dir, strrchr(place->path, '/') + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !place->bound || !S_ISSOCK(st.st_mode) ||
			st.st_dev != place->dev || st.st_ino != place->ino)) {
		close(fd);
		errno = ENOENT;
		fd = -1;
	}
	return fd;
}

static int give_away(const struct ob_host *host, const struct obi_unixpath *place, uid_t owner,
		     struct ob_error *reterr)
{
	if (owner == geteuid()) {
		return OB_OK;
	}
	int fd = open_ours(place);
	int sys = fd >= 0 && fchownat(fd, "", owner, (gid_t)-1, AT_EMPTY_PATH) == 0 ? 0 : errno;
	if (fd >= 0) {
		close(fd);
	}
	return sys == 0 ? OB_OK
			: host->fail(reterr, obi_socket_code(sys), sys,
				     "listening on %s: giving it to user %u", place->path,
				     (unsigned)owner);
}

int obi_unixpath_listen(const struct ob_host *host, const char *path,
			const struct ob_listen_params *params, struct obi_unixpath *ret,
			struct ob_error *reterr)
{
	const struct wishes wishes = wishes_of(params);
	struct obi_unixpath place = {.fd = -1, .dir = -1, .path = strdup(path)};
	if (place.path == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "listening on %s: out of memory", path);
	}
	int rc = split(host, &place, reterr);
	rc = rc == OB_OK ? bind_place(host, &place, &wishes, reterr) : rc;
	rc = rc == OB_OK ? give_away(host, &place, wishes.owner, reterr) : rc;
	if (rc == OB_OK &&
	    listen(place.fd, wishes.backlog < INT_MAX ? (int)wishes.backlog : INT_MAX) != 0) {
		rc = host->fail(reterr, obi_socket_code(errno), errno, "listening on %s: listen",
				path);
	}
	if (rc != OB_OK) {
		obi_unixpath_close(&place);
		return rc;
	}
	*ret = place;
	return OB_OK;
}

int obi_unixpath_set_mode(const struct ob_host *host, const struct obi_unixpath *place, mode_t mode,
			  struct ob_error *reterr)
{
	char self[40];
	int fd = open_ours(place);
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	int sys = fd >= 0 && chmod(self, mode) == 0 ? 0 : errno;
	if (fd >= 0) {
		close(fd);
	}
	return sys == 0 ? OB_OK
			: host->fail(reterr, obi_socket_code(sys), sys,
				     "listening on %s: setting its mode", place->path);
}

/* Remove the file before the descriptor is closed: while it is open, no other file can get our
 * inode number. */
void obi_unixpath_close(struct obi_unixpath *place)
{
	struct stat st;
	if (place->bound && look(place, &st) == 0 && st.st_dev == place->dev &&
	    st.st_ino == place->ino) {
		unlinkat(place->dir, strrchr(place->path, '/') + 1, 0);
	}
	if (place->fd >= 0) {
		close(place->fd);
	}
	if (place->dir >= 0) {
		close(place->dir);
	}
	free(place->path);
	*place = (struct obi_unixpath){.fd = -1, .dir = -1};
}

/* ---- Text of a path ---- */

/* Characters that need no percent-encoding in a path (RFC 3986: pchar and '/'). */
static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       strchr("/0123456789-._~!$&'()*+,;=:@", c) != NULL;
}

bool obi_unixpath_encode(const char *path, struct ob_sink *out)
{
	static const char hex[] = "0123456789ABCDEF";
	for (const char *c = path; *c != '\0'; c++) {
		uint8_t byte = (uint8_t)*c;
		if (is_plain(*c)) {
			ob_sink_byte(out, byte);
		} else {
			char encoded[] = {'%', hex[byte >> 4], hex[byte & 15]};
			ob_sink_put(out, encoded, sizeof encoded);
		}
	}
	return !out->failed;
}
