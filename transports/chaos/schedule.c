/* SPDX-License-Identifier: MIT */
#include "chaos/schedule.h"

/* ---- Dice ---- */

/* SplitMix64: small, and the same on every machine. */
static uint64_t next(struct obi_chaos_dice *dice)
{
	uint64_t z = dice->state += 0x9e3779b97f4a7c15U;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

void obi_chaos_seed(struct obi_chaos_dice *dice, uint64_t seed, const struct obi_chaos_place *place,
		    enum obi_chaos_purpose purpose)
{
	const uint64_t words[] = {place->connection, place->side, place->way, purpose};
	dice->state = seed;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		dice->state = next(dice) ^ words[i];
	}
}

uint64_t obi_chaos_roll(struct obi_chaos_dice *dice, struct obi_chaos_range range)
{
	/* The ranges are far smaller than 64 bits, so the bias is negligible. */
	uint64_t choices = range.most - range.least + 1;
	return range.least + (choices > 1 ? next(dice) % choices : 0);
}

/* ---- Pieces ---- */

void obi_chaos_chop_init(struct obi_chaos_chop *chop, const struct obi_chaos_params *params,
			 const struct obi_chaos_place *place, enum obi_chaos_purpose purpose)
{
	bool ours = (params->sides & place->side) != 0 && (params->ways & place->way) != 0;
	*chop =
	    (struct obi_chaos_chop){.sizes = ours ? params->chop : (struct obi_chaos_range){0, 0}};
	obi_chaos_seed(&chop->dice, params->seed, place, purpose);
}

size_t obi_chaos_chop_most(struct obi_chaos_chop *chop)
{
	if (chop->sizes.most == 0) {
		return SIZE_MAX;
	}
	if (chop->left == 0) {
		chop->left = obi_chaos_roll(&chop->dice, chop->sizes);
	}
	return chop->left;
}

void obi_chaos_chop_pass(struct obi_chaos_chop *chop, size_t n)
{
	chop->left -= chop->sizes.most > 0 ? n : 0;
}

/* ---- Faults ---- */

/* Uniform between 1 and 2 * bytes - 1: the mean is `bytes`. */
static uint64_t step(struct obi_chaos_mishap *mishap)
{
	return obi_chaos_roll(&mishap->dice,
			      (struct obi_chaos_range){1, 2 * mishap->when.bytes - 1});
}

void obi_chaos_mishap_init(struct obi_chaos_mishap *mishap, struct obi_chaos_when when,
			   uint64_t seed, const struct obi_chaos_place *place,
			   enum obi_chaos_purpose purpose)
{
	*mishap = (struct obi_chaos_mishap){.when = when, .next = UINT64_MAX};
	obi_chaos_seed(&mishap->dice, seed, place, purpose);
	if (when.kind != OBI_CHAOS_NEVER) {
		mishap->next = when.kind == OBI_CHAOS_ONCE ? when.bytes : step(mishap);
	}
}

void obi_chaos_mishap_again(struct obi_chaos_mishap *mishap)
{
	mishap->next =
	    mishap->when.kind == OBI_CHAOS_OFTEN ? mishap->next + step(mishap) : UINT64_MAX;
}
