/* SPDX-License-Identifier: MIT */
/* outboard.json: an accepted config can be written, and reads back as the same, including
 * unknown keys. */
#include "base/buf.h"
#include "files/child_config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ob_config config = {.size = sizeof config}, again = {.size = sizeof again};
	struct ob_error err = {0};
	struct obi_buf first, second;
	if (obi_child_config_parse(ob_bytes_of(data, size), &config, &err) < 0) {
		must(err.code < 0 && memcmp(err.text, "parsing outboard config: ", 25) == 0);
		return 0;
	}
	obi_buf_init(&first, 8 * size + 4096);
	obi_buf_init(&second, 8 * size + 4096);
	must(obi_child_config_format(&config, obi_buf_sink(&first), &err) == OB_OK);
	must(obi_child_config_parse(obi_buf_bytes(&first), &again, &err) == OB_OK);
	must((config.extra == NULL) == (again.extra == NULL));
	must(config.extra == NULL || strcmp(config.extra, again.extra) == 0);
	must(obi_child_config_format(&again, obi_buf_sink(&second), &err) == OB_OK);
	must(ob_bytes_equal(obi_buf_bytes(&first), obi_buf_bytes(&second)));
	obi_child_config_clear(&config);
	obi_child_config_clear(&again);
	obi_buf_free(&first);
	obi_buf_free(&second);
	return 0;
}
