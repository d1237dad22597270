/* SPDX-License-Identifier: MIT */
#include "place/agent_hub.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"

enum {
	CHANGES_WAIT_MS = 20000,
	RETRY_MS = 1000,
	PACE_MS = 10, /* between two questions for changes, whatever the agent answers */
	PARAMS_MAX = 64 * 1024
};

struct obi_agent_hub {
	uint32_t refs;
	struct obi_agent_hub_setup setup;
	bool closed;
	struct obi_agent_member *members;
	uint64_t round; /* of events to all members */
	bool linked;
	enum obi_agent_link link;
	char run[OBI_AGENT_ID_SIZE]; /* of the agent that was greeted last; "": none */
	uint64_t seen;		     /* the newest change of this run that is known */
	struct obi_agent_call *call; /* hello or changes */
	int64_t asked_at;
	struct obi_timer timer; /* until the next question */
	uint32_t polls;
	char why[OBI_AGENT_TEXT_SIZE];
};

struct obi_agent_call {
	struct obi_agent_hub *hub; /* a reference */
	obi_agent_answer_fn *fn;   /* NULL: nobody waits */
	void *user;
	uint64_t id;
};

static void step(struct obi_agent_hub *hub);

static void set_why(struct obi_agent_hub *hub, const char *why)
{
	obi_agent_text_set(hub->why, why);
}

/* ---- Events to all members ---- */

enum told { TOLD_UP, TOLD_FRESH, TOLD_DOWN, TOLD_GONE, TOLD_TAKEN };

static void tell_one(struct obi_agent_member *m, enum told what, const char *why)
{
	switch (what) {
	case TOLD_UP:
	case TOLD_FRESH:
		m->up(m->user, what == TOLD_FRESH);
		break;
	case TOLD_DOWN:
		m->down(m->user, why);
		break;
	case TOLD_GONE:
		m->gone(m->user, why);
		break;
	case TOLD_TAKEN:
		m->taken(m->user, why);
		break;
	}
}

/* A member may add and remove others, and another event may come: that is what counts then. */
static void tell_all(struct obi_agent_hub *hub, enum told what, const char *why)
{
	uint64_t round = ++hub->round;
	char text[OBI_AGENT_TEXT_SIZE];
	snprintf(text, sizeof text, "%.255s", why);
	hub->refs++;
	for (struct obi_agent_member *m = hub->members; m != NULL && hub->round == round;) {
		if (m->told < round) {
			m->told = round;
			tell_one(m, what, text);
			m = hub->members;
		} else {
			m = m->next;
		}
	}
	obi_agent_hub_unref(hub);
}

/* ---- Calls ---- */

static void take_over(struct obi_agent_hub *hub, const char *why)
{
	if (hub->link != OBI_AGENT_TAKEN_OVER) {
		hub->link = OBI_AGENT_TAKEN_OVER;
		obi_agent_call_drop(hub->call);
		hub->call = NULL;
		obi_timer_stop(&hub->timer);
		set_why(hub, why);
		tell_all(hub, TOLD_TAKEN, hub->why);
	}
}

static void on_reply(void *user, int result, const struct ob_value *value,
		     const struct ob_error *err)
{
	struct obi_agent_call *call = user;
	struct obi_agent_hub *hub = call->hub;
	if (call->fn != NULL) {
		call->fn(call->user, result, value, err);
	}
	if (result == OB_EREMOTE && err->remote_code == OBI_AGENT_TAKEN) {
		take_over(hub, err->text);
	}
	free(call);
	obi_agent_hub_unref(hub);
}

int obi_agent_hub_call(struct obi_agent_hub *hub, const char *method, const struct ob_value *params,
		       int64_t timeout_ms, obi_agent_answer_fn *fn, void *user,
		       struct obi_agent_call **ret, struct ob_error *reterr)
{
	const struct obi_agent_caller *caller = &hub->setup.caller;
	struct obi_agent_call *call = calloc(1, sizeof *call);
	if (call == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	call->hub = hub;
	call->fn = fn;
	call->user = user;
	int r = hub->closed ? obi_fail(reterr, OB_EDOWN, 0, "%s: is closed", hub->setup.name)
			    : caller->call(caller->user, method, params, timeout_ms, on_reply, call,
					   &call->id, reterr);
	if (r < 0) {
		free(call);
		return r;
	}
	hub->refs++;
	if (ret != NULL) {
		*ret = call;
	}
	return OB_OK;
}

void obi_agent_call_drop(struct obi_agent_call *call)
{
	if (call == NULL) {
		return;
	}
	const struct obi_agent_hub *hub = call->hub;
	call->fn = NULL;
	if (!hub->closed) {
		hub->setup.caller.cancel(hub->setup.caller.user, call->id);
	}
}

bool obi_agent_hub_begin_poll(struct obi_agent_hub *hub)
{
	bool room = hub->polls < OBI_AGENT_LOG_POLLS_MAX;
	hub->polls += room;
	return room;
}

void obi_agent_hub_end_poll(struct obi_agent_hub *hub)
{
	hub->polls--;
}

bool obi_agent_hub_is_crowded(const struct obi_agent_hub *hub)
{
	return hub->polls > OBI_AGENT_LOG_POLLS_MAX / 2;
}

/* ---- Hello and changes ---- */

static void go_down(struct obi_agent_hub *hub, const char *why)
{
	hub->link = OBI_AGENT_DOWN;
	set_why(hub, why);
	tell_all(hub, TOLD_DOWN, hub->why);
}

static void retry(struct obi_agent_hub *hub, int64_t ms)
{
	if (hub->linked && hub->link != OBI_AGENT_TAKEN_OVER) {
		obi_timer_set(hub->setup.loop, &hub->timer, ms);
	}
}

/* An agent of a later version of the interface serves this one, too. */
static bool read_hello(const struct ob_value *value, char run[OBI_AGENT_ID_SIZE])
{
	uint64_t version;
	return ob_get_uint(ob_value_find(value, "version"), &version) && version >= 1 &&
	       obi_agent_id(ob_value_find(value, "run"), run);
}

static void on_hello(void *user, int result, const struct ob_value *value,
		     const struct ob_error *err)
{
	struct obi_agent_hub *hub = user;
	char run[OBI_AGENT_ID_SIZE];
	hub->call = NULL;
	if (result == OB_EREMOTE && err->remote_code == OBI_AGENT_TAKEN) {
		return; /* the caller of this deals with it */
	}
	if (result != OB_OK || !read_hello(value, run)) {
		char why[OBI_AGENT_TEXT_SIZE];
		snprintf(why, sizeof why, "hello: %.200s",
			 result != OB_OK ? err->text : "the answer is malformed");
		go_down(hub, why);
		retry(hub, RETRY_MS);
		return;
	}
	bool fresh = hub->run[0] != '\0' && strcmp(run, hub->run) != 0;
	hub->seen = strcmp(run, hub->run) != 0 ? 0 : hub->seen;
	memcpy(hub->run, run, sizeof run);
	hub->link = OBI_AGENT_UP;
	hub->why[0] = '\0';
	tell_all(hub, fresh ? TOLD_FRESH : TOLD_UP, "");
	step(hub);
}

static struct obi_agent_member *find(const struct obi_agent_hub *hub, const char *name)
{
	struct obi_agent_member *m = hub->members;
	while (m != NULL && (!m->in_charge || strcmp(m->name, name) != 0)) {
		m = m->next;
	}
	return m;
}

static void hand_out(struct obi_agent_hub *hub, const struct ob_value *children)
{
	struct obi_agent_facts facts;
	for (uint32_t i = 0; i < OBI_AGENT_CHANGES_MAX; i++) {
		const struct ob_value *value = ob_value_at(children, i);
		if (value == NULL || hub->link != OBI_AGENT_UP) {
			return;
		}
		if (obi_agent_facts_read(value, &facts, NULL) == OB_OK) {
			struct obi_agent_member *m = find(hub, facts.name);
			if (m != NULL) {
				m->facts(m->user, &facts);
			}
		}
	}
}

static void on_changes(void *user, int result, const struct ob_value *value,
		       const struct ob_error *err)
{
	struct obi_agent_hub *hub = user;
	char run[OBI_AGENT_ID_SIZE];
	uint64_t next;
	(void)err;
	hub->call = NULL;
	if (result != OB_OK) {
		retry(hub, RETRY_MS);
		return;
	}
	if (!obi_agent_id(ob_value_find(value, "run"), run) || strcmp(run, hub->run) != 0 ||
	    !ob_get_uint(ob_value_find(value, "next"), &next)) {
		retry(hub, RETRY_MS);
		return;
	}
	hub->seen = next;
	hand_out(hub, ob_value_find(value, "children"));
	step(hub);
}

static void ask(struct obi_agent_hub *hub, const char *method, const struct ob_value *params,
		int64_t timeout_ms, obi_agent_answer_fn *fn)
{
	struct ob_error err;
	hub->asked_at = obi_loop_now(hub->setup.loop);
	if (obi_agent_hub_call(hub, method, params, timeout_ms, fn, hub, &hub->call, &err) < 0) {
		hub->call = NULL;
		retry(hub, RETRY_MS);
	}
}

static void ask_hello(struct obi_agent_hub *hub)
{
	const struct ob_pair pairs[] = {{ob_string("host"), ob_string(hub->setup.host)},
					{ob_string("label"), ob_string(hub->setup.label)}};
	const struct ob_value params = ob_map(pairs, 2);
	ask(hub, "hello", &params, OBI_AGENT_CALL_MS, on_hello);
}

static void ask_changes(struct obi_agent_hub *hub)
{
	const struct ob_pair pairs[] = {{ob_string("host"), ob_string(hub->setup.host)},
					{ob_string("run"), ob_string(hub->run)},
					{ob_string("seen"), ob_uint(hub->seen)},
					{ob_string("wait_ms"), ob_int(CHANGES_WAIT_MS)},
					{ob_string("max"), ob_int(OBI_AGENT_CHANGES_MAX)}};
	const struct ob_value params = ob_map(pairs, 5);
	ask(hub, "changes", &params, CHANGES_WAIT_MS + OBI_AGENT_CALL_MS, on_changes);
}

static bool is_wanted(const struct obi_agent_hub *hub)
{
	const struct obi_agent_member *m = hub->members;
	while (m != NULL && !m->in_charge) {
		m = m->next;
	}
	return m != NULL;
}

static void step(struct obi_agent_hub *hub)
{
	bool due = hub->linked && hub->call == NULL && hub->timer.loop == NULL &&
		   hub->link != OBI_AGENT_TAKEN_OVER && is_wanted(hub);
	if (!due) {
		return;
	}
	if (hub->link == OBI_AGENT_DOWN) {
		ask_hello(hub);
	} else if (obi_loop_now(hub->setup.loop) - hub->asked_at < PACE_MS) {
		retry(hub, PACE_MS);
	} else {
		ask_changes(hub);
	}
}

static void on_timer(void *user)
{
	step(user);
}

/* ---- The connection ---- */

void obi_agent_hub_link_up(struct obi_agent_hub *hub)
{
	if (!hub->linked) {
		hub->linked = true;
		step(hub);
	}
}

void obi_agent_hub_link_down(struct obi_agent_hub *hub, const char *why)
{
	bool was_linked = hub->linked;
	hub->linked = false;
	obi_timer_stop(&hub->timer);
	obi_agent_call_drop(hub->call);
	hub->call = NULL;
	if (hub->link == OBI_AGENT_TAKEN_OVER) {
		return;
	}
	if (was_linked || hub->link == OBI_AGENT_UP) {
		go_down(hub, why);
	} else {
		set_why(hub, why);
	}
}

void obi_agent_hub_gone(struct obi_agent_hub *hub, const char *why)
{
	obi_agent_hub_link_down(hub, why);
	tell_all(hub, TOLD_GONE, why);
}

void obi_agent_hub_close(struct obi_agent_hub *hub)
{
	hub->refs++;
	obi_agent_hub_link_down(hub, "its connector is closed");
	hub->closed = true;
	obi_agent_hub_unref(hub);
}

/* ---- Members ---- */

void obi_agent_hub_add(struct obi_agent_hub *hub, struct obi_agent_member *member)
{
	member->hub = hub;
	member->told = hub->round;
	member->next = hub->members;
	hub->members = member;
	hub->refs++;
}

void obi_agent_hub_remove(struct obi_agent_member *member)
{
	struct obi_agent_hub *hub = member->hub;
	struct obi_agent_member **slot = &hub->members;
	while (*slot != member) {
		slot = &(*slot)->next;
	}
	*slot = member->next;
	member->hub = NULL;
	obi_agent_hub_unref(hub);
}

void obi_agent_hub_charge(struct obi_agent_member *member, bool in_charge)
{
	member->in_charge = in_charge;
	if (in_charge) {
		step(member->hub);
	}
}

enum obi_agent_link obi_agent_hub_link(const struct obi_agent_hub *hub)
{
	return hub->link;
}

const char *obi_agent_hub_why(const struct obi_agent_hub *hub)
{
	return hub->why;
}

const char *obi_agent_hub_name(const struct obi_agent_hub *hub)
{
	return hub->setup.name;
}

const char *obi_agent_hub_run(const struct obi_agent_hub *hub)
{
	return hub->run;
}

const char *obi_agent_hub_host(const struct obi_agent_hub *hub)
{
	return hub->setup.host;
}

/* ---- Life ---- */

static bool copy(const char **text)
{
	*text = strdup(*text);
	return *text != NULL;
}

static void free_hub(struct obi_agent_hub *hub)
{
	obi_timer_stop(&hub->timer);
	free((char *)(uintptr_t)hub->setup.name);
	free((char *)(uintptr_t)hub->setup.host);
	free((char *)(uintptr_t)hub->setup.label);
	free(hub);
}

int obi_agent_hub_new(const struct obi_agent_hub_setup *setup, struct obi_agent_hub **ret,
		      struct ob_error *reterr)
{
	struct obi_agent_hub *hub = calloc(1, sizeof *hub);
	if (hub == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	hub->refs = 1;
	hub->setup = *setup;
	hub->timer.fn = on_timer;
	hub->timer.user = hub;
	set_why(hub, "not connected yet");
	bool ok = copy(&hub->setup.name);
	ok = copy(&hub->setup.host) && ok;
	ok = copy(&hub->setup.label) && ok;
	if (!ok) {
		free_hub(hub);
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	*ret = hub;
	return OB_OK;
}

struct obi_agent_hub *obi_agent_hub_ref(struct obi_agent_hub *hub)
{
	hub->refs++;
	return hub;
}

void obi_agent_hub_unref(struct obi_agent_hub *hub)
{
	if (hub != NULL && --hub->refs == 0) {
		free_hub(hub);
	}
}
