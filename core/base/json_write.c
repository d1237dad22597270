/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <math.h>

#include "base/error.h"
#include "base/json_scan.h"
#include "base/value.h"

/* What could not be written, and why: a full sink is told at the end. */
struct writer {
	struct ob_sink *out;
	const char *wrong;
	int code;
};

static void write_value(struct writer *w, const struct ob_value *value, uint32_t depth);

static void refuse(struct writer *w, int code, const char *wrong)
{
	w->code = code;
	w->wrong = wrong;
}

static void write_base64(struct ob_sink *out, const uint8_t *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t bits = (uint32_t)data[i] << 16;
		bits |= n > 1 ? (uint32_t)data[i + 1] << 8 : 0;
		bits |= n > 2 ? (uint32_t)data[i + 2] : 0;
		char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63], digits[bits >> 6 & 63], digits[bits & 63]};
		memset(four + 1 + n, '=', 3 - n);
		ob_sink_put(out, four, sizeof four);
	}
}

static void write_binary(struct writer *w, const struct ob_value *value)
{
	ob_sink_text(w->out, "{\"$binary\":\"");
	write_base64(w->out, value->as.binary, value->count);
	ob_sink_text(w->out, "\"}");
}

static void write_string(struct writer *w, const struct ob_value *value)
{
	if (!obi_json_put_string(ob_bytes_of(value->as.string, value->count), true, w->out) && !w->out->failed) {
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

static void write_map(struct writer *w, const struct ob_value *map, uint32_t depth)
{
	ob_sink_byte(w->out, '{');
	for (uint32_t i = 0; i < map->count && w->code == OB_OK; i++) {
		if (i > 0) {
			ob_sink_byte(w->out, ',');
		}
		write_string(w, &map->as.pairs[i].key);
		ob_sink_byte(w->out, ':');
		write_value(w, &map->as.pairs[i].value, depth + 1);
	}
	ob_sink_byte(w->out, '}');
}

static void write_container(struct writer *w, const struct ob_value *value, uint32_t depth)
{
	if (depth == OBI_VALUE_DEPTH_MAX) {
		refuse(w, OB_ETOOBIG, "a tree that is nested too deep");
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
		write_binary(w, value);
		break;
	case OB_ARRAY:
	case OB_MAP:
		write_container(w, value, depth);
		break;
	default:
		refuse(w, OB_EINVAL, "a value of no known type");
	}
}

int obi_json_write(const struct ob_value *value, struct ob_sink *out, struct ob_error *reterr)
{
	struct writer w = {out, NULL, OB_OK};
	write_value(&w, value, 0);
	if (w.code == OB_OK && out->failed) {
		refuse(&w, OB_ENOMEM, "a tree that is too large");
	}
	return w.code == OB_OK ? OB_OK : obi_fail(reterr, w.code, 0, "JSON cannot carry %s", w.wrong);
}
