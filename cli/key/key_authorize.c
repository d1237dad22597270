/* SPDX-License-Identifier: MIT */
/* outboard key authorize: add a public key to a list. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/keys/authorized.h"
#include "cli/args.h"
#include "cli/key/key.h"
#include "cli/report.h"

enum { LINE = 4096 };

struct addition {
	const char *from;    /* NULL: not given */
	const char *expires; /* NULL: not given */
	const char *path;
	char line[LINE]; /* with its options and a newline */
};

static bool complain(const struct addition *a, const char *why)
{
	obi_complain("key authorize: %s: %s", a->path, why);
	return false;
}

/* ---- The line ---- */

/* One line, from standard input if the word is "-". */
static bool take_line(const char *word, char ret[LINE])
{
	int n;
	if (strcmp(word, "-") == 0) {
		size_t len = fread(ret, 1, LINE - 1, stdin);
		ret[len] = '\0';
		n = strlen(ret) == len ? (int)len : LINE;
	} else {
		n = snprintf(ret, LINE, "%s", word);
	}
	if (n >= LINE - 1) {
		obi_complain("key authorize: the line is too long, or has a NUL");
		return false;
	}
	if (n > 0 && ret[n - 1] == '\n') {
		ret[n - 1] = '\0';
	}
	return true;
}

static bool put_option(struct ob_sink *out, const char *name, const char *value)
{
	if (value == NULL) {
		return true;
	}
	if (strchr(value, '"') != NULL) {
		obi_complain("key authorize: --%s: it has a quotation mark", name);
		return false;
	}
	ob_sink_text(out, out->len > 0 ? "," : "");
	ob_sink_text(out, name);
	ob_sink_text(out, "=\"");
	ob_sink_text(out, value);
	ob_sink_text(out, "\"");
	return true;
}

/* The options given go before those that the line has. */
static bool make_line(struct addition *a, const char *text)
{
	struct ob_sink out = ob_sink_fixed(a->line, LINE - 1);
	struct ob_bytes rest = obi_key_trimmed(ob_bytes_text(text)), left = rest;
	bool has_options = !ob_bytes_is(obi_key_word(&left), "ed25519");
	struct obi_authorized_key key;
	char why[OBI_KEYS_WHY] = "too long";
	if (!put_option(&out, "from", a->from) || !put_option(&out, "expires", a->expires)) {
		return false;
	}
	if (out.len > 0) {
		ob_sink_byte(&out, has_options ? ',' : ' ');
	}
	ob_sink_put(&out, rest.data, rest.len);
	bool good = !out.failed && obi_authorized_line(ob_bytes_of(a->line, out.len), &key, why);
	if (good && !crypto_core_ed25519_is_valid_point(key.key)) {
		snprintf(why, sizeof why, "its key is not a public key of Ed25519");
		good = false;
	}
	if (!good || !ob_sink_byte(&out, '\n')) {
		obi_complain("key authorize: the line: %s", good ? "too long" : why);
		return false;
	}
	a->line[out.len] = '\0';
	return true;
}

/* ---- The file ---- */

/* What the file says, with the line behind it. A file that does not exist is empty. */
static bool extend(const struct addition *a, struct ob_sink *text, bool *ret_is_new)
{
	struct obi_authorized list;
	char why[OBI_KEYS_WHY];
	struct stat st;
	*ret_is_new = lstat(a->path, &st) != 0 && errno == ENOENT;
	if (!*ret_is_new &&
	    !obi_small_file_read(a->path, OBI_LINKS_REFUSED, 0022, text, NULL, why)) {
		obi_complain("key authorize: %s", why);
		return false;
	}
	if (text->len > 0 && text->data[text->len - 1] != '\n') {
		ob_sink_byte(text, '\n');
	}
	ob_sink_text(text, a->line);
	if (text->failed) {
		return complain(a, "it would be larger than 262144 bytes");
	}
	if (!obi_authorized_parse(ob_bytes_of(text->data, text->len), &list, why)) {
		return complain(a, why);
	}
	obi_authorized_free(&list);
	return true;
}

/* The new file, with the mode and the owners of the old one: its readers go on reading it. */
static int fill(int fd, const struct addition *a, struct ob_bytes text, bool is_new)
{
	struct stat st = {.st_mode = 0644, .st_uid = (uid_t)-1, .st_gid = (gid_t)-1};
	if (!is_new && lstat(a->path, &st) != 0) {
		return -1;
	}
	size_t done = 0;
	while (done < text.len) {
		ssize_t n = write(fd, text.data + done, text.len - done);
		if (n < 0) {
			return -1;
		}
		done += (size_t)n;
	}
	if (!is_new && fchown(fd, st.st_uid, st.st_gid) != 0) {
		return -1;
	}
	return fchmod(fd, st.st_mode & 07777) == 0 && fsync(fd) == 0 ? 0 : -1;
}

/* Whoever reads the file sees the old one or the new one. */
static bool replace(const struct addition *a, struct ob_bytes text, bool is_new, int dir)
{
	char temporary[PATH_MAX];
	if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", a->path) >= (int)sizeof temporary) {
		return complain(a, strerror(ENAMETOOLONG));
	}
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		return complain(a, strerror(errno));
	}
	int r = fill(fd, a, text, is_new), error = errno;
	close(fd);
	if (r == 0 && rename(temporary, a->path) != 0) {
		r = -1;
		error = errno;
	}
	if (r != 0) {
		unlink(temporary);
		return complain(a, strerror(error));
	}
	return fsync(dir) == 0 || complain(a, strerror(errno));
}

/* Two that add keys at the same time wait for each other. */
static int lock_directory(const struct addition *a)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s", a->path) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int dir = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (dir >= 0 && flock(dir, LOCK_EX) != 0) {
		if (errno != EINTR) {
			close(dir);
			return -1;
		}
	}
	return dir;
}

static bool add(const struct addition *a)
{
	bool is_new = false;
	int dir = lock_directory(a);
	if (dir < 0) {
		return complain(a, strerror(errno));
	}
	uint8_t *memory = malloc(OBI_AUTHORIZED_BYTES);
	struct ob_sink text = ob_sink_fixed(memory, OBI_AUTHORIZED_BYTES);
	bool good = memory != NULL || complain(a, strerror(ENOMEM));
	good = good && extend(a, &text, &is_new) &&
	       replace(a, ob_bytes_of(text.data, text.len), is_new, dir);
	free(memory);
	close(dir);
	return good;
}

int obi_key_authorize(int argc, char **argv)
{
	struct addition a = {.path = NULL};
	const struct obi_option options[] = {
	    {"from", "LIST", "addresses and prefixes that the peer may have: \"192.0.2.0/24,::1\"",
	     OBI_OPTION_TEXT, &a.from},
	    {"expires", "TIME", "when the key expires: \"2027-01-31T00:00:00Z\"", OBI_OPTION_TEXT,
	     &a.expires},
	    {0}};
	const struct obi_usage usage = {
	    .command = "key authorize",
	    .words = "FILE LINE|-",
	    .about = "Adds a public key to the list FILE, which is made if it does not exist. LINE "
		     "is what \"outboard\nkey new\" and \"outboard key show\" print; \"-\" reads "
		     "it from standard input. A key or a\nsubject that is in the list already is "
		     "refused.\n",
	    .options = options,
	    .min_words = 2,
	    .max_words = 2,
	};
	struct obi_words words;
	char text[LINE];
	int status;
	if (!obi_args_read(&usage, argc, argv, &words, &status)) {
		return status;
	}
	a.path = words.items[0];
	return take_line(words.items[1], text) && make_line(&a, text) && add(&a) ? OBI_EXIT_OK
										 : OBI_EXIT_USAGE;
}
