/**
 * pattern_impl: what pattern.c and matcher.c share.
 */
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/vec.h"
#include "sync/once.h"

#include "text/fold.h"
#include "text/litset.h"
#include "text/regex.h"
#include "text/stretch.h"

enum strategy {
	BY_NEEDLE, /* the needle is the whole pattern */
	BY_WHOLE,  /* the text is one subject */
	BY_SET,    /* the set is the whole pattern */
	BY_FILTER, /* lines that hold the needle, one of the set, or the stretch, one by one */
	BY_TEXT,   /* the whole text at once: a match cannot leave its line */
	BY_LINE,   /* every line */
};

/* What PCRE2 has compiled. Machine code is made of it at the first match: most texts are ASCII, so
 * that of several codes mostly one is needed. */
struct pattern_code {
	pcre2_code *pcre;
	struct once once; /* `jit` is known */
	bool jit;         /* there is machine code */
};

/** Make the machine code, if it can be. Any thread. */
void pattern_code_ready(struct pattern_code *c);

/* Const after pattern_create(), but for what pattern_code_ready() makes. */
struct pattern {
	enum strategy strategy;
	enum pattern_flags flags;
	bool utf, fold;
	bool multi;             /* a match may span lines */
	struct needle needle;   /* len 0: none */
	bool plain_word;        /* BY_FILTER: a match is the needle, with a word at neither side */
	struct litset *set;     /* every match holds one of it; NULL: none */
	struct stretch stretch; /* every match holds it; when there is neither needle nor set */
	/* The texts as they were given, in one block. */
	struct strbuf given;
	VEC(struct span) texts;
	/* The same texts for single lines, so that they can be looked for in many at once
	 * (regex.h): where they end in the block. None: they are as they were given, or this is not
	 * known. */
	struct strbuf safe;
	VEC(size_t) safe_ends;
	bool no_safe; /* one of them has none */
	/* PATTERN_PATH: of every match (regex.h). */
	struct pattern_piece piece[REGEX_MAX_PIECES];
	uint32_t n_pieces;
	struct strbuf piece_text;
	struct pattern_code *code; /* NULL when BY_NEEDLE or BY_SET */
	/*
	 * The same without the conclusion from a leading ".*" that a match starts a line, NULL when
	 * there was none. It does not hold in a line that is not UTF-8: '.' does not match such
	 * bytes, so a match may start after them. Elsewhere it saves trying every start.
	 */
	struct pattern_code *loose;
	/*
	 * The same for texts that are ASCII, in which nothing that Unicode adds to \w, \d or any
	 * case can match: bytes and bitmaps in place of properties. NULL: the pattern is not ASCII.
	 */
	struct pattern_code *ascii;
};
