/* SPDX-License-Identifier: MIT */
/*
 * rpc/sealed_records - the sealed layer of a connection: a record is the length of what follows in
 * two bytes, big-endian, then the ciphertext of at most 65535 bytes, its tag included.
 *
 * Everything happens in place, in the session's own queues. Outgoing bytes are sealed a few records
 * at a time, just before they are written together: enough to spare the peer a wakeup a record, few
 * enough that they are still in the cache. What stands between two of them, a tag and a header, is
 * a seam, kept beside the queue. The last tag covers the first bytes of the plaintext behind it,
 * which are put aside meanwhile, and the next header takes the place of bytes that have gone.
 * Incoming records are opened where they were read, and closed up to form one stream.
 */
#ifndef OBI_RPC_SEALED_RECORDS_H
#define OBI_RPC_SEALED_RECORDS_H

#include <outboard/auth.h>

#include "base/buf.h"

enum {
	OBI_RECORD_HEADER = 2,
	OBI_RECORD_MAX = 65535,		  /* what a header can say */
	OBI_RECORD_SIZE = 16 * 1024 - 64, /* of one of ours, at most, its header and tag included */
	OBI_SEALED_RECORDS_TOGETHER =
	    4, /* are sealed and written at once, at most: one packet over loopback */
	OBI_SEALED_RECORDS_PIECES = 2 * OBI_SEALED_RECORDS_TOGETHER - 1
};

/* The next bytes to be written, which lie in several places. */
struct obi_pieces {
	struct ob_bytes piece[OBI_SEALED_RECORDS_PIECES]; /* none is empty */
	int count;
};

/* All zero: in the clear. */
struct obi_sealed_records {
	const struct ob_auth_ops *ops;
	struct ob_auth *auth; /* seals and opens; NULL: in the clear */
	bool outgoing; /* what is in the output is to be sealed: what was said in the clear before
			  has left */
	uint64_t made, taken; /* records sealed, and opened, so far */
	bool dead;     /* a record failed, or could not be made: nothing more goes either way */
	size_t opened; /* bytes at the front of the input that are plaintext */
	size_t sealed; /* bytes of the records at the front of the output, all told; 0: none is
			  sealed yet */
	size_t sent;   /* bytes of them that were written */
	int count;     /* of them */
	size_t plain[OBI_SEALED_RECORDS_TOGETHER];
	uint8_t seam[OBI_SEALED_RECORDS_TOGETHER - 1][OB_AUTH_OVERHEAD_MAX + OBI_RECORD_HEADER];
	size_t aside_len;
	uint8_t aside[OB_AUTH_OVERHEAD_MAX]; /* the plaintext that the last tag covers */
};

/* From here on everything is sealed by auth, which belongs to r. */
void obi_sealed_records_begin(struct obi_sealed_records *r, const struct ob_auth_ops *ops,
			      struct ob_auth *auth);

/* Free, and be all zero again. */
void obi_sealed_records_end(struct obi_sealed_records *r);

/* The output is empty and is to take plaintext: make room for the first header. */
bool obi_sealed_records_start(struct obi_buf *out);

/*
 * Seal records at the front of the output, unless some are sealed already, and return what is left
 * of them to be written. Without plaintext it is one empty record. A failure leaves *ret alone and
 * is final.
 */
int obi_sealed_records_seal(struct obi_sealed_records *r, struct obi_buf *out,
			    struct obi_pieces *ret, struct ob_error *reterr);

enum obi_wear {
	OBI_WEAR_NONE,
	OBI_WEAR_WORN, /* it is time for new keys, when that disturbs nobody */
	OBI_WEAR_SPENT /* there are records left for what is queued and for a goodbye, and for
			  nothing else */
};

/* How much of what the keys may seal or open they have. */
enum obi_wear obi_sealed_records_wear(const struct obi_sealed_records *r);

/* n bytes of that were written. */
void obi_sealed_records_wrote(struct obi_sealed_records *r, struct obi_buf *out, size_t n);

/*
 * Open whole records of the input, at most `most`; those longer than max are refused unseen.
 * Returns how many there were, or OB_EAUTH for what cannot be opened, which is final.
 */
int obi_sealed_records_open(struct obi_sealed_records *r, struct obi_buf *in, size_t max, int most,
			    struct ob_error *reterr);

#endif
