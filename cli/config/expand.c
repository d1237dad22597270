/* SPDX-License-Identifier: MIT */
#include "cli/config/expand.h"

#include "base/error.h"
#include "base/placeholders.h"

enum { NAME_MAX_LENGTH = 255 };

static bool is_name(struct ob_bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
		if (!letter && !(i > 0 && c >= '0' && c <= '9')) {
			return false;
		}
	}
	return name.len > 0 && name.len <= NAME_MAX_LENGTH;
}

static int put(struct ob_sink *out, const void *data, size_t len, struct ob_error *reterr)
{
	return len == 0 || ob_sink_put(out, data, len)
		   ? OB_OK
		   : obi_fail(reterr, OB_ETOOBIG, 0, "is too long");
}

/* A dollar is none for whoever replaces placeholders. */
static int put_value(const char *value, struct ob_sink *out, struct ob_error *reterr)
{
	int r = OB_OK;
	while (r == OB_OK && *value != '\0') {
		size_t plain = strcspn(value, "$");
		r = put(out, value, plain, reterr);
		value += plain;
		if (r == OB_OK && *value == '$') {
			r = put(out, "$$", 2, reterr);
			value++;
		}
	}
	return r;
}

static int put_variable(struct ob_bytes name, obi_variable_fn *find, void *user,
			struct ob_sink *out, struct ob_error *reterr)
{
	char text[NAME_MAX_LENGTH + 1];
	if (!is_name(name)) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"\"${%.*s}\" does not contain the name of a variable",
				(int)(name.len < 64 ? name.len : 64), (const char *)name.data);
	}
	if (obi_placeholder_find(name) != OBI_PLACEHOLDERS) {
		return put(out, name.data - 2, name.len + 3, reterr);
	}
	memcpy(text, name.data, name.len);
	text[name.len] = '\0';
	const char *value = find(user, text);
	return value != NULL ? put_value(value, out, reterr)
			     : obi_fail(reterr, OB_ENOENT, 0,
					"the variable %s is not set in the environment", text);
}

/* What begins with the dollar at `at`; *at moves behind it. */
static int put_reference(const uint8_t **at, const uint8_t *end, obi_variable_fn *find, void *user,
			 struct ob_sink *out, struct ob_error *reterr)
{
	const uint8_t *name = *at + 2;
	if (end - *at >= 2 && (*at)[1] == '$') {
		*at += 2;
		return put(out, "$$", 2, reterr);
	}
	if (end - *at < 2 || (*at)[1] != '{') {
		return obi_fail(reterr, OB_EINVAL, 0,
				"has a single \"$\": write \"$$\" for a dollar, \"${NAME}\" for a "
				"variable");
	}
	const uint8_t *brace = name < end ? memchr(name, '}', (size_t)(end - name)) : NULL;
	if (brace == NULL) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"has \"${\" without \"}\": write \"$${\" if it is no variable");
	}
	*at = brace + 1;
	return put_variable(ob_bytes_of(name, (size_t)(brace - name)), find, user, out, reterr);
}

int obi_expand(struct ob_bytes text, obi_variable_fn *find, void *user, struct ob_sink *out,
	       struct ob_error *reterr)
{
	const uint8_t *at = text.data, *end = text.data + text.len;
	int r = OB_OK;
	while (r == OB_OK && at < end) {
		const uint8_t *dollar = memchr(at, '$', (size_t)(end - at));
		const uint8_t *stop = dollar != NULL ? dollar : end;
		r = put(out, at, (size_t)(stop - at), reterr);
		at = stop;
		if (r == OB_OK && at < end) {
			r = put_reference(&at, end, find, user, out, reterr);
		}
	}
	return r;
}
