/* SPDX-License-Identifier: MIT */
#include "rpc/sealed_records.h"

#include "base/error.h"

void obi_sealed_records_begin(struct obi_sealed_records *r, const struct ob_auth_ops *ops,
			      struct ob_auth *auth)
{
	memset(r, 0, sizeof *r);
	r->ops = ops;
	r->auth = auth;
}

void obi_sealed_records_end(struct obi_sealed_records *r)
{
	if (r->auth != NULL) {
		r->ops->destroy(r->auth);
	}
	explicit_bzero(r, sizeof *r);
}

/* ---- Output ---- */

bool obi_sealed_records_start(struct obi_buf *out)
{
	static const uint8_t header[OBI_RECORD_HEADER] = {0};
	return ob_sink_put(obi_buf_sink(out), header, sizeof header);
}

/* How much of the plaintext goes into the next record. The rest must be empty, or as long as the
 * tag that overwrites its first bytes. */
static size_t choose(size_t plain, size_t overhead)
{
	size_t most = OBI_RECORD_SIZE - OBI_RECORD_HEADER - overhead;
	if (plain <= most) {
		return plain;
	}
	return plain - most >= overhead ? most : most - overhead;
}

/* Make room at `end` for a tag: at the end of the output, or over plaintext that is saved. */
static bool make_room(struct obi_sealed_records *r, struct obi_buf *out, size_t end)
{
	size_t overhead = r->ops->overhead;
	if (end < obi_buf_len(out)) {
		memcpy(r->aside, obi_buf_bytes(out).data + end, overhead);
		r->aside_len = overhead;
		return true;
	}
	if (obi_buf_reserve(out, overhead, NULL) == NULL) {
		return false;
	}
	ob_sink_commit(obi_buf_sink(out), overhead);
	r->aside_len = 0;
	return true;
}

static void put_header(uint8_t header[OBI_RECORD_HEADER], size_t whole)
{
	header[0] = (uint8_t)(whole >> 8);
	header[1] = (uint8_t)whole;
}

static uint8_t *header_of(struct obi_sealed_records *r, struct obi_buf *out, int record)
{
	return record > 0 ? r->seam[record - 1] + r->ops->overhead
			  : obi_buf_sink(out)->data + out->start;
}

/* Seal len bytes at `at`; the tag follows them. */
static int seal_one(struct obi_sealed_records *r, struct obi_buf *out, size_t at, size_t len,
		    struct ob_error *reterr)
{
	size_t whole = len + r->ops->overhead;
	if (!make_room(r, out, at + len)) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory for a record");
	}
	ptrdiff_t n = r->ops->seal(r->auth, obi_buf_sink(out)->data + out->start + at, len);
	if (n < 0 || (size_t)n != whole) {
		return obi_fail(reterr, n < 0 ? (int)n : OB_EPLUGIN, 0,
				"the authenticator cannot seal another record");
	}
	r->made++;
	put_header(header_of(r, out, r->count), whole);
	r->plain[r->count++] = len;
	r->sealed += OBI_RECORD_HEADER + whole;
	return OB_OK;
}

/* Another record follows: move the last tag, which is at `end`, into a seam, and restore the
 * plaintext under it. */
static void make_seam(struct obi_sealed_records *r, struct obi_buf *out, size_t end)
{
	uint8_t *tag = obi_buf_sink(out)->data + out->start + end;
	memcpy(r->seam[r->count - 1], tag, r->ops->overhead);
	memcpy(tag, r->aside, r->aside_len);
	r->aside_len = 0;
}

static int seal_some(struct obi_sealed_records *r, struct obi_buf *out, struct ob_error *reterr)
{
	size_t at = OBI_RECORD_HEADER, end = obi_buf_len(out);
	if (end < at) {
		return obi_fail(reterr, OB_EINVAL, 0, "no header was reserved for a record");
	}
	do {
		size_t len = choose(end - at, r->ops->overhead);
		if (r->count > 0) {
			make_seam(r, out, at);
		}
		int sealed = seal_one(r, out, at, len, reterr);
		if (sealed < 0) {
			return sealed;
		}
		at += len;
	} while (at < end && r->count < OBI_SEALED_RECORDS_TOGETHER);
	r->sent = 0;
	return OB_OK;
}

/* Add a piece without its first bytes that were sent. */
static void add_piece(struct obi_pieces *pieces, const uint8_t *data, size_t len, size_t *sent)
{
	size_t skip = *sent < len ? *sent : len;
	*sent -= skip;
	if (skip < len) {
		pieces->piece[pieces->count++] = ob_bytes_of(data + skip, len - skip);
	}
}

/* The first header and the last tag are next to their ciphertext; all others are in seams. */
static void list_pieces(const struct obi_sealed_records *r, const struct obi_buf *out,
			struct obi_pieces *ret)
{
	const uint8_t *data = obi_buf_bytes(out).data;
	size_t sent = r->sent, overhead = r->ops->overhead;
	ret->count = 0;
	for (int i = 0; i < r->count; i++) {
		bool last = i == r->count - 1;
		size_t len = r->plain[i] + (i == 0 ? OBI_RECORD_HEADER : 0) + (last ? overhead : 0);
		add_piece(ret, data, len, &sent);
		data += len;
		if (!last) {
			add_piece(ret, r->seam[i], overhead + OBI_RECORD_HEADER, &sent);
		}
	}
}

int obi_sealed_records_seal(struct obi_sealed_records *r, struct obi_buf *out,
			    struct obi_pieces *ret, struct ob_error *reterr)
{
	if (r->dead) {
		return obi_fail(reterr, OB_ECLOSED, 0,
				"no record can be sealed: an earlier record failed");
	}
	if (r->sealed == 0) {
		int sealed = seal_some(r, out, reterr);
		if (sealed < 0) {
			r->dead = true;
			return sealed;
		}
	}
	list_pieces(r, out, ret);
	return OB_OK;
}

void obi_sealed_records_wrote(struct obi_sealed_records *r, struct obi_buf *out, size_t n)
{
	r->sent += n;
	if (r->sent < r->sealed) {
		return;
	}
	/* The end of the last tag in the queue, which does not contain the seams. */
	size_t gone = r->sealed - (size_t)(r->count - 1) * (r->ops->overhead + OBI_RECORD_HEADER);
	if (r->aside_len > 0) {
		gone -= r->aside_len;
		memcpy(obi_buf_sink(out)->data + out->start + gone, r->aside, r->aside_len);
	}
	/* The last two bytes that were written become the next header. */
	obi_buf_consume(out, obi_buf_len(out) > gone ? gone - OBI_RECORD_HEADER : gone);
	r->sealed = r->sent = r->aside_len = 0;
	r->count = 0;
}

/* The records that are left at EXHAUSTED must suffice for a full queue; with noise they carry 256
 * GiB.
 */
enum obi_key_state obi_sealed_records_key_state(const struct obi_sealed_records *r)
{
	uint64_t most = r->auth != NULL ? r->ops->records_max : 0;
	uint64_t used = r->made > r->taken ? r->made : r->taken;
	if (most == 0 || used < most - most / 4) {
		return OBI_KEYS_GOOD;
	}
	return r->made + most / 256 + 2 * OBI_SEALED_RECORDS_TOGETHER >= most ? OBI_KEYS_EXHAUSTED
									      : OBI_KEYS_RENEW;
}

/* ---- Input ---- */

static int refuse(struct obi_sealed_records *r, struct ob_error *reterr, const char *why)
{
	r->dead = true;
	return obi_fail(reterr, OB_EAUTH, 0, "%s", why);
}

/* Close the gap between the plaintext and the bytes that were not opened. */
static void close_gap(struct obi_sealed_records *r, struct obi_buf *in, size_t from)
{
	size_t rest = obi_buf_len(in) - from;
	uint8_t *front = obi_buf_sink(in)->data + in->start;
	if (rest > 0 && from > r->opened) {
		memmove(front + r->opened, front + from, rest);
	}
	obi_buf_truncate(in, r->opened + rest);
}

/* Open one record in place. Returns the length of its plaintext. */
static ptrdiff_t open_one(struct obi_sealed_records *r, uint8_t *record, size_t whole,
			  struct ob_error *reterr)
{
	ptrdiff_t n = r->ops->open(r->auth, record, whole);
	if (n == OB_ECLOSED) {
		return refuse(r, reterr, "no record can be opened: the keys are used up");
	}
	if (n < 0 || (size_t)n != whole - r->ops->overhead) {
		return refuse(r, reterr,
			      "a record cannot be opened: it was changed, or sealed with another "
			      "key");
	}
	return n;
}

int obi_sealed_records_open(struct obi_sealed_records *r, struct obi_buf *in, size_t max, int most,
			    struct ob_error *reterr)
{
	size_t len = obi_buf_len(in), at = r->opened;
	int count = 0;
	if (r->dead) {
		return refuse(r, reterr, "an earlier record could not be opened");
	}
	if (len == at) {
		return 0;
	}
	uint8_t *front = obi_buf_sink(in)->data + in->start;
	for (bool go_on = true; go_on && count < most && len - at >= OBI_RECORD_HEADER;) {
		uint8_t *record = front + at + OBI_RECORD_HEADER;
		size_t whole = (size_t)(front[at] << 8 | front[at + 1]);
		if (whole < r->ops->overhead || whole > max) {
			return refuse(r, reterr, "a record has an invalid length");
		}
		if (whole > len - at - OBI_RECORD_HEADER) {
			break;
		}
		ptrdiff_t n = open_one(r, record, whole, reterr);
		if (n < 0) {
			return (int)n;
		}
		memmove(front + r->opened, record, (size_t)n);
		r->opened += (size_t)n;
		r->blank = n == 0;
		go_on = !r->blank || !r->ends;
		at += OBI_RECORD_HEADER + whole;
		count++;
		r->taken++;
	}
	close_gap(r, in, at);
	return count;
}
