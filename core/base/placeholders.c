/* SPDX-License-Identifier: MIT */
#include "base/placeholders.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/names.h"
#include "base/uri.h"

enum { TEXT_MAX = 4 << 20, SHOWN_MAX = 64 };

static const char *const names[OBI_PLACEHOLDERS] = {"name",	  "data_path", "config",
						    "token_file", "port",      "cid"};

enum obi_placeholder obi_placeholder_find(struct ob_bytes name)
{
	enum obi_placeholder i = 0;
	while (i < OBI_PLACEHOLDERS && !ob_bytes_is(name, names[i])) {
		i++;
	}
	return i;
}

static const char *file_of(const char *directory, const char *name, struct obi_arena *arena)
{
	size_t size = strlen(directory) + 1 + strlen(name) + 1;
	char *path = ob_arena_alloc(&arena->ob, size);
	if (path != NULL) {
		snprintf(path, size, "%s/%s", directory, name);
	}
	return path;
}

int obi_placeholders_init(struct obi_placeholders *p, const char *name, const char *data_path,
			  struct obi_arena *arena, struct ob_error *reterr)
{
	*p = (struct obi_placeholders){.arena = arena};
	p->values[OBI_PLACEHOLDER_NAME] = name;
	if (data_path == NULL) {
		return OB_OK;
	}
	p->values[OBI_PLACEHOLDER_DATA_PATH] = data_path;
	p->values[OBI_PLACEHOLDER_CONFIG] = file_of(data_path, OBI_FILE_CONFIG, arena);
	p->values[OBI_PLACEHOLDER_TOKEN_FILE] = file_of(data_path, OBI_FILE_TOKEN, arena);
	return p->values[OBI_PLACEHOLDER_CONFIG] != NULL &&
		       p->values[OBI_PLACEHOLDER_TOKEN_FILE] != NULL
		   ? OB_OK
		   : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

static bool set_number(struct obi_placeholders *p, enum obi_placeholder which, uint32_t number)
{
	char text[16];
	int len = snprintf(text, sizeof text, "%u", number);
	if (number != 0) {
		p->values[which] = obi_arena_text(p->arena, text, (size_t)len);
	}
	return number == 0 || p->values[which] != NULL;
}

int obi_placeholders_number(struct obi_placeholders *p, const struct obi_numbers *numbers,
			    struct ob_error *reterr)
{
	return set_number(p, OBI_PLACEHOLDER_PORT, numbers->port) &&
		       set_number(p, OBI_PLACEHOLDER_CID, numbers->cid)
		   ? OB_OK
		   : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

static int result(bool fits, struct ob_error *reterr)
{
	return fits ? OB_OK
		    : obi_fail(reterr, OB_ENOMEM, 0, "out of memory, or the text is too long");
}

static int put(struct ob_sink *out, const void *data, size_t len, struct ob_error *reterr)
{
	return result(len == 0 || ob_sink_put(out, data, len), reterr);
}

static int put_value(struct obi_placeholders *p, struct ob_bytes name, uint32_t flags,
		     struct ob_sink *out, struct ob_error *reterr)
{
	enum obi_placeholder which = obi_placeholder_find(name);
	if (which == OBI_PLACEHOLDERS) {
		int shown = (int)(name.len < SHOWN_MAX ? name.len : SHOWN_MAX);
		const char *text = (const char *)name.data;
		return obi_fail(reterr, OB_EINVAL, 0,
				"\"${%.*s}\" is not a placeholder: write \"$${%.*s}\" for the text",
				shown, text, shown, text);
	}
	const char *value = p->values[which];
	p->used |= 1u << which;
	if (value == NULL) {
		return put(out, name.data - 2, name.len + 3, reterr);
	}
	if ((flags & OBI_PLACEHOLDER_IN_URI) != 0) {
		return result(obi_uri_path(value, out), reterr);
	}
	return put(out, value, strlen(value), reterr);
}

/* What begins with the dollar at `at`; *at moves behind it. */
static int put_dollar(struct obi_placeholders *p, const char **at, uint32_t flags,
		      struct ob_sink *out, struct ob_error *reterr)
{
	const char *dollar = *at, *brace = dollar[1] == '{' ? strchr(dollar, '}') : NULL;
	if (dollar[1] != '{') {
		*at += dollar[1] == '$' ? 2 : 1;
		return put(out, "$", 1, reterr);
	}
	if (brace == NULL) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"has \"${\" without \"}\": write \"$${\" if it is no placeholder");
	}
	*at = brace + 1;
	return put_value(p, ob_bytes_of(dollar + 2, (size_t)(brace - dollar) - 2), flags, out,
			 reterr);
}

static int replace(struct obi_placeholders *p, const char *text, uint32_t flags,
		   struct ob_sink *out, struct ob_error *reterr)
{
	int r = OB_OK;
	while (r == OB_OK && *text != '\0') {
		size_t plain = strcspn(text, "$");
		r = put(out, text, plain, reterr);
		text += plain;
		if (r == OB_OK && *text == '$') {
			r = put_dollar(p, &text, flags, out, reterr);
		}
	}
	return r;
}

int obi_placeholders_text(struct obi_placeholders *p, const char *text, uint32_t flags,
			  const char **ret, struct ob_error *reterr)
{
	struct obi_buf out;
	*ret = text;
	if (text == NULL || strchr(text, '$') == NULL) {
		return OB_OK;
	}
	obi_buf_init(&out, TEXT_MAX);
	int r = replace(p, text, flags, obi_buf_sink(&out), reterr);
	if (r == OB_OK) {
		struct ob_bytes made = obi_buf_bytes(&out);
		*ret = obi_arena_text(p->arena, (const char *)made.data, made.len);
		r = *ret != NULL ? OB_OK : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	obi_buf_free(&out);
	return r;
}

int obi_placeholders_list(struct obi_placeholders *p, const char *const *list,
			  const char *const **ret, struct ob_error *reterr)
{
	size_t count = 0;
	bool any = false;
	*ret = list;
	for (; list != NULL && list[count] != NULL; count++) {
		any = any || strchr(list[count], '$') != NULL;
	}
	const char **made = any ? ob_arena_alloc(&p->arena->ob, (count + 1) * sizeof *made) : NULL;
	if (made == NULL) {
		return any ? obi_fail(reterr, OB_ENOMEM, 0, "out of memory") : OB_OK;
	}
	int r = OB_OK;
	for (size_t i = 0; r == OB_OK && i < count; i++) {
		r = obi_placeholders_text(p, list[i], 0, &made[i], reterr);
	}
	made[count] = NULL;
	*ret = r == OB_OK ? made : list;
	return r;
}
