/* SPDX-License-Identifier: MIT */
#include "log/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "log/pipe.h"

struct obi_log_reader {
	struct obi_log_pipe pipe;
	struct obi_log_splitter splitter;
	bool busy; /* one of the functions below runs, which frees a reader that is dead */
	bool dead; /* freed within fn */
	char name[];
};

static void destroy(struct obi_log_reader *reader)
{
	obi_log_pipe_stop(&reader->pipe);
	obi_log_splitter_stop(&reader->splitter);
	free(reader);
}

/* Returns false when the reader is freed. */
static bool end(struct obi_log_reader *reader)
{
	reader->busy = false;
	if (reader->dead) {
		destroy(reader);
		return false;
	}
	return true;
}

/* fn was called by the timer of the splitter, or by what is busy. */
static void on_stopped(void *owner)
{
	struct obi_log_reader *reader = owner;
	if (!reader->busy) {
		destroy(reader);
	}
}

static bool on_chunk(void *user, struct ob_bytes chunk)
{
	struct obi_log_reader *reader = user;
	bool draining = reader->busy;
	reader->busy = true;
	obi_log_splitter_feed(&reader->splitter, chunk);
	return draining || end(reader);
}

void obi_log_reader_drain(struct obi_log_reader *reader)
{
	if (reader->splitter.busy) {
		return;
	}
	reader->busy = true;
	obi_log_pipe_drain(&reader->pipe);
	if (!reader->dead) {
		obi_log_splitter_end(&reader->splitter);
	}
	(void)end(reader);
}

void obi_log_reader_flush(struct obi_log_reader *reader)
{
	if (reader->splitter.busy) {
		return;
	}
	reader->busy = true;
	obi_log_splitter_flush(&reader->splitter);
	(void)end(reader);
}

int obi_log_reader_new(const struct obi_log_reader_setup *setup, struct obi_log_reader **ret,
		       struct ob_error *reterr)
{
	size_t len = strlen(setup->name);
	struct obi_log_reader *reader = calloc(1, sizeof *reader + len + 1);
	if (reader == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "reading the log of %s: out of memory",
				setup->name);
	}
	memcpy(reader->name, setup->name, len);
	obi_log_splitter_init(&reader->splitter, setup->loop, reader->name, setup->stream,
			      setup->fn, setup->user);
	reader->splitter.on_stopped = on_stopped;
	reader->splitter.owner = reader;
	reader->pipe.fn = on_chunk;
	reader->pipe.user = reader;
	obi_log_pipe_start(setup->loop, &reader->pipe, setup->fd);
	*ret = reader;
	return OB_OK;
}

void obi_log_reader_free(struct obi_log_reader *reader)
{
	if (reader == NULL) {
		return;
	}
	if (reader->splitter.busy) {
		reader->dead = true;
		obi_log_pipe_stop(&reader->pipe);
		obi_log_splitter_stop(&reader->splitter);
	} else {
		destroy(reader);
	}
}
