/* SPDX-License-Identifier: MIT */
#include "log/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "log/line.h"

enum { CHUNK = 64 * 1024, SCRATCH = 8 * 1024, KEEP = 4096 };

/* When an incomplete line is delivered; how late the timer is if the process did not run. */
enum { TEXT_WAIT_MS = 1000, RECORD_WAIT_MS = 10000, LATE_MS = 500 };

/* A tree takes at most 16 bytes for each byte of its line, plus the parser's constant. */
#define TREE_MAX (17 * OBI_LOG_LINE_MAX)

struct obi_log_reader {
	struct obi_log_reader_setup setup;
	struct obi_io io;
	struct obi_timer timer; /* looks at the incomplete line; armed once for many lines */
	int64_t begun_ms;	/* when the line that is incomplete was begun */
	struct obi_buf line;	/* an incomplete line: what earlier reads returned of it */
	uint64_t discarded;	/* bytes of this line beyond the maximum */
	bool excused;		/* this line got its time anew */
	bool continued;		/* the beginning of this line was delivered */
	bool busy;		/* fn is running */
	bool dead;		/* freed inside fn */
	char name[];
};

/* One read and its processing. It is on the stack, so that a silent stream costs nothing. */
struct turn {
	struct obi_log_reader *reader;
	struct timespec read_at;
	struct obi_arena arena;
	_Alignas(16) uint8_t
	    scratch[SCRATCH]; /* the first block of the arena: enough for nearly every record */
	uint8_t chunk[CHUNK];
};

static void destroy(struct obi_log_reader *reader)
{
	obi_buf_free(&reader->line);
	free(reader);
}

/* ---- Delivery ---- */

/* Call fn. Returns false when the reader was freed in fn. */
static bool hand_on(struct obi_log_reader *reader, const struct ob_log_record *record)
{
	reader->busy = true;
	reader->setup.fn(reader->setup.user, record);
	reader->busy = false;
	if (reader->dead) {
		destroy(reader);
		return false;
	}
	return true;
}

/* A line is complete, or as much of it as is delivered now. Returns false when the reader was
 * freed. */
static bool emit(struct turn *turn, struct ob_bytes line, bool partial)
{
	struct obi_log_reader *reader = turn->reader;
	struct ob_log_record record;
	struct ob_pair discarded = {ob_string("discarded"), ob_uint(reader->discarded)};
	struct obi_log_line_from from = {
	    .name = reader->name,
	    .stream = reader->setup.stream,
	    .read_at = turn->read_at,
	    .flags = (partial ? OB_LOG_PARTIAL : 0u) | (reader->continued ? OB_LOG_CONTINUED : 0u) |
		     (reader->discarded > 0 ? OB_LOG_TRUNCATED : 0u),
	};
	reader->continued = partial;
	reader->discarded = 0;
	obi_arena_reset(&turn->arena);
	turn->arena.ob.next = turn->scratch;
	turn->arena.ob.end = turn->scratch + sizeof turn->scratch;
	if (reader->setup.fn == NULL ||
	    !obi_log_line_parse(&from, line, &turn->arena.ob, &record)) {
		return true;
	}
	if ((from.flags & OB_LOG_TRUNCATED) != 0) {
		record.attrs = ob_map(&discarded, 1);
	}
	return hand_on(reader, &record);
}

/* ---- Lines ---- */

static bool is_begun(const struct obi_log_reader *reader)
{
	return obi_buf_len(&reader->line) > 0 || reader->discarded > 0;
}

/* The next bytes are the first of a line, or of what follows a partial one. The timer is not
 * stopped when a line ends: in a flood that would be once a turn. */
static void note_begun(struct obi_log_reader *reader)
{
	if (!is_begun(reader)) {
		reader->begun_ms = obi_loop_now(reader->setup.loop);
		reader->excused = false;
	}
	if (reader->timer.loop == NULL && reader->setup.fn != NULL) {
		obi_timer_set(reader->setup.loop, &reader->timer, TEXT_WAIT_MS);
	}
}

/* Append to the incomplete line; bytes beyond the maximum are only counted. */
static void keep(struct obi_log_reader *reader, const uint8_t *data, size_t n)
{
	note_begun(reader);
	size_t room = OBI_LOG_LINE_MAX - obi_buf_len(&reader->line);
	size_t fits = reader->discarded > 0 ? 0 : n < room ? n : room;
	uint8_t *to = fits > 0 ? obi_buf_reserve(&reader->line, fits, NULL) : NULL;
	if (to == NULL) {
		/* Out of memory is handled like the maximum: the line is cut here, and
		 * marked. */
		obi_buf_truncate(&reader->line, obi_buf_len(&reader->line));
		fits = 0;
	} else {
		memcpy(to, data, fits);
		ob_sink_commit(obi_buf_sink(&reader->line), fits);
	}
	reader->discarded += n - fits;
}

/* Deliver the incomplete line: it has ended, or is partial. */
static bool end_line(struct turn *turn, bool partial)
{
	struct obi_buf *line = &turn->reader->line;
	if (!emit(turn, obi_buf_bytes(line), partial)) {
		return false;
	}
	if (line->sink.cap > KEEP) {
		obi_buf_free(line);
	} else {
		obi_buf_consume(line, obi_buf_len(line));
	}
	return true;
}

/* Split n bytes into lines. Returns false when the reader was freed. */
static bool split(struct turn *turn, size_t n)
{
	const uint8_t *at = turn->chunk, *end = turn->chunk + n;
	while (at < end) {
		const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((newline != NULL ? newline : end) - at);
		if (newline == NULL || is_begun(turn->reader)) {
			keep(turn->reader, at, len);
		}
		if (newline == NULL) {
			return true;
		}
		if (!(is_begun(turn->reader) ? end_line(turn, false)
					     : emit(turn, ob_bytes_of(at, len), false))) {
			return false;
		}
		at = newline + 1;
	}
	return true;
}

/* ---- Reading ---- */

static void begin_turn(struct turn *turn, struct obi_log_reader *reader)
{
	turn->reader = reader;
	obi_arena_init(&turn->arena, TREE_MAX);
	clock_gettime(CLOCK_REALTIME, &turn->read_at);
}

/* One read of at most max bytes. Returns the number of bytes; 0: nothing to read, or the end;
 * negative: the reader was freed. */
static ssize_t read_once(struct turn *turn, size_t max)
{
	struct obi_log_reader *reader = turn->reader;
	ssize_t n;
	do {
		n = read(reader->setup.fd, turn->chunk, max < CHUNK ? max : CHUNK);
	} while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		/* After its end or an error, a descriptor is readable for ever. */
		obi_io_stop(&reader->io);
	}
	if (n <= 0) {
		return 0;
	}
	return split(turn, (size_t)n) ? n : -1;
}

static void on_readable(void *user, int events)
{
	struct turn turn;
	(void)events;
	begin_turn(&turn, user);
	(void)read_once(&turn, CHUNK);
	obi_arena_free(&turn.arena);
}

/* ---- Lines that do not end ---- */

/* How long the incomplete line may wait for its end. -1: there is nothing to show. */
static int64_t patience(const struct obi_log_reader *reader)
{
	struct ob_bytes line = obi_buf_bytes(&reader->line);
	size_t i = obi_log_line_skip(line);
	if (i == line.len) {
		return reader->discarded > 0 ? TEXT_WAIT_MS : -1;
	}
	return line.data[i] == '{' && reader->discarded == 0 ? RECORD_WAIT_MS : TEXT_WAIT_MS;
}

/* What has come was read before the timer is called. If the process did not run for a while it may
 * not be all: the child gets its time anew, once a line. */
static void on_timer(void *user)
{
	struct turn turn;
	struct obi_log_reader *reader = user;
	int64_t now = obi_loop_now(reader->setup.loop);
	int64_t wait = is_begun(reader) ? patience(reader) : -1;
	if (wait >= 0 && now - reader->timer.at > LATE_MS && !reader->excused) {
		reader->excused = true;
		reader->begun_ms = now;
	}
	int64_t age = now - reader->begun_ms;
	if (wait >= 0 && age < wait) {
		obi_timer_set(reader->setup.loop, &reader->timer, wait - age);
	} else if (wait >= 0) {
		begin_turn(&turn, reader);
		(void)end_line(&turn, true);
		obi_arena_free(&turn.arena);
	}
}

/* ---- The end ---- */

/* The capacity of the pipe, as a bound on its content. */
static size_t pipe_size(int fd)
{
	int size = fcntl(fd, F_GETPIPE_SZ);
	return size > 0 ? (size_t)size : OBI_LOG_LINE_MAX;
}

void obi_log_reader_drain(struct obi_log_reader *reader)
{
	struct turn turn;
	if (reader->busy) {
		return;
	}
	begin_turn(&turn, reader);
	size_t left = pipe_size(reader->setup.fd);
	ssize_t n = read_once(&turn, left);
	while (n > 0 && (size_t)n < left) {
		left -= (size_t)n;
		n = read_once(&turn, left);
	}
	if (n >= 0 && is_begun(reader)) {
		(void)end_line(&turn, false);
	}
	obi_arena_free(&turn.arena);
}

void obi_log_reader_flush(struct obi_log_reader *reader)
{
	struct turn turn;
	if (reader->busy || !is_begun(reader)) {
		return;
	}
	begin_turn(&turn, reader);
	(void)end_line(&turn, true);
	obi_arena_free(&turn.arena);
}

/* ---- Creation and end ---- */

int obi_log_reader_new(const struct obi_log_reader_setup *setup, struct obi_log_reader **ret,
		       struct ob_error *reterr)
{
	size_t len = strlen(setup->name);
	struct obi_log_reader *reader = calloc(1, sizeof *reader + len + 1);
	if (reader == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "reading the log of %s: out of memory",
				setup->name);
	}
	reader->setup = *setup;
	memcpy(reader->name, setup->name, len);
	obi_buf_init(&reader->line, OBI_LOG_LINE_MAX);
	reader->timer.fn = on_timer;
	reader->timer.user = reader;
	reader->io.fn = on_readable;
	reader->io.user = reader;
	obi_io_set(setup->loop, &reader->io, setup->fd, OB_READABLE);
	*ret = reader;
	return OB_OK;
}

void obi_log_reader_free(struct obi_log_reader *reader)
{
	if (reader == NULL) {
		return;
	}
	obi_io_stop(&reader->io);
	obi_timer_stop(&reader->timer);
	if (reader->busy) {
		reader->dead = true;
	} else {
		destroy(reader);
	}
}
