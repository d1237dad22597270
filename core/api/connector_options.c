/* SPDX-License-Identifier: MIT */
#include "api/connector_options.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/options.h"
#include "base/uri.h"
#include "api/cgroup_options.h"
#include "api/dial_home.h"
#include "api/connector.h"
#include "api/endpoint.h"
#include "supervisor/backoff.h"
#include "process/user.h"

enum {
	READY_MS = 60000,
	STOP_MS = 10000,
	CLEANUP_MS = 30000,
	BEAT_MS = 10000,
	MISSES = 2,
	MISSES_MAX = 1000 * 1000,
	CALL_MS = 30000,
	PIPE_BYTES = 256 * 1024,
	TEXTS_MAX = 64 << 20
};

/* ---- Copying ---- */

struct copier {
	struct obi_arena *arena;
	bool full;
};

static const char *copy_text(struct copier *copier, const char *text)
{
	char *copy = text != NULL ? obi_arena_text(copier->arena, text, strlen(text)) : NULL;
	copier->full = copier->full || (text != NULL && copy == NULL);
	return copy;
}

static const char *const *copy_list(struct copier *copier, const char *const *list)
{
	size_t n = 0;
	while (list != NULL && list[n] != NULL) {
		n++;
	}
	const char **copy =
	    list != NULL ? ob_arena_alloc(&copier->arena->ob, (n + 1) * sizeof *copy) : NULL;
	copier->full = copier->full || (list != NULL && copy == NULL);
	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i] = copy_text(copier, list[i]);
	}
	if (copy != NULL) {
		copy[n] = NULL;
	}
	return copy;
}

static const struct ob_rlimit *copy_limits(struct copier *copier, const struct ob_rlimit *limits)
{
	size_t n = 0;
	while (limits != NULL && limits[n].name != NULL) {
		n++;
	}
	struct ob_rlimit *copy =
	    limits != NULL ? obi_arena_copy(copier->arena, limits, (n + 1) * sizeof *copy) : NULL;
	copier->full = copier->full || (limits != NULL && copy == NULL);
	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i].name = copy_text(copier, limits[i].name);
	}
	return copy;
}

static const struct ob_run_as *copy_run_as(struct copier *copier, const struct ob_run_as *as)
{
	const struct ob_run_as *copy =
	    as != NULL ? obi_arena_copy(copier->arena, as, sizeof *as) : NULL;
	copier->full = copier->full || (as != NULL && copy == NULL);
	return copy;
}

static int copy_options(struct obi_arena *arena, struct ob_connector_options *o)
{
	struct copier c = {arena, false};
	o->name = copy_text(&c, o->name);
	o->data_path = copy_text(&c, o->data_path);
	o->state_path = copy_text(&c, o->state_path);
	o->argv = copy_list(&c, o->argv);
	o->env = copy_list(&c, o->env);
	o->listen = copy_text(&c, o->listen);
	o->connect = copy_text(&c, o->connect);
	o->transport = copy_text(&c, o->transport);
	o->codec = copy_text(&c, o->codec != NULL ? o->codec : "msgpack");
	o->auth = copy_list(&c, o->auth);
	o->user = copy_text(&c, o->user);
	o->group = copy_text(&c, o->group);
	o->cwd = copy_text(&c, o->cwd);
	o->limits = copy_limits(&c, o->limits);
	o->stdin_path = copy_text(&c, o->stdin_path);
	o->rules = copy_list(&c, o->rules);
	o->parent_address = copy_text(&c, o->parent_address);
	o->cleanup = copy_list(&c, o->cleanup);
	o->settings = copy_text(&c, o->settings);
	o->child_settings = copy_text(&c, o->child_settings);
	o->client_listen = copy_text(&c, o->client_listen);
	o->client_auth = copy_list(&c, o->client_auth);
	o->client_transport = copy_text(&c, o->client_transport);
	o->ports = copy_text(&c, o->ports);
	o->cids = copy_text(&c, o->cids);
	o->run_as = copy_run_as(&c, o->run_as);
	o->accept = copy_text(&c, o->accept);
	o->dial = copy_text(&c, o->dial);
	o->token_file = copy_text(&c, o->token_file);
	return c.full ? OB_ENOMEM : OB_OK;
}

/* ---- Defaults ---- */

static int64_t at_most(int64_t number, int64_t max)
{
	return number < max ? number : max;
}

static void fill_numbers(struct ob_connector_options *o)
{
	o->ready_timeout_ms = o->ready_timeout_ms != 0 ? o->ready_timeout_ms : READY_MS;
	o->stop_signal = o->stop_signal != 0 ? o->stop_signal : SIGINT;
	o->stop_timeout_ms = o->stop_timeout_ms != 0 ? o->stop_timeout_ms : STOP_MS;
	o->stop_rpc_ms = o->stop_rpc_ms > 0 ? o->stop_rpc_ms : 0;
	o->cleanup_timeout_ms = o->cleanup_timeout_ms != 0 ? o->cleanup_timeout_ms : CLEANUP_MS;
	o->health_interval_ms = o->health_interval_ms != 0 ? o->health_interval_ms : BEAT_MS;
	o->health_misses = o->health_misses != 0 ? o->health_misses : MISSES;
	o->log_pipe_bytes = o->log_pipe_bytes != 0 ? o->log_pipe_bytes : PIPE_BYTES;
	o->message_max = o->message_max != 0 ? o->message_max : OB_MESSAGE_MAX_DEFAULT;
	o->call_timeout_ms = o->call_timeout_ms != 0 ? o->call_timeout_ms : CALL_MS;
	o->lock_wait_ms = at_most(o->lock_wait_ms, OBI_TIMER_MAX_MS);
	/* Their product is a time, too. */
	o->health_interval_ms = at_most(o->health_interval_ms, OBI_TIMER_MAX_MS);
	o->health_misses = (uint32_t)at_most(o->health_misses, MISSES_MAX);
}

static int fill_listen(struct obi_arena *arena, struct ob_connector_options *o)
{
	char uri[OBI_LISTEN_SIZE];
	if (o->argv == NULL) { /* where others let the child listen is not known */
		o->listen = o->connect;
		o->ready = OB_READY_RPC;
	}
	if (o->via != NULL) { /* the agent says where; a unix socket it is */
		o->listen = "unix:///rpc.sock";
	}
	if (o->listen != NULL || obi_options_dial_home(o)) {
		return obi_dial_home_fill(arena, o);
	}
	if (!obi_options_default_listen(o->data_path, uri)) {
		return OB_EINVAL;
	}
	o->listen = obi_arena_text(arena, uri, strlen(uri));
	return o->listen != NULL ? OB_OK : OB_ENOMEM;
}

static int fill_state_path(struct obi_arena *arena, struct ob_connector_options *o)
{
	char path[4200];
	if (o->state_path != NULL) {
		return OB_OK;
	}
	size_t len = strlen(o->data_path);
	while (len > 1 && o->data_path[len - 1] == '/') {
		len--;
	}
	int n = snprintf(path, sizeof path, "%.*s.state", (int)len, o->data_path);
	if (n < 0 || (size_t)n >= sizeof path) {
		return OB_EINVAL;
	}
	o->state_path = obi_arena_text(arena, path, (size_t)n);
	return o->state_path != NULL ? OB_OK : OB_ENOMEM;
}

/* Replace names by numbers: where the child runs, such as in a container, a name may have another
 * number. */
static int number_peers(struct obi_arena *arena, const char *const **list, const char *what,
			int (*number)(const char *name, uint32_t *ret, struct ob_error *reterr),
			struct ob_error *reterr)
{
	struct copier c = {arena, false};
	const char *const *names = *list;
	char text[16];
	uint32_t n;
	if (names == NULL) {
		return OB_OK;
	}
	const char **numbers = (const char **)(uintptr_t)copy_list(&c, names);
	for (size_t i = 0; !c.full && names[i] != NULL; i++) {
		int r = i < OBI_PEERS_MAX
			    ? number(names[i], &n, reterr)
			    : obi_fail(reterr, OB_EINVAL, 0, "more than %d", OBI_PEERS_MAX);
		if (r < 0) {
			return reterr != NULL ? obi_wrap(reterr, "%s", what) : r;
		}
		snprintf(text, sizeof text, "%u", n);
		numbers[i] = copy_text(&c, text);
	}
	*list = numbers;
	return c.full ? obi_fail(reterr, OB_ENOMEM, 0, "out of memory") : OB_OK;
}

static int fill_peers(struct obi_arena *arena, struct ob_connector_options *o,
		      struct ob_error *reterr)
{
	int r = number_peers(arena, &o->peer_users, "peer_users", obi_user_number, reterr);
	return r == OB_OK
		   ? number_peers(arena, &o->peer_groups, "peer_groups", obi_group_number, reterr)
		   : r;
}

/* ---- Checks ---- */

/* Replace placeholders, and check. */
static int check(struct obi_connector_settings *settings, struct ob_error *reterr)
{
	struct ob_connector_options *o = &settings->options;
	struct obi_option_faults faults = {.fn = NULL};
	if (o->via == NULL) {
		obi_options_expand_first(o, &settings->arena, &settings->expansion, &faults);
	}
	obi_options_check(o, &faults);
	return faults.count == 0 ? OB_OK : obi_fail(reterr, OB_EINVAL, 0, "%s", faults.first.text);
}

/* ---- The hash of the options that a running child depends on ---- */

static void hash_text(crypto_generichash_state *h, const char *text)
{
	uint64_t len = text != NULL ? strlen(text) : UINT64_MAX;
	crypto_generichash_update(h, (const unsigned char *)&len, sizeof len);
	if (text != NULL) {
		crypto_generichash_update(h, (const unsigned char *)text, len);
	}
}

static void hash_list(crypto_generichash_state *h, const char *const *list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		hash_text(h, list[i]);
	}
	hash_text(h, NULL);
}

/* Where it runs is an option of the child, too. */
static void hash_via(crypto_generichash_state *h, const struct ob_connector *via)
{
	if (via != NULL) {
		hash_text(h, "via");
		hash_text(h, via->settings.options.name);
	}
}

static void hash_numbers(crypto_generichash_state *h, const struct ob_connector_options *o)
{
	const struct ob_run_as *as = o->run_as;
	const int64_t numbers[] = {o->env_clear,
				   o->umask,
				   o->log_pipe_bytes,
				   o->allow_plaintext,
				   o->message_max,
				   o->plugin_trust,
				   o->logs == OB_LOGS_RPC,
				   as != NULL ? (int64_t)as->uid : -1,
				   as != NULL ? (int64_t)as->gid : -1};
	crypto_generichash_update(h, (const unsigned char *)numbers, sizeof numbers);
}

static void hash_cgroup(crypto_generichash_state *h, const struct ob_cgroup *cgroup)
{
	uint64_t limits[OBI_CGROUP_NUMBERS];
	size_t count = obi_cgroup_options_numbers(cgroup, limits);
	crypto_generichash_update(h, (const unsigned char *)limits, count * sizeof limits[0]);
	hash_text(h, cgroup != NULL ? cgroup->parent : NULL);
}

/* Only the options that the child was started with. Settings of restart, stop and health take
 * effect without a new start. */
static void hash_options(const struct ob_connector_options *o, char hex[65])
{
	crypto_generichash_state h;
	unsigned char sum[32];
	crypto_generichash_init(&h, NULL, 0, sizeof sum);
	const char *const *const lists[] = {o->argv,	   o->env,	   o->auth,	  o->rules,
					    o->peer_users, o->peer_groups, o->client_auth};
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		hash_list(&h, lists[i]);
	}
	const char *const texts[] = {o->listen,
				     o->codec,
				     o->user,
				     o->group,
				     o->cwd,
				     o->stdin_path,
				     o->settings,
				     o->child_settings,
				     o->parent_address,
				     o->transport,
				     o->client_listen,
				     o->client_transport,
				     o->accept,
				     o->dial,
				     o->token_file};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		hash_text(&h, texts[i]);
	}
	for (size_t i = 0; o->limits != NULL && o->limits[i].name != NULL; i++) {
		hash_text(&h, o->limits[i].name);
		crypto_generichash_update(&h, (const unsigned char *)&o->limits[i].soft,
					  2 * sizeof(uint64_t));
	}
	hash_numbers(&h, o);
	hash_via(&h, o->via);
	hash_cgroup(&h, o->cgroup);
	crypto_generichash_final(&h, sum, sizeof sum);
	sodium_bin2hex(hex, 65, sum, sizeof sum);
}

/* ---- Numbers ---- */

static bool has_numbers(const struct obi_connector_settings *settings)
{
	return obi_expansion_uses(&settings->expansion, OBI_PLACEHOLDER_PORT) ||
	       obi_expansion_uses(&settings->expansion, OBI_PLACEHOLDER_CID);
}

/* Set the texts of `to` that may have placeholders, with these numbers. */
static int set_texts(const struct obi_connector_settings *settings,
		     const struct obi_numbers *numbers, struct obi_arena *arena,
		     struct ob_connector_options *to, struct ob_error *reterr)
{
	struct ob_connector_options from = settings->raw;
	struct obi_option_faults faults = {.fn = NULL};
	struct obi_expansion unused;
	obi_options_expand(&from, numbers, arena, &unused, &faults);
	if (faults.count > 0) {
		return obi_fail(reterr, OB_ENOMEM, 0, "%s", faults.first.text);
	}
	to->argv = from.argv;
	to->env = from.env;
	to->cleanup = from.cleanup;
	to->listen = from.listen != NULL ? from.listen : to->listen;
	to->connect = from.connect;
	to->client_listen = from.client_listen;
	to->accept = from.accept;
	to->dial = from.dial;
	return obi_dial_home_fill(arena, to) == OB_OK
		   ? OB_OK
		   : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

int obi_connector_settings_number(struct obi_connector_settings *settings,
				  const struct obi_numbers *numbers, struct ob_error *reterr)
{
	struct obi_arena texts;
	if (!has_numbers(settings)) {
		return OB_OK;
	}
	obi_arena_init_small(&texts, TEXTS_MAX);
	int r = set_texts(settings, numbers, &texts, &settings->options, reterr);
	if (r < 0) {
		obi_arena_free(&texts);
		return r;
	}
	obi_arena_free(&settings->texts);
	settings->texts = texts;
	return OB_OK;
}

/* Which numbers a child has is no change of its options. */
static int hash_settings(struct obi_connector_settings *settings, struct ob_error *reterr)
{
	const struct obi_numbers unknown = {0};
	struct ob_connector_options hashed = settings->options;
	int r = has_numbers(settings)
		    ? set_texts(settings, &unknown, &settings->arena, &hashed, reterr)
		    : OB_OK;
	hash_options(&hashed, settings->hash);
	return r;
}

/* The users of an agent are not known here. */
static int find_user(const struct ob_connector_options *o, struct obi_user *ret,
		     struct ob_error *reterr)
{
	*ret = (struct obi_user){.uid = geteuid(), .gid = getegid()};
	return o->via != NULL ? OB_OK : obi_child_user(o, ret, reterr);
}

void obi_connector_settings_free(struct obi_connector_settings *settings)
{
	obi_arena_free(&settings->texts);
	obi_arena_free(&settings->arena);
}

int obi_connector_settings(struct ob_runtime *rt, const struct ob_connector_options *given,
			   struct obi_connector_settings *ret, struct ob_error *reterr)
{
	struct ob_connector_options *o = &ret->options;
	struct obi_user user;
	obi_arena_init_small(&ret->arena, 64u << 20);
	obi_arena_init_small(&ret->texts, TEXTS_MAX);
	int r = obi_options_copy(o, sizeof *o, given, reterr);
	if (r == OB_OK && copy_options(&ret->arena, o) < 0) {
		r = obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	r = r == OB_OK ? obi_cgroup_options_copy(&ret->arena, o->cgroup, &o->cgroup, reterr) : r;
	ret->raw = *o;
	r = r == OB_OK ? check(ret, reterr) : r;
	r = r == OB_OK ? find_user(o, &user, reterr) : r;
	if (r < 0) {
		return r;
	}
	ret->child_uid = user.uid;
	r = fill_state_path(&ret->arena, o);
	r = r == OB_OK ? fill_listen(&ret->arena, o) : r;
	if (r < 0) {
		return obi_fail(reterr, r, 0,
				r == OB_ENOMEM ? "out of memory" : "data_path: is too long");
	}
	r = fill_peers(&ret->arena, o, reterr);
	if (r < 0) {
		return r;
	}
	if (o->auth == NULL) {
		bool home = obi_options_dial_home(o);
		o->auth = obi_endpoint_default_auth(rt, home ? o->accept : o->listen,
						    home ? o->dial : o->connect, o->transport);
	}
	fill_numbers(o);
	return hash_settings(ret, reterr);
}
