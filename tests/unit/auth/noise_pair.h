/* SPDX-License-Identifier: MIT */
/* Both ends of a noise handshake with fixed keys, and their messages. */
#ifndef OB_TESTS_UNIT_NOISE_PAIR_H
#define OB_TESTS_UNIT_NOISE_PAIR_H

#include "noise_state.h"

#include <setjmp.h>
#include <sodium.h>
#include <stddef.h>

#include <cmocka.h>

enum { PAIR_RECORD_MAX = OBI_NOISE_MESSAGE_MAX };

struct noise_pair {
	uint8_t psk[32];
	uint8_t e[2][32]; /* private; initiator, responder */
	struct ob_bytes prologue;
	struct obi_noise end[2];
	struct obi_noise before[2]; /* each reads its message: the responder the first, the
				       initiator the second */
	uint8_t message[2][OBI_NOISE_HANDSHAKE];
};

static inline struct ob_bytes noise_nothing(void)
{
	return ob_bytes_of(NULL, 0);
}

static inline void noise_pair_keys(struct noise_pair *p)
{
	for (uint8_t i = 0; i < 32; i++) {
		p->psk[i] = (uint8_t)(0x80 + i);
		p->e[0][i] = (uint8_t)(0x20 + i);
		p->e[1][i] = (uint8_t)(0x41 + i);
	}
	p->prologue = ob_bytes_text("a prologue");
}

static inline void noise_pair_begin(struct noise_pair *p)
{
	obi_noise_begin(&p->end[0], true, p->psk, p->prologue);
	obi_noise_begin(&p->end[1], false, p->psk, p->prologue);
}

/* A complete handshake. */
static inline void noise_pair_open(struct noise_pair *p)
{
	noise_pair_keys(p);
	noise_pair_begin(p);
	assert_int_equal(obi_noise_write(&p->end[0], p->e[0], noise_nothing(), p->message[0]),
			 OBI_NOISE_HANDSHAKE);
	p->before[1] = p->end[1];
	assert_int_equal(
	    obi_noise_read(&p->end[1], ob_bytes_of(p->message[0], OBI_NOISE_HANDSHAKE), NULL), 0);
	p->before[0] = p->end[0];
	assert_int_equal(obi_noise_write(&p->end[1], p->e[1], noise_nothing(), p->message[1]),
			 OBI_NOISE_HANDSHAKE);
	assert_int_equal(
	    obi_noise_read(&p->end[0], ob_bytes_of(p->message[1], OBI_NOISE_HANDSHAKE), NULL), 0);
	assert_int_equal(p->end[0].phase, OBI_NOISE_OPEN);
	assert_int_equal(p->end[1].phase, OBI_NOISE_OPEN);
}

/* Whether a state is all zero. */
static inline bool noise_is_wiped(const struct obi_noise *noise)
{
	return sodium_is_zero((const uint8_t *)noise, sizeof *noise);
}

#endif
