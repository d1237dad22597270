/* SPDX-License-Identifier: MIT */
#include "cli/config/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/report.h"

enum { CONFIG_MAX = 16 << 20, FAULTS_MEMORY = 64 << 20, PIECE = 64 * 1024 };

/* ---- Faults ---- */

void obi_faults_init(struct obi_faults *faults, const char *file)
{
	*faults = (struct obi_faults){.file = file};
	obi_arena_init(&faults->arena, FAULTS_MEMORY);
}

void obi_faults_free(struct obi_faults *faults)
{
	obi_arena_free(&faults->arena);
}

void obi_faults_add(void *user, const char *key, const char *reason)
{
	struct obi_faults *faults = user;
	struct obi_fault *fault = ob_arena_alloc(&faults->arena.ob, sizeof *fault);
	char *key_copy = obi_arena_text(&faults->arena, key, strlen(key));
	char *reason_copy = obi_arena_text(&faults->arena, reason, strlen(reason));
	faults->count++;
	if (fault == NULL || key_copy == NULL || reason_copy == NULL) {
		return; /* counted, but not printed */
	}
	*fault = (struct obi_fault){NULL, key_copy, reason_copy};
	if (faults->last != NULL) {
		faults->last->next = fault;
	} else {
		faults->first = fault;
	}
	faults->last = fault;
}

void obi_faults_print(const struct obi_faults *faults)
{
	for (const struct obi_fault *f = faults->first; f != NULL; f = f->next) {
		obi_print_safe(stderr, ob_bytes_text(faults->file));
		fputs(": ", stderr);
		fputs(faults->word != NULL ? faults->word : "", stderr);
		obi_print_safe(stderr, ob_bytes_text(f->key));
		fputs(*f->key != '\0' ? ": " : "", stderr);
		obi_print_safe(stderr, ob_bytes_text(f->reason));
		fputc('\n', stderr);
	}
}

/* ---- Reading ---- */

static int read_all(int fd, struct ob_sink *out, struct ob_error *reterr)
{
	for (;;) {
		uint8_t *room = ob_sink_reserve(out, PIECE);
		ssize_t n = room != NULL ? read(fd, room, PIECE) : 0;
		if (room == NULL) {
			return obi_fail(reterr, OB_ETOOBIG, 0, "is larger than %d MiB",
					CONFIG_MAX >> 20);
		}
		if (n < 0 && errno != EINTR) {
			return obi_fail(reterr, OB_EIO, errno, "cannot be read");
		}
		if (n == 0) {
			return OB_OK;
		}
		ob_sink_commit(out, n > 0 ? (size_t)n : 0);
	}
}

/* Any owner and mode, but only a regular file: a FIFO could block, and a device has no end. */
static int read_file(const char *path, struct obi_buf *out, struct ob_error *reterr)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		return obi_fail(reterr, obi_code_of_errno(errno), errno, "cannot be read");
	}
	int r = fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
		    ? read_all(fd, obi_buf_sink(out), reterr)
		    : obi_fail(reterr, OB_EINVAL, 0, "is not a regular file");
	close(fd);
	return r;
}

bool obi_load_config(const char *path, struct obi_run_config *ret, struct obi_faults *faults)
{
	struct ob_error err = {0};
	struct obi_buf text;
	uint32_t before = faults->count;
	obi_buf_init(&text, CONFIG_MAX + PIECE);
	int r = read_file(path, &text, &err);
	if (r < 0) {
		obi_faults_add(faults, "", err.text);
	} else {
		r = obi_run_config_parse(obi_buf_bytes(&text), ret, obi_faults_add, faults, &err);
	}
	if (r < 0 && faults->count == before) {
		obi_faults_add(faults, "", err.text);
	}
	obi_buf_free(&text);
	return r == OB_OK;
}

int obi_load_runtime(const struct obi_run_config *config, ob_runtime **ret, struct ob_error *reterr)
{
	struct ob_runtime_options options = {.size = sizeof options, .mode = OB_RUNTIME_INLINE};
	options.plugin_path = config != NULL ? config->plugin_path : NULL;
	return ob_runtime_new(&options, ret, reterr);
}
