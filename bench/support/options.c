/* SPDX-License-Identifier: MIT */
#include "support/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void usage(const char *program, int status)
{
	fprintf(status == 0 ? stdout : stderr,
		"Usage: %s [OPTION]...\n"
		"  --transport LIST  of unix, tcp (default: both)\n"
		"  --codec LIST      of codecs (default: msgpack,json)\n"
		"  --auth LIST       of authenticators; several that are used together are joined "
		"by '+'; tls: token over tls (default: "
		"token,noise,tls)\n"
		"  --row LIST        only these rows\n"
		"  --rounds N        each figure is the median of N rounds (default: 7)\n"
		"  --amount PERCENT  of the usual number of messages (default: 100)\n"
		"  --split           a processor for each of the two processes, instead of one for "
		"both\n"
		"  --json            print JSON\n",
		program);
	exit(status);
}

static void split(char *list, struct bench_words *ret)
{
	ret->count = 0;
	for (char *word; ret->count < BENCH_WORDS && (word = strtok_r(list, ",", &list)) != NULL;) {
		ret->word[ret->count++] = word;
	}
}

bool bench_words_have(const struct bench_words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++) {
		if (strcmp(words->word[i], word) == 0) {
			return true;
		}
	}
	return false;
}

static double number(const char *text, double least, double most, const char *program)
{
	char *end;
	double n = strtod(text, &end);
	if (*text == '\0' || *end != '\0' || !(n >= least && n <= most)) {
		fprintf(stderr, "%s: %s is not a number from %g to %g\n", program, text, least,
			most);
		usage(program, 2);
	}
	return n;
}

static void check_transports(const struct bench_words *transports, const char *program)
{
	for (size_t i = 0; i < transports->count; i++) {
		if (strcmp(transports->word[i], "unix") != 0 &&
		    strcmp(transports->word[i], "tcp") != 0) {
			fprintf(stderr, "%s: unknown transport %s\n", program, transports->word[i]);
			usage(program, 2);
		}
	}
}

static const struct option known[] = {{"transport", required_argument, NULL, 't'},
				      {"codec", required_argument, NULL, 'c'},
				      {"auth", required_argument, NULL, 'a'},
				      {"row", required_argument, NULL, 'r'},
				      {"rounds", required_argument, NULL, 'n'},
				      {"amount", required_argument, NULL, 'm'},
				      {"split", no_argument, NULL, 's'},
				      {"json", no_argument, NULL, 'j'},
				      {"help", no_argument, NULL, 'h'},
				      {NULL, 0, NULL, 0}};

static void take(int c, const char *program, struct bench_options *ret)
{
	switch (c) {
	case 't':
		split(optarg, &ret->transports);
		break;
	case 'c':
		split(optarg, &ret->codecs);
		break;
	case 'a':
		split(optarg, &ret->auths);
		break;
	case 'r':
		split(optarg, &ret->rows);
		break;
	case 'n':
		ret->rounds = (size_t)number(optarg, 1, BENCH_ROUNDS_MAX, program);
		break;
	case 'm':
		ret->amount = number(optarg, 0.001, 10000, program);
		break;
	case 's':
		ret->split = true;
		break;
	case 'j':
		ret->json = true;
		break;
	default:
		usage(program, c == 'h' ? 0 : 2);
	}
}

void bench_options_read(int argc, char **argv, const char *program, struct bench_options *ret)
{
	static char transports[] = "unix,tcp", codecs[] = "msgpack,json",
		    auths[] = "token,noise,tls";
	*ret = (struct bench_options){.rounds = 7, .amount = 100};
	split(transports, &ret->transports);
	split(codecs, &ret->codecs);
	split(auths, &ret->auths);
	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		take(c, program, ret);
	}
	if (optind < argc) {
		usage(program, 2);
	}
	check_transports(&ret->transports, program);
}
