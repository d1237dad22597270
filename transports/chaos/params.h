/* SPDX-License-Identifier: MIT */
/*
 * chaos/params - what goes wrong and how often: the query of a chaos address.
 *
 *     seed=42&delay=0..20ms&chop=1..7&pause=1/200:50ms&reset=1/5000&drop=@300&side=dialer&way=out
 */
#ifndef OB_TRANSPORTS_CHAOS_PARAMS_H
#define OB_TRANSPORTS_CHAOS_PARAMS_H

#include <outboard/abi.h>

struct obi_chaos_range {
	uint64_t least, most;
};

/* When something happens: after about every `mean` bytes, or once after `at` bytes. */
struct obi_chaos_when {
	enum { OBI_CHAOS_NEVER, OBI_CHAOS_OFTEN, OBI_CHAOS_ONCE } kind;
	uint64_t bytes;
};

enum obi_chaos_side { OBI_CHAOS_DIALER = 1 << 0, OBI_CHAOS_ACCEPTOR = 1 << 1 };
enum obi_chaos_way { OBI_CHAOS_OUT = 1 << 0, OBI_CHAOS_IN = 1 << 1 };

struct obi_chaos_params {
	uint64_t seed;
	struct obi_chaos_range delay; /* ms */
	struct obi_chaos_range chop;  /* bytes; 0: not chopped */
	struct obi_chaos_when pause;
	struct obi_chaos_range pause_for; /* ms */
	struct obi_chaos_when reset;
	struct obi_chaos_when drop;
	uint32_t sides; /* enum obi_chaos_side: the ends that the rest is for */
	uint32_t ways;	/* enum obi_chaos_way */
};

enum { OBI_CHAOS_CHOP_MAX = 65536, OBI_CHAOS_TIME_MAX = 600000, OBI_CHAOS_WHY = 256 };

/* An empty query is one in which nothing goes wrong. On false, why says what is wrong, and with
 * which parameter. */
bool obi_chaos_parse(struct ob_bytes query, struct obi_chaos_params *ret, char why[OBI_CHAOS_WHY]);

#endif
