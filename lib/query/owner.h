/**
 * owner: names of users and groups by number.
 *
 * Each thread remembers the last few for ten seconds, because a list of files asks for the same one
 * a thousand times and the system's databases are slow.
 *
 * Threads: any.
 */
#pragma once

#include "base/str.h"

enum owner_kind { OWNER_USER, OWNER_GROUP };

/** The name, or the number where there is none, appended: 0 or -ENOMEM. */
int owner_name(enum owner_kind kind, uint32_t id, struct strbuf *out);
