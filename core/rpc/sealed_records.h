/* SPDX-License-Identifier: MIT */
/*
 * rpc/sealed_records - the sealed layer of a connection. A record is a length of two bytes,
 * big-endian, then as many bytes of ciphertext, tag included: at most 65535.
 *
 * Records are sealed and opened in place, in the queues of the session.
 *
 * Output is sealed a few records at a time, just before they are written together: enough to save
 * the peer a wakeup for each record, few enough that they stay in the cache. The bytes between two
 * of them, a tag and a header, are a seam, which is kept outside the queue. The tag of the last
 * record overwrites the first bytes of the plaintext behind it, which are saved in `aside` until
 * the record was written. The next header overwrites bytes that were written.
 *
 * Input is opened where it was read, and moved together to form one stream of plaintext.
 */
#ifndef OBI_RPC_SEALED_RECORDS_H
#define OBI_RPC_SEALED_RECORDS_H

#include <outboard/auth.h>

#include "base/buf.h"

enum {
	OBI_RECORD_HEADER = 2,
	OBI_RECORD_MAX = 65535, /* the largest length in a header */
	OBI_RECORD_SIZE =
	    16 * 1024 - 64, /* of a record that this side makes, header and tag included */
	/* The most records that are sealed and written at once: one packet over loopback. */
	OBI_SEALED_RECORDS_TOGETHER = 4,
	OBI_SEALED_RECORDS_PIECES = 2 * OBI_SEALED_RECORDS_TOGETHER - 1
};

/* The next bytes to be written, in several pieces. */
struct obi_pieces {
	struct ob_bytes piece[OBI_SEALED_RECORDS_PIECES]; /* none is empty */
	int count;
};

/* All zero: nothing is sealed. */
struct obi_sealed_records {
	const struct ob_auth_ops *ops;
	struct ob_auth *auth; /* seals and opens; NULL: nothing is sealed */
	bool outgoing;	      /* the output is sealed: all plain messages were written */
	uint64_t made, taken; /* records that were sealed, and opened */
	bool dead;     /* a record could not be opened or sealed: neither is possible any more */
	bool blank;    /* the last record that was opened was empty */
	bool ends;     /* set by the owner: nothing is opened behind an empty record */
	size_t opened; /* bytes of plaintext at the front of the input */
	size_t sealed; /* bytes of all sealed records at the front of the output; 0: none */
	size_t sent;   /* of these bytes */
	int count;     /* of these records */
	size_t plain[OBI_SEALED_RECORDS_TOGETHER];
	uint8_t seam[OBI_SEALED_RECORDS_TOGETHER - 1][OB_AUTH_OVERHEAD_MAX + OBI_RECORD_HEADER];
	size_t aside_len;
	uint8_t aside[OB_AUTH_OVERHEAD_MAX]; /* the plaintext under the last tag */
};

/* Begin to seal and open with auth, which belongs to r from here on. */
void obi_sealed_records_begin(struct obi_sealed_records *r, const struct ob_auth_ops *ops,
			      struct ob_auth *auth);

/* Free, and set to zero. */
void obi_sealed_records_end(struct obi_sealed_records *r);

/* The output is empty and will get plaintext: reserve the first header. */
bool obi_sealed_records_start(struct obi_buf *out);

/*
 * Seal records at the front of the output, unless some are sealed already, and return what remains
 * to be written of them. Without plaintext this makes one empty record. A failure is final and
 * does not set *ret.
 */
int obi_sealed_records_seal(struct obi_sealed_records *r, struct obi_buf *out,
			    struct obi_pieces *ret, struct ob_error *reterr);

enum obi_key_state {
	OBI_KEYS_GOOD,
	OBI_KEYS_RENEW,	   /* new keys are needed as soon as no call is in flight */
	OBI_KEYS_EXHAUSTED /* the records left are needed for the queue and for $/bye */
};

/* How much the keys are used up, by the number of records that they may seal or open. */
enum obi_key_state obi_sealed_records_key_state(const struct obi_sealed_records *r);

/* n bytes of the pieces were written. */
void obi_sealed_records_wrote(struct obi_sealed_records *r, struct obi_buf *out, size_t n);

/*
 * Open the complete records of the input, at most `most`. A record longer than max is refused as
 * soon as its header is there. Returns the number of records, or OB_EAUTH, which is final.
 */
int obi_sealed_records_open(struct obi_sealed_records *r, struct obi_buf *in, size_t max, int most,
			    struct ob_error *reterr);

#endif
