/* SPDX-License-Identifier: MIT */
/*
 * chaos/params - the faults and their rates: the query of a chaos address.
 *
 *     seed=42&delay=0..20ms&chop=1..7&pause=1/200:50ms&reset=1/5000&drop=@300&side=dialer&way=out
 */
#ifndef OB_TRANSPORTS_CHAOS_PARAMS_H
#define OB_TRANSPORTS_CHAOS_PARAMS_H

#include <outboard/abi.h>

struct obi_chaos_range {
	uint64_t least, most;
};

/* When a fault happens: about every `bytes` bytes (OFTEN), or once after `bytes` bytes (ONCE). */
struct obi_chaos_when {
	enum { OBI_CHAOS_NEVER, OBI_CHAOS_OFTEN, OBI_CHAOS_ONCE } kind;
	uint64_t bytes;
};

enum obi_chaos_side { OBI_CHAOS_DIALER = 1 << 0, OBI_CHAOS_ACCEPTOR = 1 << 1 };
enum obi_chaos_way { OBI_CHAOS_OUT = 1 << 0, OBI_CHAOS_IN = 1 << 1 };

struct obi_chaos_params {
	uint64_t seed;
	struct obi_chaos_range delay; /* ms */
	struct obi_chaos_range chop;  /* bytes; 0 for no limit */
	struct obi_chaos_when pause;
	struct obi_chaos_range pause_for; /* ms */
	struct obi_chaos_when reset;
	struct obi_chaos_when drop;
	uint32_t sides; /* enum obi_chaos_side: the ends with faults */
	uint32_t ways;	/* enum obi_chaos_way: the directions with faults */
};

enum { OBI_CHAOS_CHOP_MAX = 65536, OBI_CHAOS_TIME_MAX = 600000, OBI_CHAOS_WHY = 256 };

/* Parse a query; an empty one has no faults. On false, why names the parameter and the error. */
bool obi_chaos_parse(struct ob_bytes query, struct obi_chaos_params *ret, char why[OBI_CHAOS_WHY]);

#endif
