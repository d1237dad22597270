/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over every file of the given directories: its corpus as an ordinary
 * test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 << 20 };

/* The input in memory of exactly its size, so that a sanitizer finds a read beyond its end. */
static int replay_file(FILE *file)
{
	static uint8_t whole[INPUT_MAX];
	size_t size = fread(whole, 1, sizeof whole, file);
	uint8_t *data = malloc(size > 0 ? size : 1);
	if (data == NULL || ferror(file)) {
		free(data);
		return -1;
	}
	memcpy(data, whole, size);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

static int replay_entry(const char *dir, const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *file = fopen(path, "rb");
	if (file == NULL || replay_file(file) < 0) {
		perror(path);
		exit(1);
	}
	fclose(file);
	return 1;
}

static int replay_dir(const char *path)
{
	int count = 0;
	DIR *dir = opendir(path);
	if (dir == NULL) {
		perror(path);
		exit(1);
	}
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		count += entry->d_name[0] != '.' ? replay_entry(path, entry->d_name) : 0;
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	int count = 0;
	for (int i = 1; i < argc; i++) {
		count += replay_dir(argv[i]);
	}
	printf("replayed %d inputs\n", count);
	return count > 0 ? 0 : 1;
}
