/* SPDX-License-Identifier: MIT */
#include "support/floors.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <msgpack.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ = 64 * 1024, MOST = (1 << 20) + 4096 };
static const uint32_t ONE_WAY = 1u << 31; /* in a message's length: no answer wanted */

static const char *const roles[] = {"floor-raw", "floor-ev", "floor-ev-msgpack"};

struct buffer {
	char *data;
	size_t start, end, cap;
};

struct floor {
	enum floor_kind kind;
	struct floor *next; /* another connection to the same peer, on the same loop */
	bool server;
	int fd;
	pid_t pid;
	struct ev_loop *loop;
	ev_io io;
	struct buffer in, out;
	msgpack_zone zone;
	char *payload;
	uint32_t size;
	uint64_t to_send, to_come;
	uint32_t id;
	bool one_way;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static char *room(struct buffer *b, size_t n)
{
	if (b->start == b->end) {
		b->start = b->end = 0;
	}
	if (b->cap - b->end < n && b->start > 0) {
		memmove(b->data, b->data + b->start, b->end - b->start);
		b->end -= b->start;
		b->start = 0;
	}
	if (b->cap - b->end < n) {
		b->cap = (b->end + n) * 2;
		b->data = realloc(b->data, b->cap);
		if (b->data == NULL) {
			fail("realloc");
		}
	}
	return b->data + b->end;
}

static void append(struct buffer *b, const void *data, size_t n)
{
	memcpy(room(b, n), data, n);
	b->end += n;
}

/* ---- Blocking ---- */

static bool read_all(int fd, char *data, size_t n)
{
	while (n > 0) {
		ssize_t r = read(fd, data, n);
		if (r <= 0) {
			return false;
		}
		data += r;
		n -= (size_t)r;
	}
	return true;
}

/* One read returns header and payload of a small message. */
static bool read_frame(struct floor *f, uint32_t *ret_size)
{
	struct buffer *b = &f->in;
	while (b->end - b->start < 4) {
		ssize_t r = read(f->fd, room(b, READ), READ);
		if (r <= 0) {
			return false;
		}
		b->end += (size_t)r;
	}
	memcpy(ret_size, b->data + b->start, 4);
	size_t have = b->end - b->start, want = 4 + (size_t)(*ret_size & ~ONE_WAY);
	if (have < want) {
		room(b, want - have);
		if (!read_all(f->fd, b->data + b->end, want - have)) {
			return false;
		}
		b->end += want - have;
	}
	return true;
}

static void raw_round_trip(struct floor *f)
{
	uint32_t size;
	bench_write_all(f->fd, f->payload, 4 + (size_t)f->size);
	if (!read_frame(f, &size)) {
		fail("read");
	}
	f->in.start += 4 + (size_t)size;
}

static void raw_one_way(struct floor *f, uint64_t count)
{
	uint32_t size = f->size | ONE_WAY;
	memcpy(f->payload, &size, 4);
	for (uint64_t i = 1; i < count; i++) {
		bench_write_all(f->fd, f->payload, 4 + (size_t)f->size);
	}
	memcpy(f->payload, &f->size, 4);
	raw_round_trip(f);
}

static void serve_raw(struct floor *f)
{
	uint32_t size;
	while (read_frame(f, &size)) {
		if ((size & ONE_WAY) == 0) {
			bench_write_all(f->fd, f->in.data + f->in.start, 4 + (size_t)size);
		}
		f->in.start += 4 + (size_t)(size & ~ONE_WAY);
	}
}

/* ---- libev ---- */

static int pack_to_buffer(void *data, const char *bytes, size_t n)
{
	append(data, bytes, n);
	return 0;
}

static void put_frame(struct floor *f, const char *payload, uint32_t size)
{
	uint32_t header = size | (f->one_way ? ONE_WAY : 0);
	append(&f->out, &header, 4);
	append(&f->out, payload, size);
}

static void pack_text(msgpack_packer *p, const char *text)
{
	msgpack_pack_str(p, strlen(text));
	msgpack_pack_str_body(p, text, strlen(text));
}

/* The part before the payload: [0, id, "bench.echo", [payload]], [2, "bench.sink", [payload]],
 * or [1, id, nil, payload] */
static void pack_head(const struct floor *f, msgpack_packer *p, uint32_t id)
{
	msgpack_pack_array(p, f->one_way ? 3 : 4);
	msgpack_pack_uint8(p, f->one_way ? 2 : f->server);
	if (!f->one_way) {
		msgpack_pack_uint32(p, id);
	}
	if (f->server) {
		msgpack_pack_nil(p);
		return;
	}
	pack_text(p, f->one_way ? "bench.sink" : "bench.echo");
	msgpack_pack_array(p, 1);
}

static void put_packed(struct floor *f, uint32_t id, const char *payload, uint32_t size)
{
	msgpack_packer p;
	size_t at = f->out.end - f->out.start;
	uint32_t len = 0;
	append(&f->out, &len, 4);
	msgpack_packer_init(&p, &f->out, pack_to_buffer);
	pack_head(f, &p, id);
	msgpack_pack_bin(&p, size);
	msgpack_pack_bin_body(&p, payload, size);
	len = (uint32_t)(f->out.end - f->out.start - at - 4) | (f->one_way ? ONE_WAY : 0);
	memcpy(f->out.data + f->out.start + at, &len, 4);
}

static void send_request(struct floor *f)
{
	f->to_send--;
	if (f->kind == FLOOR_EV_MSGPACK) {
		put_packed(f, f->id++, f->payload + 4, f->size);
	} else {
		put_frame(f, f->payload + 4, f->size);
	}
}

static void take_packed(struct floor *f, const char *bytes, uint32_t size, bool one_way)
{
	size_t offset = 0;
	msgpack_object root;
	if (msgpack_unpack(bytes, size, &offset, &f->zone, &root) != MSGPACK_UNPACK_SUCCESS) {
		fail("msgpack_unpack");
	}
	const msgpack_object *item = root.via.array.ptr;
	if (f->server && !one_way) {
		const msgpack_object_bin *bin = &item[3].via.array.ptr[0].via.bin;
		put_packed(f, (uint32_t)item[1].via.u64, bin->ptr, bin->size);
	}
	msgpack_zone_clear(&f->zone);
}

static void take_frame(struct floor *f, const char *payload, uint32_t size, bool one_way)
{
	if (f->kind == FLOOR_EV_MSGPACK) {
		take_packed(f, payload, size, one_way);
	} else if (f->server && !one_way) {
		put_frame(f, payload, size);
	}
	if (!f->server) {
		f->to_come--;
		if (f->to_send > 0) {
			send_request(f);
		}
	}
}

static void flush_out(struct floor *f)
{
	struct buffer *b = &f->out;
	while (b->start < b->end) {
		ssize_t w = write(f->fd, b->data + b->start, b->end - b->start);
		if (w < 0 && errno == EAGAIN) {
			break;
		}
		if (w <= 0) {
			fail("write");
		}
		b->start += (size_t)w;
	}
	int events = EV_READ | (b->start < b->end ? EV_WRITE : 0);
	if ((f->io.events & (EV_READ | EV_WRITE)) != events) {
		ev_io_stop(f->loop, &f->io);
		ev_io_set(&f->io, f->fd, events);
		ev_io_start(f->loop, &f->io);
	}
}

/* How much to read: 64 KiB, or the rest of the message in the buffer. */
static size_t wanted(const struct buffer *b)
{
	uint32_t header;
	if (b->end - b->start < 4) {
		return READ;
	}
	memcpy(&header, b->data + b->start, 4);
	size_t lacks = 4 + (size_t)(header & ~ONE_WAY) - (b->end - b->start);
	return lacks > READ ? lacks : READ;
}

static void take_frames(struct floor *f)
{
	struct buffer *b = &f->in;
	uint32_t header;
	while (b->end - b->start >= 4) {
		memcpy(&header, b->data + b->start, 4);
		uint32_t size = header & ~ONE_WAY;
		if (b->end - b->start - 4 < size) {
			return;
		}
		take_frame(f, b->data + b->start + 4, size, (header & ONE_WAY) != 0);
		b->start += 4 + (size_t)size;
	}
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct floor *f = io->data;
	if ((events & EV_READ) != 0) {
		size_t want = wanted(&f->in);
		ssize_t r = read(f->fd, room(&f->in, want), want);
		if (r == 0 || (r < 0 && errno != EAGAIN)) {
			ev_break(loop, EVBREAK_ALL);
			return;
		}
		f->in.end += r > 0 ? (size_t)r : 0;
		take_frames(f);
	}
	flush_out(f);
}

static void ev_finish(struct floor *f)
{
	while (f->to_come > 0) {
		ev_run(f->loop, EVRUN_ONCE);
	}
}

/* ---- A contestant ---- */

static struct floor *make(enum floor_kind kind, int fd, bool server, struct ev_loop *loop)
{
	struct floor *f = calloc(1, sizeof *f);
	f->kind = kind;
	f->fd = fd;
	f->server = server;
	f->payload = calloc(1, MOST);
	msgpack_zone_init(&f->zone, 8192);
	if (kind != FLOOR_RAW) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		f->loop = loop != NULL ? loop : ev_loop_new(EVFLAG_AUTO);
		ev_io_init(&f->io, on_io, fd, EV_READ);
		f->io.data = f;
		ev_io_start(f->loop, &f->io);
	}
	return f;
}

static int connections_of(enum floor_kind kind)
{
	return kind == FLOOR_RAW ? 1 : BENCH_CONNECTIONS;
}

static struct floor *make_all(enum floor_kind kind, const int *fds, bool server)
{
	struct floor *first = make(kind, fds[0], server, NULL);
	struct floor **end = &first->next;
	for (int i = 1; i < connections_of(kind); i++) {
		*end = make(kind, fds[i], server, first->loop);
		end = &(*end)->next;
	}
	return first;
}

struct floor *floor_open(enum floor_kind kind, enum bench_wire wire)
{
	pid_t pid;
	int fds[BENCH_CONNECTIONS];
	bench_start_peer(wire, roles[kind], connections_of(kind), fds, &pid);
	struct floor *f = make_all(kind, fds, false);
	f->pid = pid;
	return f;
}

static void free_floor(struct floor *f)
{
	if (f->loop != NULL) {
		ev_loop_destroy(f->loop);
	}
	while (f != NULL) {
		struct floor *next = f->next;
		msgpack_zone_destroy(&f->zone);
		free(f->in.data);
		free(f->out.data);
		free(f->payload);
		free(f);
		f = next;
	}
}

void floor_close(struct floor *f)
{
	for (struct floor *other = f->next; other != NULL; other = other->next) {
		close(other->fd);
	}
	bench_end_peer(f->fd, f->pid);
	free_floor(f);
}

static void one_by_one(struct floor *f, uint64_t count, double *samples)
{
	for (uint64_t i = 0; i < count; i++) {
		int64_t t = bench_now_ns();
		if (f->kind == FLOOR_RAW) {
			raw_round_trip(f);
		} else {
			f->to_send = f->to_come = 1;
			send_request(f);
			flush_out(f);
			ev_finish(f);
		}
		samples[i] = (double)(bench_now_ns() - t);
	}
}

static void begin_many(struct floor *f, uint32_t size, uint32_t outstanding, uint64_t count)
{
	f->size = size;
	f->to_send = f->to_come = count;
	for (uint32_t i = 0; i < outstanding; i++) {
		send_request(f);
	}
	flush_out(f);
}

static void many_at_once(struct floor *f, const struct bench_load *load)
{
	uint32_t connections = load->connections > 0 ? load->connections : 1;
	struct floor *each = f;
	for (uint32_t i = 0; i < connections; i++, each = each->next) {
		begin_many(each, load->size, load->outstanding / connections,
			   load->count / connections);
	}
	for (each = f; each != NULL; each = each->next) {
		ev_finish(each);
	}
}

/* Many small messages go out in one write. What the socket does not accept waits, up to a
 * limit. */
static void ev_one_way(struct floor *f, uint64_t count)
{
	enum { TOGETHER = 256 * 1024, WAITING = 1024 * 1024 };
	f->one_way = true;
	for (f->to_send = count; f->to_send > 1;) {
		send_request(f);
		if (f->out.end - f->out.start >= TOGETHER) {
			flush_out(f);
		}
		while (f->out.end - f->out.start >= WAITING) {
			ev_run(f->loop, EVRUN_ONCE);
		}
	}
	f->one_way = false;
	f->to_come = 1;
	send_request(f);
	flush_out(f);
	ev_finish(f);
}

struct bench_round floor_run(void *self, const struct bench_load *load, double *samples)
{
	struct floor *f = self;
	f->size = load->size;
	memcpy(f->payload, &load->size, 4);
	int64_t begin = bench_now_ns();
	if (load->outstanding == 1) {
		one_by_one(f, load->count, samples);
	} else if (load->outstanding > 1) {
		many_at_once(f, load);
	} else if (f->kind == FLOOR_RAW) {
		raw_one_way(f, load->count);
	} else {
		ev_one_way(f, load->count);
	}
	return bench_round_of(begin, load->count, samples,
			      load->outstanding == 1 ? load->count : 0);
}

int floor_serve(const char *role)
{
	for (int kind = FLOOR_RAW; kind <= FLOOR_EV_MSGPACK; kind++) {
		if (strcmp(role, roles[kind]) != 0) {
			continue;
		}
		int fds[BENCH_CONNECTIONS];
		for (int i = 0; i < BENCH_CONNECTIONS; i++) {
			fds[i] = 3 + i;
		}
		struct floor *f = make_all((enum floor_kind)kind, fds, true);
		if (kind == FLOOR_RAW) {
			serve_raw(f);
		} else {
			ev_run(f->loop, 0);
		}
		free_floor(f);
		return 0;
	}
	return -1;
}
