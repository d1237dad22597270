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

static const char *const roles[] = {"floor-raw", "floor-ev", "floor-ev-msgpack"};

struct buffer {
	char *data;
	size_t start, end, cap;
};

struct floor {
	enum floor_kind kind;
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

static void write_all(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, data, n);
		if (w <= 0) {
			fail("write");
		}
		data += w;
		n -= (size_t)w;
	}
}

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

/* One read brings header and payload of a small message, as it would for anyone who cares. */
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
	size_t have = b->end - b->start, want = 4 + (size_t)*ret_size;
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
	write_all(f->fd, f->payload, 4 + (size_t)f->size);
	if (!read_frame(f, &size)) {
		fail("read");
	}
	f->in.start += 4 + (size_t)size;
}

static void serve_raw(struct floor *f)
{
	uint32_t size;
	while (read_frame(f, &size)) {
		write_all(f->fd, f->in.data + f->in.start, 4 + (size_t)size);
		f->in.start += 4 + (size_t)size;
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
	append(&f->out, &size, 4);
	append(&f->out, payload, size);
}

/* [0, id, "bench.echo", [payload]], or [1, id, nil, payload] */
static void put_packed(struct floor *f, uint32_t id, bool reply, const char *payload, uint32_t size)
{
	msgpack_packer p;
	size_t at = f->out.end - f->out.start;
	uint32_t len = 0;
	append(&f->out, &len, 4);
	msgpack_packer_init(&p, &f->out, pack_to_buffer);
	msgpack_pack_array(&p, 4);
	msgpack_pack_int(&p, reply);
	msgpack_pack_uint32(&p, id);
	if (reply) {
		msgpack_pack_nil(&p);
	} else {
		msgpack_pack_str(&p, 10);
		msgpack_pack_str_body(&p, "bench.echo", 10);
		msgpack_pack_array(&p, 1);
	}
	msgpack_pack_bin(&p, size);
	msgpack_pack_bin_body(&p, payload, size);
	len = (uint32_t)(f->out.end - f->out.start - at - 4);
	memcpy(f->out.data + f->out.start + at, &len, 4);
}

static void send_request(struct floor *f)
{
	f->to_send--;
	if (f->kind == FLOOR_EV_MSGPACK) {
		put_packed(f, f->id++, false, f->payload + 4, f->size);
	} else {
		put_frame(f, f->payload + 4, f->size);
	}
}

static void take_packed(struct floor *f, const char *bytes, uint32_t size)
{
	size_t offset = 0;
	msgpack_object root;
	if (msgpack_unpack(bytes, size, &offset, &f->zone, &root) != MSGPACK_UNPACK_SUCCESS) {
		fail("msgpack_unpack");
	}
	const msgpack_object *item = root.via.array.ptr;
	if (f->server) {
		const msgpack_object_bin *bin = &item[3].via.array.ptr[0].via.bin;
		put_packed(f, (uint32_t)item[1].via.u64, true, bin->ptr, bin->size);
	}
	msgpack_zone_clear(&f->zone);
}

static void take_frame(struct floor *f, const char *payload, uint32_t size)
{
	if (f->kind == FLOOR_EV_MSGPACK) {
		take_packed(f, payload, size);
	} else if (f->server) {
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

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct floor *f = io->data;
	struct buffer *b = &f->in;
	uint32_t size;
	if ((events & EV_READ) != 0) {
		size_t want = READ;
		if (b->end - b->start >= 4) {
			memcpy(&size, b->data + b->start, 4);
			size_t lacks = 4 + (size_t)size - (b->end - b->start);
			want = lacks > want ? lacks : want;
		}
		ssize_t r = read(f->fd, room(b, want), want);
		if (r == 0 || (r < 0 && errno != EAGAIN)) {
			ev_break(loop, EVBREAK_ALL);
			return;
		}
		b->end += r > 0 ? (size_t)r : 0;
		while (b->end - b->start >= 4 &&
		       (memcpy(&size, b->data + b->start, 4), b->end - b->start - 4 >= size)) {
			take_frame(f, b->data + b->start + 4, size);
			b->start += 4 + (size_t)size;
		}
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

static struct floor *make(enum floor_kind kind, int fd, bool server)
{
	struct floor *f = calloc(1, sizeof *f);
	f->kind = kind;
	f->fd = fd;
	f->server = server;
	f->payload = calloc(1, MOST);
	msgpack_zone_init(&f->zone, 8192);
	if (kind != FLOOR_RAW) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		f->loop = ev_loop_new(EVFLAG_AUTO);
		ev_io_init(&f->io, on_io, fd, EV_READ);
		f->io.data = f;
		ev_io_start(f->loop, &f->io);
	}
	return f;
}

struct floor *floor_open(enum floor_kind kind)
{
	pid_t pid;
	int fd = bench_start_peer(roles[kind], &pid);
	struct floor *f = make(kind, fd, false);
	f->pid = pid;
	return f;
}

static void free_floor(struct floor *f)
{
	if (f->loop != NULL) {
		ev_loop_destroy(f->loop);
	}
	msgpack_zone_destroy(&f->zone);
	free(f->in.data);
	free(f->out.data);
	free(f->payload);
	free(f);
}

void floor_close(struct floor *f)
{
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

static void many_at_once(struct floor *f, uint32_t outstanding, uint64_t count)
{
	f->to_send = f->to_come = count;
	for (uint32_t i = 0; i < outstanding; i++) {
		send_request(f);
	}
	flush_out(f);
	ev_finish(f);
}

struct bench_round floor_run(void *self, uint32_t size, uint32_t outstanding, uint64_t count, double *samples)
{
	struct floor *f = self;
	struct bench_round round = {0};
	f->size = size;
	memcpy(f->payload, &size, 4);
	int64_t begin = bench_now_ns();
	if (outstanding == 1) {
		one_by_one(f, count, samples);
	} else {
		many_at_once(f, outstanding, count);
	}
	round.per_second = (double)count * 1e9 / (double)(bench_now_ns() - begin);
	if (outstanding == 1) {
		round.p50_ns = bench_quantile(samples, count, 0.5);
		round.p99_ns = bench_quantile(samples, count, 0.99);
	}
	return round;
}

int floor_serve(const char *role)
{
	for (int kind = FLOOR_RAW; kind <= FLOOR_EV_MSGPACK; kind++) {
		if (strcmp(role, roles[kind]) != 0) {
			continue;
		}
		struct floor *f = make((enum floor_kind)kind, 3, true);
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
