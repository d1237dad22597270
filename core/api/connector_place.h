/* SPDX-License-Identifier: MIT */
/* api/connector_place - where the child of a connector runs, by its options. */
#ifndef OBI_API_CONNECTOR_PLACE_H
#define OBI_API_CONNECTOR_PLACE_H

#include "api/connector.h"

/* This machine, as the place of a child with these settings, which must outlive it. OB_ENOMEM. */
int obi_settings_local_place(struct ob_runtime *rt, const struct obi_connector_settings *settings,
			     struct obi_place **ret, struct ob_error *reterr);

int obi_connector_place(struct ob_connector *connector, struct obi_place **ret,
			struct ob_error *reterr);

/* A child that others start has a token in a file: OB_EINVAL, if a mechanism needs one and there is
 * no file. The endpoint is made. */
int obi_connector_check_token(const struct ob_connector *connector, struct ob_error *reterr);

/* Read the token file, if there is one, and authenticate with what it says. The user is the
 * connector. */
int obi_connector_renew_token(void *user, char ret_token[OBI_TOKEN_SIZE], struct ob_error *reterr);

#endif
