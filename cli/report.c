/* SPDX-License-Identifier: MIT */
#include "cli/report.h"

#include "base/text.h"

enum { JSON_MEMORY = 1 << 30 };

void obi_complain(const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fputs("outboard: ", stderr);
	obi_print_safe(stderr, ob_bytes_text(text));
	fputc('\n', stderr);
}

int obi_exit_of(const struct ob_error *err)
{
	switch (err->code) {
	case OB_OK:
		return OBI_EXIT_OK;
	case OB_EREMOTE:
		return err->remote_code == OB_RPC_REFUSED || err->remote_code == OB_RPC_BUSY ||
			       err->remote_code == OB_RPC_CLOSING
			   ? OBI_EXIT_UNREACHABLE
			   : OBI_EXIT_REMOTE;
	case OB_EINVAL:
	case OB_ENOMEM:
	case OB_ETOOBIG:
	case OB_EPLUGIN:
	case OB_ENOTSUP:
		return OBI_EXIT_USAGE;
	case OB_EPERM:
		/* With an errno the system refused it, else a rule of the library. */
		return err->sys != 0 ? OBI_EXIT_UNREACHABLE : OBI_EXIT_USAGE;
	default:
		return OBI_EXIT_UNREACHABLE;
	}
}

int obi_exit_of_call(const struct ob_error *err)
{
	switch (err->code) {
	case OB_EREMOTE:
		/* A peer that ends answers so to what it has begun, too. */
		return err->remote_code == OB_RPC_CLOSING ? OBI_EXIT_UNKNOWN : obi_exit_of(err);
	case OB_OK:
	case OB_EINVAL:
	case OB_ETOOBIG:
	case OB_EDOWN:
	case OB_EAGAIN:
		return obi_exit_of(err); /* found before it was sent */
	default:
		return OBI_EXIT_UNKNOWN;
	}
}

int obi_give_up(const char *what, const struct ob_error *err)
{
	if (what != NULL) {
		obi_complain("%s: %s", what, err->text);
	} else {
		obi_complain("%s", err->text);
	}
	return obi_exit_of(err);
}

int obi_give_up_call(const char *what, const struct ob_error *err)
{
	(void)obi_give_up(what, err);
	return obi_exit_of_call(err);
}

/* ---- Text for a terminal ---- */

void obi_print_safe(FILE *file, struct ob_bytes text)
{
	const uint8_t *end = text.data + text.len;
	for (const uint8_t *at = text.data; at < end;) {
		char escape[OBI_TEXT_ESCAPE_MAX];
		size_t len = obi_text_shown(at, end);
		const void *form = len > 0 ? (const void *)at : escape;
		at += len > 0 ? len : obi_text_escape(at, end, escape, &len);
		fwrite(form, 1, len, file);
	}
}

size_t obi_columns(struct ob_bytes text)
{
	const uint8_t *end = text.data + text.len;
	size_t columns = 0;
	for (const uint8_t *at = text.data; at < end;) {
		char escape[OBI_TEXT_ESCAPE_MAX];
		size_t len = 1, step = obi_text_shown(at, end);
		at += step > 0 ? step : obi_text_escape(at, end, escape, &len);
		columns += len;
	}
	return columns;
}

int obi_print_json(FILE *file, const struct ob_value *value, struct ob_error *reterr)
{
	struct ob_arena *arena;
	struct ob_bytes text;
	int r = ob_arena_new(JSON_MEMORY, &arena, reterr);
	if (r < 0) {
		return r;
	}
	r = ob_value_to_json(value, NULL, arena, &text, reterr);
	if (r == OB_OK) {
		fwrite(text.data, 1, text.len, file);
		fputc('\n', file);
	}
	ob_arena_free(arena);
	return r;
}
