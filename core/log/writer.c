/* SPDX-License-Identifier: MIT */
/*
 * Two threads meet here. Callers of ob_log_writer_record() put a line into the queue and return.
 * The writer's thread takes all that waits and writes it, however long that takes. If the
 * descriptor accepts no output, records are dropped, and their number is logged once it accepts
 * output again.
 */
#include "log/writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/options.h"
#include "log/queue.h"
#include "log/sink.h"
#include "loop/loop.h"

enum {
	QUEUE_DEFAULT = 4 << 20,
	MANY = 256 << 10,
	CLOSE_DEFAULT_MS = 1000,
	GATHER_MS = 1,
	REFUSED_MS = 10
};

struct ob_log_writer {
	struct obi_log_sink sink; /* an open file of our own */
	bool direct;		  /* callers may write: it never blocks */
	int wake;		  /* an eventfd: check the queue, or `closing` */
	pthread_t thread;

	pthread_mutex_t lock; /* protects everything below; the thread reads the batch without it */
	pthread_cond_t has_ended;
	struct obi_log_queue queue;
	bool busy;    /* the thread writes the batch */
	bool asleep;  /* the thread waits to be woken */
	bool gathers; /* the thread lets records accumulate: wake it only for many */
	bool closing;
	int64_t deadline_ms; /* for closing */
	bool ended;
	bool abandoned; /* the close did not wait for the thread, which frees the writer */

	/* used by the thread only while it is busy */
	bool failed; /* the last write failed */
	bool torn;   /* it failed within a line */
};

static void destroy(struct ob_log_writer *writer)
{
	obi_log_sink_close(&writer->sink);
	if (writer->wake >= 0) {
		close(writer->wake);
	}
	obi_log_queue_free(&writer->queue);
	pthread_cond_destroy(&writer->has_ended);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

/* ---- Callers ---- */

static void wake(const struct ob_log_writer *writer)
{
	uint64_t one = 1;
	ssize_t n = write(writer->wake, &one, sizeof one);
	(void)n; /* fails only if many wake-ups are pending already */
}

/* What is still in a cache when it is written; and of a small queue a quarter. */
static bool has_many(const struct ob_log_writer *writer)
{
	size_t many = writer->queue.max / 4;
	return obi_log_queue_len(&writer->queue) >= (many < MANY ? many : MANY);
}

/* Make a batch, unless the one before is not written completely. The lock is held. */
static void take(struct ob_log_writer *writer)
{
	struct timespec now;
	if (obi_log_queue_batch(&writer->queue).len == 0) {
		clock_gettime(CLOCK_REALTIME, &now);
		obi_log_queue_take(&writer->queue, now);
	}
}

/* n bytes of the batch are written. The lock is held. */
static void note_written(struct ob_log_writer *writer, size_t n)
{
	writer->failed = false;
	writer->torn = obi_log_queue_batch(&writer->queue).data[n - 1] != '\n';
	obi_log_queue_written(&writer->queue, n);
}

/* Write in the caller's thread. Returns whether nothing is left for the writer's. */
static bool write_now(struct ob_log_writer *writer)
{
	ssize_t n = 1;
	if (!writer->direct || writer->busy || writer->failed) {
		return false;
	}
	take(writer);
	for (struct ob_bytes batch; n > 0;) {
		batch = obi_log_queue_batch(&writer->queue);
		if (batch.len == 0) {
			return true;
		}
		n = obi_log_sink_write(&writer->sink, batch.data, batch.len);
		if (n > 0) {
			note_written(writer, (size_t)n);
		}
	}
	return false;
}

void ob_log_writer_record(void *user, const struct ob_log_record *record)
{
	struct ob_log_writer *writer = user;
	pthread_mutex_lock(&writer->lock);
	obi_log_queue_put(&writer->queue, record);
	bool needed =
	    !write_now(writer) && (writer->asleep || (writer->gathers && has_many(writer)));
	if (needed) {
		writer->asleep = writer->gathers = false;
	}
	pthread_mutex_unlock(&writer->lock);
	if (needed) {
		wake(writer);
	}
}

/* ---- The thread ---- */

/* Sleep until there may be work: fd is writable (if watch_fd), a wake-up, or the deadline. */
static void sleep_until(struct ob_log_writer *writer, bool watch_fd, int64_t deadline_ms)
{
	struct pollfd fds[2] = {{.fd = writer->wake, .events = POLLIN},
				{.fd = writer->sink.fd, .events = POLLOUT}};
	int64_t left = deadline_ms - obi_now_ms();
	int timeout = deadline_ms == INT64_MAX ? -1
		      : left <= 0	       ? 0
		      : left < 60000	       ? (int)left
					       : 60000;
	uint64_t count;
	if (poll(fds, watch_fd ? 2 : 1, timeout) > 0 && fds[0].revents != 0) {
		ssize_t n = read(writer->wake, &count, sizeof count);
		(void)n;
	}
}

/* The time to stop writing: INT64_MAX until the writer is closed. */
static int64_t deadline_of(struct ob_log_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	int64_t deadline = writer->closing ? writer->deadline_ms : INT64_MAX;
	pthread_mutex_unlock(&writer->lock);
	return deadline;
}

/* Whether there is something to write. After a failure, only new records are worth another
 * attempt. */
static bool has_work(const struct ob_log_writer *writer)
{
	return obi_log_queue_batch(&writer->queue).len > 0 ||
	       obi_log_queue_len(&writer->queue) > 0 ||
	       (obi_log_queue_has_losses(&writer->queue) && !writer->failed);
}

/* Between two writes, let a burst of records accumulate: a wake-up for each costs more than the
 * line. */
static void gather(struct ob_log_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->busy = false;
	writer->gathers = !writer->closing && !has_many(writer);
	bool sleep = writer->gathers;
	pthread_mutex_unlock(&writer->lock);
	if (sleep) {
		sleep_until(writer, false, obi_now_ms() + GATHER_MS);
	}
	pthread_mutex_lock(&writer->lock);
	writer->gathers = false;
	pthread_mutex_unlock(&writer->lock);
}

/* Wait for records and take them all. Returns false when the writer is closed and nothing is
 * left. */
static bool take_batch(struct ob_log_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	while (!has_work(writer) && !writer->closing) {
		writer->asleep = true;
		pthread_mutex_unlock(&writer->lock);
		sleep_until(writer, false, INT64_MAX);
		pthread_mutex_lock(&writer->lock);
	}
	writer->asleep = false;
	bool work = has_work(writer);
	if (work) {
		writer->busy = true;
		take(writer);
	}
	pthread_mutex_unlock(&writer->lock);
	return work;
}

static void drop_batch(struct ob_log_writer *writer)
{
	writer->failed = true;
	pthread_mutex_lock(&writer->lock);
	obi_log_queue_lost(&writer->queue);
	pthread_mutex_unlock(&writer->lock);
}

/* End a line that was cut off, so that the next line is not appended to it. */
static bool mend(struct ob_log_writer *writer)
{
	if (writer->torn && writer->failed && obi_log_sink_write(&writer->sink, "\n", 1) == 1) {
		writer->torn = false;
	}
	return !(writer->torn && writer->failed);
}

/* The sink took nothing. Some terminals poll writable even so: then look again after a while. */
static void wait_for_room(struct ob_log_writer *writer, bool again, int64_t deadline)
{
	int64_t later = obi_now_ms() + REFUSED_MS;
	sleep_until(writer, !again, again && later < deadline ? later : deadline);
}

static void write_batch(struct ob_log_writer *writer)
{
	struct ob_bytes bytes;
	bool refused = false;
	while ((bytes = obi_log_queue_batch(&writer->queue)).len > 0) {
		int64_t deadline = deadline_of(writer);
		ssize_t n = -EIO;
		if (obi_now_ms() < deadline && mend(writer)) {
			n = obi_log_sink_write(&writer->sink, bytes.data, bytes.len);
		}
		if (n > 0) {
			pthread_mutex_lock(&writer->lock);
			note_written(writer, (size_t)n);
			pthread_mutex_unlock(&writer->lock);
		} else if (n == -EAGAIN) {
			wait_for_room(writer, refused, deadline);
		} else {
			drop_batch(writer);
		}
		refused = n == -EAGAIN && !refused;
	}
}

static void *run(void *user)
{
	struct ob_log_writer *writer = user;
	while (take_batch(writer)) {
		write_batch(writer);
		gather(writer);
	}
	pthread_mutex_lock(&writer->lock);
	bool abandoned = writer->abandoned;
	writer->ended = true;
	pthread_cond_signal(&writer->has_ended);
	pthread_mutex_unlock(&writer->lock);
	if (abandoned) {
		destroy(writer);
	}
	return NULL;
}

/* ---- Creation and end ---- */

static bool wants_color(int fd, int color)
{
	const char *no = getenv("NO_COLOR");
	return color > 0 || (color == 0 && isatty(fd) && (no == NULL || no[0] == '\0'));
}

/* The thread handles no signals of the application; SIGPIPE from its own writes stays blocked in
 * it. */
static int start_thread(struct ob_log_writer *writer)
{
	sigset_t all, was;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	int r = pthread_create(&writer->thread, NULL, run, writer);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return r;
}

static void init_sync(struct ob_log_writer *writer)
{
	pthread_condattr_t attr;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->has_ended, &attr);
	pthread_condattr_destroy(&attr);
}

static int open_writer(struct ob_log_writer *writer, int fd, bool direct, struct ob_error *reterr)
{
	int flags = OBI_LOG_SINK_KEEP | (direct ? OBI_LOG_SINK_TERMINAL : 0);
	int r = obi_log_sink_open(fd, flags, &writer->sink, reterr);
	if (r < 0) {
		return r;
	}
	writer->sink.mask_sigpipe = false;
	writer->direct = direct && !writer->sink.may_block;
	writer->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (writer->wake < 0) {
		return obi_fail(reterr, OB_ENOMEM, errno, "making a log writer: eventfd");
	}
	int sys = start_thread(writer);
	return sys == 0 ? OB_OK
			: obi_fail(reterr, OB_ENOMEM, sys,
				   "making a log writer: starting its thread (clone3)");
}

static int new_writer(int fd, const struct ob_log_writer_options *options, bool direct,
		      ob_log_writer **ret_writer, struct ob_error *reterr)
{
	struct ob_log_writer_options o;
	int r = obi_options_copy(&o, sizeof o, options, reterr);
	if (r < 0) {
		return r;
	}
	if (o.format != OB_LOG_FORMAT_JSON && o.format != OB_LOG_FORMAT_TEXT) {
		return obi_fail(reterr, OB_EINVAL, 0, "log writer: unknown format %u", o.format);
	}
	struct ob_log_writer *writer = calloc(1, sizeof *writer);
	if (writer == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "making a log writer: out of memory");
	}
	writer->sink.fd = writer->wake = -1;
	init_sync(writer);
	bool made =
	    obi_log_queue_init(&writer->queue, o.queue_bytes > 0 ? o.queue_bytes : QUEUE_DEFAULT,
			       o.format == OB_LOG_FORMAT_JSON, wants_color(fd, o.color));
	r = made ? open_writer(writer, fd, direct, reterr)
		 : obi_fail(reterr, OB_ENOMEM, 0, "making a log writer: out of memory");
	if (r < 0) {
		destroy(writer);
		return r;
	}
	*ret_writer = writer;
	return OB_OK;
}

int ob_log_writer_new(int fd, const struct ob_log_writer_options *options,
		      ob_log_writer **ret_writer, struct ob_error *reterr)
{
	return new_writer(fd, options, false, ret_writer, reterr);
}

int obi_log_writer_direct(int fd, const struct ob_log_writer_options *options,
			  ob_log_writer **ret_writer, struct ob_error *reterr)
{
	return new_writer(fd, options, true, ret_writer, reterr);
}

/* Wait for the end of the thread, until the deadline. The lock is held. */
static void wait_for_end(struct ob_log_writer *writer)
{
	int64_t at = writer->deadline_ms;
	struct timespec ts = {.tv_sec = (time_t)(at / 1000),
			      .tv_nsec = (long)(at % 1000) * 1000000};
	int r = 0;
	while (!writer->ended && r != ETIMEDOUT) {
		r = at == INT64_MAX
			? pthread_cond_wait(&writer->has_ended, &writer->lock)
			: pthread_cond_timedwait(&writer->has_ended, &writer->lock, &ts);
	}
}

void ob_log_writer_close(ob_log_writer *writer, int64_t timeout_ms)
{
	if (writer == NULL) {
		return;
	}
	int64_t now = obi_now_ms(), timeout = timeout_ms != 0 ? timeout_ms : CLOSE_DEFAULT_MS;
	pthread_t thread = writer->thread;
	pthread_mutex_lock(&writer->lock);
	writer->closing = true;
	writer->deadline_ms = timeout < 0 || timeout > INT64_MAX - now ? INT64_MAX : now + timeout;
	wake(writer);
	wait_for_end(writer);
	bool ended = writer->ended;
	writer->abandoned = !ended;
	pthread_mutex_unlock(&writer->lock);
	if (ended) {
		pthread_join(thread, NULL);
		destroy(writer);
	} else {
		/* It is inside a write that does not return, and will free the writer. */
		pthread_detach(thread);
	}
}
