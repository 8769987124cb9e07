/**
 * change_out: rows of what has changed, as `trawl since` and `trawl watch` print them.
 *
 *     + path              came        > old -> new    moved
 *     ~ path              changed     - path          went
 *
 * With NULs at the ends of lines a move is two of them: "- old" and "+ new".
 *
 * Ownership: borrows everything.
 */
#pragma once

#include "ask.h"
#include "out.h"

/** One row: the texts are valid until the next one is read. */
struct change_row {
	struct span kind; /* "add", "modify", "move", "delete" */
	struct span path, from;
	struct strbuf path_scratch, from_scratch;
};
/** -EPROTO: not what a daemon sends. Zeroed before the first. */
int change_read(struct change_row *c, const struct msg_val *row);
void change_fini(struct change_row *c);

/** The member "fields" of the request. */
void change_ask_fields(struct json *j, bool json);
void change_print(
	struct out *o, const struct change_row *c, const struct msg_val *row, bool json, bool null);
/** A gap: what follows is everything. */
void change_print_gap(struct out *o, const struct msg_val *event, bool json);
