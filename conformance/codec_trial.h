/* SPDX-License-Identifier: MIT */
/* conformance/codec_trial - one promise of a codec being tried: its memory, messages there and
 * back, and why it failed. */
#ifndef OB_CONFORMANCE_CODEC_TRIAL_H
#define OB_CONFORMANCE_CODEC_TRIAL_H

#include "conformance/codec.h"
#include "conformance/suite.h"

/* What a decode may take: so much for each byte of the message, and a constant. */
enum { OBI_BUDGET_PER_BYTE = 8, OBI_BUDGET_CONSTANT = 64 * 1024 };

struct obi_codec_trial {
	const struct ob_codec_ops *ops;
	const struct ob_codec_ops *other;
	struct ob_limits limits; /* generous; changed by those who try them */
	void *blocks;		 /* all memory, freed when the trial is over */
	struct obi_outcome outcome;
};

typedef void obi_codec_promise_fn(struct obi_codec_trial *trial);

struct obi_codec_promise {
	const char *name;
	obi_codec_promise_fn *fn;
};

/* Those about what is carried, and those about what is refused; each ended by a NULL name. */
extern const struct obi_codec_promise obi_codec_promises[];
extern const struct obi_codec_promise obi_codec_refusals[];

void obi_codec_trial_begin(struct obi_codec_trial *trial, const struct obi_conform_codec *it);
void obi_codec_trial_end(struct obi_codec_trial *trial);

/* size bytes of exactly that size, until the trial is over or until they are given back. Never
 * NULL: it fails the process. */
void *obi_codec_memory(struct obi_codec_trial *trial, size_t size);
void obi_codec_give_back(struct obi_codec_trial *trial, void *memory);

/* The message as bytes, or the refusal. The bytes are the trial's memory: give them back when there
 * are many. */
int obi_codec_encode(struct obi_codec_trial *trial, const struct ob_codec_ops *ops,
		     const struct ob_message *m, struct ob_bytes *ret);

/* A message as it was read, and the memory it lives in. */
struct obi_codec_read {
	struct ob_message m;
	void *memory;
	void *copy; /* of the bytes */
};

/*
 * Scan and decode bytes, which are exactly one message, as a session would: within the budget, each
 * in memory of exactly its size. What is answered as invalid counts as refused: OB_EPROTO. Give
 * back with obi_codec_forget().
 */
int obi_codec_decode(struct obi_codec_trial *trial, const struct ob_codec_ops *ops,
		     struct ob_bytes bytes, struct obi_codec_read *ret);
void obi_codec_forget(struct obi_codec_trial *trial, struct obi_codec_read *read);

/* Same type, content and order, and doubles the same bits. */
bool obi_codec_same(const struct ob_value *a, const struct ob_value *b);
bool obi_codec_same_message(const struct ob_message *a, const struct ob_message *b);

/* There and back. NULL, or what is wrong. */
const char *obi_codec_round(struct obi_codec_trial *trial, const struct ob_message *m);

/* Each value that a codec must carry, one at a time, until it returns false; *ret_name says what it
 * is. */
bool obi_codec_sample(struct obi_codec_trial *trial, uint32_t i, struct ob_value *ret,
		      const char **ret_name);

/* v in containers, so that there are `depth` of them. Maps and arrays by turns when mixed. */
struct ob_value obi_codec_nest(struct obi_codec_trial *trial, struct ob_value v, uint32_t depth,
			       bool mixed);

/* [v], n times v, and {key: v} */
struct ob_value obi_codec_array(struct obi_codec_trial *trial, struct ob_value v, uint32_t n);
struct ob_value obi_codec_map(struct obi_codec_trial *trial, const char *key, struct ob_value v);

/* A request of "x.y" with id 1 and these params. */
struct ob_message obi_codec_request(struct ob_value params);

#endif
