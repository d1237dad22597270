/* SPDX-License-Identifier: MIT */
/* JSON texts that end too early. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "json/json.h"

/* Also where the values so far fill all room. */
static void the_end_is_no_lack_of_memory(void **state)
{
	static const char *const items[] = {"1,", "\"\",true,", "true,\"\",", "[],"};
	struct obi_arena arena;
	struct obi_buf text;
	(void)state;
	obi_arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
		obi_buf_init(&text, 4096);
		ob_sink_byte(obi_buf_sink(&text), '[');
		for (int n = 0; n < 200; n++) {
			ob_sink_text(obi_buf_sink(&text), items[i]);
		}
		struct ob_bytes whole = obi_buf_bytes(&text);
		for (size_t len = 1; len <= whole.len; len++) {
			struct ob_value value;
			assert_int_equal(obi_json_parse(ob_bytes_of(whole.data, len), &arena.ob,
							NULL, &value, NULL),
					 OB_EPROTO);
			obi_arena_reset(&arena);
		}
		obi_buf_free(&text);
	}
	obi_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_end_is_no_lack_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
