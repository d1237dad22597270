/* SPDX-License-Identifier: MIT */
/* What a helper of the authenticator ask sends: found by a codec, decoded and read as an answer.
 * The first byte chooses codec, role and the number of the question. What is accepted is within its
 * limits, and goes into the next question. */
#include "auth/ask/answer.h"
#include "auth/ask/arena.h"
#include "auth/ask/link.h"
#include "auth/ask/question.h"
#include "base/error.h"
#include "fuzz/fuzzed_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct ob_bytes text, size_t max)
{
	must(text.len <= max && ob_is_utf8(text));
	for (size_t i = 0; i < text.len; i++) {
		must(text.data[i] >= 0x20 && text.data[i] != 0x7f);
		must(text.data[i] != 0xc2 || text.data[i + 1] >= 0xa0);
	}
}

static void check_claims(const struct ob_value *claims)
{
	size_t bytes = 0;
	must(claims->type == OB_MAP && claims->count <= OB_CLAIMS_MAX);
	for (uint32_t i = 0; i < claims->count; i++) {
		struct ob_bytes name = {NULL, 0}, text = {NULL, 0};
		must(ob_get_string(&claims->as.pairs[i].key, &name) && name.len > 0);
		must(ob_get_string(&claims->as.pairs[i].value, &text));
		check_text(name, OB_CLAIM_NAME_MAX);
		check_text(text, OB_CLAIM_VALUE_MAX);
		bytes += name.len + text.len;
	}
	must(bytes <= OB_CLAIMS_BYTES_MAX);
}

/* The state comes back as it was; only a question that is too large is not asked. */
static void ask_again(const struct ob_codec_ops *codec, const struct ob_codec_params *params,
		      const struct obi_ask_answer *answer)
{
	static uint8_t memory[OBI_ASK_MESSAGE];
	const struct ob_peer peer = {.size = sizeof peer, .known = OB_PEER_ADDRESS, .address = "x"};
	struct obi_ask_question question = {.id = 1, .peer = &peer, .state = answer->state};
	struct ob_sink out = ob_sink_fixed(memory, sizeof memory);
	int r = obi_ask_question_write(&question, codec, params, &out, NULL);
	must(r == OB_OK || r == OB_ENOMEM || r == OB_ETOOBIG || r == OB_EINVAL);
	if (r == OB_OK) {
		struct ob_scan scan = {.seen = 0};
		size_t len = 0;
		must(codec->scan(ob_bytes_of(memory, out.len), &scan, params, &len) == 1);
		must(len == out.len);
	}
}

static void check(const struct obi_ask_answer *answer, bool acceptor)
{
	must(answer->data.len <= OBI_ASK_DATA);
	check_text(answer->subject, OBI_ASK_SUBJECT);
	check_text(ob_bytes_text(answer->reason), OBI_ASK_WHY - 1);
	must(answer->word != OBI_ASK_DONE || !acceptor || answer->subject.len > 0);
	if (answer->claims != NULL) {
		check_claims(answer->claims);
	}
}

static void read_one(const struct ob_codec_ops *codec, const struct ob_codec_params *params,
		     struct ob_bytes bytes, uint8_t choice)
{
	struct ob_message message = {.size = offsetof(struct ob_message, items)};
	struct obi_ask_arena arena;
	struct obi_ask_answer answer;
	bool acceptor = (choice & 2) != 0;
	char why[OBI_ASK_WHY] = "";
	obi_ask_arena_init(&arena, 2 << 20);
	if (codec->decode(bytes, &arena.ob, params, &message, NULL) == OB_OK &&
	    !obi_ask_is_notification(&message)) {
		if (obi_ask_answer_read(&message, 1 + choice / 128, acceptor, &answer, why)) {
			check(&answer, acceptor);
			ask_again(codec, params, &answer);
		} else {
			must(why[0] != '\0');
			check_text(ob_bytes_text(why), OBI_ASK_WHY - 1);
		}
	}
	obi_ask_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ob_host host = {.size = sizeof host, .fail = obi_fail};
	const struct ob_codec_params params = {.size = sizeof params,
					       .message = OBI_ASK_MESSAGE,
					       .host = &host,
					       .depth = OB_DEPTH_MAX,
					       .batch = 1};
	if (size < 2) {
		return 0;
	}
	const struct ob_codec_ops *codec =
	    fuzzed_ops((data[0] & 1) != 0 ? fuzzed_msgpack() : fuzzed_json());
	struct ob_bytes bytes = ob_bytes_of(data + 1, size - 1);
	struct ob_scan scan = {.seen = 0};
	size_t len = 0;
	while (bytes.len > 0 && codec->scan(bytes, &scan, &params, &len) == 1) {
		read_one(codec, &params, ob_bytes_of(bytes.data, len), data[0]);
		bytes = ob_bytes_of(bytes.data + len, bytes.len - len);
		memset(&scan, 0, sizeof scan);
	}
	return 0;
}
