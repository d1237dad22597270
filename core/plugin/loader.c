/* SPDX-License-Identifier: MIT */
#include "plugin/loader.h"

#include "base/error.h"
#include "base/proc_mount.h"
#include "base/names.h"
#include "plugin/descriptor.h"
#include "plugin/file_trust.h"
#include "plugin/sanitizer.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Errors ---- */

/* "plugin NAME (PATH): reason"; NAME is the file name without ".so". */
static int refuse(const char *path, int code, int sys, struct ob_error *reterr, const char *reason)
{
	const char *base = strrchr(path, '/') + 1;
	size_t len = strlen(base);
	if (len > 3 && strcmp(base + len - 3, ".so") == 0) {
		len -= 3;
	}
	return obi_fail(reterr, code, sys, "plugin %.*s (%s): %s", (int)len, base, path, reason);
}

/* The error for a name that no directory of the path has. */
static int not_found(const char *const *dirs, const char *name, struct ob_error *reterr)
{
	char where[256] = "";
	for (size_t used = 0; dirs != NULL && *dirs != NULL && used < sizeof where; dirs++) {
		int n =
		    snprintf(where + used, sizeof where - used, "%s%s", used > 0 ? ":" : "", *dirs);
		used += n > 0 ? (size_t)n : 0;
	}
	return obi_fail(reterr, OB_EPLUGIN, 0,
			"plugin %s: no %s.so in %s (see OUTBOARD_PLUGIN_PATH, plugin_path)", name,
			name, where[0] != '\0' ? where : "the plugin path, which is empty");
}

/* ---- Checks ---- */

static int check_elf(const char *path, int fd, struct ob_error *reterr)
{
	char magic[4];
	ssize_t n;
	do {
		n = pread(fd, magic, sizeof magic, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return refuse(path, OB_EIO, errno, reterr, "cannot read it");
	}
	if (n < (ssize_t)sizeof magic || memcmp(magic, "\177ELF", sizeof magic) != 0) {
		return refuse(path, OB_EPLUGIN, 0, reterr, "not an ELF file");
	}
	return OB_OK;
}

static int check_file(const char *path, int fd, uint32_t trust, struct obi_plugin_file *ret,
		      struct ob_error *reterr)
{
	char why[OBI_FILE_TRUST_WHY];
	struct stat st;
	if (fstat(fd, &st) != 0) {
		return refuse(path, OB_EIO, errno, reterr, "cannot stat it");
	}
	if (!S_ISREG(st.st_mode)) {
		return refuse(path, OB_EPLUGIN, 0, reterr, "not a regular file");
	}
	int rc = obi_file_trust_check(ret->dir, fd, trust, why);
	if (rc < 0) {
		return refuse(path, rc, 0, reterr, why);
	}
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	return check_elf(path, fd, reterr);
}

/* ---- Search ---- */

/* Open the directory part of an absolute path. */
static int open_dir_of(const char *path)
{
	char dir[PATH_MAX];
	size_t len = (size_t)(strrchr(path, '/') - path);
	if (len >= sizeof dir) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(dir, path, len);
	strcpy(dir + len, len == 0 ? "/" : "");
	return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int open_failure(const char *path, int sys, struct ob_error *reterr)
{
	switch (sys) {
	case ENOENT:
	case ENOTDIR:
		return refuse(path, OB_EPLUGIN, sys, reterr, "cannot open it");
	case ELOOP:
		return refuse(path, OB_EPLUGIN, 0, reterr, "a symbolic link, not a regular file");
	case ENXIO:
		return refuse(path, OB_EPLUGIN, 0, reterr, "not a regular file");
	default:
		return refuse(path, obi_code_of_errno(sys), sys, reterr, "cannot open it");
	}
}

/* O_NONBLOCK: open() must not wait on a FIFO. */
static int open_in(const char *path, uint32_t trust, struct obi_plugin_file *ret,
		   struct ob_error *reterr)
{
	int fd = openat(ret->dir, strrchr(path, '/') + 1,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		return open_failure(path, errno, reterr);
	}
	int rc = check_file(path, fd, trust, ret, reterr);
	close(fd);
	return rc;
}

/* OB_ENOENT, without an error text, if there is no such file. Takes path over. */
static int open_path(char *path, uint32_t trust, struct obi_plugin_file *ret,
		     struct ob_error *reterr)
{
	struct ob_error err;
	struct obi_plugin_file file = {.path = path, .dir = open_dir_of(path)};
	int rc = file.dir < 0 ? open_failure(path, errno, &err) : open_in(path, trust, &file, &err);
	if (rc == OB_OK) {
		*ret = file;
		return rc;
	}
	if (err.sys == ENOENT || err.sys == ENOTDIR) {
		rc = OB_ENOENT;
	} else if (reterr != NULL) {
		*reterr = err;
	}
	obi_plugin_file_close(&file);
	return rc;
}

static int open_named(const char *const *dirs, const char *name, uint32_t trust,
		      struct obi_plugin_file *ret, struct ob_error *reterr)
{
	for (const char *const *dir = dirs; dir != NULL && *dir != NULL; dir++) {
		char *path;
		if (asprintf(&path, "%s/%s.so", *dir, name) < 0) {
			return obi_fail(reterr, OB_ENOMEM, 0, "plugin %s: out of memory", name);
		}
		int rc = open_path(path, trust, ret, reterr);
		if (rc != OB_ENOENT) {
			return rc;
		}
	}
	return not_found(dirs, name, reterr);
}

int obi_plugin_file_open(const char *const *dirs, const char *name_or_path, uint32_t trust,
			 struct obi_plugin_file *ret, struct ob_error *reterr)
{
	if (obi_name_is_plugin(ob_bytes_text(name_or_path))) {
		return open_named(dirs, name_or_path, trust, ret, reterr);
	}
	if (name_or_path[0] != '/') {
		return obi_fail(reterr, OB_EINVAL, 0,
				"plugin %.200s: neither a bare name nor an absolute path",
				name_or_path);
	}
	char *path = strdup(name_or_path);
	if (path == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "plugin %.200s: out of memory", name_or_path);
	}
	int rc = open_path(path, trust, ret, reterr);
	return rc != OB_ENOENT ? rc : refuse(name_or_path, OB_EPLUGIN, 0, reterr, "no such file");
}

void obi_plugin_file_close(struct obi_plugin_file *file)
{
	if (file->dir >= 0) {
		close(file->dir);
	}
	free(file->path);
	file->dir = -1;
	file->path = NULL;
}

/* ---- Load ---- */

/*
 * Make the name for dlopen(). It goes through the descriptor of the directory that was checked.
 *
 * glibc takes two loads of the same name for the same object, before it looks at the files.
 * Descriptor numbers are reused, so a plugin of the same name in the next directory would be taken
 * for the first one. Therefore the name contains the identity of the file: one "/." or "//" for
 * each bit of the device and the inode, which the kernel ignores.
 */
static void name_through(const struct obi_plugin_file *file, char *name, size_t cap)
{
	int n = snprintf(name, cap, "/proc/self/fd/%d", file->dir);
	size_t used = n > 0 ? (size_t)n : 0;
	for (uint64_t dev = file->dev, ino = file->ino; (dev != 0 || ino != 0) && used + 4 < cap;
	     dev >>= 1, ino >>= 1) {
		memcpy(name + used, dev & 1 ? "/." : "//", 2);
		memcpy(name + used + 2, ino & 1 ? "/." : "//", 2);
		used += 4;
	}
	snprintf(name + used, cap - used, "%s", strrchr(file->path, '/'));
}

/* The error of the dynamic linker, without the internal name. */
static const char *why(const char *name)
{
	const char *text = dlerror();
	size_t len = strlen(name);
	if (!obi_proc_is_mounted()) {
		return OBI_PROC_MISSING;
	}
	if (text == NULL) {
		return "the dynamic linker refused it";
	}
	return strncmp(text, name, len) == 0 && strncmp(text + len, ": ", 2) == 0 ? text + len + 2
										  : text;
}

int obi_plugin_file_list(const struct obi_plugin_file *file, void *handle, ob_plugin_list *ret_list,
			 struct ob_error *reterr)
{
	const char *path = file->path;
	ob_plugin_entry_fn entry;
	void *symbol = dlsym(handle, OB_PLUGIN_ENTRY_NAME);
	if (symbol == NULL) {
		return refuse(
		    path, OB_EPLUGIN, 0, reterr,
		    "it does not export " OB_PLUGIN_ENTRY_NAME
		    ": not an outboard plugin, or one for another version of the interface");
	}
	/* ISO C has no conversion from object to function pointers; POSIX promises that the bytes
	 * are the same. */
	memcpy(&entry, &symbol, sizeof entry);
	ob_plugin_list list = entry();
	if (list == NULL) {
		return refuse(path, OB_EPLUGIN, 0, reterr, OB_PLUGIN_ENTRY_NAME "() returned NULL");
	}
	if (list[0] == NULL) {
		return refuse(path, OB_EPLUGIN, 0, reterr,
			      OB_PLUGIN_ENTRY_NAME "() returned an empty list");
	}
	*ret_list = list;
	return OB_OK;
}

/* Whether this program is linked statically: then no dynamic linker is named in it. */
static bool is_static_program(void)
{
	const ElfW(Phdr) *header = (const ElfW(Phdr) *)(uintptr_t)getauxval(AT_PHDR);
	unsigned long count = header != NULL ? getauxval(AT_PHNUM) : 0;
	for (unsigned long i = 0; i < count; i++) {
		if (header[i].p_type == PT_INTERP) {
			return false;
		}
	}
	return count > 0;
}

/*
 * The runtime of a sanitizer that is not in the process yet ends it, or the linker names a symbol
 * that says little. So this is found before.
 */
static int refuse_sanitizer(const struct obi_plugin_file *file, const char *name,
			    struct ob_error *reterr)
{
	struct stat st;
	void *bytes = MAP_FAILED;
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	if (fd >= 0) {
		close(fd);
	}
	if (bytes == MAP_FAILED) {
		return OB_OK; /* dlopen() will say why */
	}
	const struct obi_sanitizer *s = obi_sanitizer_of(ob_bytes_of(bytes, (size_t)st.st_size));
	munmap(bytes, (size_t)st.st_size);
	if (s == NULL || dlsym(RTLD_DEFAULT, s->symbol) != NULL) {
		return OB_OK;
	}
	char text[256];
	snprintf(text, sizeof text,
		 s->library != NULL ? "it was built with %s: run the command with LD_PRELOAD=$(gcc "
				      "-print-file-name=%s), or build outboard with it"
				    : "it was built with %s: build outboard with it",
		 s->name, s->library);
	return refuse(file->path, OB_EPLUGIN, 0, reterr, text);
}

/*
 * glibc's dlopen() in a static program needs the very same glibc on the machine and crashes with
 * another, so it is not tried.
 */
int obi_plugin_file_map(const struct obi_plugin_file *file, void **ret_handle,
			struct ob_error *reterr)
{
	if (is_static_program()) {
		return refuse(
		    file->path, OB_EPLUGIN, 0, reterr,
		    "this program is linked statically: it can use built-in plugins only");
	}
	char name[NAME_MAX + 300];
	name_through(file, name, sizeof name);
	int rc = refuse_sanitizer(file, name, reterr);
	if (rc < 0) {
		return rc;
	}
	/* RTLD_NODELETE and no dlclose: code that was once handed out stays. */
	void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (handle == NULL) {
		return refuse(file->path, OB_EPLUGIN, 0, reterr, why(name));
	}
	*ret_handle = handle;
	return OB_OK;
}

int obi_plugin_file_load(const struct obi_plugin_file *file, ob_plugin_list *ret_list,
			 struct ob_error *reterr)
{
	void *handle;
	int rc = obi_plugin_file_map(file, &handle, reterr);
	return rc == OB_OK ? obi_plugin_file_list(file, handle, ret_list, reterr) : rc;
}
