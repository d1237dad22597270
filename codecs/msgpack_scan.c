/* SPDX-License-Identifier: MIT */
#include "codecs/msgpack_scan.h"

/* The state of a scan: where the next element starts, and how many elements each open container
 * still lacks. */
struct notes {
	size_t at;
	uint64_t owed;	/* sum of left[] */
	uint32_t depth; /* open containers */
	uint32_t left[OBI_MSGPACK_LEVELS + 1];
};

_Static_assert(sizeof(struct notes) <= sizeof(((struct ob_scan *)0)->notes), "a scan's notes fit");

/* The form of an element by its first byte: the size of its header behind that byte, the fixed
 * size of its body, or a refusal. */
struct shape {
	uint8_t header;	 /* bytes of a length or count field */
	uint8_t body;	 /* further bytes that are always there */
	uint8_t content; /* what the length field counts */
};
enum { NOTHING, BYTES, ITEMS, PAIRS, REFUSED };

static struct shape shape_of(uint8_t byte)
{
	static const struct shape shapes[32] = {
	    [0x00] = {0, 0, NOTHING}, [0x01] = {0, 0, REFUSED}, [0x02] = {0, 0, NOTHING},
	    [0x03] = {0, 0, NOTHING}, [0x04] = {1, 0, BYTES},	[0x05] = {2, 0, BYTES},
	    [0x06] = {4, 0, BYTES},   [0x07] = {0, 0, REFUSED}, [0x08] = {0, 0, REFUSED},
	    [0x09] = {0, 0, REFUSED}, [0x0a] = {0, 4, NOTHING}, [0x0b] = {0, 8, NOTHING},
	    [0x0c] = {0, 1, NOTHING}, [0x0d] = {0, 2, NOTHING}, [0x0e] = {0, 4, NOTHING},
	    [0x0f] = {0, 8, NOTHING}, [0x10] = {0, 1, NOTHING}, [0x11] = {0, 2, NOTHING},
	    [0x12] = {0, 4, NOTHING}, [0x13] = {0, 8, NOTHING}, [0x14] = {0, 0, REFUSED},
	    [0x15] = {0, 0, REFUSED}, [0x16] = {0, 0, REFUSED}, [0x17] = {0, 0, REFUSED},
	    [0x18] = {0, 0, REFUSED}, [0x19] = {1, 0, BYTES},	[0x1a] = {2, 0, BYTES},
	    [0x1b] = {4, 0, BYTES},   [0x1c] = {2, 0, ITEMS},	[0x1d] = {4, 0, ITEMS},
	    [0x1e] = {2, 0, PAIRS},   [0x1f] = {4, 0, PAIRS},
	};
	if (byte < 0x80 || byte >= 0xe0) {
		return (struct shape){0, 0, NOTHING};
	}
	if (byte < 0xa0) {
		return (struct shape){0, 0, byte < 0x90 ? PAIRS : ITEMS};
	}
	if (byte < 0xc0) {
		return (struct shape){0, 0, BYTES};
	}
	return shapes[byte & 0x1f];
}

static uint32_t count_of(const uint8_t *p, uint8_t header)
{
	switch (header) {
	case 0:
		return *p < 0xa0 ? *p & 0x0fu : *p & 0x1fu;
	case 1:
		return p[1];
	case 2:
		return (uint32_t)p[1] << 8 | p[2];
	default:
		return (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
	}
}

/* One missing element has arrived; close the containers that are complete. */
static void settle(struct notes *n)
{
	n->owed--;
	n->left[n->depth - 1]--;
	while (n->depth > 0 && n->left[n->depth - 1] == 0) {
		n->depth--;
	}
}

/* Open a container of `items` elements. The container itself is an element that has arrived. */
static int open_container(struct notes *n, uint64_t items, uint32_t depth_limit)
{
	if (items > UINT32_MAX) {
		return OB_ETOOBIG;
	}
	if (n->depth > depth_limit) {
		return OB_EPROTO;
	}
	/* An empty container is complete at once. In any case count it in its parent first: the
	 * parent may then be complete except for this child. */
	n->owed--;
	n->left[n->depth - 1]--;
	if (items > 0) {
		n->left[n->depth++] = (uint32_t)items;
		n->owed += items;
	}
	while (n->depth > 0 && n->left[n->depth - 1] == 0) {
		n->depth--;
	}
	return OB_OK;
}

/* The root must be an array of 3 or 4 elements, as MessagePack-RPC requires. */
static int scan_root(struct notes *n, uint8_t byte)
{
	if (byte != 0x93 && byte != 0x94) {
		return OB_EPROTO;
	}
	n->at = 1;
	n->depth = 1;
	n->owed = n->left[0] = byte & 0x0f;
	return OB_OK;
}

/* Read the element at n->at. 1: done; 0: it needs *ret_need bytes from n->at on; or a
 * refusal. */
static int scan_element(struct ob_bytes bytes, struct notes *n, uint32_t depth_limit,
			uint64_t *ret_need)
{
	const uint8_t *p = bytes.data + n->at;
	size_t room = bytes.len - n->at;
	struct shape shape = shape_of(*p);
	uint64_t need = 1u + (uint64_t)shape.header + shape.body;
	if (shape.content == REFUSED) {
		return OB_EPROTO;
	}
	*ret_need = need;
	if (room < 1u + (size_t)shape.header) {
		return 0;
	}
	if (shape.content == BYTES) {
		*ret_need = need += count_of(p, shape.header);
	}
	if (room < need) {
		return 0;
	}
	n->at += (size_t)need;
	if (shape.content == ITEMS || shape.content == PAIRS) {
		uint64_t items =
		    (uint64_t)count_of(p, shape.header) * (shape.content == PAIRS ? 2 : 1);
		int r = open_container(n, items, depth_limit);
		return r < 0 ? r : 1;
	}
	settle(n);
	return 1;
}

int obi_msgpack_scan(struct ob_bytes bytes, struct ob_scan *progress,
		     const struct ob_codec_params *limits, size_t *ret_len)
{
	struct notes *n = (struct notes *)(void *)progress->notes;
	uint32_t depth = limits->depth < OB_DEPTH_MAX ? limits->depth : OB_DEPTH_MAX;
	uint64_t need = 1;
	int r = 1;
	if (bytes.len == 0) {
		*ret_len = 1;
		return 0;
	}
	if (progress->seen == 0 && (r = scan_root(n, bytes.data[0])) < 0) {
		return r;
	}
	while (n->owed > 0 && n->at < bytes.len && n->at + n->owed <= limits->message) {
		r = scan_element(bytes, n, depth, &need);
		if (r < 0) {
			return r;
		}
		if (r == 0) {
			break;
		}
		need = 1;
	}
	progress->seen = bytes.len;
	/* Every missing element takes at least a byte. */
	uint64_t total = n->at + (n->owed > 0 ? n->owed - 1 + need : 0);
	if (total > limits->message) {
		return OB_ETOOBIG;
	}
	*ret_len = (size_t)total;
	return n->owed == 0;
}
