/* SPDX-License-Identifier: MIT */
#include "auth/keys/authorized_options.h"

#include <arpa/inet.h>

enum { ADDRESS_TEXT = 64 };

struct prefix {
	uint8_t bytes[16];
	unsigned bits; /* that count */
	unsigned len;  /* of the address in bytes: 4 or 16 */
};

/* ---- Addresses ---- */

/* An IPv4 address in IPv6 (::ffff:1.2.3.4) is that IPv4 address. */
static bool read_address(const char *text, struct prefix *ret)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint8_t six[16];
	memset(ret, 0, sizeof *ret);
	if (inet_pton(AF_INET, text, ret->bytes) == 1) {
		ret->len = 4;
	} else if (inet_pton(AF_INET6, text, six) == 1) {
		bool is_four = memcmp(six, mapped, sizeof mapped) == 0;
		ret->len = is_four ? 4 : 16;
		memcpy(ret->bytes, is_four ? six + 12 : six, ret->len);
	}
	ret->bits = 8 * ret->len;
	return ret->len > 0;
}

/* Whether the two agree in the first `bits` bits. */
static bool agree(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = bits % 8;
	return memcmp(a, b, bits / 8) == 0 &&
	       (rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0);
}

static bool read_bits(const char *text, unsigned *ret)
{
	unsigned bits = 0;
	for (const char *at = text; *at != '\0'; at++) {
		if (*at < '0' || *at > '9' || at - text == 3) {
			return false;
		}
		bits = 10 * bits + (unsigned)(*at - '0');
	}
	*ret = bits;
	return *text != '\0' && (text[0] != '0' || text[1] == '\0');
}

static bool has_bits_behind(const struct prefix *prefix, unsigned most)
{
	for (unsigned bit = prefix->bits; bit < most; bit++) {
		if ((prefix->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) {
			return true;
		}
	}
	return false;
}

static const char *read_prefix(struct ob_bytes word, struct prefix *ret)
{
	static const char fault[] = "from: not a list of addresses, or of prefixes such as "
				    "192.0.2.0/24";
	char text[ADDRESS_TEXT];
	if (word.len == 0 || word.len >= sizeof text || memchr(word.data, '\0', word.len) != NULL) {
		return fault;
	}
	memcpy(text, word.data, word.len);
	text[word.len] = '\0';
	char *slash = strchr(text, '/');
	if (slash != NULL) {
		*slash = '\0';
	}
	if (!read_address(text, ret)) {
		return fault;
	}
	unsigned most = ret->bits;
	if (slash != NULL && (strchr(text, ':') != NULL && most == 32)) {
		return "from: a prefix of IPv4 in IPv6: write it as IPv4";
	}
	if (slash != NULL && (!read_bits(slash + 1, &ret->bits) || ret->bits > most)) {
		return fault;
	}
	return has_bits_behind(ret, most) ? "from: an address has bits behind its prefix" : NULL;
}

/* The text before the first comma, cut off *list. */
static struct ob_bytes cut(struct ob_bytes *list)
{
	const uint8_t *comma = list->len > 0 ? memchr(list->data, ',', list->len) : NULL;
	size_t len = comma != NULL ? (size_t)(comma - list->data) : list->len;
	struct ob_bytes word = ob_bytes_of(list->data, len);
	size_t skip = comma != NULL ? len + 1 : len;
	*list = ob_bytes_of(list->data + skip, list->len - skip);
	return word;
}

/* "1.2.3.4:567", "[::1]:567", with or without the port. */
static bool read_peer(const char *address, struct prefix *ret)
{
	char text[ADDRESS_TEXT];
	const char *from = *address == '[' ? address + 1 : address;
	const char *colon = strchr(from, ':');
	size_t len = *address == '['				       ? strcspn(from, "]")
		     : colon != NULL && strchr(colon + 1, ':') == NULL ? (size_t)(colon - from)
								       : strlen(from);
	if (len >= sizeof text) {
		return false;
	}
	memcpy(text, from, len);
	text[len] = '\0';
	text[strcspn(text, "%")] = '\0'; /* the zone of a link-local address */
	return read_address(text, ret);
}

bool obi_authorized_from(struct ob_bytes list, const char *address)
{
	struct prefix peer, prefix;
	if (!read_peer(address, &peer)) {
		return false;
	}
	while (list.len > 0) {
		if (read_prefix(cut(&list), &prefix) == NULL && prefix.len == peer.len &&
		    agree(prefix.bytes, peer.bytes, prefix.bits)) {
			return true;
		}
	}
	return false;
}

static const char *read_from(struct ob_bytes value, struct obi_authorized_key *ret)
{
	struct ob_bytes left = value;
	struct prefix prefix;
	const char *fault = NULL;
	if (ret->from.len > 0) {
		return "from: given twice";
	}
	if (value.len == 0 || value.data[value.len - 1] == ',') {
		return "from: an address is missing";
	}
	while (left.len > 0 && fault == NULL) {
		fault = read_prefix(cut(&left), &prefix);
	}
	ret->from = value;
	return fault;
}

/* ---- Times ---- */

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && is_leap(year));
}

static int64_t days_before(int year, int month)
{
	int64_t y = year - 1, days = 365 * y + y / 4 - y / 100 + y / 400 - 719162;
	for (int m = 1; m < month; m++) {
		days += days_of(year, m);
	}
	return days;
}

static int number(const uint8_t *at, int digits)
{
	int n = 0;
	for (int i = 0; i < digits; i++) {
		n = 10 * n + (at[i] - '0');
	}
	return n;
}

static const char *read_expires(struct ob_bytes value, struct obi_authorized_key *ret)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	static const char fault[] = "expires: not a time such as 2027-01-31T00:00:00Z";
	if (ret->expires != INT64_MAX) {
		return "expires: given twice";
	}
	for (size_t i = 0; i < value.len || i < sizeof form - 1; i++) {
		if (i >= value.len || i >= sizeof form - 1 ||
		    (form[i] == 'd' ? value.data[i] < '0' || value.data[i] > '9'
				    : value.data[i] != (uint8_t)form[i])) {
			return fault;
		}
	}
	const uint8_t *t = value.data;
	int year = number(t, 4), month = number(t + 5, 2), day = number(t + 8, 2);
	int hour = number(t + 11, 2), minute = number(t + 14, 2), second = number(t + 17, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_of(year, month) ||
	    hour > 23 || minute > 59 || second > 59) {
		return fault;
	}
	int64_t days = days_before(year, month) + day - 1;
	ret->expires = ((days * 24 + hour) * 60 + minute) * 60 + second;
	return NULL;
}

/* ---- Options ---- */

/* NAME="VALUE", cut off *line. */
static bool cut_option(struct ob_bytes *line, struct ob_bytes *ret_name, struct ob_bytes *ret_value)
{
	const uint8_t *end = line->data + line->len;
	const uint8_t *quote = memchr(line->data, '"', line->len);
	const uint8_t *close =
	    quote != NULL ? memchr(quote + 1, '"', (size_t)(end - quote - 1)) : NULL;
	if (close == NULL || quote == line->data || quote[-1] != '=') {
		return false;
	}
	*ret_name = ob_bytes_of(line->data, (size_t)(quote - line->data) - 1);
	*ret_value = ob_bytes_of(quote + 1, (size_t)(close - quote) - 1);
	*line = ob_bytes_of(close + 1, (size_t)(end - close) - 1);
	return true;
}

static const char *read_option(struct ob_bytes name, struct ob_bytes value,
			       struct obi_authorized_key *ret)
{
	if (ob_bytes_is(name, "from")) {
		return read_from(value, ret);
	}
	return ob_bytes_is(name, "expires") ? read_expires(value, ret)
					    : "an unknown option: there are from and expires";
}

const char *obi_authorized_options(struct ob_bytes *line, struct obi_authorized_key *ret)
{
	struct ob_bytes name, value, rest = *line;
	ret->expires = INT64_MAX;
	ret->from = ob_bytes_of(NULL, 0);
	if (ob_bytes_is(obi_key_word(&rest), "ed25519")) {
		return NULL;
	}
	for (;;) {
		if (line->len == 0 || !cut_option(line, &name, &value)) {
			return "it begins neither with ed25519 nor with options such as "
			       "from=\"192.0.2.1\"";
		}
		const char *fault = read_option(name, value, ret);
		if (fault != NULL || line->len == 0 || line->data[0] != ',') {
			return fault;
		}
		*line = ob_bytes_of(line->data + 1, line->len - 1);
	}
}
