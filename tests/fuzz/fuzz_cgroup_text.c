/* SPDX-License-Identifier: MIT */
/* process/cgroup_text: any text is read or refused; what comes out fits, and is a path or a pid.
 * The first byte is how much room there is. */
#include <stdlib.h>
#include <string.h>

#include "process/cgroup_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

static void read_paths(struct ob_bytes text, size_t room)
{
	char path[256], dir[512];
	bool mounted;
	const char *own = "/a/b";
	if (obi_cgroup_own_path(text, path, room)) {
		must(path[0] == '/' && strlen(path) < room);
		own = path;
	}
	if (obi_cgroup_directory(text, own, dir, room, &mounted)) {
		must(mounted && dir[0] != '\0' && strlen(dir) < room);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0) {
		return 0;
	}
	struct ob_bytes text = ob_bytes_of(data + 1, size - 1);
	size_t at = 0, count = 0;
	uint64_t number;
	int32_t pid;
	read_paths(text, data[0] + (size_t)1);
	(void)obi_cgroup_is_v1(text, "memory");
	(void)obi_cgroup_has_word(text, "memory");
	(void)obi_cgroup_value(text, "oom_kill", &number);
	(void)obi_cgroup_number(text, &number);
	while (obi_cgroup_next_pid(text, &at, &pid)) {
		must(pid >= 0 && at <= text.len && ++count <= text.len);
	}
	return 0;
}
