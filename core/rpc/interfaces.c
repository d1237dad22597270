/* SPDX-License-Identifier: MIT */
#include "rpc/interfaces.h"

#include <stdlib.h>

#include "base/error.h"

static struct obi_interface *find(const struct obi_interfaces *list, const char *name, size_t len)
{
	struct obi_interface *i = list->first;
	while (i != NULL && (strlen(i->name) != len || memcmp(i->name, name, len) != 0)) {
		i = i->next;
	}
	return i;
}

int obi_interfaces_add(struct obi_interfaces *list, const char *name,
		       const struct ob_method *methods, void *user, struct ob_error *reterr)
{
	size_t len = name != NULL ? strlen(name) : 0;
	if (len == 0 || len > 128 || strchr(name, '.') != NULL || methods == NULL) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"an interface name must have 1 to 128 bytes and no dot");
	}
	if (find(list, name, len) != NULL) {
		return obi_fail(reterr, OB_EEXIST, 0, "interface %s is exposed already", name);
	}
	struct obi_interface *interface = malloc(sizeof *interface + len + 1);
	if (interface == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	*interface = (struct obi_interface){NULL, methods, user};
	memcpy(interface->name, name, len + 1);
	struct obi_interface **last = &list->first;
	while (*last != NULL) {
		last = &(*last)->next;
	}
	*last = interface;
	return OB_OK;
}

int obi_interfaces_expose(struct obi_interfaces *list, const char *name,
			  const struct ob_method *methods, void *user, struct ob_error *reterr)
{
	if (name != NULL && strncmp(name, "outboard", 8) == 0 &&
	    strcmp(name, "outboard-ask") != 0) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"interface names that begin with outboard are reserved");
	}
	return obi_interfaces_add(list, name, methods, user, reterr);
}

void obi_interfaces_remove(struct obi_interfaces *list, const char *name)
{
	for (struct obi_interface **i = &list->first; *i != NULL; i = &(*i)->next) {
		if (strcmp((*i)->name, name) == 0) {
			struct obi_interface *gone = *i;
			*i = gone->next;
			free(gone);
			return;
		}
	}
}

void obi_interfaces_free(struct obi_interfaces *list)
{
	while (list->first != NULL) {
		struct obi_interface *next = list->first->next;
		free(list->first);
		list->first = next;
	}
}

void obi_interfaces_call(const struct obi_interfaces *list, struct ob_call *call)
{
	const char *dot = strrchr(call->method, '.');
	const char *name = dot != NULL ? dot + 1 : call->method;
	size_t len = dot != NULL ? (size_t)(dot - call->method) : 0;
	const struct obi_interface *interface = find(list, call->method, len);
	if (interface == NULL) {
		ob_call_fail(call, OB_RPC_NO_INTERFACE, "unknown object: %.*s", (int)len,
			     call->method);
		return;
	}
	for (const struct ob_method *m = interface->methods; m->name != NULL; m++) {
		if (strcmp(m->name, name) == 0) {
			m->handler(interface->user, call, &call->params);
			return;
		}
	}
	ob_call_fail(call, OB_RPC_NO_METHOD, "unknown method: %s", call->method);
}

static void handle(void *user, struct ob_call *call)
{
	obi_interfaces_call(user, call);
}

struct obi_call_handler obi_interfaces_handler(struct obi_interfaces *list)
{
	return (struct obi_call_handler){handle, list};
}
