/**
 * account: users and groups of this machine, by name and by number, from whatever the system's name
 * service asks; so a call may wait for a network.
 *
 * The members of a group come along with its name and may be thousands: what is asked for grows
 * until it fits (16 MiB).
 *
 * Threads: any.
 * Errors:  1 found, 0 there is none, -ENOMEM, -errno of the name service.
 */
#pragma once

#include "base/str.h"

enum account_kind { ACCOUNT_USER, ACCOUNT_GROUP };

int account_number(enum account_kind kind, const char *name, uint32_t *ret);
/** The name is appended. *ret_gid, which may be NULL: the first group of a user. */
int account_name(enum account_kind kind, uint32_t id, struct strbuf *name, uint32_t *ret_gid);
