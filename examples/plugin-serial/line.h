/* SPDX-License-Identifier: MIT */
/* line - a serial device, and the frames on it. */
#ifndef LINE_H
#define LINE_H

#include <outboard/transport.h>

enum { MAGIC = 0xb5, HEAD = 9, PAYLOAD = 1024, CALL_EVERY_MS = 300, CALL_FOR_MS = 3000 };

enum kind {
	CALL = 'C',   /* dialer: may I connect? Repeated until the answer */
	ANSWER = 'A', /* acceptor: yes */
	DATA = 'D',
	END = 'E', /* I shall write no more */
	BYE = 'B'  /* I have closed */
};

struct frame {
	uint8_t kind;
	uint32_t id;
	uint32_t len;
};

/* A device, and the part of a frame that has been read. */
struct line {
	const struct ob_host *host;
	int fd;
	uint8_t head[HEAD];
	size_t have;
	uint32_t left; /* bytes of the current payload that are not read yet */
};

/* Write the HEAD bytes of a frame's head. */
void line_write_head(uint8_t *head, struct frame f);

/* Read at most len bytes. 0: nothing to read now; or a negative code. */
ptrdiff_t line_read(struct line *line, void *data, size_t len);

/* Read the next head, and nothing behind it. 1: it is in *ret; 0: not there yet. Bytes that are no
 * head are skipped. */
int line_next_frame(struct line *line, struct frame *ret);

/* Skip the rest of a payload. 1: done; 0: not there yet. */
int line_skip_payload(struct line *line);

/* Send a frame without a payload. false: there is not room for all of it. */
bool line_send(struct line *line, uint8_t kind, uint32_t id);

/* The same behind zeros, which complete any frame that a dead process began. */
bool line_send_first(struct line *line, uint8_t kind, uint32_t id);

/* The code for an errno of open() or of an ioctl. */
int line_code_of(int sys);

/* Open a device exclusively. taken: the code if another process has it. */
int line_open(const struct ob_host *host, const char *path, int taken, struct line *ret,
	      struct ob_error *reterr);

#endif
