/* SPDX-License-Identifier: MIT */
/* outboard plugin new: writes a plugin that works and passes `outboard plugin check`. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/args.h"
#include "base/error.h"
#include "base/names.h"
#include "cli/plugin/plugin.h"
#include "cli/report.h"
#include "cli/plugin/skeletons.h"

/* What a plugin that uses libsodium has in its CMakeLists.txt. */
#define FIND_SODIUM                          \
	"find_package(PkgConfig REQUIRED)\n" \
	"pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)\n"

static const struct kind {
	const char *name;
	const char *form; /* the option that asks for it; NULL: none is needed */
	const char *source;
	const char *title;
	const char *config;
	const char *check; /* arguments of outboard_check_plugin() */
	bool sodium;
} kinds[] = {
    {"auth", "exchange", "auth_exchange.c", "An authenticator",
     "\"auth\": [\"peercred\", \"skeleton\"]", "", true},
    {"auth", "seal", "auth_seal.c", "An authenticator that encrypts", "\"auth\": [\"skeleton\"]",
     "", true},
    {"auth", "admit", "auth.c", "An authenticator", "\"auth\": [\"skeleton\", \"token\"]", "",
     false},
    {"codec", NULL, "codec.c", "A codec", "\"codec\": \"skeleton\"", "", false},
    {"transport", NULL, "transport.c", "A transport",
     "\"listen\": \"skeleton:///run/example/socket\"", " ARGUMENTS --listen skeleton://{dir}/s",
     false},
    {"transport", "wrapper", "transport_wrapper.c", "A transport that wraps others",
     "\"listen\": \"skeleton+unix:///run/example/socket\"", "", false},
};

/* A form of a kind, and whether it was asked for. */
struct form {
	const char *name;
	bool given;
};

struct new_file {
	const struct kind *kind;
	const char *name;
	const char *dir;
};

/* ---- Texts ---- */

/* The placeholder at the beginning of text: its length (0: none) and its replacement. */
static size_t placeholder(const struct new_file *w, const char *text, const char **ret)
{
	const char *version = ob_version(), *dot = strchr(version, '.');
	static char series[16];
	snprintf(series, sizeof series, "%.*s",
		 (int)strcspn(dot + 1, ".") + (int)(dot + 1 - version), version);
	const char *const words[][2] = {
	    {"skeleton", w->name},
	    {"@KIND@", w->kind->title},
	    {"@CONFIG@", w->kind->config},
	    {"@CHECK@", w->kind->check},
	    {"@FIND@\n", w->kind->sodium ? FIND_SODIUM : ""},
	    {"@LIBRARIES@", w->kind->sodium ? " LIBRARIES PkgConfig::sodium" : ""},
	    {"@VERSION@", series}};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		size_t len = strlen(words[i][0]);
		if (strncmp(text, words[i][0], len) == 0) {
			*ret = words[i][1];
			return len;
		}
	}
	return 0;
}

/* A replacement may contain the placeholder "skeleton". */
static void write_text(const struct new_file *w, const char *text, FILE *file)
{
	while (*text != '\0') {
		const char *instead;
		size_t len = placeholder(w, text, &instead);
		if (len == 0) {
			fputc(*text++, file);
		} else if (instead == w->name) {
			fputs(instead, file);
		} else {
			write_text(w, instead, file);
		}
		text += len;
	}
}

/* ---- Files ---- */

static const char *text_of(const char *file)
{
	const struct obi_skeleton *s = obi_skeletons;
	while (strcmp(s->file, file) != 0) {
		s++;
	}
	return s->text;
}

static int write_file(const struct new_file *w, const char *skeleton, const char *name,
		      const char *ending, struct ob_error *reterr)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/%s%s", w->dir, name, ending) >= (int)sizeof path) {
		return obi_fail(reterr, OB_EINVAL, ENAMETOOLONG, "%s", w->dir);
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (file == NULL) {
		return obi_fail(reterr, OB_EIO, errno, "%s", path);
	}
	write_text(w, text_of(skeleton), file);
	bool bad = ferror(file) != 0;
	if (fclose(file) != 0 || bad) {
		return obi_fail(reterr, OB_EIO, errno, "%s", path);
	}
	obi_print_safe(stdout, ob_bytes_text(path));
	putchar('\n');
	return OB_OK;
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* The directory must be new or empty. */
static int make_dir(const char *dir, struct ob_error *reterr)
{
	struct dirent **entries;
	if (mkdir(dir, 0777) == 0) {
		return OB_OK;
	}
	int count = errno == EEXIST ? scandir(dir, &entries, is_entry, NULL) : -1;
	for (int i = 0; i < count; i++) {
		free(entries[i]);
	}
	if (count >= 0) {
		free(entries);
	}
	return count == 0 ? OB_OK
			  : obi_fail(reterr, OB_EIO, count < 0 ? errno : 0, "%s%s", dir,
				     count > 0 ? " exists and is not empty" : "");
}

static int write_all(const struct new_file *w, struct ob_error *reterr)
{
	int rc = make_dir(w->dir, reterr);
	rc = rc == OB_OK ? write_file(w, w->kind->source, w->name, ".c", reterr) : rc;
	rc = rc == OB_OK ? write_file(w, "CMakeLists.txt", "CMakeLists", ".txt", reterr) : rc;
	return rc == OB_OK ? write_file(w, "README.txt", "README", ".md", reterr) : rc;
}

/* ---- The command ---- */

/* Without an option it is the first of its kind that needs none, or the first. */
static const struct kind *find_kind(const char *name, const struct form *forms)
{
	const char *form = NULL;
	int given = 0;
	for (const struct form *f = forms; f->name != NULL; f++) {
		form = f->given ? f->name : form;
		given += f->given;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && given <= 1; i++) {
		bool is_it =
		    form == NULL || (kinds[i].form != NULL && strcmp(kinds[i].form, form) == 0);
		if (strcmp(kinds[i].name, name) == 0 && is_it) {
			return &kinds[i];
		}
	}
	if (given > 1) {
		obi_complain("plugin new: more than one form is given");
	} else if (given == 1) {
		obi_complain("plugin new: --%s is no form of \"%s\"", form, name);
	} else {
		obi_complain("plugin new: \"%s\" is not auth, transport or codec", name);
	}
	return NULL;
}

static bool name_is_valid(const struct new_file *w)
{
	bool scheme =
	    strcmp(w->kind->name, "transport") != 0 || obi_name_is_scheme(ob_bytes_text(w->name));
	if (!obi_name_is_plugin(ob_bytes_text(w->name)) || !scheme) {
		obi_complain("plugin new: \"%s\" is not a valid name: [a-z][a-z0-9_-]*, at most 31 "
			     "characters%s",
			     w->name,
			     scheme ? "" : ", without \"_\", since it is also the URI scheme");
		return false;
	}
	return true;
}

static int write_plugin(const struct obi_words *words, const struct form *forms)
{
	struct ob_error err = {0};
	struct new_file w = {.kind = find_kind(words->items[0], forms), .name = words->items[1]};
	w.dir = words->count > 2 ? words->items[2] : w.name;
	if (w.kind == NULL || !name_is_valid(&w)) {
		return OBI_EXIT_USAGE;
	}
	if (write_all(&w, &err) < 0) {
		obi_complain("plugin new: %s", err.text);
		return OBI_EXIT_USAGE;
	}
	return OBI_EXIT_OK;
}

int obi_plugin_new_files(int argc, char **argv)
{
	struct form forms[] = {{"exchange", false},
			       {"seal", false},
			       {"admit", false},
			       {"wrapper", false},
			       {NULL, false}};
	const struct obi_option options[] = {
	    {"exchange", NULL, "of auth: exchanges messages (the default)", OBI_OPTION_FLAG,
	     &forms[0].given},
	    {"seal", NULL, "of auth: exchanges keys, and encrypts", OBI_OPTION_FLAG,
	     &forms[1].given},
	    {"admit", NULL, "of auth: decides by what the kernel says of the peer", OBI_OPTION_FLAG,
	     &forms[2].given},
	    {"wrapper", NULL, "of transport: wraps other transports", OBI_OPTION_FLAG,
	     &forms[3].given},
	    {0}};
	const struct obi_usage usage = {
	    .command = "plugin new",
	    .words = "auth|transport|codec NAME [DIR]",
	    .about =
		"Writes a plugin of this kind into DIR, by default ./NAME: a source, a "
		"CMakeLists.txt, a\n"
		"test and a README. It works, passes \"outboard plugin check\", and is meant to be "
		"changed.\n"
		"DIR must be new or empty.\n",
	    .options = options,
	    .min_words = 2,
	    .max_words = 3,
	};
	struct obi_words words;
	int status;
	return obi_args_read(&usage, argc, argv, &words, &status) ? write_plugin(&words, forms)
								  : status;
}
