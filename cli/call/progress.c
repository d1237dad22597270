/* SPDX-License-Identifier: MIT */
#include "cli/call/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/value.h"
#include "cli/report.h"

enum { FIRST_MS = 1000, AGAIN_MS = 500, ASK_MS = 5000, COLUMNS = 80, TEXT_SIZE = 1024 };

static const char clear[] = "\r\033[K";

static size_t columns(void)
{
	struct winsize size;
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col
									       : COLUMNS;
}

/* "waiting for a, b, c and 4 others" */
static size_t build_text(const struct ob_value *answer, char text[TEXT_SIZE])
{
	const struct ob_value *names = ob_value_find(answer, "names");
	struct ob_sink out = ob_sink_fixed(text, TEXT_SIZE - 1);
	struct ob_bytes name;
	uint64_t count = 0, shown = 0;
	(void)ob_get_uint(ob_value_find(answer, "count"), &count);
	ob_sink_text(&out, "waiting for ");
	for (uint32_t i = 0; ob_get_string(ob_value_at(names, i), &name); i++, shown++) {
		ob_sink_text(&out, i > 0 ? ", " : "");
		ob_sink_put(&out, name.data, name.len);
	}
	if (count > shown) {
		char more[48];
		snprintf(more, sizeof more, " and %llu other%s",
			 (unsigned long long)(count - shown), count - shown > 1 ? "s" : "");
		ob_sink_text(&out, more);
	}
	return shown > 0 ? out.len : 0;
}

/* One line, so that it can be cleared: what does not fit is cut. Names are ASCII. */
static void show(struct obi_progress *progress, const struct ob_value *answer)
{
	char text[TEXT_SIZE];
	size_t len = build_text(answer, text), room = columns() - 1;
	if (len == 0) {
		return;
	}
	fputs(clear, stderr);
	obi_print_safe(stderr, ob_bytes_of(text, len < room ? len : room));
	fflush(stderr);
	progress->shown = true;
}

static void on_answer(void *user, int result, const struct ob_value *value,
		      const struct ob_error *err)
{
	struct obi_progress *progress = user;
	(void)err;
	if (progress->timer == NULL) {
		return; /* it has ended */
	}
	if (result == OB_OK) {
		show(progress, value);
		ob_watch_set_timer(progress->timer, AGAIN_MS);
	}
}

static void on_timer(void *user, int what)
{
	struct obi_progress *progress = user;
	(void)what;
	(void)ob_client_call_async(progress->client, "run.waiting", NULL, ASK_MS, on_answer,
				   progress, NULL, NULL);
}

void obi_progress_begin(struct obi_progress *progress, ob_runtime *rt, ob_client *client)
{
	*progress = (struct obi_progress){.client = client};
	if (isatty(STDERR_FILENO)) {
		(void)ob_watch_timer(rt, FIRST_MS, on_timer, progress, &progress->timer, NULL);
	}
}

void obi_progress_end(struct obi_progress *progress)
{
	ob_watch_free(progress->timer);
	progress->timer = NULL;
	if (progress->shown) {
		fputs(clear, stderr);
		fflush(stderr);
		progress->shown = false;
	}
}
