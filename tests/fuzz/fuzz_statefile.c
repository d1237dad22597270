/* SPDX-License-Identifier: MIT */
/* state.json and the signature in outboard.lock: an accepted text is written and read back as
 * the same. */
#include "base/buf.h"
#include "files/statefile.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

static void check_state(struct ob_bytes text)
{
	struct obi_statefile state, again;
	struct ob_error err = {0};
	struct obi_buf first, second;
	if (obi_statefile_parse(text, &state, &err) < 0) {
		must(err.code == OB_EINVAL && err.text[0] != '\0');
		return;
	}
	obi_buf_init(&first, 65536);
	obi_buf_init(&second, 65536);
	must(obi_statefile_format(&state, obi_buf_sink(&first), NULL) == OB_OK);
	must(obi_statefile_parse(obi_buf_bytes(&first), &again, NULL) == OB_OK);
	must(strcmp(state.record, again.record) == 0);
	/* Texts for people may have been cut within a character, and then differ after the first
	 * write. */
	memset(state.last_error, 0, sizeof state.last_error);
	memset(again.last_error, 0, sizeof again.last_error);
	memset(state.address, 0, sizeof state.address);
	memset(again.address, 0, sizeof again.address);
	obi_buf_consume(&first, obi_buf_len(&first));
	must(obi_statefile_format(&state, obi_buf_sink(&first), NULL) == OB_OK);
	must(obi_statefile_format(&again, obi_buf_sink(&second), NULL) == OB_OK);
	must(ob_bytes_equal(obi_buf_bytes(&first), obi_buf_bytes(&second)));
	obi_buf_free(&first);
	obi_buf_free(&second);
}

static void check_signature(const char *text)
{
	char back[64];
	int32_t pid;
	uint64_t noted;
	if (obi_signature_parse(text, &pid, &noted) == OB_OK) {
		snprintf(back, sizeof back, "%d %llu\n", (int)pid, (unsigned long long)noted);
		must(strcmp(text, back) == 0 && pid > 0);
	}
}

static void check_procid(const char *text)
{
	char back[OBI_PROCID_TEXT_SIZE];
	struct obi_procid id;
	if (obi_procid_parse(text, &id) == OB_OK) {
		obi_procid_text(&id, back);
		must(strcmp(text, back) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	must(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	check_state(ob_bytes_of(data, size));
	check_signature(text);
	check_procid(text);
	free(text);
	return 0;
}
