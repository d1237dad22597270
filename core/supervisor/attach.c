/* SPDX-License-Identifier: MIT */
#include "supervisor/attach.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/error.h"
#include "base/string_list.h"
#include "supervisor/shell.h"

/* ---- State and token ---- */

static void keep(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text != NULL ? text : "");
}

void obi_attach_note(const struct ob_connector_options *o, const char *config_hash,
		     struct obi_statefile *state)
{
	char *auth = o->auth != NULL ? obi_string_list_join(o->auth, ",") : NULL;
	keep(state->codec, sizeof state->codec, o->codec);
	keep(state->auth, sizeof state->auth, auth);
	keep(state->transport, sizeof state->transport, o->transport);
	keep(state->config_hash, sizeof state->config_hash, config_hash);
	free(auth);
	state->instance[0] = state->listen[0] = state->client_address[0] = '\0';
	state->allow_plaintext = o->allow_plaintext;
	state->message_max = o->message_max;
	state->started_ms = obi_clock_ms(CLOCK_REALTIME);
	state->started_boot_ms = obi_clock_ms(CLOCK_BOOTTIME);
	state->was_ready = true; /* so that silence ends the waiting, and not the child */
}

int obi_attach_token(struct obi_supervisor *sup, struct ob_error *reterr)
{
	struct obi_instance *in = &sup->instance;
	char token[OBI_TOKEN_SIZE] = "";
	int r = sup->setup.events.renewed(sup->setup.events.user, token, reterr);
	if (r == OB_OK && strcmp(token, in->state.token) != 0) {
		memcpy(in->state.token, token, sizeof token);
		in->setup.place->ops->save(in->setup.place, &in->state);
	}
	explicit_bzero(token, sizeof token);
	return r;
}

/* ---- Requests ---- */

enum obi_life_event obi_attach_request(const struct ob_connector_options *o,
				       enum obi_life_event request)
{
	if (!obi_is_attached(o)) {
		return request;
	}
	if (request == OBI_LIFE_START) {
		return OBI_LIFE_START_OR_RECONNECT;
	}
	bool ends = request == OBI_LIFE_STOP || request == OBI_LIFE_CLOSE;
	return ends && o->stop_rpc_ms == 0 ? OBI_LIFE_DETACH : request;
}

/* ---- The stop ---- */

static void __attribute__((format(printf, 2, 3)))
say(struct obi_supervisor *sup, const char *format, ...)
{
	char text[200];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	obi_reports_cause(&sup->reports, "%s", text);
	obi_reports_emit(&sup->reports, OB_EVENT_STOPPING, 0);
}

/* The child lives on, as far as is known. */
static void let_go(struct obi_supervisor *sup, int code, const char *why)
{
	struct ob_error err;
	obi_fail(&err, code, 0, "%s: let go of it", why);
	obi_reports_not_gone(&sup->reports, &err);
	obi_machine_raise(&sup->machine, OBI_LIFE_STUCK);
}

void obi_attach_kill(struct obi_supervisor *sup)
{
	let_go(sup, OB_ECANCELED, "it is not killed, since it was not started here");
}

void obi_attach_stop(struct obi_supervisor *sup)
{
	int64_t ms = sup->options->stop_rpc_ms;
	if (sup->haste || ms == 0) {
		obi_attach_kill(sup);
		return;
	}
	obi_instance_expect_end(&sup->instance);
	obi_timer_set(sup->setup.loop, &sup->timer, ms);
	if (obi_link_monitor_shutdown(&sup->link)) {
		say(sup, "called outboard-control.shutdown");
	} else {
		say(sup, "not connected: outboard-control.shutdown is called as soon as it is");
	}
}

void obi_attach_stop_next(struct obi_supervisor *sup)
{
	char time[OBI_DURATION_SIZE], why[320];
	const char *link = obi_kept_text(&sup->link.error);
	const char *refusal = obi_kept_text(&sup->link.shutdown_error);
	obi_duration_text(sup->options->stop_rpc_ms, time, sizeof time);
	bool refused = refusal[0] != '\0';
	if (refused) {
		snprintf(why, sizeof why, "outboard-control.shutdown: %.200s", refusal);
	} else {
		snprintf(why, sizeof why, "did not end within %s (stop.rpc)%s%.200s", time,
			 link[0] != '\0' ? "; last dial: " : "", link);
	}
	let_go(sup, refused ? OB_EREMOTE : OB_ETIMEDOUT, why);
}

/* A connection that was lost before the answer is no sign of an end: the next one asks again. */
void obi_attach_link(struct obi_supervisor *sup, bool up)
{
	bool asked = sup->instance.demand == OBI_DEMAND_ASKED;
	if (!obi_is_attached(sup->options) || !asked) {
		return;
	}
	if (!up && sup->link.shutdown_agreed) {
		obi_instance_end(&sup->instance);
	} else if (up && obi_link_monitor_shutdown(&sup->link)) {
		say(sup, "called outboard-control.shutdown");
	}
}

/* ---- What is told ---- */

const char *obi_attach_cause(const struct obi_supervisor *sup, char *text, size_t size)
{
	const char *link = obi_kept_text(&sup->link.error);
	if (sup->link.supervising) {
		snprintf(text, size, "attached to a child that others have started");
	} else {
		snprintf(text, size, "not connected yet%s%s", link[0] != '\0' ? ": " : "", link);
	}
	return text;
}
