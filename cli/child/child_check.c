/* SPDX-License-Identifier: MIT */
/* outboard child check: the promises of PROTOCOL.md, on a program in any language. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/args.h"
#include "cli/child/child.h"
#include "cli/child/exam.h"
#include "cli/findings.h"
#include "cli/report.h"

enum { PATIENCE_MS = 30000 };

#define STARTS "starts and is ready"

static const struct group {
	const char *name;
	const struct obi_promise *promises;
} groups[] = {
    {"readiness", obi_promises_readiness},
    {"auth", obi_promises_auth},
    {"calls", obi_promises_calls},
    {"control", obi_promises_control},
    {"supervise", obi_promises_supervise},
    {"limits", obi_promises_limits},
    {"hostile input", obi_promises_hostile},
    {"logs", obi_promises_logs},
    {"logs by calls", obi_promises_kept_logs},
    {"end", obi_promises_end},
};

enum { GROUPS = sizeof groups / sizeof groups[0] };

struct check {
	struct obi_findings findings;
	struct obi_subject subject;
	struct obi_exam exam;
	const char *only;
	bool named; /* the codecs were named: each must work */
	uint32_t works;
	/* Why the child does not start with a codec that was not named. */
	char refused[2][600];
	int refusals;
	const char *refusing[2];
};

static bool is_stopped(void)
{
	return obi_scratch_stopped_by != 0;
}

/* ---- Reporting ---- */

static void report(struct check *c, const char *group, const char *promise, enum obi_verdict v,
		   const char *why)
{
	static const char *const words[] = {"held", "broken", "skipped"};
	char heading[64];
	const char *codec = c->subject.codec;
	snprintf(heading, sizeof heading, "%s: %s", codec, group);
	const char *const fields[][2] = {{"codec", codec}, {"subject", group}, {NULL, NULL}};
	const struct obi_found found = {heading, fields, promise, words[v],
					v == OBI_VERDICT_PASS ? "" : why};
	obi_findings_add(&c->findings, &found);
}

static bool is_wanted(const struct check *c, const char *group, const char *promise)
{
	return c->only == NULL || strcmp(c->only, group) == 0 || strcmp(c->only, promise) == 0;
}

static bool is_anything_wanted(const struct check *c)
{
	bool wanted = is_wanted(c, groups[0].name, STARTS);
	for (int i = 0; i < GROUPS; i++) {
		for (const struct obi_promise *p = groups[i].promises; p->name != NULL; p++) {
			wanted |= is_wanted(c, groups[i].name, p->name);
		}
	}
	return wanted;
}

/* ---- One promise ---- */

/* Let a child run that nobody is in charge of. */
static int need_child(struct check *c, struct ob_error *reterr)
{
	struct obi_subject *s = &c->subject;
	if (s->running && !obi_subject_lives(s)) {
		obi_subject_end(s);
	}
	int r = s->running ? OB_OK : obi_subject_start(s, false, reterr);
	return r == OB_OK && s->connector != NULL ? obi_subject_release(s, reterr) : r;
}

static const char *missing(const struct check *c, uint32_t needs)
{
	if ((needs & OBI_NEEDS_OUTBOARD_JSON) != 0 && c->subject.ready != OB_READY_CONFIG) {
		return "with --ready rpc a child need not write outboard.json";
	}
	if ((needs & OBI_NEEDS_EXCHANGE) != 0 && c->exam.plugins.exchanges == 0) {
		return "no mechanism of --auth exchanges messages";
	}
	if ((needs & OBI_NEEDS_CONTROL) != 0 && !c->exam.control) {
		return "the child has no interface outboard-control";
	}
	return NULL;
}

static enum obi_verdict try_promise(struct check *c, const struct obi_promise *p)
{
	struct obi_exam *t = &c->exam;
	struct ob_error err = {0};
	if ((p->needs & OBI_NEEDS_NOTHING) == 0 && need_child(c, &err) < 0) {
		return obi_broken(t, "%.400s", err.text);
	}
	enum obi_verdict v = p->check(t);
	if (v == OBI_VERDICT_PASS && (p->needs & OBI_ENDS) == 0 &&
	    !obi_subject_lives(&c->subject)) {
		v = obi_broken(t, "it ended when this was tried");
		obi_subject_explain(&c->subject, t->why, sizeof t->why);
	}
	/* The next promise is not to suffer from what broke this one. */
	if (v == OBI_VERDICT_FAIL || (p->needs & OBI_ENDS) != 0) {
		obi_subject_end(&c->subject);
	}
	return v;
}

static bool fits_codec(const struct check *c, uint32_t needs)
{
	return (needs & (c->exam.json ? OBI_NEEDS_MSGPACK : OBI_NEEDS_JSON)) == 0;
}

static void try_group(struct check *c, const struct group *group)
{
	for (const struct obi_promise *p = group->promises; p->name != NULL; p++) {
		if (!fits_codec(c, p->needs) || !is_wanted(c, group->name, p->name)) {
			continue;
		}
		const char *lacks = missing(c, p->needs);
		enum obi_verdict v =
		    lacks != NULL ? obi_skipped(&c->exam, "%s", lacks) : try_promise(c, p);
		if (is_stopped()) {
			return;
		}
		report(c, group->name, p->name, v, c->exam.why);
	}
}

/* ---- One codec ---- */

/* A child without the control interface answers all of its methods with -32003. */
static void look_for_control(struct check *c)
{
	struct obi_wire w;
	int64_t code = 0;
	c->exam.control = true;
	if (obi_exam_connect(&c->exam, &w) == OBI_VERDICT_PASS) {
		if (obi_wire_call(&w, "outboard-control.health", NULL) == OB_OK &&
		    obi_wire_failed(&w, &code) && code == OB_RPC_NO_INTERFACE) {
			c->exam.control = false;
		}
		obi_wire_close(&w);
	}
}

static void refuse_codec(struct check *c, const char *why)
{
	if (!c->named && c->refusals < 2) {
		c->refusing[c->refusals] = c->subject.codec;
		snprintf(c->refused[c->refusals++], sizeof c->refused[0], "%s", why);
		return;
	}
	report(c, groups[0].name, STARTS, OBI_VERDICT_FAIL, why);
}

static int check_codec(struct check *c, const char *codec, struct ob_error *reterr)
{
	struct ob_error err = {0};
	c->subject.codec = codec;
	c->exam.s = &c->subject;
	c->exam.json = strcmp(codec, "json") == 0;
	int r = obi_wire_plugins_find(&c->subject, &c->exam.plugins, reterr);
	if (r < 0) {
		return r;
	}
	if (need_child(c, &err) < 0) {
		obi_subject_end(&c->subject);
		if (!is_stopped()) {
			refuse_codec(c, err.text);
		}
		return OB_OK;
	}
	c->works++;
	if (is_wanted(c, groups[0].name, STARTS)) {
		report(c, groups[0].name, STARTS, OBI_VERDICT_PASS, "");
	}
	look_for_control(c);
	for (int i = 0; i < GROUPS && !is_stopped(); i++) {
		try_group(c, &groups[i]);
	}
	obi_subject_end(&c->subject);
	return OB_OK;
}

/* A child need not know both codecs. One that starts with neither is broken. */
static void report_refusals(struct check *c)
{
	for (int i = 0; i < c->refusals; i++) {
		c->subject.codec = c->refusing[i];
		report(c, groups[0].name, STARTS,
		       c->works > 0 ? OBI_VERDICT_SKIP : OBI_VERDICT_FAIL, c->refused[i]);
	}
}

/* ---- The command ---- */

static int check_codecs(struct check *c, const struct obi_list *codecs)
{
	struct ob_error err = {0};
	int r = obi_subject_init(&c->subject, &err);
	for (int i = 0; r == OB_OK && !is_stopped() && i < codecs->count; i++) {
		r = check_codec(c, codecs->items[i], &err);
	}
	obi_subject_end(&c->subject);
	if (r < 0) {
		return obi_give_up("child check", &err);
	}
	report_refusals(c);
	return OBI_EXIT_OK;
}

static int check_child(struct check *c, const struct obi_list *codecs)
{
	obi_findings_begin(&c->findings);
	int status = check_codecs(c, codecs);
	bool nothing = status == OBI_EXIT_OK && c->findings.tried_in_all == 0;
	if (status == OBI_EXIT_OK) {
		obi_findings_sum(&c->findings, c->subject.command[0]);
	}
	obi_subject_free(&c->subject);
	status = obi_findings_end(&c->findings, status);
	if (nothing) {
		obi_complain("child check: nothing was tried");
		return OBI_EXIT_USAGE;
	}
	return status;
}

static int check_words(struct check *c, struct obi_list *codecs, const struct obi_words *words)
{
	if (!is_anything_wanted(c)) {
		obi_complain("child check: no such promise: %s", c->only);
		return OBI_EXIT_USAGE;
	}
	c->named = codecs->count > 0;
	if (!c->named) {
		*codecs = (struct obi_list){.items = {"msgpack", "json"}, .count = 2};
	}
	c->subject.command = words->items;
	c->subject.words = words->count;
	return check_child(c, codecs);
}

static bool read_ready(const char *ready, uint32_t *ret)
{
	*ret = strcmp(ready, "rpc") == 0 ? OB_READY_RPC : OB_READY_CONFIG;
	if (strcmp(ready, "rpc") != 0 && strcmp(ready, "config") != 0) {
		obi_complain("child check: --ready %s is neither config nor rpc", ready);
		return false;
	}
	return true;
}

static const char about[] =
    "Starts the command as a child in a directory made for it, and tries what the protocol\n"
    "promises: readiness, authentication, calls, control, supervision, limits, hostile input,\n"
    "logs, and its end. The command is in any language. It listens on a unix socket. What the\n"
    "protocol leaves to the child is skipped, with the reason. Nothing is left of the child or\n"
    "of its directory. The exit status is 1 if a promise is broken, 2 if none was tried.\n";

int obi_child_check(int argc, char **argv)
{
	static struct check c = {.subject = {.auth = "peercred,token",
					     .patience = PATIENCE_MS,
					     .stop = &obi_scratch_stopped_by}};
	struct obi_list codecs = {.count = 0};
	const char *ready = "config";
	const struct obi_option options[] = {
	    {"codec", "NAME", "codec to try, may be repeated; default msgpack and json",
	     OBI_OPTION_LIST, &codecs},
	    {"auth", "LIST", "mechanisms; default peercred,token", OBI_OPTION_TEXT,
	     &c.subject.auth},
	    {"ready", "MODE", "config (default), or rpc: it does not write outboard.json",
	     OBI_OPTION_TEXT, &ready},
	    {"only", "PROMISE", "try only this promise, or the promises of this subject",
	     OBI_OPTION_TEXT, &c.only},
	    {"timeout", "D", "limit for a start, an answer or an end; default 30s",
	     OBI_OPTION_LIMIT, &c.subject.patience},
	    {"verbose", NULL, "also show promises that are kept", OBI_OPTION_FLAG,
	     &c.findings.verbose},
	    {"json", NULL, "print a JSON array: codec, subject, promise, verdict, reason",
	     OBI_OPTION_FLAG, &c.findings.json},
	    {0},
	};
	const struct obi_usage usage = {.command = "child check",
					.words = "-- COMMAND [ARGUMENTS]",
					.about = about,
					.options = options,
					.min_words = 1,
					.max_words = -1};
	struct obi_words words;
	int status;
	if (!obi_args_read(&usage, argc, argv, &words, &status)) {
		return status;
	}
	return read_ready(ready, &c.subject.ready) ? check_words(&c, &codecs, &words)
						   : OBI_EXIT_USAGE;
}
