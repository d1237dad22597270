/* SPDX-License-Identifier: MIT */
#include "plugin/vtable.h"

#include "base/error.h"

/* One member of a table, in the order of the struct. */
struct member {
	const char *name;
	size_t offset;
	size_t size;
	bool required;
};

struct layout {
	const char *what;
	const struct member *members;
	size_t count;
	size_t size;
};

#define MEMBER(type, member, required)                                                      \
	{                                                                                   \
#member, offsetof(type, member), sizeof(((type *)NULL)->member), (required) \
	}
#define LAYOUT(what, type, members)                                                  \
	{                                                                            \
		(what), (members), sizeof(members) / sizeof *(members), sizeof(type) \
	}

static const struct member plugin_members[] = {
    MEMBER(struct ob_plugin, kind, false),	MEMBER(struct ob_plugin, name, true),
    MEMBER(struct ob_plugin, version, true),	MEMBER(struct ob_plugin, ops, true),
    MEMBER(struct ob_plugin, configure, false), MEMBER(struct ob_plugin, unconfigure, false),
};
static const struct layout plugin_layout = LAYOUT("descriptor", struct ob_plugin, plugin_members);

static const struct member transport_members[] = {
    MEMBER(struct ob_transport_ops, flags, false),
    MEMBER(struct ob_transport_ops, schemes, true),
    MEMBER(struct ob_transport_ops, listen, true),
    MEMBER(struct ob_transport_ops, listener_fd, true),
    MEMBER(struct ob_transport_ops, accept, true),
    MEMBER(struct ob_transport_ops, local_uri, true),
    MEMBER(struct ob_transport_ops, listener_close, true),
    MEMBER(struct ob_transport_ops, dial, true),
    MEMBER(struct ob_transport_ops, finish_dial, true),
    MEMBER(struct ob_transport_ops, dial_close, true),
    MEMBER(struct ob_transport_ops, fd, true),
    MEMBER(struct ob_transport_ops, readv, true),
    MEMBER(struct ob_transport_ops, writev, true),
    MEMBER(struct ob_transport_ops, shutdown_write, true),
    MEMBER(struct ob_transport_ops, close, true),
    MEMBER(struct ob_transport_ops, peer, false),
    MEMBER(struct ob_transport_ops, handshake, false),
    MEMBER(struct ob_transport_ops, want, false),
    MEMBER(struct ob_transport_ops, pending, false),
    MEMBER(struct ob_transport_ops, binding, false),
};
static const struct layout transport_layout =
    LAYOUT("transport table", struct ob_transport_ops, transport_members);

static const struct member codec_members[] = {
    MEMBER(struct ob_codec_ops, flags, false), MEMBER(struct ob_codec_ops, scan, true),
    MEMBER(struct ob_codec_ops, decode, true), MEMBER(struct ob_codec_ops, encode, true),
    MEMBER(struct ob_codec_ops, read, false),
};
static const struct layout codec_layout = LAYOUT("codec table", struct ob_codec_ops, codec_members);

/* The required members of an authenticator depend on each other: they are checked after the copy.
 */
static const struct member auth_members[] = {
    MEMBER(struct ob_auth_ops, flags, false),	MEMBER(struct ob_auth_ops, admit, false),
    MEMBER(struct ob_auth_ops, create, false),	MEMBER(struct ob_auth_ops, step, false),
    MEMBER(struct ob_auth_ops, wait, false),	MEMBER(struct ob_auth_ops, identity, false),
    MEMBER(struct ob_auth_ops, destroy, false), MEMBER(struct ob_auth_ops, overhead, false),
    MEMBER(struct ob_auth_ops, seal, false),	MEMBER(struct ob_auth_ops, open, false),
    MEMBER(struct ob_auth_ops, binding, false), MEMBER(struct ob_auth_ops, records_max, false),
    MEMBER(struct ob_auth_ops, claims, false),
};
static const struct layout auth_layout = LAYOUT("auth table", struct ob_auth_ops, auth_members);

static bool is_zero(const uint8_t *bytes, size_t n)
{
	while (n > 0 && bytes[n - 1] == 0) {
		n--;
	}
	return n == 0;
}

/* Copy the members of given into ret, a table of layout->size bytes. The first member of every
 * table is its size. */
static int copy_table(const struct layout *layout, const void *given, void *ret,
		      struct ob_error *reterr)
{
	const uint8_t *from = given;
	uint8_t *to = ret;
	uint32_t size, own = (uint32_t)layout->size;
	memcpy(&size, from, sizeof size);
	memset(to, 0, layout->size);
	memcpy(to, &own, sizeof own);
	for (size_t i = 0; i < layout->count; i++) {
		const struct member *m = &layout->members[i];
		bool there = m->offset + m->size <= size;
		if (!there && m->required) {
			return obi_fail(
			    reterr, OB_EPLUGIN, 0,
			    "its %s is too short: %u bytes, which leaves no room for %s",
			    layout->what, size, m->name);
		}
		if (there) {
			memcpy(to + m->offset, from + m->offset, m->size);
		}
		if (m->required && is_zero(to + m->offset, m->size)) {
			return obi_fail(reterr, OB_EPLUGIN, 0, "its %s lacks %s", layout->what,
					m->name);
		}
	}
	return OB_OK;
}

int obi_vtable_plugin(const struct ob_plugin *given, struct ob_plugin *ret, struct ob_error *reterr)
{
	struct ob_plugin own;
	int rc = copy_table(&plugin_layout, given, &own, reterr);
	if (rc == OB_OK && (own.configure == NULL) != (own.unconfigure == NULL)) {
		rc = obi_fail(reterr, OB_EPLUGIN, 0,
			      "its descriptor has only one of configure and "
			      "unconfigure");
	}
	if (rc == OB_OK) {
		*ret = own;
	}
	return rc;
}

int obi_vtable_transport(const struct ob_transport_ops *given, struct ob_transport_ops *ret,
			 struct ob_error *reterr)
{
	struct ob_transport_ops own;
	int rc = copy_table(&transport_layout, given, &own, reterr);
	if (rc == OB_OK && (own.flags & OB_TRANSPORT_SEALED) != 0 && own.binding == NULL) {
		rc = obi_fail(reterr, OB_EPLUGIN, 0,
			      "its transport table has OB_TRANSPORT_SEALED but lacks binding");
	}
	if (rc == OB_OK) {
		*ret = own;
	}
	return rc;
}

int obi_vtable_codec(const struct ob_codec_ops *given, struct ob_codec_ops *ret,
		     struct ob_error *reterr)
{
	struct ob_codec_ops own;
	int rc = copy_table(&codec_layout, given, &own, reterr);
	if (rc == OB_OK) {
		*ret = own;
	}
	return rc;
}

static int auth_lacks(struct ob_error *reterr, const char *has, const char *member)
{
	return obi_fail(reterr, OB_EPLUGIN, 0, "its auth table has %s but lacks %s", has, member);
}

static int judge_auth(const struct ob_auth_ops *ops, uint32_t given_size, struct ob_error *reterr)
{
	bool seals =
	    ops->overhead != 0 || ops->seal != NULL || ops->open != NULL || ops->binding != NULL;
	if (ops->admit == NULL && ops->create == NULL) {
		return obi_fail(reterr, OB_EPLUGIN, 0,
				"its auth table (%u bytes) has neither admit nor create",
				given_size);
	}
	if (ops->create != NULL && ops->step == NULL) {
		return auth_lacks(reterr, "create", "step");
	}
	if (ops->create != NULL && ops->destroy == NULL) {
		return auth_lacks(reterr, "create", "destroy");
	}
	if (ops->wait != NULL && ops->create == NULL) {
		return auth_lacks(reterr, "wait", "create");
	}
	if (seals && ops->create == NULL) {
		return auth_lacks(reterr, "sealing", "create");
	}
	if (seals && ops->overhead == 0) {
		return auth_lacks(reterr, "sealing", "overhead");
	}
	if (ops->overhead > OB_AUTH_OVERHEAD_MAX) {
		return obi_fail(
		    reterr, OB_EPLUGIN, 0,
		    "its auth table has an overhead of %u bytes; at most %d can be carried",
		    ops->overhead, OB_AUTH_OVERHEAD_MAX);
	}
	if (seals && ops->seal == NULL) {
		return auth_lacks(reterr, "sealing", "seal");
	}
	if (seals && ops->open == NULL) {
		return auth_lacks(reterr, "sealing", "open");
	}
	return seals && ops->binding == NULL ? auth_lacks(reterr, "sealing", "binding") : OB_OK;
}

int obi_vtable_auth(const struct ob_auth_ops *given, struct ob_auth_ops *ret,
		    struct ob_error *reterr)
{
	struct ob_auth_ops own;
	int rc = copy_table(&auth_layout, given, &own, reterr);
	if (rc == OB_OK) {
		rc = judge_auth(&own, given->size, reterr);
	}
	if (rc == OB_OK) {
		*ret = own;
	}
	return rc;
}

static const struct layout *layout_of(enum ob_plugin_kind kind)
{
	switch (kind) {
	case OB_PLUGIN_TRANSPORT:
		return &transport_layout;
	case OB_PLUGIN_CODEC:
		return &codec_layout;
	default:
		return &auth_layout;
	}
}

void obi_vtable_members(enum ob_plugin_kind kind, const void *table,
			void (*tell)(void *user, const char *member, bool there), void *user)
{
	const struct layout *layout = layout_of(kind);
	for (size_t i = 0; i < layout->count; i++) {
		const struct member *m = &layout->members[i];
		tell(user, m->name, !is_zero((const uint8_t *)table + m->offset, m->size));
	}
}
