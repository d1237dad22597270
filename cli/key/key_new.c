/* SPDX-License-Identifier: MIT */
/* outboard key new, and show: a secret key, and its public half. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/keys/key_text.h"
#include "cli/args.h"
#include "cli/key/key.h"
#include "cli/report.h"

static void print_public(const struct obi_key_pair *pair)
{
	char line[OBI_KEYS_LINE];
	obi_key_public_line(pair, line);
	fputs(line, stdout);
}

/* Write the new file. What is not complete does not stay. */
static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		obi_complain("key new: %s: %s", path, strerror(errno));
		return false;
	}
	errno = EIO; /* of a short write */
	bool good = fchmod(fd, 0600) == 0 &&
		    write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;
	int error = errno;
	close(fd);
	if (!good) {
		unlink(path);
		obi_complain("key new: %s: %s", path, strerror(error));
	}
	return good;
}

/* The comment: what was given, or else the name of this host. */
static bool take_comment(const char *given, struct obi_key_pair *pair)
{
	char host[OBI_KEYS_COMMENT + 1] = "";
	if (given == NULL) {
		(void)gethostname(host, sizeof host - 1);
	}
	struct ob_bytes comment = obi_key_trimmed(ob_bytes_text(given != NULL ? given : host));
	const char *fault = obi_key_comment_fault(comment);
	if (fault != NULL) {
		obi_complain("key new: --comment: %s", fault);
		return false;
	}
	memcpy(pair->comment, comment.data, comment.len);
	return true;
}

int obi_key_new(int argc, char **argv)
{
	const char *comment = NULL;
	const struct obi_option options[] = {
	    {"comment", "TEXT", "the subject that peers see; default: the name of this host",
	     OBI_OPTION_TEXT, &comment},
	    {0}};
	const struct obi_usage usage = {
	    .command = "key new",
	    .words = "FILE",
	    .about = "Makes a secret key of Ed25519, writes it into the new file FILE with mode "
		     "0600, and prints\nthe line of its public key, for \"outboard key "
		     "authorize\".\n",
	    .options = options,
	    .min_words = 1,
	    .max_words = 1,
	};
	struct obi_words words;
	struct obi_key_pair pair = {.comment = ""};
	char line[OBI_KEYS_LINE];
	int status;
	if (!obi_args_read(&usage, argc, argv, &words, &status)) {
		return status;
	}
	if (!take_comment(comment, &pair)) {
		return OBI_EXIT_USAGE;
	}
	crypto_sign_keypair(pair.public, pair.secret);
	obi_key_secret_line(&pair, line);
	bool good = write_file(words.items[0], line);
	if (good) {
		print_public(&pair);
	}
	sodium_memzero(&pair, sizeof pair);
	sodium_memzero(line, sizeof line);
	return good ? OBI_EXIT_OK : OBI_EXIT_USAGE;
}

int obi_key_show(int argc, char **argv)
{
	const struct obi_option options[] = {{0}};
	const struct obi_usage usage = {
	    .command = "key show",
	    .words = "FILE",
	    .about = "Prints the line of the public key that belongs to the secret key in FILE.\n",
	    .options = options,
	    .min_words = 1,
	    .max_words = 1,
	};
	struct obi_words words;
	struct obi_key_pair pair;
	char why[OBI_KEYS_WHY];
	int status;
	if (!obi_args_read(&usage, argc, argv, &words, &status)) {
		return status;
	}
	if (!obi_key_pair_load(words.items[0], &pair, why)) {
		obi_complain("key show: %s", why);
		return OBI_EXIT_USAGE;
	}
	print_public(&pair);
	sodium_memzero(&pair, sizeof pair);
	return OBI_EXIT_OK;
}
