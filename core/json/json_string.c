/* SPDX-License-Identifier: MIT */
#include "json/json_scan.h"

#include "base/text.h"

static bool bad(struct obi_json_scan *p, const char *wrong)
{
	return obi_json_refuse(p, OB_EPROTO, wrong);
}

/* ---- Reading ---- */

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The XXXX of \uXXXX at `at`; -1 if it is malformed. */
static int32_t hex4(const uint8_t *at, const uint8_t *end)
{
	int32_t unit = 0;
	if (end - at < 4) {
		return -1;
	}
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);
		if (digit < 0) {
			return -1;
		}
		unit = unit * 16 + digit;
	}
	return unit;
}

static uint8_t *put_utf8(uint8_t *to, int32_t point)
{
	if (point < 0x80) {
		*to++ = (uint8_t)point;
		return to;
	}
	if (point < 0x800) {
		*to++ = (uint8_t)(0xc0 | point >> 6);
	} else if (point < 0x10000) {
		*to++ = (uint8_t)(0xe0 | point >> 12);
		*to++ = (uint8_t)(0x80 | (point >> 6 & 0x3f));
	} else {
		*to++ = (uint8_t)(0xf0 | point >> 18);
		*to++ = (uint8_t)(0x80 | (point >> 12 & 0x3f));
		*to++ = (uint8_t)(0x80 | (point >> 6 & 0x3f));
	}
	*to++ = (uint8_t)(0x80 | (point & 0x3f));
	return to;
}

/* p->at is behind "\u". If it is a high surrogate, a second \uXXXX completes the character. */
static uint8_t *unescape_unicode(struct obi_json_scan *p, const uint8_t *end, uint8_t *to)
{
	int32_t point = hex4(p->at, end);
	if (point < 0) {
		bad(p, "\\u without four hex digits");
		return NULL;
	}
	p->at += 4;
	if (point >= 0xd800 && point <= 0xdfff) {
		bool pair =
		    point < 0xdc00 && end - p->at >= 6 && p->at[0] == '\\' && p->at[1] == 'u';
		int32_t low = pair ? hex4(p->at + 2, end) : -1;
		if (low < 0xdc00 || low > 0xdfff) {
			p->at -= strlen("\\uxxxx");
			bad(p, "a lone surrogate");
			return NULL;
		}
		p->at += 6;
		point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
	}
	return put_utf8(to, point);
}

/* The character that a backslash and c stand for; '\0': none, or \u. */
static uint8_t escaped(uint8_t c)
{
	switch (c) {
	case '"':
	case '\\':
	case '/':
		return c;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return '\0';
	}
}

/* p->at is behind a backslash. Returns the new end of the output, or NULL. */
static uint8_t *unescape_one(struct obi_json_scan *p, const uint8_t *end, uint8_t *to)
{
	uint8_t c = *p->at++, plain = escaped(c);
	if (c == 'u') {
		return unescape_unicode(p, end, to);
	}
	if (plain == '\0') {
		p->at -= strlen("\\x");
		bad(p, "unknown escape");
		return NULL;
	}
	*to++ = plain;
	return to;
}

static void set_string(struct ob_value *ret, const uint8_t *from, const uint8_t *to)
{
	obi_json_set(ret, OB_STRING, (uint32_t)(to - from));
	ret->as.string = (const char *)from;
}

/* The text from p->at to end has escapes: decode it into the arena. The result is never
 * longer. */
static bool unescape(struct obi_json_scan *p, const uint8_t *end, struct ob_value *ret)
{
	uint8_t *text = ob_arena_alloc(p->arena, (size_t)(end - p->at));
	uint8_t *to = text;
	if (text == NULL) {
		return obi_json_no_memory(p);
	}
	while (p->at < end) {
		const uint8_t *slash = memchr(p->at, '\\', (size_t)(end - p->at));
		size_t run = (size_t)((slash != NULL ? slash : end) - p->at);
		memcpy(to, p->at, run);
		to += run;
		p->at += run;
		if (slash != NULL) {
			p->at++;
			to = unescape_one(p, end, to);
			if (to == NULL) {
				return false;
			}
		}
	}
	set_string(ret, text, to);
	return true;
}

/* p->at is neither plain text nor a quote: step over it. */
static bool step_over(struct obi_json_scan *p, bool *ret_escapes)
{
	if (*p->at == '\\') {
		*ret_escapes = true;
		p->at += p->end - p->at > 1 && (p->at[1] == '"' || p->at[1] == '\\') ? 2 : 1;
		return true;
	}
	if (*p->at < 0x20) {
		return bad(p, "a control character in a string");
	}
	size_t step = obi_utf8_step(p->at, p->end);
	p->at += step;
	return step > 0 || bad(p, "bad UTF-8");
}

/* Go on from p->at to the closing quote. */
static bool find_quote(struct obi_json_scan *p, bool *ret_escapes)
{
	for (;;) {
		p->at = obi_text_plain(p->at, p->end);
		if (p->at == p->end) {
			return bad(p, "a string without a closing quote");
		}
		if (*p->at == '"') {
			return true;
		}
		if (!step_over(p, ret_escapes)) {
			return false;
		}
	}
}

bool obi_json_scan_string(struct obi_json_scan *p, struct ob_value *ret)
{
	const uint8_t *start = p->at;
	bool escapes = false;
	if (!find_quote(p, &escapes)) {
		return false;
	}
	const uint8_t *quote = p->at;
	if (escapes) {
		p->at = start;
		if (!unescape(p, quote, ret)) {
			return false;
		}
	} else {
		set_string(ret, start, quote);
	}
	p->at = quote + 1;
	return true;
}

/* ---- Writing ---- */

/* Append the escape of what is at `at`; a byte that is not UTF-8 becomes U+FFFD. Returns how many
 * bytes it stands for. */
static size_t put_escape(const uint8_t *at, const uint8_t *end, struct ob_sink *out)
{
	static const char hex[] = "0123456789abcdef", named[] = "\b\f\n\r\t\"\\",
			  names[] = "bfnrt\"\\";
	const char *found = *at != '\0' ? strchr(named, *at) : NULL;
	size_t step = obi_utf8_step(at, end);
	if (step == 0) {
		ob_sink_text(out, "\xef\xbf\xbd");
		return 1;
	}
	if (found != NULL) {
		char two[2] = {'\\', names[found - named]};
		ob_sink_put(out, two, sizeof two);
		return 1;
	}
	uint32_t c = obi_utf8_value(at, step);
	char six[6] = {'\\',	   'u', hex[c >> 12 & 15], hex[c >> 8 & 15], hex[c >> 4 & 15],
		       hex[c & 15]};
	ob_sink_put(out, six, sizeof six);
	return step;
}

/* A long text is copied in pieces, each while the search has it in the cache. */
enum { PIECE = 16384 };

bool obi_json_put_string(struct ob_bytes text, bool strict, struct ob_sink *out)
{
	static const uint8_t nothing[1];
	const uint8_t *at = text.len > 0 ? text.data : nothing, *end = at + text.len, *run = at;
	if (text.len > PIECE && ob_sink_reserve(out, text.len + 2) == NULL) {
		return false;
	}
	ob_sink_byte(out, '"');
	while (at < end) {
		const uint8_t *stop = end - run > PIECE ? run + PIECE : end;
		at = obi_text_plain(at, stop);
		if (at >= stop) {
			ob_sink_put(out, run, (size_t)(at - run));
			run = at;
			continue;
		}
		size_t step = obi_text_shown(at, end);
		if (step > 1) {
			at += step;
			continue;
		}
		if (strict && *at >= 0x80 && obi_utf8_step(at, end) == 0) {
			return false;
		}
		ob_sink_put(out, run, (size_t)(at - run));
		at += put_escape(at, end, out);
		run = at;
	}
	ob_sink_put(out, run, (size_t)(end - run));
	return ob_sink_byte(out, '"');
}
