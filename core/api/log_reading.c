/* SPDX-License-Identifier: MIT */
/* Records of any descriptor, on the loop of a runtime. */
#include <stdlib.h>

#include "api/runtime.h"
#include "base/error.h"
#include "base/options.h"
#include "log/reader.h"

struct ob_log_reader {
	struct ob_runtime *rt;
	struct obi_log_reader *reader;
};

int ob_log_reader_new(ob_runtime *rt, const struct ob_log_reader_options *options,
		      ob_log_reader **ret_reader, struct ob_error *reterr)
{
	struct ob_log_reader_options o;
	int r = obi_options_copy(&o, sizeof o, options, reterr);
	if (r < 0) {
		return r;
	}
	if (o.fd < 0 || o.on_log == NULL) {
		return obi_fail(reterr, OB_EINVAL, 0, "reading a log: fd and on_log are required");
	}
	struct ob_log_reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	struct obi_log_reader_setup setup = {.loop = rt->loop,
					     .fd = o.fd,
					     .stream = o.stream,
					     .name = o.name != NULL ? o.name : "",
					     .fn = o.on_log,
					     .user = o.user_data};
	reader->rt = rt;
	obi_enter(rt);
	r = obi_log_reader_new(&setup, &reader->reader, reterr);
	obi_leave(rt);
	if (r < 0) {
		free(reader);
		return r;
	}
	*ret_reader = reader;
	return OB_OK;
}

void ob_log_reader_close(ob_log_reader *reader)
{
	if (reader == NULL) {
		return;
	}
	obi_enter(reader->rt);
	obi_log_reader_drain(reader->reader);
	obi_log_reader_free(reader->reader);
	obi_leave(reader->rt);
	free(reader);
}
