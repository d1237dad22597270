/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* ---- Frames ---- */

static uint8_t check_of(const uint8_t *head)
{
	uint8_t sum = 0x5a;
	for (size_t i = 0; i < HEAD - 1; i++) {
		sum = (uint8_t)((sum << 1 | sum >> 7) ^ head[i]);
	}
	return sum;
}

void line_write_head(uint8_t *head, struct frame f)
{
	const uint8_t bytes[HEAD] = {MAGIC,
				     f.kind,
				     (uint8_t)(f.id >> 24),
				     (uint8_t)(f.id >> 16),
				     (uint8_t)(f.id >> 8),
				     (uint8_t)f.id,
				     (uint8_t)(f.len >> 8),
				     (uint8_t)f.len};
	memcpy(head, bytes, HEAD);
	head[HEAD - 1] = check_of(head);
}

static bool read_head(const uint8_t *head, struct frame *ret)
{
	*ret = (struct frame){.kind = head[1],
			      .id = (uint32_t)head[2] << 24 | (uint32_t)head[3] << 16 |
				    (uint32_t)head[4] << 8 | head[5],
			      .len = (uint32_t)head[6] << 8 | head[7]};
	return head[0] == MAGIC && head[HEAD - 1] == check_of(head) && ret->len <= PAYLOAD;
}

/* The bytes that are there, at most len; 0: none now; or a negative code. */
ptrdiff_t line_read(struct line *line, void *data, size_t len)
{
	ssize_t n;
	do {
		n = read(line->fd, data, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return errno == EAGAIN ? 0
		       : errno == EIO  ? OB_ECONNLOST
				       : OB_EIO; /* EIO: hung up */
	}
	return n > 0 ? n : OB_ECONNLOST;
}

int line_next_frame(struct line *line, struct frame *ret)
{
	for (;;) {
		ptrdiff_t n = line_read(line, line->head + line->have, HEAD - line->have);
		if (n <= 0) {
			return (int)n;
		}
		line->have += (size_t)n;
		if (line->have < HEAD) {
			continue;
		}
		if (read_head(line->head, ret)) {
			line->have = 0;
			line->left = ret->len;
			return 1;
		}
		do {
			memmove(line->head, line->head + 1, --line->have);
		} while (line->have > 0 && line->head[0] != MAGIC);
	}
}

int line_skip_payload(struct line *line)
{
	uint8_t waste[512];
	while (line->left > 0) {
		ptrdiff_t n =
		    line_read(line, waste, line->left < sizeof waste ? line->left : sizeof waste);
		if (n <= 0) {
			return (int)n;
		}
		line->left -= (uint32_t)n;
	}
	return 1;
}

bool line_send(struct line *line, uint8_t kind, uint32_t id)
{
	uint8_t head[HEAD];
	line_write_head(head, (struct frame){kind, id, 0});
	return write(line->fd, head, HEAD) == HEAD;
}

bool line_send_first(struct line *line, uint8_t kind, uint32_t id)
{
	uint8_t frame[PAYLOAD + HEAD] = {0};
	line_write_head(frame + PAYLOAD, (struct frame){kind, id, 0});
	return write(line->fd, frame, sizeof frame) == sizeof frame;
}

/* ---- Devices ---- */

int line_code_of(int sys)
{
	return sys == ENOENT || sys == ENOTDIR || sys == ENODEV || sys == ENXIO ? OB_ENOENT
	       : sys == EACCES || sys == EPERM					? OB_EPERM
	       : sys == EMFILE || sys == ENFILE || sys == ENOMEM		? OB_ENOMEM
										: OB_EIO;
}

int line_open(const struct ob_host *host, const char *path, int taken, struct line *ret,
	      struct ob_error *reterr)
{
	struct stat st;
	struct termios mode;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	*ret = (struct line){.host = host, .fd = fd};
	if (fd < 0) {
		return host->fail(reterr, line_code_of(errno), errno, "%s", path);
	}
	int rc = OB_OK;
	if (fstat(fd, &st) != 0 || !S_ISCHR(st.st_mode)) {
		rc = host->fail(reterr, OB_EINVAL, 0, "%s is not a character device", path);
	} else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		rc = host->fail(reterr, taken, 0, "%s is in use", path);
	} else if (tcgetattr(fd, &mode) == 0) {
		cfmakeraw(&mode);
		tcsetattr(fd, TCSANOW, &mode);
	}
	if (rc < 0) {
		close(fd);
	}
	return rc;
}
