/* SPDX-License-Identifier: MIT */
#include "auth/ask/answer.h"

#include <stdio.h>

#include "common/text.h"

static bool bad(char why[OBI_ASK_WHY], const char *reason)
{
	snprintf(why, OBI_ASK_WHY, "%s", reason);
	return false;
}

static bool is_printable(struct ob_bytes text)
{
	return ob_is_utf8(text) && !obi_has_control(text);
}

/* Copy UTF-8 for the log: cut between characters, control characters replaced. */
static void copy_printable(struct ob_bytes text, char *ret, size_t room)
{
	size_t len = text.len < room - 1 ? text.len : room - 1, n = 0;
	while (len < text.len && len > 0 && (text.data[len] & 0xc0) == 0x80) {
		len--;
	}
	for (size_t i = 0; i < len; i++) {
		bool control = obi_is_control_at(text, i);
		ret[n++] = control ? '?' : (char)text.data[i];
		i += control && text.data[i] == 0xc2; /* one of two bytes */
	}
	ret[n] = '\0';
}

/* ---- Members ---- */

static bool read_data(const struct ob_value *map, struct ob_bytes *ret, char why[OBI_ASK_WHY])
{
	const struct ob_value *data = ob_value_find(map, "data");
	*ret = ob_bytes_of(NULL, 0);
	if (!ob_is_nil(data) && !ob_get_binary(data, ret)) {
		return bad(why, "data: neither binary nor a string");
	}
	return ret->len <= OBI_ASK_DATA || bad(why, "data: longer than 4096 bytes");
}

static bool read_subject(const struct ob_value *map, bool required, struct ob_bytes *ret,
			 char why[OBI_ASK_WHY])
{
	const struct ob_value *subject = ob_value_find(map, "subject");
	*ret = ob_bytes_of(NULL, 0);
	if (ob_is_nil(subject)) {
		return !required || bad(why, "subject: required");
	}
	if (!ob_get_string(subject, ret) || !is_printable(*ret)) {
		return bad(why, "subject: not a string of printable characters");
	}
	return (ret->len > 0 && ret->len <= OBI_ASK_SUBJECT) ||
	       bad(why, "subject: not of 1 to 255 bytes");
}

static bool is_claim_name(struct ob_bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i], lower = c | 0x20;
		if ((lower < 'a' || lower > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' &&
		    c != '.') {
			return false;
		}
	}
	return name.len > 0 && name.len <= OB_CLAIM_NAME_MAX;
}

static bool read_claims(const struct ob_value *map, const struct ob_value **ret,
			char why[OBI_ASK_WHY])
{
	const struct ob_value *claims = ob_value_find(map, "claims");
	*ret = NULL;
	if (ob_is_nil(claims)) {
		return true;
	}
	if (claims->type != OB_MAP || claims->count > OB_CLAIMS_MAX) {
		return bad(why, "claims: not a map of at most 32 strings");
	}
	size_t bytes = 0;
	for (uint32_t i = 0; i < claims->count; i++) {
		struct ob_bytes name, text;
		(void)ob_get_string(&claims->as.pairs[i].key, &name);
		if (!is_claim_name(name)) {
			return bad(why, "claims: a name is not 1 to 63 of A-Z a-z 0-9 . _ -");
		}
		if (!ob_get_string(&claims->as.pairs[i].value, &text) || !is_printable(text) ||
		    text.len > OB_CLAIM_VALUE_MAX) {
			return bad(why, "claims: a value is not a string of at most 255 bytes of "
					"printable characters");
		}
		bytes += name.len + text.len;
	}
	if (bytes > OB_CLAIMS_BYTES_MAX) {
		return bad(why, "claims: more than 4096 bytes");
	}
	*ret = claims;
	return true;
}

static void read_reason(const struct ob_value *map, char ret[OBI_ASK_WHY])
{
	struct ob_bytes text;
	ret[0] = '\0';
	if (ob_get_string(ob_value_find(map, "reason"), &text) && ob_is_utf8(text)) {
		copy_printable(text, ret, OBI_ASK_WHY);
	}
}

/* ---- The whole ---- */

/* The helper could not answer: how it says so. */
static bool tell_error(const struct ob_value *error, char why[OBI_ASK_WHY])
{
	struct ob_bytes text;
	char shown[OBI_ASK_WHY - 32] = "";
	if ((ob_get_string(error, &text) || ob_get_string(ob_value_find(error, "message"), &text) ||
	     ob_get_string(ob_value_at(error, 1), &text)) &&
	    ob_is_utf8(text)) {
		copy_printable(text, shown, sizeof shown);
	}
	snprintf(why, OBI_ASK_WHY, "an error%s%s", shown[0] != '\0' ? ": " : "", shown);
	return false;
}

static bool read_word(const struct ob_value *map, enum obi_ask_word *ret, char why[OBI_ASK_WHY])
{
	static const char *const words[] = {
	    [OBI_ASK_MORE] = "more", [OBI_ASK_DONE] = "done", [OBI_ASK_REFUSED] = "refused"};
	struct ob_bytes word;
	if (map->type != OB_MAP || !ob_get_string(ob_value_find(map, "word"), &word)) {
		return bad(why, "not a map with a word");
	}
	for (int i = 0; i < 3; i++) {
		if (ob_bytes_is(word, words[i])) {
			*ret = (enum obi_ask_word)i;
			return true;
		}
	}
	return bad(why, "word: none of more, done and refused");
}

bool obi_ask_is_notification(const struct ob_message *message)
{
	return message->kind == OB_NOTIFY;
}

bool obi_ask_answer_read(const struct ob_message *message, uint32_t id, bool acceptor,
			 struct obi_ask_answer *ret, char why[OBI_ASK_WHY])
{
	const struct ob_value *map = &message->result;
	memset(ret, 0, sizeof *ret);
	if (message->kind != OB_RESPONSE || message->id.foreign || message->id.number != id) {
		return bad(why, "not the response to the request");
	}
	if (!ob_is_nil(&message->error)) {
		return tell_error(&message->error, why);
	}
	if (!read_word(map, &ret->word, why)) {
		return false;
	}
	if (ret->word == OBI_ASK_REFUSED) {
		read_reason(map, ret->reason);
		return true;
	}
	if (ret->word == OBI_ASK_MORE) {
		ret->state = ob_value_find(map, "state");
		return read_data(map, &ret->data, why);
	}
	return read_data(map, &ret->data, why) && read_subject(map, acceptor, &ret->subject, why) &&
	       read_claims(map, &ret->claims, why);
}
