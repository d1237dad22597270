/* SPDX-License-Identifier: MIT */
/* conformance/codec_trial - one promise of a codec under trial: its memory, messages to encode
 * and decode, and the outcome. */
#ifndef OB_CONFORMANCE_CODEC_TRIAL_H
#define OB_CONFORMANCE_CODEC_TRIAL_H

#include "conformance/codec.h"
#include "conformance/suite.h"

/* The memory that a decode may take: an amount per byte of the message, and a constant. */
enum { OBI_BUDGET_PER_BYTE = 8, OBI_BUDGET_CONSTANT = 64 * 1024 };

struct obi_codec_trial {
	const struct ob_codec_ops *ops;
	const struct ob_codec_ops *other;
	struct ob_codec_params limits; /* generous; the promises about limits change them */
	void *blocks;		       /* all memory of the trial, freed at its end */
	struct obi_outcome outcome;
};

typedef void obi_codec_promise_fn(struct obi_codec_trial *trial);

struct obi_codec_promise {
	const char *name;
	obi_codec_promise_fn *fn;
};

/* Promises about what is preserved, and about what is refused; each list ends with a NULL
 * name. */
extern const struct obi_codec_promise obi_codec_promises[];
extern const struct obi_codec_promise obi_codec_refusals[];

void obi_codec_trial_begin(struct obi_codec_trial *trial, const struct obi_conform_codec *it);
void obi_codec_trial_end(struct obi_codec_trial *trial);

/* A block of exactly this size, until the end of the trial or until it is given back. Never
 * NULL: out of memory aborts. */
void *obi_codec_memory(struct obi_codec_trial *trial, size_t size);
void obi_codec_give_back(struct obi_codec_trial *trial, void *memory);

/* Encode the message. Returns the code of the codec. The bytes are memory of the trial. */
int obi_codec_encode(struct obi_codec_trial *trial, const struct ob_codec_ops *ops,
		     const struct ob_message *m, struct ob_bytes *ret);

/* A decoded message, and the memory it lives in. */
struct obi_codec_read {
	struct ob_message m;
	void *memory;
	void *copy; /* of the bytes */
};

/* Scan and decode bytes, which are exactly one message, as a session would: within the budget,
 * each in memory of exactly its size. A message of kind OB_INVALID counts as refused
 * (OB_EPROTO). Free with obi_codec_forget(). */
int obi_codec_decode(struct obi_codec_trial *trial, const struct ob_codec_ops *ops,
		     struct ob_bytes bytes, struct obi_codec_read *ret);
/* read() must accept nothing else, and make the same of it; the trial fails if it does not.
 * decoded NULL: bytes were refused. */
void obi_codec_compare_read(struct obi_codec_trial *trial, const struct ob_codec_ops *ops,
			    struct ob_bytes bytes, const struct ob_message *decoded);

void obi_codec_forget(struct obi_codec_trial *trial, struct obi_codec_read *read);

/* The same types, contents and order, and doubles of the same bits. */
bool obi_codec_same(const struct ob_value *a, const struct ob_value *b);
bool obi_codec_same_message(const struct ob_message *a, const struct ob_message *b);

/* Encode and decode. Returns NULL, or what is wrong. */
const char *obi_codec_round(struct obi_codec_trial *trial, const struct ob_message *m);

/* Sample number i of the values that a codec must preserve; *ret_name describes it. Returns
 * false after the last. */
bool obi_codec_sample(struct obi_codec_trial *trial, uint32_t i, struct ob_value *ret,
		      const char **ret_name);

/* v inside `depth` containers: arrays, or arrays and maps in turn if mixed. */
struct ob_value obi_codec_nest(struct obi_codec_trial *trial, struct ob_value v, uint32_t depth,
			       bool mixed);

/* [v, v, ...] of n elements, and {key: v}. */
struct ob_value obi_codec_array(struct obi_codec_trial *trial, struct ob_value v, uint32_t n);
struct ob_value obi_codec_map(struct obi_codec_trial *trial, const char *key, struct ob_value v);

/* A request of method "x.y" with id 1. */
struct ob_message obi_codec_request(struct ob_value params);

#endif
