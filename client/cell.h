/**
 * cell: the values of rows and of stat as people read them.
 */
#pragma once

#include "out.h"
#include "proto/msg.h"

/** A number, also one that travels as text (nanoseconds do): 1, 0. Of a size or a sum past 2^63
 * these are its bits: it is for the caller to take them as unsigned. */
int cell_number(const struct msg_val *v, int64_t *ret);
/** Column i of a row as a number, 0 when it is none; as text, valid until `scratch` changes. */
int64_t row_number(const struct msg_val *row, size_t i);
struct span row_text(const struct msg_val *row, size_t i, struct strbuf *scratch);
/** "2026-11-21 07:46", or with seconds and nanoseconds when `exact`. */
const char *time_text(int64_t ns, bool exact, char buf[64]);
/** "drwxr-xr-x" of a type letter and permission bits. */
const char *mode_text(char type, unsigned mode, char buf[11]);
/** As the field is best read: times as dates, mode in octal, text escaped on a terminal. */
void out_cell(struct out *o, const char *field, const struct msg_val *v);
/** Is the member of an event about the event, not of the answer (id, ev, took_us)? */
bool cell_is_frame(const char *key);
/** A row as an object, under the names of its columns; no newline. */
void out_json_row(struct out *o, const struct msg_val *row, const char *const *keys, size_t n);
/** The object as one line of JSON with its bytes exact, without what is about the event. */
void out_json(struct out *o, const struct msg_val *v);
