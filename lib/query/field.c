#include "query/field.h"

#include <dirent.h>
#include <errno.h>
#include <strings.h>
#include <sys/stat.h>

#include "query/owner.h"

static const struct {
	const char *word;
	enum field_kind kind;
} fields[N_FIELDS] = {
	[FIELD_PATH] = {"path", FIELD_TEXT},
	[FIELD_NAME] = {"name", FIELD_TEXT},
	[FIELD_DIR] = {"dir", FIELD_TEXT},
	[FIELD_EXT] = {"ext", FIELD_TEXT},
	[FIELD_TYPE] = {"type", FIELD_TEXT},
	[FIELD_SIZE] = {"size", FIELD_NUMBER},
	[FIELD_BLOCKS] = {"blocks", FIELD_NUMBER},
	[FIELD_MTIME] = {"mtime", FIELD_TIME},
	[FIELD_CTIME] = {"ctime", FIELD_TIME},
	[FIELD_MODE] = {"mode", FIELD_NUMBER},
	[FIELD_USER] = {"user", FIELD_TEXT},
	[FIELD_GROUP] = {"group", FIELD_TEXT},
	[FIELD_UID] = {"uid", FIELD_NUMBER},
	[FIELD_GID] = {"gid", FIELD_NUMBER},
	[FIELD_INODE] = {"inode", FIELD_NUMBER},
	[FIELD_LINKS] = {"links", FIELD_NUMBER},
	[FIELD_DEPTH] = {"depth", FIELD_NUMBER},
	[FIELD_ROOT] = {"root", FIELD_TEXT},
	[FIELD_LANG] = {"lang", FIELD_TEXT},
};

int
field_parse(struct span word, enum field *ret)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (strlen(fields[i].word) == word.len &&
			strncasecmp(fields[i].word, word.data, word.len) == 0) {
			*ret = (enum field)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *
field_word(enum field f)
{
	return fields[f].word;
}

enum field_kind
field_kind(enum field f)
{
	return fields[f].kind;
}

const char *
field_type_word(uint8_t type)
{
	switch (type) {
	case DT_REG:
		return "f";
	case DT_DIR:
		return "d";
	case DT_LNK:
		return "l";
	case DT_FIFO:
		return "p";
	case DT_SOCK:
		return "s";
	case DT_BLK:
		return "b";
	case DT_CHR:
		return "c";
	default:
		return "?"; /* a file system may know types that we do not */
	}
}

struct span
field_ext_of(struct span name)
{
	const char *dot = name.len < 2 ? NULL : memrchr(name.data + 1, '.', name.len - 1);

	if (!dot)
		return SPAN_LIT("");
	return (struct span){dot + 1, (size_t)(name.data + name.len - dot - 1)};
}

struct span
field_ext(const struct tree_cols *c, uint32_t entry)
{
	if (tree_type(c, entry) == DT_DIR)
		return SPAN_LIT("");
	return field_ext_of(tree_name(c, entry));
}

int64_t
field_number(const struct tree_cols *c, uint32_t entry, enum field f)
{
	const struct tree_class *k = &c->classes[tree_cls(c, entry)];

	switch (f) {
	case FIELD_SIZE:
		return (int64_t)tree_size(c, entry);
	case FIELD_BLOCKS:
		return (int64_t)tree_blocks(c, entry);
	case FIELD_MTIME:
		return tree_mtime(c, entry);
	case FIELD_CTIME:
		return tree_ctime(c, entry);
	case FIELD_MODE:
		return k->mode & 07777;
	case FIELD_UID:
		return k->uid;
	case FIELD_GID:
		return k->gid;
	case FIELD_INODE:
		return (int64_t)tree_ino(c, entry);
	case FIELD_LINKS:
		return tree_nlink(c, entry);
	case FIELD_DEPTH:
		return tree_depth(c, entry);
	case FIELD_PATH:
	case FIELD_NAME:
	case FIELD_DIR:
	case FIELD_EXT:
	case FIELD_TYPE:
	case FIELD_USER:
	case FIELD_GROUP:
	case FIELD_ROOT:
	case FIELD_LANG:
	case N_FIELDS:
		break;
	}
	return 0;
}

struct span
field_name(const struct snapshot *s, uint32_t layer, uint32_t entry)
{
	struct span path = span_of(snapshot_root(s, layer)->path);
	const char *slash;

	if (entry != 0)
		return tree_name(snapshot_cols(s, layer), entry);
	slash = memrchr(path.data, '/', path.len);
	if (!slash || path.len == 1)
		return path;
	return (struct span){slash + 1, (size_t)(path.data + path.len - slash - 1)};
}

static int
directory_path(const struct snapshot *s, uint32_t layer, uint32_t entry, struct strbuf *text)
{
	const struct tree_cols *c = snapshot_cols(s, layer);
	struct span path = span_of(snapshot_root(s, layer)->path);

	if (entry != 0)
		return snapshot_path(s, layer, c->dir_entry[tree_parent(c, entry)], text);
	while (path.len > 1 && path.data[path.len - 1] != '/')
		path.len--;
	if (path.len > 1)
		path.len--;
	return strbuf_span(text, path);
}

int
field_value(const struct snapshot *s, uint32_t layer, uint32_t entry, enum field f,
	struct strbuf *text, int64_t *number)
{
	const struct tree_cols *c = snapshot_cols(s, layer);
	const struct tree_class *k = &c->classes[tree_cls(c, entry)];

	switch (f) {
	case FIELD_PATH:
		return snapshot_path(s, layer, entry, text);
	case FIELD_NAME:
		return strbuf_span(text, field_name(s, layer, entry));
	case FIELD_DIR:
		return directory_path(s, layer, entry, text);
	case FIELD_EXT:
		return strbuf_span(text, field_ext(c, entry));
	case FIELD_TYPE:
		return strbuf_puts(text, field_type_word(tree_type(c, entry)));
	case FIELD_USER:
		return owner_name(ACCOUNT_USER, k->uid, text);
	case FIELD_GROUP:
		return owner_name(ACCOUNT_GROUP, k->gid, text);
	case FIELD_ROOT:
		return strbuf_puts(text, snapshot_root(s, layer)->name);
	case FIELD_LANG:
		return strbuf_puts(
			text, tree_type(c, entry) == DT_REG ? lang_of(tree_name(c, entry)) : "");
	case FIELD_SIZE:
	case FIELD_BLOCKS:
	case FIELD_MTIME:
	case FIELD_CTIME:
	case FIELD_MODE:
	case FIELD_UID:
	case FIELD_GID:
	case FIELD_INODE:
	case FIELD_LINKS:
	case FIELD_DEPTH:
	case N_FIELDS:
		break;
	}
	*number = field_number(c, entry, f);
	return 0;
}
