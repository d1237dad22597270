/* SPDX-License-Identifier: MIT */
#include "log/splitter.h"

#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "log/line.h"

enum { SCRATCH = 8 * 1024, KEEP = 4096 };

/* When an incomplete line is delivered; how late the timer is if the process did not run. */
enum { TEXT_WAIT_MS = 1000, RECORD_WAIT_MS = 10000, LATE_MS = 500 };

/* A tree takes at most 16 bytes for each byte of its line, plus the parser's constant. */
#define TREE_MAX (17 * OBI_LOG_LINE_MAX)

/* The memory of the records of one chunk. It is on the stack, so a silent stream needs none. */
struct turn {
	struct obi_log_splitter *splitter;
	struct timespec read_at;
	struct ob_log_record text; /* that of a line of text, but for its message */
	struct obi_arena arena;
	/* The first block of the arena: enough for nearly every record. */
	_Alignas(16) uint8_t scratch[SCRATCH];
};

static void begin_turn(struct turn *turn, struct obi_log_splitter *splitter)
{
	turn->splitter = splitter;
	clock_gettime(CLOCK_REALTIME, &turn->read_at);
	turn->text = obi_log_line_text(splitter->name, splitter->stream, turn->read_at);
	obi_arena_init(&turn->arena, TREE_MAX);
	splitter->stopped = false;
}

static void end_turn(struct turn *turn)
{
	struct obi_log_splitter *splitter = turn->splitter;
	obi_arena_free(&turn->arena);
	if (splitter->stopped) {
		obi_log_splitter_stop(splitter);
		if (splitter->on_stopped != NULL) {
			splitter->on_stopped(splitter->owner);
		}
	}
}

static void report(struct obi_log_splitter *s, const struct ob_log_record *record)
{
	s->busy = true;
	s->fn(s->user, record);
	s->busy = false;
}

/* A line is complete, or as much of it as is delivered now. */
static void emit(struct turn *turn, struct ob_bytes line, bool partial)
{
	struct obi_log_splitter *s = turn->splitter;
	struct ob_log_record record;
	struct ob_pair discarded = {ob_string("discarded"), ob_uint(s->discarded)};
	struct obi_log_line_from from = {
	    .name = s->name,
	    .stream = s->stream,
	    .read_at = turn->read_at,
	    .flags = (partial ? OB_LOG_PARTIAL : 0u) | (s->continued ? OB_LOG_CONTINUED : 0u) |
		     (s->discarded > 0 ? OB_LOG_TRUNCATED : 0u),
	};
	s->continued = partial;
	s->discarded = 0;
	obi_arena_reset(&turn->arena);
	turn->arena.ob.next = turn->scratch;
	turn->arena.ob.end = turn->scratch + sizeof turn->scratch;
	if (s->fn == NULL || !obi_log_line_parse(&from, line, &turn->arena.ob, &record)) {
		return;
	}
	if ((from.flags & OB_LOG_TRUNCATED) != 0) {
		record.attrs = ob_map(&discarded, 1);
	}
	report(s, &record);
}

/* A line of one chunk, with no beginning before it. */
static void emit_whole(struct turn *turn, struct ob_bytes line)
{
	struct obi_log_splitter *s = turn->splitter;
	if (s->continued || !obi_log_line_is_text(line)) {
		emit(turn, line, false);
	} else if (s->fn != NULL) {
		line.len -= line.data[line.len - 1] == '\r' ? 1 : 0;
		turn->text.message = turn->text.line = line;
		report(s, &turn->text);
	}
}

/* ---- Lines ---- */

static bool is_begun(const struct obi_log_splitter *splitter)
{
	return obi_buf_len(&splitter->line) > 0 || splitter->discarded > 0;
}

/* The next bytes are the first of a line, or of what follows a partial one. The timer is not
 * stopped when a line ends: in a flood that would be once a turn. */
static void note_begun(struct obi_log_splitter *splitter)
{
	if (!is_begun(splitter)) {
		splitter->begun_ms = obi_loop_now(splitter->loop);
		splitter->excused = false;
	}
	if (splitter->timer.loop == NULL && splitter->fn != NULL) {
		obi_timer_set(splitter->loop, &splitter->timer, TEXT_WAIT_MS);
	}
}

/* Append to the incomplete line; bytes beyond the maximum are only counted. */
static void keep(struct obi_log_splitter *splitter, const uint8_t *data, size_t n)
{
	note_begun(splitter);
	size_t room = OBI_LOG_LINE_MAX - obi_buf_len(&splitter->line);
	size_t fits = splitter->discarded > 0 ? 0 : n < room ? n : room;
	uint8_t *to = fits > 0 ? obi_buf_reserve(&splitter->line, fits, NULL) : NULL;
	if (to == NULL) {
		/* Out of memory is handled like the maximum: the line is cut here, and
		 * marked. */
		obi_buf_truncate(&splitter->line, obi_buf_len(&splitter->line));
		fits = 0;
	} else {
		memcpy(to, data, fits);
		ob_sink_commit(obi_buf_sink(&splitter->line), fits);
	}
	splitter->discarded += n - fits;
}

/* Deliver the incomplete line: it has ended, or is partial. */
static void end_line(struct turn *turn, bool partial)
{
	struct obi_buf *line = &turn->splitter->line;
	emit(turn, obi_buf_bytes(line), partial);
	if (line->sink.cap > KEEP) {
		obi_buf_free(line);
	} else {
		obi_buf_consume(line, obi_buf_len(line));
	}
}

void obi_log_splitter_feed(struct obi_log_splitter *splitter, struct ob_bytes chunk)
{
	const uint8_t *at = chunk.data, *end = at + chunk.len;
	struct turn turn;
	begin_turn(&turn, splitter);
	while (at < end && !splitter->stopped) {
		const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((newline != NULL ? newline : end) - at);
		bool begun = is_begun(splitter);
		if (newline == NULL || begun) {
			keep(splitter, at, len);
		}
		if (newline == NULL) {
			break;
		}
		if (begun) {
			end_line(&turn, false);
		} else {
			emit_whole(&turn, ob_bytes_of(at, len));
		}
		at = newline + 1;
	}
	end_turn(&turn);
}

void obi_log_splitter_lose(struct obi_log_splitter *splitter, uint64_t bytes)
{
	if (bytes > 0) {
		note_begun(splitter);
		splitter->discarded += bytes;
	}
}

/* ---- Lines that do not end ---- */

static void deliver(struct obi_log_splitter *splitter, bool partial)
{
	struct turn turn;
	if (splitter->busy || !is_begun(splitter)) {
		return;
	}
	begin_turn(&turn, splitter);
	end_line(&turn, partial);
	end_turn(&turn);
}

/* How long the incomplete line may wait for its end. -1: there is nothing to show. */
static int64_t patience(const struct obi_log_splitter *splitter)
{
	struct ob_bytes line = obi_buf_bytes(&splitter->line);
	size_t i = obi_log_line_skip(line);
	if (i == line.len) {
		return splitter->discarded > 0 ? TEXT_WAIT_MS : -1;
	}
	return line.data[i] == '{' && splitter->discarded == 0 ? RECORD_WAIT_MS : TEXT_WAIT_MS;
}

/* What has come was read before the timer is called. If the process did not run for a while it may
 * not be all: the child gets its time anew, once a line. */
static void on_timer(void *user)
{
	struct obi_log_splitter *splitter = user;
	int64_t now = obi_loop_now(splitter->loop);
	int64_t wait = is_begun(splitter) ? patience(splitter) : -1;
	if (wait >= 0 && now - splitter->timer.at > LATE_MS && !splitter->excused) {
		splitter->excused = true;
		splitter->begun_ms = now;
	}
	int64_t age = now - splitter->begun_ms;
	if (wait >= 0 && age < wait) {
		obi_timer_set(splitter->loop, &splitter->timer, wait - age);
	} else if (wait >= 0) {
		deliver(splitter, true);
	}
}

void obi_log_splitter_end(struct obi_log_splitter *splitter)
{
	deliver(splitter, false);
}

void obi_log_splitter_flush(struct obi_log_splitter *splitter)
{
	deliver(splitter, true);
}

/* ---- Creation and end ---- */

void obi_log_splitter_init(struct obi_log_splitter *splitter, struct obi_loop *loop,
			   const char *name, int stream, ob_log_fn *fn, void *user)
{
	*splitter = (struct obi_log_splitter){
	    .loop = loop, .name = name, .stream = stream, .fn = fn, .user = user};
	obi_buf_init(&splitter->line, OBI_LOG_LINE_MAX);
	splitter->timer.fn = on_timer;
	splitter->timer.user = splitter;
}

void obi_log_splitter_stop(struct obi_log_splitter *splitter)
{
	splitter->stopped = true;
	obi_timer_stop(&splitter->timer);
	if (!splitter->busy) {
		obi_buf_free(&splitter->line);
		obi_buf_init(&splitter->line, OBI_LOG_LINE_MAX);
		splitter->discarded = 0;
		splitter->continued = false;
	}
}
