/* SPDX-License-Identifier: MIT */
/* The settings with which a plugin is checked: a file {"settings": {...}, "child_settings": {...}},
 * both of them optional. */
#include "cli/plugin/check_worker.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "cli/input.h"
#include "conformance/verdict.h"

enum { FILE_MAX = 1 << 20 };

static int read_settings(const char *file, struct obi_buf *text, struct obi_arena *arena,
			 struct ob_value *ret, struct ob_error *reterr)
{
	*ret = ob_nil();
	if (*file == '\0') {
		return OB_OK;
	}
	int r = obi_input_read(file, text, NULL, reterr);
	return r == OB_OK ? ob_value_from_json(obi_buf_bytes(text), NULL, &arena->ob, ret, reterr)
			  : r;
}

static int configure(const struct obi_check_worker *worker, const struct ob_plugin_info *plugin,
		     const struct ob_value *tree, struct obi_check_settings *ret,
		     struct ob_error *reterr)
{
	const struct ob_host *host = ob_plugin_host(worker->rt);
	const struct ob_value none = ob_nil();
	const struct ob_value *dialer = ob_value_find(tree, "settings");
	const struct ob_value *acceptor = ob_value_find(tree, "child_settings");
	dialer = dialer != NULL ? dialer : &none;
	acceptor = acceptor != NULL ? acceptor : dialer;
	int r = plugin->configure(host, dialer, &ret->state[0], reterr);
	if (r < 0) {
		return r;
	}
	r = plugin->configure(host, acceptor, &ret->state[1], reterr);
	if (r < 0) {
		plugin->unconfigure(ret->state[0]);
		return r;
	}
	ret->unconfigure = plugin->unconfigure;
	return OB_OK;
}

bool obi_check_settings_begin(struct obi_check_worker *worker, const struct ob_plugin_info *plugin,
			      struct obi_check_settings *ret)
{
	struct ob_error err = {0};
	struct obi_arena arena;
	struct obi_buf text;
	struct ob_value tree;
	*ret = (struct obi_check_settings){.unconfigure = NULL};
	if (plugin->configure == NULL) {
		return true;
	}
	obi_arena_init(&arena, 16 * (size_t)FILE_MAX);
	obi_buf_init(&text, FILE_MAX);
	obi_check_worker_try(worker, OBI_PROMISE_SETTINGS);
	int r = read_settings(worker->settings, &text, &arena, &tree, &err);
	r = r == OB_OK ? configure(worker, plugin, &tree, ret, &err) : r;
	bool without = r < 0 && *worker->settings == '\0';
	char why[sizeof err.text + 64];
	snprintf(why, sizeof why, "%s%s", err.text,
		 without ? "; give it some with --settings" : "");
	obi_check_worker_verdict(worker,
				 r == OB_OK ? OBI_VERDICT_PASS
				 : without  ? OBI_VERDICT_SKIP
					    : OBI_VERDICT_FAIL,
				 r == OB_OK ? "" : why);
	obi_buf_free(&text);
	obi_arena_free(&arena);
	return r == OB_OK;
}

void obi_check_settings_end(struct obi_check_settings *settings)
{
	if (settings->unconfigure != NULL) {
		settings->unconfigure(settings->state[0]);
		settings->unconfigure(settings->state[1]);
	}
}
