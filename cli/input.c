/* SPDX-License-Identifier: MIT */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum { PIECE = 64 * 1024 };

/* ---- Reading ---- */

/* Standard input may have been made non-blocking by whoever shares it. */
static bool may_go_on(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	return errno == EINTR || (errno == EAGAIN && (poll(&ready, 1, -1) == 1 || errno == EINTR));
}

static int read_all(int fd, struct obi_buf *out, struct ob_error *reterr)
{
	uint8_t piece[PIECE];
	for (;;) {
		ssize_t n = read(fd, piece, sizeof piece);
		if (n == 0) {
			return OB_OK;
		}
		if (n < 0 && !may_go_on(fd)) {
			return obi_fail(reterr, OB_EIO, errno, "cannot be read");
		}
		if (n > 0 && !ob_sink_put(obi_buf_sink(out), piece, (size_t)n)) {
			return out->starved ? obi_fail(reterr, OB_ENOMEM, 0, "out of memory")
					    : obi_fail(reterr, OB_ETOOBIG, 0,
						       "is larger than %zu MiB", out->max >> 20);
		}
	}
}

int obi_input_read(const char *path, struct obi_buf *out, bool *ret_is_file,
		   struct ob_error *reterr)
{
	struct stat st;
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	int r = fd >= 0 && fstat(fd, &st) == 0
		    ? read_all(fd, out, reterr)
		    : obi_fail(reterr, obi_code_of_errno(errno), errno, "cannot be read");
	if (r == OB_OK && ret_is_file != NULL) {
		*ret_is_file = !standard && S_ISREG(st.st_mode);
	}
	if (!standard && fd >= 0) {
		close(fd);
	}
	return r;
}

const char *obi_input_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* ---- Places ---- */

struct obi_place obi_place_after(struct obi_place from, struct ob_bytes between)
{
	for (size_t i = 0; i < between.len; i++) {
		if (between.data[i] == '\n') {
			from.line++;
			from.column = 1;
		} else {
			from.column += (between.data[i] & 0xc0) != 0x80; /* the start of one */
		}
	}
	return from;
}

struct obi_place obi_place_of(struct ob_bytes text, size_t offset)
{
	return obi_place_after((struct obi_place){1, 1}, ob_bytes_of(text.data, offset));
}
