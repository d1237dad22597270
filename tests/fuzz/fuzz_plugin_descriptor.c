/* SPDX-License-Identifier: MIT */
/*
 * plugin/vtable, plugin/descriptor, plugin/registry: a descriptor and a table of any bytes and
 * any size are copied member by member, or refused with a reason. Only name, version and
 * schemes, which are made to be texts, are followed as pointers.
 *
 * Input: kind, size of the descriptor, size of the table, a byte of flags for the texts (bit 0
 * name, 1 version, 2 schemes), the bytes of the descriptor, the bytes of the table, and the
 * texts.
 */
#include "base/names.h"
#include "plugin/registry.h"
#include "plugin/vtable.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

/* A copy in memory of exactly its size, whose first member is that size, as in every table. */
static void *exact(const uint8_t *data, size_t have, uint32_t size)
{
	uint8_t *table = calloc(1, size);
	must(table != NULL);
	memcpy(table, data, have < size ? have : size);
	memcpy(table, &size, sizeof size);
	return table;
}

static void set_pointer(void *table, size_t size, size_t offset, const void *pointer)
{
	if (offset + sizeof pointer <= size) {
		memcpy((uint8_t *)table + offset, &pointer, sizeof pointer);
	}
}

/* ---- The copies ---- */

static bool transport_is_whole(const struct ob_transport_ops *ops)
{
	return ops->size == sizeof *ops && ops->schemes != NULL && ops->listen != NULL &&
	       ops->listener_fd != NULL && ops->accept != NULL && ops->local_uri != NULL &&
	       ops->listener_close != NULL && ops->dial != NULL && ops->finish_dial != NULL &&
	       ops->dial_close != NULL && ops->fd != NULL && ops->readv != NULL &&
	       ops->writev != NULL && ops->shutdown_write != NULL && ops->close != NULL;
}

static bool codec_is_whole(const struct ob_codec_ops *ops)
{
	return ops->size == sizeof *ops && ops->scan != NULL && ops->decode != NULL &&
	       ops->encode != NULL;
}

static bool auth_is_whole(const struct ob_auth_ops *ops)
{
	bool seals = ops->overhead != 0;
	return ops->size == sizeof *ops && (ops->admit != NULL || ops->create != NULL) &&
	       (ops->create == NULL || (ops->step != NULL && ops->destroy != NULL)) &&
	       seals == (ops->seal != NULL) && seals == (ops->open != NULL) &&
	       (!seals || ops->create != NULL);
}

static void copy_as_each(const void *table)
{
	struct ob_transport_ops transport;
	struct ob_codec_ops codec;
	struct ob_auth_ops auth;
	struct ob_plugin plugin;
	struct ob_error err = {.text = ""};
	must(obi_vtable_transport(table, &transport, &err) != OB_OK
		 ? err.text[0]
		 : transport_is_whole(&transport));
	must(obi_vtable_codec(table, &codec, &err) != OB_OK ? err.text[0] : codec_is_whole(&codec));
	must(obi_vtable_auth(table, &auth, &err) != OB_OK ? err.text[0] : auth_is_whole(&auth));
	must(obi_vtable_plugin(table, &plugin, &err) != OB_OK ? err.text[0] : plugin.name != NULL);
}

/* ---- The registry ---- */

static void check(const struct obi_plugin *plugin)
{
	must(obi_name_is_plugin(ob_bytes_text(plugin->name)) && plugin->version != NULL &&
	     strcmp(plugin->origin, "fuzz") == 0);
	must(plugin->kind != OB_PLUGIN_TRANSPORT || transport_is_whole(&plugin->as.transport));
	must(plugin->kind != OB_PLUGIN_CODEC || codec_is_whole(&plugin->as.codec));
	must(plugin->kind != OB_PLUGIN_AUTH || auth_is_whole(&plugin->as.auth));
}

static void add(const struct ob_plugin *descriptor)
{
	const struct ob_plugin *const list[] = {descriptor, NULL};
	struct obi_registry *registry;
	struct ob_error err = {.text = ""};
	must(obi_registry_new(NULL, &registry, NULL) == OB_OK);
	int rc = obi_registry_add(registry, list, "fuzz", &err);
	if (rc == OB_OK) {
		check(obi_registry_first(registry));
		must(obi_registry_add(registry, list, "fuzz", NULL) == OB_EEXIST);
		must(obi_registry_first(registry)->next == NULL);
	} else {
		must(rc == OB_EPLUGIN && strncmp(err.text, "plugin ", 7) == 0);
		must(obi_registry_first(registry) == NULL);
	}
	obi_registry_free(registry);
}

/* The next bytes of the input in memory of exactly `size` bytes. */
static void *take(const uint8_t **at, size_t *left, uint32_t size)
{
	size_t n = *left < size ? *left : size;
	void *memory = exact(*at, n, size);
	*at += n;
	*left -= n;
	return memory;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { HEAD = 4 };
	if (size < HEAD) {
		return 0;
	}
	uint32_t kind = data[0], texts = data[3];
	uint32_t first = data[1] > sizeof(uint32_t) ? data[1] : sizeof(uint32_t);
	uint32_t second = data[2] > sizeof(uint32_t) ? data[2] : sizeof(uint32_t);
	const uint8_t *at = data + HEAD;
	size_t left = size - HEAD;
	void *descriptor = take(&at, &left, first);
	void *table = take(&at, &left, second);
	copy_as_each(table);

	char *text = calloc(1, left + 1);
	must(text != NULL);
	memcpy(text, at, left);
	const char *const schemes[] = {text, NULL};
	if (first >= sizeof(uint32_t) * 2) {
		memcpy((uint8_t *)descriptor + offsetof(struct ob_plugin, kind), &kind,
		       sizeof kind);
	}
	set_pointer(descriptor, first, offsetof(struct ob_plugin, name), texts & 1 ? text : NULL);
	set_pointer(descriptor, first, offsetof(struct ob_plugin, version),
		    texts & 2 ? text : NULL);
	set_pointer(descriptor, first, offsetof(struct ob_plugin, ops), table);
	if (kind == OB_PLUGIN_TRANSPORT) {
		set_pointer(table, second, offsetof(struct ob_transport_ops, schemes),
			    texts & 4 ? schemes : schemes + 1);
	}
	add(descriptor);
	free(text);
	free(table);
	free(descriptor);
	return 0;
}
