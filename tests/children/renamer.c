/* SPDX-License-Identifier: MIT */
/*
 * renamer - a child that replaces its outboard.json without pause, and is never ready:
 *
 *   renamer BYTES    the size of what it writes: as many unknown keys as fit
 *
 * It prints "renamed N" at every 1000th time. Two files take turns: a rename of a file onto another
 * link of itself does nothing.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TELL_EVERY = 1000 };

static bool write_file(const char *name, size_t size)
{
	FILE *file = fdopen(open(name, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600), "w");
	size_t len = 1;
	if (file == NULL) {
		return false;
	}
	fputc('{', file);
	for (unsigned i = 0; len + 16 < size; i++) {
		len += (size_t)fprintf(file, "\"k%u\":0,", i);
	}
	fputs("\"last\":0}", file);
	return fclose(file) == 0;
}

int main(int argc, char **argv)
{
	static const char *const files[] = {"one", "two"};
	const char *config = getenv("OUTBOARD_CONFIG");
	char *dir = config != NULL ? strdup(config) : NULL;
	if (argc < 2 || dir == NULL || strrchr(dir, '/') == NULL) {
		return 2;
	}
	*strrchr(dir, '/') = '\0';
	size_t size = strtoul(argv[1], NULL, 10);
	if (chdir(dir) < 0 || !write_file(files[0], size) || !write_file(files[1], size)) {
		return 2;
	}
	for (unsigned long n = 1;; n++) {
		if (link(files[n % 2], "new") < 0 || rename("new", "outboard.json") < 0) {
			return 1; /* the directory is gone */
		}
		if (n % TELL_EVERY == 0) {
			printf("renamed %lu\n", n);
			fflush(stdout);
		}
	}
}
