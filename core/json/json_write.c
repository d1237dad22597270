/* SPDX-License-Identifier: MIT */
#include "json/json.h"

#include <math.h>

#include "base/error.h"
#include "json/json_scan.h"
#include "base/value.h"

/* The error, if any. A full sink is reported at the end. */
struct writer {
	struct ob_sink *out;
	struct obi_json_limits limits;
	const char *wrong;
	int code;
};

static void write_value(struct writer *w, const struct ob_value *value, uint32_t depth);

static void refuse(struct writer *w, int code, const char *wrong)
{
	w->code = code;
	w->wrong = wrong;
}

static void write_string(struct writer *w, const struct ob_value *value)
{
	if (!obi_json_put_string(ob_bytes_of(value->as.string, value->count), true, w->out) &&
	    !w->out->failed) {
		refuse(w, OB_EINVAL, "a string that is not UTF-8");
	}
}

static void write_double(struct writer *w, double d)
{
	if (isfinite(d)) {
		obi_json_put_double(d, w->out);
	} else {
		refuse(w, OB_EINVAL, "a number that is not finite");
	}
}

static void write_array(struct writer *w, const struct ob_value *array, uint32_t depth)
{
	ob_sink_byte(w->out, '[');
	for (uint32_t i = 0; i < array->count && w->code == OB_OK; i++) {
		if (i > 0) {
			ob_sink_byte(w->out, ',');
		}
		write_value(w, &array->as.items[i], depth + 1);
	}
	ob_sink_byte(w->out, ']');
}

static void write_key(struct writer *w, const struct ob_value *map, uint32_t i)
{
	const struct ob_value *key = &map->as.pairs[i].key;
	if ((w->limits.flags & OBI_JSON_BINARY) != 0 && map->count == 1 &&
	    obi_json_is_binary_key(key)) {
		ob_sink_text(w->out, "\"$");
		ob_sink_put(w->out, key->as.string, key->count);
		ob_sink_byte(w->out, '"');
	} else {
		write_string(w, key);
	}
}

static void write_map(struct writer *w, const struct ob_value *map, uint32_t depth)
{
	ob_sink_byte(w->out, '{');
	for (uint32_t i = 0; i < map->count && w->code == OB_OK; i++) {
		if (i > 0) {
			ob_sink_byte(w->out, ',');
		}
		write_key(w, map, i);
		ob_sink_byte(w->out, ':');
		write_value(w, &map->as.pairs[i].value, depth + 1);
	}
	ob_sink_byte(w->out, '}');
}

static void write_container(struct writer *w, const struct ob_value *value, uint32_t depth)
{
	if (depth >= w->limits.depth) {
		refuse(w, OB_ETOOBIG, "a tree that is nested too deep");
	} else if (value->type == OB_BINARY) {
		obi_json_put_binary(value, w->out); /* for a reader, this is an object */
	} else if (value->type == OB_ARRAY) {
		write_array(w, value, depth);
	} else {
		write_map(w, value, depth);
	}
}

static void write_value(struct writer *w, const struct ob_value *value, uint32_t depth)
{
	switch (value->type) {
	case OB_NIL:
		ob_sink_text(w->out, "null");
		break;
	case OB_BOOL:
		ob_sink_text(w->out, value->as.boolean ? "true" : "false");
		break;
	case OB_INT:
		obi_json_put_int(value->as.integer, w->out);
		break;
	case OB_UINT:
		obi_json_put_uint(value->as.uinteger, w->out);
		break;
	case OB_DOUBLE:
		write_double(w, value->as.number);
		break;
	case OB_STRING:
		write_string(w, value);
		break;
	case OB_BINARY:
	case OB_ARRAY:
	case OB_MAP:
		write_container(w, value, depth);
		break;
	default:
		refuse(w, OB_EINVAL, "a value of an unknown type");
	}
}

int obi_json_write_as(const struct ob_value *value, const struct obi_json_limits *limits,
		      struct ob_sink *out, struct ob_error *reterr)
{
	struct writer w = {out, *limits, NULL, OB_OK};
	write_value(&w, value, 0);
	if (w.code == OB_OK && out->failed) {
		refuse(&w, OB_ENOMEM, "a tree that is too large");
	}
	return w.code == OB_OK ? OB_OK
			       : obi_fail(reterr, w.code, 0, "JSON cannot represent %s", w.wrong);
}

int obi_json_write(const struct ob_value *value, struct ob_sink *out, struct ob_error *reterr)
{
	const struct obi_json_limits limits = {.depth = OBI_VALUE_DEPTH_MAX, .flags = 0};
	return obi_json_write_as(value, &limits, out, reterr);
}

bool obi_json_quote(struct ob_bytes text, struct ob_sink *out)
{
	return obi_json_put_string(text, false, out);
}
