/**
 * lex: the text of a question into tokens.
 *
 * A token is a bracket, an operator, or one term whole: its key, and its value as it is to be read
 * (a quoted value has its escapes taken out, a plain one has them still, because in a glob they
 * mean something).
 *
 * Ownership: tokens live in the arena; their text is in the arena or in the question's text.
 * Errors:    -EINVAL with err->pos and a hint, -ENOMEM.
 */
#pragma once

#include "query/expr.h"

enum token_kind {
	TOKEN_TERM,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_AND,
	TOKEN_OR,
	TOKEN_NOT,
	TOKEN_END,
};

enum token_form { FORM_PLAIN, FORM_QUOTED, FORM_REGEX };

struct token {
	enum token_kind kind;
	uint32_t pos; /* column of its first byte */
	enum key key;
	enum token_form form;
	struct span text;
	uint32_t text_pos; /* column of the value's first byte */
};

/** All tokens, the last is TOKEN_END. */
int lex(struct span text, struct arena *arena, struct token **ret, struct err *err);
/** A plain text without its backslashes; borrowed when it has none. data NULL: out of memory. */
struct span lex_unescape(struct span raw, struct arena *arena);
