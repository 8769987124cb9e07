/**
 * field: what an entry can be asked for: shown, sorted by, compared.
 */
#pragma once

#include "base/str.h"
#include "index/snapshot.h"

enum field {
	FIELD_PATH, /* absolute path */
	FIELD_NAME,
	FIELD_DIR,    /* absolute path of the directory the entry is in */
	FIELD_EXT,    /* after the last dot, without it; "" for none, for a leading dot only, and
	                 directories */
	FIELD_TYPE,   /* f d l p s b c */
	FIELD_SIZE,   /* bytes */
	FIELD_BLOCKS, /* of 512 bytes */
	FIELD_MTIME,  /* ns since 1970 */
	FIELD_CTIME,
	FIELD_MODE, /* permission bits, 07777 */
	FIELD_USER, /* name, or the number where there is none */
	FIELD_GROUP,
	FIELD_UID,
	FIELD_GID,
	FIELD_INODE,
	FIELD_LINKS,
	FIELD_DEPTH, /* components below the root */
	FIELD_ROOT,  /* the root's name */
	FIELD_LANG,  /* language by name and extension, "" when not known */
	N_FIELDS
};

/** Index of the field called `word`: 0, -EINVAL. */
int field_parse(struct span word, enum field *ret);
const char *field_word(enum field f);

/** Is the value text (any bytes), a number, or nanoseconds? */
enum field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_TIME };
enum field_kind field_kind(enum field f);

/** The value of one entry. Text is appended to `text`, a number goes to *number: 0, -ENOMEM. */
int field_value(const struct snapshot *s, uint32_t layer, uint32_t entry, enum field f,
	struct strbuf *text, int64_t *number);

/** Name of the language of a file name ("c", "python", "" unknown), from a static table. */
const char *lang_of(struct span name);

/** The name as FIELD_NAME (the root itself is shown under the name that its path ends with), and
 *  the extension as FIELD_EXT; borrowed from the snapshot. */
struct span field_name(const struct snapshot *s, uint32_t layer, uint32_t entry);
struct span field_ext(const struct tree_cols *c, uint32_t entry);
/** The extension of a name that is no directory's. */
struct span field_ext_of(struct span name);
/** The value of a number or time. */
int64_t field_number(const struct tree_cols *c, uint32_t entry, enum field f);
/** "f", "d"... of a DT_*; "?" of an unknown one. */
const char *field_type_word(uint8_t type);
