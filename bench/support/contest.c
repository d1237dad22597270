/* SPDX-License-Identifier: MIT */
#include "support/contest.h"

#include "support/cipher.h"
#include "support/floors.h"
#include "support/options.h"
#include "support/own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FLOORS = 3,
	OWNS = BENCH_WORDS * BENCH_WORDS,
	CONTESTANTS = FLOORS + 1 + 2 * OWNS,
	COMPARED = 5
};

/* The contestant that another is compared with. */
struct comparison {
	size_t with;
	const char *name;
};

struct contestant {
	char name[64];
	bench_run_fn *run;
	void *self;
	bool blocking; /* cannot have several calls in flight */
	bool one_way;  /* has messages without an answer */
	struct comparison compared[COMPARED];
	size_t comparisons;
	struct bench_round rounds[BENCH_ROUNDS_MAX];
};

/* All contestants on one transport; the others are compared with the first two. */
struct field {
	enum bench_wire wire;
	struct floor *floors[FLOORS];
	struct cipher *cipher; /* NULL: none that seals */
	size_t cipher_at;
	struct own *owns[OWNS];
	size_t owned;
	struct contestant list[CONTESTANTS];
	size_t count;
};

/* ---- The contestants ---- */

static void compare(struct contestant *c, size_t with, const char *name)
{
	c->compared[c->comparisons++] = (struct comparison){with, name};
}

static struct contestant *join_in(struct field *f, const char *name, bench_run_fn *run, void *self,
				  bool blocking, bool one_way)
{
	struct contestant *c = &f->list[f->count++];
	snprintf(c->name, sizeof c->name, "%s", name);
	c->run = run;
	c->self = self;
	c->blocking = blocking;
	c->one_way = one_way;
	compare(c, FLOOR_RAW, "raw");
	compare(c, FLOOR_EV, "libev");
	return c;
}

static void open_floors(struct field *f, const struct bench_options *o)
{
	static const char *const names[] = {"raw", "libev", "libev+mp"};
	for (int kind = FLOOR_RAW; kind <= FLOOR_EV_MSGPACK; kind++) {
		if (kind == FLOOR_EV_MSGPACK && !bench_words_have(&o->codecs, "msgpack")) {
			continue;
		}
		f->floors[kind] = floor_open((enum floor_kind)kind, f->wire);
		join_in(f, names[kind], floor_run, f->floors[kind], kind == FLOOR_RAW, true);
	}
}

/* With the cipher of raw+cipher. */
static bool is_noise(const char *auth)
{
	return strstr(auth, "noise") != NULL;
}

static bool seals(const char *auth)
{
	return is_noise(auth) || strcmp(auth, "tls") == 0;
}

static void open_cipher(struct field *f, const struct bench_options *o)
{
	for (size_t a = 0; a < o->auths.count && f->cipher == NULL; a++) {
		if (is_noise(o->auths.word[a])) {
			f->cipher = cipher_open(f->wire);
			f->cipher_at = f->count;
			join_in(f, "raw+cipher", cipher_run, f->cipher, true, true);
		}
	}
}

/* The first of the two contestants of an authenticator; negative: there are none. */
struct twins {
	ptrdiff_t plain, noise;
};

/* after: 0 for the first of the twins, 1 for the second. */
static void compare_sealed(const struct field *f, struct contestant *c, const char *auth,
			   struct twins with, size_t after)
{
	if (is_noise(auth)) {
		compare(c, f->cipher_at, "cipher");
	} else if (with.noise >= 0) {
		compare(c, (size_t)with.noise + after, "noise");
	}
	if (with.plain >= 0) {
		compare(c, (size_t)with.plain + after, "plain");
	}
}

static void open_own(struct field *f, const struct bench_options *o, const char *codec,
		     const char *auth, struct twins with)
{
	char name[64], kind[48];
	struct own *own = f->owns[f->owned++] = own_open(f->wire, codec, auth);
	struct contestant *inlined, *async;
	snprintf(kind, sizeof kind, "%.20s%s%.20s", codec, o->auths.count > 1 ? "," : "",
		 o->auths.count > 1 ? auth : "");
	snprintf(name, sizeof name, "%s inline", kind);
	inlined = join_in(f, name, own_run_inline, own, true, false);
	snprintf(name, sizeof name, "%s async", kind);
	async = join_in(f, name, own_run_async, own, false, true);
	if (seals(auth)) {
		compare_sealed(f, inlined, auth, with, 0);
		compare_sealed(f, async, auth, with, 1);
	}
}

/* The contestants of one codec. A sealed one is compared with the first plaintext one, and tls with
 * noise. */
static void open_codec(struct field *f, const struct bench_options *o, const char *codec)
{
	struct twins with = {-1, -1};
	for (size_t a = 0; a < o->auths.count; a++) {
		const char *auth = o->auths.word[a];
		ptrdiff_t at = (ptrdiff_t)f->count;
		open_own(f, o, codec, auth, with);
		with.plain = with.plain < 0 && !seals(auth) ? at : with.plain;
		with.noise = with.noise < 0 && is_noise(auth) ? at : with.noise;
	}
}

static void open_field(struct field *f, const struct bench_options *o, enum bench_wire wire)
{
	*f = (struct field){.wire = wire};
	bench_pin(o->split ? 1 : 0); /* the processor of children started from now on */
	open_floors(f, o);
	open_cipher(f, o);
	for (size_t c = 0; c < o->codecs.count; c++) {
		open_codec(f, o, o->codecs.word[c]);
	}
	bench_pin(0);
}

static void close_field(struct field *f)
{
	for (int i = 0; i < FLOORS; i++) {
		if (f->floors[i] != NULL) {
			floor_close(f->floors[i]);
		}
	}
	if (f->cipher != NULL) {
		cipher_close(f->cipher);
	}
	for (size_t i = 0; i < f->owned; i++) {
		own_close(f->owns[i]);
	}
}

/* ---- Running ---- */

static bool takes_part(const struct contestant *c, const struct bench_row *row)
{
	uint32_t outstanding = row->load.outstanding;
	return outstanding == 1 || (outstanding == 0 ? c->one_way : !c->blocking);
}

/* The first round warms up. */
static void run_row(struct field *f, const struct bench_row *row, const struct bench_options *o)
{
	struct bench_load load = row->load;
	load.count = (uint64_t)((double)load.count * o->amount / 100);
	load.count = load.count > load.outstanding ? load.count : load.outstanding + 1;
	double *samples = calloc(load.count, sizeof *samples);
	for (size_t r = 0; r < o->rounds + 1; r++) {
		for (size_t i = 0; i < f->count; i++) {
			struct contestant *c = &f->list[i];
			if (takes_part(c, row)) {
				c->rounds[r > 0 ? r - 1 : 0] = c->run(c->self, &load, samples);
			}
		}
	}
	free(samples);
}

/* ---- Results ---- */

enum what { P50, P99, PER_SECOND };

static double median(const struct contestant *c, size_t rounds, enum what what)
{
	double values[BENCH_ROUNDS_MAX];
	for (size_t i = 0; i < rounds; i++) {
		const struct bench_round *r = &c->rounds[i];
		values[i] = what == P50 ? r->p50_ns : what == P99 ? r->p99_ns : r->per_second;
	}
	return bench_quantile(values, rounds, 0.5);
}

static double figure_of(const struct contestant *c, const struct bench_row *row, size_t rounds)
{
	return median(c, rounds, row->figure == BENCH_LATENCY ? P50 : PER_SECOND);
}

static double figure_in(const struct bench_round *round, const struct bench_row *row)
{
	return row->figure == BENCH_LATENCY ? round->p50_ns : round->per_second;
}

static double bytes_of(const struct bench_row *row)
{
	return (double)row->load.size * (row->both_ways ? 2 : 1);
}

static void show_figure(const struct bench_row *row, double value)
{
	switch (row->figure) {
	case BENCH_LATENCY:
		printf("%10.2f us p50  ", value / 1000);
		break;
	case BENCH_RATE:
		printf("%10.0f calls/s ", value);
		break;
	case BENCH_BYTES:
		printf("%10.3f GB/s    ", value * bytes_of(row) / 1e9);
		break;
	}
}

/* A contestant's figure relative to the one that it is compared with: the median of the ratios
 * of the rounds, since other load on the machine lasts longer than a round. 0: that one did not
 * take part. */
static double ratio(const struct field *f, const struct contestant *c, size_t compared,
		    const struct bench_row *row, size_t rounds)
{
	const struct contestant *to = &f->list[c->compared[compared].with];
	double ratios[BENCH_ROUNDS_MAX];
	if (!takes_part(to, row)) {
		return 0;
	}
	for (size_t i = 0; i < rounds; i++) {
		ratios[i] = figure_in(&c->rounds[i], row) / figure_in(&to->rounds[i], row);
	}
	return bench_quantile(ratios, rounds, 0.5);
}

static void show_row(const struct field *f, const struct bench_row *row, size_t rounds)
{
	printf("\n%s: %s\n", bench_wire_names[f->wire], row->title);
	for (size_t i = 0; i < f->count; i++) {
		const struct contestant *c = &f->list[i];
		if (!takes_part(c, row)) {
			continue;
		}
		printf("  %-24s", c->name);
		show_figure(row, figure_of(c, row, rounds));
		for (size_t to = 0; to < c->comparisons; to++) {
			double times = ratio(f, c, to, row, rounds);
			if (times > 0) {
				printf("%7.2f x %s", times, c->compared[to].name);
			}
		}
		printf("\n");
	}
	fflush(stdout);
}

static void show_one_json(const struct field *f, const struct contestant *c,
			  const struct bench_row *row, size_t rounds)
{
	double per_second = median(c, rounds, PER_SECOND);
	printf("\n    {\"name\": \"%s\", \"p50_ns\": %.0f, \"p99_ns\": %.0f, \"per_second\": %.1f, "
	       "\"bytes_per_second\": %.0f",
	       c->name, median(c, rounds, P50), median(c, rounds, P99), per_second,
	       per_second * bytes_of(row));
	for (size_t to = 0; to < c->comparisons; to++) {
		double times = ratio(f, c, to, row, rounds);
		if (times > 0) {
			printf(", \"x_%s\": %.3f", c->compared[to].name, times);
		}
	}
	printf("}");
}

/* The names need no escapes in JSON. */
static void show_row_json(const struct field *f, const struct bench_row *row, size_t rounds,
			  bool first)
{
	const char *comma = "";
	printf("%s\n  {\"transport\": \"%s\", \"row\": \"%s\", \"size\": %u, \"outstanding\": %u, "
	       "\"contestants\": [",
	       first ? "" : ",", bench_wire_names[f->wire], row->name, row->load.size,
	       row->load.outstanding);
	for (size_t i = 0; i < f->count; i++) {
		if (takes_part(&f->list[i], row)) {
			printf("%s", comma);
			show_one_json(f, &f->list[i], row, rounds);
			comma = ",";
		}
	}
	printf("]}");
}

/* ---- The program ---- */

static bool is_wanted(const struct bench_options *o, const struct bench_row *row)
{
	return o->rows.count == 0 || bench_words_have(&o->rows, row->name);
}

static void run_all(const struct bench_options *o, const struct bench_row *rows)
{
	bool first = true;
	for (int wire = 0; wire < BENCH_WIRES; wire++) {
		static struct field field;
		if (!bench_words_have(&o->transports, bench_wire_names[wire])) {
			continue;
		}
		open_field(&field, o, (enum bench_wire)wire);
		for (const struct bench_row *row = rows; row->name != NULL; row++) {
			if (!is_wanted(o, row)) {
				continue;
			}
			run_row(&field, row, o);
			if (o->json) {
				show_row_json(&field, row, o->rounds, first);
			} else {
				show_row(&field, row, o->rounds);
			}
			first = false;
		}
		close_field(&field);
	}
}

static void check_rows(const struct bench_options *o, const struct bench_row *rows)
{
	for (size_t i = 0; i < o->rows.count; i++) {
		const struct bench_row *row = rows;
		while (row->name != NULL && strcmp(row->name, o->rows.word[i]) != 0) {
			row++;
		}
		if (row->name == NULL) {
			bench_die("no such row", o->rows.word[i]);
		}
	}
}

int bench_main(int argc, char **argv, const char *program, const struct bench_row *rows)
{
	struct bench_options options;
	int served = argc == 2 ? own_serve(argv[1]) : -1;
	served = argc == 2 && served < 0 ? floor_serve(argv[1]) : served;
	served = argc == 2 && served < 0 ? cipher_serve(argv[1]) : served;
	if (served >= 0) {
		return served;
	}
	bench_options_read(argc, argv, program, &options);
	check_rows(&options, rows);
	if (options.json) {
		printf("{\"bench\": \"%s\", \"rounds\": %zu, \"processors\": %d, \"rows\": [",
		       program, options.rounds, options.split ? 2 : 1);
	} else {
		printf("%s: %s, medians of %zu rounds\n", program,
		       options.split ? "a processor for each process"
				     : "all processes on one processor",
		       options.rounds);
	}
	run_all(&options, rows);
	printf(options.json ? "]}\n" : "");
	return 0;
}
