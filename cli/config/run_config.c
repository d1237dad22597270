/* SPDX-License-Identifier: MIT */
#include "cli/config/run_config.h"

#include "base/error.h"
#include "base/names.h"
#include "base/placeholders.h"
#include "cli/config/cgroup_read.h"
#include "cli/config/templates.h"
#include "json/json.h"

#include <stdio.h>

enum { TEXT_MAX = 16 << 20 };

/* ---- A child ---- */

#define AT(member) offsetof(struct ob_connector_options, member)

static const char *const log_ways[] = {"auto", "output", "rpc", NULL};
static const char *const ready_modes[] = {"config", "rpc", "none", "dial-home", NULL};
static const char *const restart_on[] = {"exit", "failure", "never", NULL};
static const char *const trusts[] = {"owned", "unmapped", NULL};
static const char *const leftovers[] = {"kill", "wait", "fail", NULL};
static const char *const health_actions[] = {"event", "restart", NULL};
static const struct obi_range misses = {1, INT32_MAX}, pipe_bytes = {4096, INT32_MAX},
			      message_bytes = {OB_MESSAGE_MAX_LOWEST, OB_MESSAGE_MAX_HIGHEST};

static const struct obi_key ready_keys[] = {
    {"mode", obi_read_word, AT(ready), ready_modes},
    {"timeout", obi_read_duration, AT(ready_timeout_ms), NULL},
    {0},
};
static const struct obi_key restart_keys[] = {
    {"on", obi_read_word, AT(restart.on), restart_on},
    {"max_restarts", obi_read_max_restarts, AT(restart.max_restarts), NULL},
    {"backoff_base", obi_read_duration, AT(restart.backoff_base_ms), NULL},
    {"backoff_max", obi_read_duration, AT(restart.backoff_max_ms), NULL},
    {"reset_window", obi_read_duration, AT(restart.reset_window_ms), NULL},
    {"jitter", obi_read_jitter, AT(restart.jitter), NULL},
    {0},
};
static const struct obi_key stop_keys[] = {
    {"signal", obi_read_signal, AT(stop_signal), NULL},
    {"timeout", obi_read_duration, AT(stop_timeout_ms), NULL},
    {"rpc", obi_read_duration, AT(stop_rpc_ms), NULL},
    {"cleanup", obi_read_command, AT(cleanup), NULL},
    {"cleanup_timeout", obi_read_duration, AT(cleanup_timeout_ms), NULL},
    {0},
};
static const struct obi_key health_keys[] = {
    {"interval", obi_read_duration, AT(health_interval_ms), NULL},
    {"misses", obi_read_u32, AT(health_misses), &misses},
    {"on_fail", obi_read_word, AT(health_action), health_actions},
    {0},
};
static const struct obi_key child_keys[] = {
    {"command", obi_read_command_or_null, AT(argv), NULL},
    {"token_file", obi_read_path, AT(token_file), NULL},
    {"env", obi_read_env, AT(env), NULL},
    {"env_clear", obi_read_bool, AT(env_clear), NULL},
    {"data_path", obi_read_path, AT(data_path), NULL},
    {"transport", obi_read_plugin, AT(transport), NULL},
    {"listen", obi_read_uri, AT(listen), NULL},
    {"connect", obi_read_uri, AT(connect), NULL},
    {"codec", obi_read_plugin, AT(codec), NULL},
    {"auth", obi_read_auth, AT(auth), NULL},
    {"allow_plaintext", obi_read_bool, AT(allow_plaintext), NULL},
    {"accept", obi_read_uri, AT(accept), NULL},
    {"dial", obi_read_uri, AT(dial), NULL},
    {"client_listen", obi_read_uri, AT(client_listen), NULL},
    {"client_auth", obi_read_client_auth, AT(client_auth), NULL},
    {"client_transport", obi_read_client_plugin, AT(client_transport), NULL},
    {"rules", obi_read_texts, AT(rules), NULL},
    {"peer_users", obi_read_texts, AT(peer_users), NULL},
    {"peer_groups", obi_read_texts, AT(peer_groups), NULL},
    {"parent_address", obi_read_text, AT(parent_address), NULL},
    {"ready", obi_read_object, 0, ready_keys},
    {"restart", obi_read_object, 0, restart_keys},
    {"stop", obi_read_object, 0, stop_keys},
    {"leftover", obi_read_word, AT(leftover), leftovers},
    {"health", obi_read_object, 0, health_keys},
    {"after", obi_check_order_key, 0, "after"},
    {"within", obi_check_order_key, 0, "within"},
    {"where", obi_check_order_key, 0, "where"},
    {"via", obi_check_order_key, 0, "via"},
    {"version", obi_read_u64, AT(version), NULL},
    {"user", obi_read_text, AT(user), NULL},
    {"group", obi_read_text, AT(group), NULL},
    {"run_as", obi_read_run_as, AT(run_as), NULL},
    {"plugin_trust", obi_read_word, AT(plugin_trust), trusts},
    {"cwd", obi_read_path, AT(cwd), NULL},
    {"umask", obi_read_umask, AT(umask), NULL},
    {"limits", obi_read_limits, AT(limits), NULL},
    {"cgroup", obi_read_cgroup, AT(cgroup), NULL},
    {"stdin", obi_read_path, AT(stdin_path), NULL},
    {"lock_wait", obi_read_wait, AT(lock_wait_ms), NULL},
    {"logs", obi_read_word, AT(logs), log_ways},
    {"log_pipe", obi_read_u32, AT(log_pipe_bytes), &pipe_bytes},
    {"message_max", obi_read_u32, AT(message_max), &message_bytes},
    {0},
};
#undef AT

/* A fault at a key inside the current one. */
static void fault_at(struct obi_reading *r, const char *key, const char *reason)
{
	size_t was = obi_reading_enter(r, ob_bytes_text(key));
	obi_reading_fault(r, reason);
	obi_reading_leave(r, was);
}

/* starts: it is of "children", which says how it is started. */
static void check_command(struct obi_reading *r, const struct ob_value *child, bool starts)
{
	bool has_command = ob_value_find(child, "command") != NULL;
	if (child->type != OB_MAP) {
		return;
	}
	if (starts && !has_command) {
		fault_at(r, "command", "is required");
	} else if (!starts && has_command) {
		fault_at(r, "command",
			 "is not for an agent that others start: put it into \"children\"");
	}
}

static void read_child(struct obi_reading *r, const struct ob_pair *pair, bool starts,
		       struct ob_connector_options *child)
{
	child->size = sizeof *child;
	child->placeholders = true;
	r->used = 0;
	if (!obi_name_is_child(ob_bytes_of(pair->key.as.string, pair->key.count))) {
		obi_reading_fault(r, "is not a valid name: 1 to 64 of A-Z a-z 0-9 . _ -");
	}
	child->name = obi_reading_text(r, &pair->key);
	obi_read_object(r, &pair->value, child, child_keys);
	obi_read_all_settings(r, &pair->value, child);
	check_command(r, &pair->value, starts);
}

/* Numbers come from the ranges at the top, which may be read later. */
static void note_numbers(const struct obi_reading *r, struct ob_connector_options *child)
{
	child->ports = (r->used & 1u << OBI_PLACEHOLDER_PORT) != 0 ? "" : NULL;
	child->cids = (r->used & 1u << OBI_PLACEHOLDER_CID) != 0 ? "" : NULL;
}

/* Room for this many more children. */
static bool reserve(struct obi_reading *r, struct obi_run_config *config, uint32_t more)
{
	size_t count = (size_t)config->count + more + 1;
	struct ob_connector_options *children = obi_reading_alloc(r, count * sizeof *children);
	const char **texts = obi_reading_alloc(r, count * sizeof *texts);
	struct obi_child_order *orders = obi_reading_alloc(r, count * sizeof *orders);
	if (children == NULL || texts == NULL || orders == NULL) {
		return false;
	}
	if (config->count > 0) {
		memcpy(children, config->children, config->count * sizeof *children);
		memcpy(texts, config->texts, config->count * sizeof *texts);
		memcpy(orders, config->orders, config->count * sizeof *orders);
	}
	config->children = children;
	config->texts = texts;
	config->orders = orders;
	return true;
}

static void read_entry(struct obi_reading *r, const struct ob_pair *pair, bool starts,
		       struct obi_run_config *config)
{
	uint32_t i = config->count++;
	const struct ob_pair whole = {pair->key,
				      obi_templates_apply(r, r->templates, &pair->value)};
	read_child(r, &whole, starts, &config->children[i]);
	config->children[i].user_data = starts ? NULL : config;
	note_numbers(r, &config->children[i]);
	obi_read_order(r, &whole.value, &config->orders[i]);
	config->texts[i] = obi_text_without_order(r, &whole.value);
	if (config->texts[i] == NULL) {
		obi_reading_fault(r, "out of memory");
	}
}

static void read_entries(struct obi_reading *r, const struct ob_value *value, bool starts,
			 struct obi_run_config *config)
{
	if (value->type != OB_MAP) {
		obi_reading_fault(r, "must be an object");
		return;
	}
	bool room = reserve(r, config, value->count);
	for (uint32_t i = 0; room && i < value->count; i++) {
		const struct ob_pair *pair = &value->as.pairs[i];
		size_t was =
		    obi_reading_enter(r, ob_bytes_of(pair->key.as.string, pair->key.count));
		read_entry(r, pair, starts, config);
		obi_reading_leave(r, was);
	}
}

static void read_children(struct obi_reading *r, const struct ob_value *value, void *at,
			  const void *more)
{
	(void)more;
	read_entries(r, value, true, at);
}

/* Children that others start. */
static void read_agents(struct obi_reading *r, const struct ob_value *value, void *at,
			const void *more)
{
	(void)more;
	read_entries(r, value, false, at);
}

/* Two of one name: an object has each of its keys once. */
static void check_names(struct obi_reading *r, const struct ob_value *tree)
{
	const struct ob_value *agents = ob_value_find(tree, "agents");
	const struct ob_value *children = ob_value_find(tree, "children");
	size_t was = obi_reading_enter(r, ob_bytes_text("agents"));
	for (uint32_t i = 0; agents != NULL && agents->type == OB_MAP && i < agents->count; i++) {
		char name[OBI_READING_KEY_MAX];
		const struct ob_value *key = &agents->as.pairs[i].key;
		snprintf(name, sizeof name, "%.*s", (int)key->count, key->as.string);
		if (ob_value_find(children, name) != NULL) {
			fault_at(r, name, "is the name of a child, too");
		}
	}
	obi_reading_leave(r, was);
}

/* ---- The whole ---- */

static const struct obi_key top_keys[] = {
    {"data_root", obi_read_path, offsetof(struct obi_run_config, data_root), NULL},
    {"plugin_path", obi_read_paths, offsetof(struct obi_run_config, plugin_path), NULL},
    {"ports", obi_read_ports, offsetof(struct obi_run_config, ports), NULL},
    {"cids", obi_read_cids, offsetof(struct obi_run_config, cids), NULL},
    {"templates", obi_read_nothing, 0, NULL}, /* before all else */
    {"cgroup_root", obi_read_path, offsetof(struct obi_run_config, cgroup_root), NULL},
    {"children", read_children, 0, NULL},
    {"agents", read_agents, 0, NULL},
    {0},
};

/* key: of the child; NULL: the fault is at the child as a whole. */
static void fault_at_child(struct obi_reading *r, const struct ob_connector_options *child,
			   const char *key, const char *reason)
{
	size_t was = obi_reading_enter(r, ob_bytes_text(obi_child_object(child)));
	size_t inner = obi_reading_enter(r, ob_bytes_text(child->name));
	if (key != NULL) {
		fault_at(r, key, reason);
	} else {
		obi_reading_fault(r, reason);
	}
	obi_reading_leave(r, inner);
	obi_reading_leave(r, was);
}

static void fill_ranges(struct obi_reading *r, const struct obi_run_config *config,
			struct ob_connector_options *child)
{
	if (child->ports != NULL && config->ports == NULL && child->name != NULL) {
		fault_at_child(r, child, NULL, "refers to ${port}, and there is no \"ports\"");
	}
	if (child->cids != NULL && config->cids == NULL && child->name != NULL) {
		fault_at_child(r, child, NULL, "refers to ${cid}, and there is no \"cids\"");
	}
	child->ports = child->ports != NULL ? config->ports : NULL;
	child->cids = child->cids != NULL ? config->cids : NULL;
}

static void fill_data_path(struct obi_reading *r, const char *root,
			   struct ob_connector_options *child)
{
	if (child->data_path != NULL || child->name == NULL) {
		return;
	}
	if (root == NULL) {
		fault_at_child(r, child, "data_path", "is required where there is no data_root");
		return;
	}
	size_t len = strlen(root) + 1 + strlen(child->name) + 1;
	char *path = obi_reading_alloc(r, len);
	if (path != NULL) {
		snprintf(path, len, "%s%s%s", root, strcmp(root, "/") == 0 ? "" : "/", child->name);
	}
	child->data_path = path;
}

/* The parent's side lies in data_root, where the child's own directory may not be. */
static void fill_state_path(struct obi_reading *r, const char *root,
			    struct ob_connector_options *child)
{
	if (root == NULL || child->name == NULL) {
		return;
	}
	size_t len = strlen(root) + sizeof "/" OBI_STATES_DIRECTORY "/" + strlen(child->name);
	char *path = obi_reading_alloc(r, len);
	if (path != NULL) {
		(void)obi_state_path(root, child->name, path, len);
	}
	child->state_path = path;
}

static void read_tree(struct obi_reading *r, const struct ob_value *tree, struct ob_arena *arena,
		      struct obi_run_config *config)
{
	struct obi_templates templates;
	obi_templates_read(r, tree, child_keys, arena, &templates);
	r->templates = &templates;
	obi_read_object(r, tree, config, top_keys);
	if (tree->type == OB_MAP && ob_value_find(tree, "children") == NULL) {
		fault_at(r, "children", "is required");
	}
	check_names(r, tree);
	for (uint32_t i = 0; i < config->count; i++) {
		fill_data_path(r, config->data_root, &config->children[i]);
		fill_state_path(r, config->data_root, &config->children[i]);
		fill_ranges(r, config, &config->children[i]);
		if (config->orders[i].via == NULL) { /* else it is for the cgroups there */
			obi_cgroup_fill_parent(config->cgroup_root, &config->children[i]);
		}
	}
}

static void read_text(struct obi_reading *r, struct ob_bytes text, struct obi_run_config *config)
{
	struct obi_json_fault wrong = {TEXT_MAX, "is larger than 16 MiB"};
	const struct obi_json_limits limits = {.depth = OB_DEPTH_MAX, .fault = &wrong};
	struct obi_arena arena;
	struct ob_value tree;
	obi_arena_init(&arena, 64 * (size_t)TEXT_MAX);
	if (text.len > TEXT_MAX || obi_json_parse(text, &arena.ob, &limits, &tree, NULL) < 0) {
		obi_reading_fault_at(r, wrong.reason, &wrong.offset);
	} else {
		read_tree(r, &tree, &arena.ob, config);
	}
	obi_arena_free(&arena);
}

int obi_run_config_parse(struct ob_bytes text, const struct obi_run_config_setup *setup,
			 struct obi_run_config *ret, struct ob_error *reterr)
{
	static const struct obi_run_config_setup nothing;
	struct obi_run_config config = {.count = 0};
	struct obi_reading r = {.arena = &config.arena, .setup = setup != NULL ? setup : &nothing};
	obi_arena_init(&config.arena, 64 * (size_t)TEXT_MAX);
	read_text(&r, text, &config);
	if (r.count == 0 && r.hidden) {
		obi_reading_fault(&r, "out of memory"); /* where a template was read again */
	}
	if (r.count > 0) {
		obi_run_config_free(&config);
		return r.count == 1 ? obi_fail(reterr, OB_EINVAL, 0, "%s", r.first)
				    : obi_fail(reterr, OB_EINVAL, 0, "%u faults; the first: %s",
					       r.count, r.first);
	}
	*ret = config;
	return OB_OK;
}

uint32_t obi_run_config_find(const struct obi_run_config *config, const char *name)
{
	uint32_t i = 0;
	while (i < config->count && strcmp(config->children[i].name, name) != 0) {
		i++;
	}
	return i;
}

const char *obi_run_config_agent_settings(const struct obi_run_config *config, uint32_t child)
{
	const char *via = config->orders[child].via;
	uint32_t agent = via != NULL ? obi_run_config_find(config, via) : config->count;
	return agent < config->count ? config->children[agent].settings : NULL;
}

void obi_run_config_free(struct obi_run_config *config)
{
	obi_arena_free(&config->arena);
	*config = (struct obi_run_config){.count = 0};
}
