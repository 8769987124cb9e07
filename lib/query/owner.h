/**
 * owner: names of users and groups by number.
 *
 * Each thread remembers some for ten seconds, because a list of files asks for the same ones a
 * thousand times and the system's databases are slow.
 *
 * Threads: any.
 */
#pragma once

#include "base/account.h"

/** The name, or the number where there is none, appended: 0 or -ENOMEM. */
int owner_name(enum account_kind kind, uint32_t id, struct strbuf *out);
