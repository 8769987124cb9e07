/**
 * expr: a parsed question as a tree of terms, shared by the files of lib/query.
 *
 * Built by parse.c in the query's arena and constant afterwards: any number of cursors on any
 * number of threads evaluate one tree. What an evaluation needs beside it (per root, per worker) is
 * in eval.h, indexed by node.leaf.
 */
#pragma once

#include "base/arena.h"
#include "base/glob.h"
#include "query/literal.h"
#include "query/query.h"
#include "sync/arc.h"

/** The words before a colon. */
enum key {
	KEY_NONE, /* a bare word */
	KEY_NAME,
	KEY_PATH,
	KEY_EXT,
	KEY_TYPE,
	KEY_IN,
	KEY_DEPTH,
	KEY_SIZE,
	KEY_MTIME,
	KEY_CTIME,
	KEY_USER,
	KEY_GROUP,
	KEY_PERM,
	KEY_LINKS,
	KEY_INODE,
	KEY_EMPTY,
	KEY_DUPE,
	KEY_ROOT,
	KEY_LANG,
	KEY_CONTENT,
	KEY_CASE,
	N_KEYS
};

enum term {
	TERM_ALL,
	TERM_NONE,
	TERM_AND,
	TERM_OR,
	TERM_NOT, /* one child */
	/* The rest are leaves. */
	TERM_TEXT,
	TERM_EXT,
	TERM_TYPE,
	TERM_IN,
	TERM_RANGE,
	TERM_USER,
	TERM_GROUP,
	TERM_PERM,
	TERM_EMPTY,
	TERM_DUPE,
	TERM_ROOT,
	TERM_LANG,
	TERM_CONTENT,
};

enum text_form { TEXT_WORD, TEXT_GLOB, TEXT_REGEX };

/** A word, glob or regular expression over names or paths; contents have only `pattern`.
 *  The text of a path is the path below the root; for words a slash stands before it, so that "/a"
 *  means a component that begins with a. */
#define TEXT_MAX_NEEDS 3u

struct node;

enum text_way {
	WAY_NAME,      /* the name alone: the test, then the expression */
	WAY_WORD,      /* the test of the own name or of one above */
	WAY_PATH,      /* paths that fulfil `need`, each */
	WAY_SLASHED,   /* a word with slashes, through directories */
	WAY_PARTED,    /* a glob: the test of the name, and `dir` of its directory */
	WAY_EACH_PATH, /* every path */
	WAY_NEVER,     /* no path holds it */
};

struct text_term {
	enum text_form form;
	bool on_name; /* else on the path */
	bool fold;
	struct span source; /* as written, for print */
	enum text_way way;
	struct name_test name;     /* WAY_NAME, WAY_WORD, WAY_PARTED */
	struct needle needle;      /* a word with slashes, as a whole */
	struct literal head, tail; /* before its last slash, the end of a directory; behind it */
	bool has_needle, has_head, has_tail;
	/* WAY_PATH: leaves that every match fulfils, WAY_WORD or WAY_NAME; the longest word of all
	 * but the name's end first. */
	struct node *need[TEXT_MAX_NEEDS];
	uint32_t n_need;
	bool need_only;          /* this one is such a leaf: too many hits do no harm */
	struct glob glob;        /* of a path; its pattern is in the arena, folded when `fold` */
	struct glob dir;         /* WAY_PARTED: of the directory, with its slash */
	struct pattern *pattern; /* regular expressions and contents; owned */
};

enum column { COLUMN_SIZE, COLUMN_MTIME, COLUMN_CTIME, COLUMN_LINKS, COLUMN_INODE, COLUMN_DEPTH };

/** lo <= value <= hi in the column's own order; times are int64_t in the same bits. */
struct range_term {
	enum column column;
	uint64_t lo, hi;
};

enum perm_test { PERM_EXACT, PERM_ALL, PERM_ANY };

struct node {
	enum term term;
	uint32_t pos;  /* 1-based column in the query's text */
	uint32_t leaf; /* leaves: index into query.leaf; AND, OR: number of the group */
	uint32_t cost; /* for ordering: the cheapest first */
	bool content;  /* a content term is in it */
	bool pure;     /* content terms, ANDs and ORs of them, and nothing else */

	uint32_t n_child;
	struct node **child; /* as written */
	struct node **order; /* the same, cheapest first */

	union {
		struct text_term text; /* TERM_TEXT, TERM_CONTENT */
		struct range_term range;
		struct {
			struct span *item;
			uint32_t n, n_ext;
			struct literal *ext; /* [n_ext] TERM_EXT: with their dots */
		} list;                      /* TERM_EXT, TERM_LANG: lower case */
		uint32_t types;              /* TERM_TYPE: bit 1 << DT_* */
		uint32_t id;                 /* TERM_USER, TERM_GROUP */
		struct span where;           /* TERM_IN (normalised), TERM_ROOT */
		struct {
			enum perm_test test;
			uint32_t bits;
		} perm;
	};
};

struct query {
	struct arc arc;
	struct arena arena;
	struct node *root;
	uint32_t n_leaf;
	struct node *leaf[QUERY_MAX_TERMS];
	uint32_t n_group;
	bool has_dupe;
};

/** One node as query_print() prints it: 0 or -ENOMEM. */
int node_print(const struct node *n, struct strbuf *out);

/** The key called `word` (any case, aliases too): 0 or -EINVAL. */
int key_find(struct span word, enum key *ret);
const char *key_word(enum key k);
/** The known key that is spelled most like `word`, NULL when none is near. */
const char *key_nearest(struct span word);
/** The word of a table that is spelled most like `word`: its index, or -1. */
int nearest_word(struct span word, const char *const *words, size_t n);

/** Fail with a column: fills err and returns -EINVAL. Follow with err_hint(). */
int query_fail(struct err *err, uint32_t pos, const char *fmt, ...) PRINTF_LIKE(3, 4);
/** The same failure, but as a limit that was passed: -EOVERFLOW. */
int query_too_much(struct err *err);
