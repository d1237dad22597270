/* SPDX-License-Identifier: MIT */
/* torture/files - scenarios of files, logs, values, watches and plugins. */
#include "torture/torture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Files ---- */

static void config(void)
{
	struct ob_error err = {0};
	struct ob_config ours = {.size = sizeof ours}, read = {.size = sizeof read};
	char path[512];
	snprintf(path, sizeof path, "%s/outboard.json", directory);
	(void)ob_config_set(&ours.token, token);
	(void)ob_config_write(path, &ours, NULL);
	arm();
	if (ob_config_set(&ours.name, "somebody") == OB_OK &&
	    good("write", ob_config_write(path, &ours, &err), &err) &&
	    good("read", ob_config_read(path, &read, &err), &err) &&
	    strcmp(read.name, "somebody") != 0) {
		wrong("read what was not written");
	}
	ob_config_clear(&read);
	disarm();
	/* Whatever happened, the file is complete. */
	if (!good("afterwards", ob_config_read(path, &read, &err), &err) ||
	    strcmp(read.token, token) != 0) {
		wrong("the file is damaged");
	}
	ob_config_clear(&read);
	ob_config_clear(&ours);
	(void)unlink(path);
}

static void log_some(void)
{
	struct ob_log_writer_options options = {.size = sizeof options,
						.format = OB_LOG_FORMAT_JSON};
	struct ob_log_record record = {
	    .size = sizeof record, .message = ob_bytes_text("hello"), .attrs = ob_map(NULL, 0)};
	struct ob_error err = {0};
	ob_logger *logger = NULL;
	ob_log_writer *writer = NULL;
	int fds[2];
	if (pipe(fds) < 0) {
		exit(2);
	}
	arm();
	if (good("logger", ob_logger_new(fds[1], &logger, &err), &err)) {
		for (int i = 0; i < 20; i++) {
			ob_log(logger, OB_LOG_INFO, "something", "{s:i,s:[i,s]}", "n", i, "list", 1,
			       "text");
		}
	}
	if (good("writer", ob_log_writer_new(fds[1], &options, &writer, &err), &err)) {
		for (int i = 0; i < 20; i++) {
			ob_log_writer_record(writer, &record);
		}
	}
	ob_log_writer_close(writer, 0);
	ob_logger_free(logger);
	disarm();
	close(fds[0]);
	close(fds[1]);
}

/* The lines of a pipe. */
static void on_line(void *user, const struct ob_log_record *record)
{
	(void)record;
	++*(int *)user;
}

static void log_reader(void)
{
	static const char lines[] = "{\"level\":\"INFO\",\"msg\":\"one\",\"n\":1}\nplain\n";
	struct ob_runtime_options o = {.size = sizeof o, .mode = OB_RUNTIME_INLINE};
	struct ob_error err = {0};
	ob_runtime *runtime = NULL;
	ob_log_reader *reader = NULL;
	int fds[2], count = 0;
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0 ||
	    write(fds[1], lines, sizeof lines - 1) != sizeof lines - 1) {
		exit(2);
	}
	struct ob_log_reader_options options = {
	    .size = sizeof options, .fd = fds[0], .on_log = on_line, .user_data = &count};
	arm();
	if (good("runtime", ob_runtime_new(&o, &runtime, &err), &err) &&
	    good("reader", ob_log_reader_new(runtime, &options, &reader, &err), &err)) {
		ob_runtime_run(runtime, 0);
	}
	ob_log_reader_close(reader);
	ob_runtime_free(runtime);
	disarm();
	close(fds[0]);
	close(fds[1]);
}

/* The old file or the new one is there, whatever fails. */
static void replace(void)
{
	char path[512], text[64] = "";
	struct ob_error err = {0};
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must("write", ob_file_replace(dir, "file", ob_bytes_text("old"), 0, &err), &err);
	arm();
	good("replace", ob_file_replace(dir, "file", ob_bytes_text("new"), OB_FILE_SYNC, &err),
	     &err);
	disarm();
	snprintf(path, sizeof path, "%s/file", directory);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (read(fd, text, sizeof text - 1) != 3 ||
	    (strcmp(text, "old") != 0 && strcmp(text, "new") != 0)) {
		wrong("the file holds \"%s\"", text);
	}
	close(fd);
	(void)unlinkat(dir, "file", 0);
	close(dir);
}

/* ---- Values ---- */

static void values(void)
{
	static const char text[] =
	    "{\"list\":[1,2.5,\"\\u00e9\",true,null,{\"deep\":[[[]]]}],\"more\":\"text\"}";
	struct ob_error err = {0};
	struct ob_arena *arena = NULL;
	struct ob_value value;
	struct ob_bytes out;
	arm();
	if (good("arena", ob_arena_new(1 << 20, &arena, &err), &err) &&
	    good("from JSON", ob_value_from_json(ob_bytes_text(text), NULL, arena, &value, &err),
		 &err)) {
		good("to JSON", ob_value_to_json(&value, NULL, arena, &out, &err), &err);
	}
	ob_arena_free(arena);
	disarm();
}

/* A long list, and a config with as many keys as it may have. */
static void parse(void)
{
	enum { LIST = 200000, KEYS = 2000 };
	static char list[2 * LIST + 2], keys[KEYS * 32 + 64];
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	struct ob_arena *arena = NULL;
	struct ob_value value;
	char path[512];
	for (int i = 0; i < LIST; i++) {
		memcpy(list + 2 * i, i == 0 ? "[1" : ",1", 2);
	}
	memcpy(list + 2 * LIST, "]", 2);
	size_t len = (size_t)snprintf(keys, sizeof keys, "{\"pid\":7");
	for (int i = 0; i < KEYS; i++) {
		len += (size_t)snprintf(keys + len, sizeof keys - len, ",\"key %d\":%d", i, i);
	}
	snprintf(keys + len, sizeof keys - len, "}");
	snprintf(path, sizeof path, "%s/outboard.json", directory);
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must("write", ob_file_replace(dir, "outboard.json", ob_bytes_text(keys), 0, &err), &err);
	arm();
	if (good("arena", ob_arena_new((size_t)64 << 20, &arena, &err), &err)) {
		good("list", ob_value_from_json(ob_bytes_text(list), NULL, arena, &value, &err),
		     &err);
	}
	ob_arena_free(arena);
	if (good("config", ob_config_read(path, &config, &err), &err) && config.pid != 7) {
		wrong("read %lld", (long long)config.pid);
	}
	ob_config_clear(&config);
	disarm();
	(void)unlinkat(dir, "outboard.json", 0);
	close(dir);
}

/* ---- Watches ---- */

static void on_watch(void *user, int what)
{
	(void)what;
	ob_runtime_stop(user);
}

static void watch(void)
{
	struct ob_runtime_options o = {.size = sizeof o, .mode = OB_RUNTIME_INLINE};
	struct ob_error err = {0};
	ob_runtime *runtime = NULL;
	ob_watch *watches[3] = {NULL};
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0 || write(fds[1], "x", 1) != 1) {
		exit(2);
	}
	arm();
	if (good("runtime", ob_runtime_new(&o, &runtime, &err), &err) &&
	    good("fd",
		 ob_watch_fd(runtime, fds[0], OB_READABLE, on_watch, runtime, &watches[0], &err),
		 &err) &&
	    good("signal", ob_watch_signal(runtime, SIGUSR1, on_watch, runtime, &watches[1], &err),
		 &err) &&
	    good("timer", ob_watch_timer(runtime, 10, on_watch, runtime, &watches[2], &err),
		 &err)) {
		ob_runtime_run(runtime, SHORT_MS);
	}
	for (int i = 0; i < 3; i++) {
		ob_watch_free(watches[i]);
	}
	ob_runtime_free(runtime);
	disarm();
	close(fds[0]);
	close(fds[1]);
}

/* ---- Plugins ---- */

static int count_plugin(void *user, const struct ob_plugin_info *info)
{
	(void)info;
	++*(int *)user;
	return 0;
}

static void plugins(void)
{
	static const char *const names[] = {"unix", "tcp", "chaos", "json", "noise", "nothing"};
	struct ob_runtime_options o = {.size = sizeof o, .mode = OB_RUNTIME_INLINE};
	struct ob_error err = {0};
	ob_runtime *runtime = NULL;
	int count = 0;
	arm();
	if (good("runtime", ob_runtime_new(&o, &runtime, &err), &err)) {
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
			good(names[i], ob_plugin_load(runtime, names[i], &err), &err);
		}
		(void)ob_plugin_each(runtime, count_plugin, &count);
	}
	ob_runtime_free(runtime);
	disarm();
}

const struct scenario file_scenarios[] = {
    {"config", config},	  {"log", log_some},	{"log_reader", log_reader},
    {"replace", replace}, {"values", values},	{"parse", parse},
    {"watch", watch},	  {"plugins", plugins}, {NULL, NULL},
};
