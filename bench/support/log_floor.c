/* SPDX-License-Identifier: MIT */
#include "support/log_floor.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/bench.h"

enum { READ = 64 * 1024, HEAD = 64 };

struct floor {
	char in[2 * READ]; /* the beginning of a line, and what was read behind it */
	char out[READ * 64];
	char head[HEAD];
	size_t head_len;
};

static void make_head(struct floor *f)
{
	struct timespec now;
	struct tm tm;
	char text[32];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	f->head_len = (size_t)snprintf(f->head, sizeof f->head, "%.20s.%03ldZ INFO  [%s stdout] ",
				       text, now.tv_nsec / 1000000, FLOOR_NAME);
}

/* Write the lines of n bytes; returns where the last, which has no end, begins. */
static size_t put_lines(struct floor *f, size_t n, int sink)
{
	const char *at = f->in, *end = f->in + n, *newline;
	char *out = f->out;
	make_head(f);
	while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		size_t len = (size_t)(newline + 1 - at);
		memcpy(out, f->head, f->head_len);
		memcpy(out + f->head_len, at, len);
		out += f->head_len + len;
		at = newline + 1;
	}
	bench_write_all(sink, f->out, (size_t)(out - f->out));
	return (size_t)(at - f->in);
}

void log_floor_run(int fd, int sink)
{
	static struct floor f;
	size_t begun = 0;
	for (ssize_t n; (n = read(fd, f.in + begun, READ)) > 0;) {
		size_t all = begun + (size_t)n, done = put_lines(&f, all, sink);
		begun = all - done < READ ? all - done : 0;
		memmove(f.in, f.in + done, begun);
	}
}
