#include "query/sql_terms.h"

#include <ctype.h>
#include <errno.h>
#include <time.h>

#include "query/owner.h"

#define MAX_TEXT_BYTES 6000u /* of QUERY_MAX_BYTES: room for what is added for a root */
#define MAX_TERMS 160u       /* of QUERY_MAX_TERMS */
#define MAX_CLASSES 4096u    /* owners are looked for in no more */

void
sql_terms_fini(struct sql_terms *t)
{
	strbuf_fini(&t->scope);
	strbuf_fini(&t->text);
	strbuf_fini(&t->pieces);
}

static bool
is_full(const struct sql_terms *t, size_t extra_bytes, uint32_t extra_terms)
{
	return t->text.len + extra_bytes > MAX_TEXT_BYTES || t->n_terms + extra_terms > MAX_TERMS;
}

/* field:"text" */
static int
put_quoted(struct strbuf *out, const char *field, struct span text)
{
	(void)strbuf_puts(out, out->len && out->data[out->len - 1] != '(' ? " " : "");
	(void)strbuf_puts(out, field);
	(void)strbuf_puts(out, ":\"");
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"' || text.data[i] == '\\')
			(void)strbuf_putc(out, '\\');
		(void)strbuf_putc(out, text.data[i]);
	}
	return strbuf_putc(out, '"');
}

static int
result_of(const struct sql_terms *t)
{
	return t->text.failed || t->pieces.failed ? -ENOMEM : 0;
}

/* ---- numbers ---- */

/* Whole numbers lo..hi in which the comparison can be true. */
struct interval {
	int64_t lo, hi;
};

/* false: nothing is known (text that SQLite compares by rules of its own). */
static bool
interval_of(enum sql_op op, const struct sql_value *v, struct interval *ret)
{
	int64_t down, up; /* the value, or its neighbours when it is no whole number */

	*ret = (struct interval){INT64_MIN, INT64_MAX};
	if (v->kind == SQL_INTEGER) {
		down = up = v->integer;
	} else if (v->kind == SQL_REAL && v->real > -9e18 && v->real < 9e18) {
		down = up = (int64_t)v->real; /* towards zero */
		down -= (double)down > v->real;
		up += (double)up < v->real;
	} else {
		return false;
	}
	switch (op) {
	case SQL_EQ:
		ret->lo = up;
		ret->hi = down;
		return true;
	case SQL_LT:
	case SQL_LE:
		ret->hi = down - (op == SQL_LT && down == up && down > INT64_MIN);
		return true;
	case SQL_GT:
	case SQL_GE:
		ret->lo = up + (op == SQL_GT && down == up && up < INT64_MAX);
		return true;
	case SQL_LIKE:
	case SQL_GLOB:
		break;
	}
	return false;
}

/* The column's own values are not below 0. */
static void
put_range(struct sql_terms *t, const char *field, struct interval in)
{
	struct strbuf *out = &t->text;

	in.lo = MAX(in.lo, 0);
	if (in.lo > in.hi) {
		t->none = true;
		return;
	}
	if (in.lo == 0 && in.hi == INT64_MAX)
		return;
	(void)strbuf_puts(out, out->len && out->data[out->len - 1] != '(' ? " " : "");
	(void)strbuf_puts(out, field);
	(void)strbuf_puts(out, ":");
	(void)strbuf_i64(out, in.lo);
	if (in.lo != in.hi)
		(void)strbuf_puts(out, "..");
	if (in.lo != in.hi && in.hi != INT64_MAX)
		(void)strbuf_i64(out, in.hi);
	t->n_terms++;
}

/* A moment of UTC that the language can write; false: too far from now for four digits. */
static bool
put_second(struct strbuf *out, int64_t second)
{
	time_t when = (time_t)second;
	char text[32];
	struct tm tm;

	if (second < 0 || !gmtime_r(&when, &tm) || tm.tm_year > 8000 ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return false;
	(void)strbuf_puts(out, text);
	return true;
}

/* The whole seconds that hold the bounds, which is what dates are. An end that cannot be written
 * is left open. */
static void
put_times(struct sql_terms *t, const char *field, struct interval in, int64_t per_second)
{
	AUTO(strbuf_fini) struct strbuf lo = {0}, hi = {0};
	bool has_lo = in.lo >= 0 && put_second(&lo, in.lo / per_second);
	bool has_hi = in.hi >= 0 && put_second(&hi, in.hi / per_second);

	if (in.lo > in.hi) {
		t->none = true;
		return;
	}
	if (!has_lo && !has_hi)
		return;
	(void)strbuf_printf(&t->text, "%s%s:%s..%s", t->text.len ? " " : "", field,
		has_lo ? lo.data : "", has_hi ? hi.data : "");
	t->text.failed = t->text.failed || lo.failed || hi.failed;
	t->n_terms++;
}

/* IN (1, 5): an alternative for each. Values that are no whole numbers match nothing. */
static void
put_numbers(struct sql_terms *t, const char *field, const struct sql_arg *arg)
{
	struct strbuf *out = &t->text;
	uint32_t n = 0;

	(void)strbuf_puts(out, out->len ? " (" : "(");
	for (uint32_t i = 0; i < arg->n; i++) {
		struct interval in;

		if (!interval_of(SQL_EQ, &arg->value[i], &in) || in.lo != in.hi || in.lo < 0)
			continue;
		(void)strbuf_puts(out, n ? " | " : "");
		(void)strbuf_printf(out, "%s:%lld", field, (long long)in.lo);
		n++;
	}
	(void)strbuf_puts(out, ")");
	t->n_terms += n;
	t->none = t->none || n == 0;
}

/* A text may read as a number, and be compared as one: nothing is known of those. */
static bool
are_numbers(const struct sql_arg *arg)
{
	for (uint32_t i = 0; i < arg->n; i++)
		if (arg->value[i].kind == SQL_TEXT || arg->value[i].kind == SQL_BLOB)
			return false;
	return true;
}

static int
add_number(struct sql_terms *t, const char *field, enum sql_op op, const struct sql_arg *arg)
{
	struct interval in;

	if (!are_numbers(arg) || is_full(t, (size_t)arg->n * 32, arg->n))
		return 0;
	if (arg->n != 1)
		put_numbers(t, field, arg);
	else if (interval_of(op, arg->value, &in))
		put_range(t, field, in);
	return result_of(t);
}

/* Those past 2^63 are negative numbers of SQL, and large ones of the language. */
static int
add_inodes(struct sql_terms *t, enum sql_op op, const struct sql_arg *arg)
{
	struct interval in;

	for (uint32_t i = 0; i < arg->n; i++)
		if (!interval_of(op, &arg->value[i], &in) || in.lo < 0)
			return 0;
	return add_number(t, "inode", op, arg);
}

static int
add_time(struct sql_terms *t, struct sql_subject column, enum sql_op op, const struct sql_arg *arg)
{
	struct interval in;

	if (arg->n == 1 && are_numbers(arg) && !is_full(t, 64, 1) &&
		interval_of(op, arg->value, &in))
		put_times(t, field_word(column.field), in, column.seconds ? 1 : NSEC_PER_SEC);
	return result_of(t);
}

/* ---- texts ---- */

static bool
is_plain(char c)
{
	return c != '\0' && (unsigned char)c < 0x80;
}

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_plain(s.data[i]))
			return false;
	return true;
}

/* One of the texts stands in the list, alone or by commas; 0: such a value cannot be written. */
typedef bool (*item_fn)(struct span text);

static bool
is_ext_item(struct span s)
{
	return s.len > 0 && is_ascii(s) && s.data[0] != '.' && !memchr(s.data, ',', s.len);
}

static bool
is_type_item(struct span s)
{
	return s.len == 1 && strchr("fdlpsbc", s.data[0]);
}

static int
add_list(struct sql_terms *t, const char *field, const struct sql_arg *arg, item_fn fits)
{
	AUTO(strbuf_fini) struct strbuf list = {0};

	for (uint32_t i = 0; i < arg->n; i++) {
		struct span s = arg->value[i].bytes;

		if (arg->value[i].kind == SQL_NULL)
			continue;
		if (arg->value[i].kind != SQL_TEXT || !fits(s))
			return 0;
		(void)strbuf_puts(&list, list.len ? "," : "");
		(void)strbuf_span(&list, s);
	}
	if (list.failed)
		return -ENOMEM;
	if (list.len == 0)
		t->none = true;
	else if (!is_full(t, list.len * 2, 1))
		(void)put_quoted(&t->text, field, strbuf_view(&list));
	t->n_terms++;
	return result_of(t);
}

/* A piece that every text holds for which the comparison is true. */
typedef int (*piece_fn)(struct sql_terms *t, struct span piece);

/* The runs of ordinary characters of a LIKE or GLOB pattern. Only ASCII: SQLite compares other
 * characters as code points, and bytes that are no UTF-8 as U+FFFD. */
static int
each_piece(struct sql_terms *t, enum sql_op op, struct span pattern, piece_fn fn)
{
	const char *special = op == SQL_LIKE ? "%_" : "*?[";
	size_t from = 0;

	for (size_t i = 0; i <= pattern.len; i++) {
		char c = i < pattern.len ? pattern.data[i] : '\0';
		int r = 0;

		if (is_plain(c) && !strchr(special, c))
			continue;
		if (i > from)
			r = fn(t, (struct span){pattern.data + from, i - from});
		if (r < 0)
			return r;
		if (c == '[' && op == SQL_GLOB) {
			/* Past the set; ']' may come first in it, after '^'. Without its end
			 * nothing matches. */
			i += i + 1 < pattern.len && pattern.data[i + 1] == '^';
			for (i += 2; i < pattern.len && pattern.data[i] != ']'; i++)
				;
		}
		from = i + 1;
	}
	return 0;
}

static int
add_name_piece(struct sql_terms *t, struct span piece)
{
	if (memchr(piece.data, '/', piece.len) || is_full(t, piece.len * 2 + 8, 1))
		return 0; /* only the root "/" has a slash in its name */
	t->words = true;
	t->n_terms++;
	return put_quoted(&t->text, "name", piece);
}

static int
keep_path_piece(struct sql_terms *t, struct span piece)
{
	if (t->n_pieces == SQL_MAX_PIECES || t->pieces.len + piece.len > 1000)
		return 0;
	if (strbuf_span(&t->pieces, piece) < 0)
		return -ENOMEM;
	t->piece_end[t->n_pieces++] = (uint32_t)t->pieces.len;
	t->words = true;
	return 0;
}

/* name IN ('a', 'b') */
static int
add_names(struct sql_terms *t, const struct sql_arg *arg)
{
	struct strbuf *out = &t->text;
	size_t bytes = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < arg->n; i++) {
		struct span s = arg->value[i].bytes;

		if (arg->value[i].kind == SQL_NULL)
			continue;
		if (arg->value[i].kind != SQL_TEXT || s.len == 0 || memchr(s.data, '/', s.len) ||
			memchr(s.data, '\0', s.len))
			return 0;
		bytes += s.len * 2 + 12;
		n++;
	}
	if (n == 0)
		t->none = true;
	if (n == 0 || is_full(t, bytes, n))
		return 0;
	(void)strbuf_puts(out, out->len ? " (" : "(");
	for (uint32_t i = 0; i < arg->n; i++) {
		if (arg->value[i].kind == SQL_NULL)
			continue;
		(void)strbuf_puts(out, out->data[out->len - 1] == '(' ? "" : " |");
		(void)put_quoted(out, "name", arg->value[i].bytes);
	}
	(void)strbuf_putc(out, ')');
	t->words = true;
	t->n_terms += n;
	return result_of(t);
}

/* Folding is of ASCII letters in SQL and of all in the language, so it may be asked for any text;
 * but one that is not UTF-8 has no folded form that both agree on. */
static int
add_name(struct sql_terms *t, enum sql_op op, bool folds, const struct sql_arg *arg)
{
	const struct sql_value *v = arg->value;

	if (op == SQL_EQ) {
		for (uint32_t i = 0; folds && i < arg->n; i++)
			if (!is_ascii(v[i].bytes))
				return 0;
		t->fold = t->fold || folds;
		return add_names(t, arg);
	}
	if ((op != SQL_LIKE && op != SQL_GLOB) || v->kind != SQL_TEXT)
		return 0;
	t->fold = t->fold || op == SQL_LIKE;
	return each_piece(t, op, v->bytes, add_name_piece);
}

static int
add_path(struct sql_terms *t, enum sql_op op, const struct sql_arg *arg)
{
	if ((op != SQL_LIKE && op != SQL_GLOB) || arg->value->kind != SQL_TEXT)
		return 0;
	t->fold = t->fold || op == SQL_LIKE;
	return each_piece(t, op, arg->value->bytes, keep_path_piece);
}

/* ---- owners ---- */

/* Which numbers have one of these names, of those that occur: several may share a name, and the
 * system's database knows only one of them by it. */
struct owners {
	uint32_t *id;
	uint32_t n, max;
};

static int
add_owner(struct owners *o, enum account_kind kind, uint32_t id, const struct sql_arg *arg)
{
	AUTO(strbuf_fini) struct strbuf name = {0};

	for (uint32_t i = 0; i < o->n; i++)
		if (o->id[i] == id)
			return 0;
	if (owner_name(kind, id, &name) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < arg->n; i++) {
		if (!span_eq(arg->value[i].bytes, strbuf_view(&name)))
			continue;
		if (o->n == o->max)
			return -EOVERFLOW;
		o->id[o->n++] = id;
		return 0;
	}
	return 0;
}

static int
find_owners(struct owners *o, const struct snapshot *s, enum account_kind kind,
	const struct sql_arg *arg)
{
	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct tree_cols *c = snapshot_cols(s, i);

		if (c->n_classes > MAX_CLASSES)
			return -EOVERFLOW;
		for (uint32_t k = 0; k < c->n_classes; k++) {
			int r = add_owner(o, kind,
				kind == ACCOUNT_USER ? c->classes[k].uid : c->classes[k].gid, arg);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int
add_owner_names(struct sql_terms *t, const struct snapshot *s, enum account_kind kind,
	enum sql_op op, const struct sql_arg *arg)
{
	uint32_t ids[SQL_MAX_ITEMS];
	struct sql_value numbers[SQL_MAX_ITEMS];
	struct owners o = {.id = ids, .max = SQL_MAX_ITEMS};
	int r;

	if (op != SQL_EQ)
		return 0;
	for (uint32_t i = 0; i < arg->n; i++)
		if (arg->value[i].kind != SQL_TEXT && arg->value[i].kind != SQL_NULL)
			return 0;
	r = find_owners(&o, s, kind, arg);
	if (r < 0)
		return r == -EOVERFLOW ? 0 : r;
	for (uint32_t i = 0; i < o.n; i++)
		numbers[i] = (struct sql_value){.kind = SQL_INTEGER, .integer = ids[i]};
	if (is_full(t, (size_t)o.n * 32, o.n))
		return 0;
	put_numbers(t, kind == ACCOUNT_USER ? "user" : "group",
		&(struct sql_arg){.value = numbers, .n = o.n});
	return result_of(t);
}

/* user: and group: take one number and no range. */
static int
add_owner_number(struct sql_terms *t, const char *field, enum sql_op op, const struct sql_arg *arg)
{
	if (op != SQL_EQ || !are_numbers(arg) || is_full(t, (size_t)arg->n * 32, arg->n))
		return 0;
	for (uint32_t i = 0; i < arg->n; i++)
		if (arg->value[i].kind == SQL_INTEGER && arg->value[i].integer >= UINT32_MAX)
			return 0;
	put_numbers(t, field, arg);
	return result_of(t);
}

static int
add_mode(struct sql_terms *t, enum sql_op op, const struct sql_arg *arg)
{
	if (op != SQL_EQ || arg->n != 1 || arg->value->kind != SQL_INTEGER || is_full(t, 16, 1))
		return 0;
	if (arg->value->integer < 0 || arg->value->integer > 07777) {
		t->none = true;
		return 0;
	}
	(void)strbuf_printf(
		&t->text, "%sperm:%04o", t->text.len ? " " : "", (unsigned)arg->value->integer);
	t->n_terms++;
	return result_of(t);
}

static int
add_root(struct sql_terms *t, enum sql_op op, const struct sql_arg *arg)
{
	struct span name = arg->value->bytes;

	if (op != SQL_EQ || arg->n != 1 || arg->value->kind != SQL_TEXT || name.len == 0 ||
		memchr(name.data, '\0', name.len) || is_full(t, name.len * 2 + 8, 1))
		return 0;
	t->n_terms++;
	return put_quoted(&t->text, "root", name);
}

/* A comparison with NULL is never true. */
static bool
is_null(const struct sql_arg *arg)
{
	return arg->n == 1 && !arg->too_many && arg->value->kind == SQL_NULL;
}

int
sql_terms_add(struct sql_terms *t, const struct snapshot *s, struct sql_subject column,
	enum sql_op op, bool folds, const struct sql_arg *arg)
{
	if (arg->too_many)
		return 0;
	if (arg->n == 0 || is_null(arg)) {
		t->none = true;
		return 0;
	}
	switch (column.field) {
	case FIELD_SIZE:
	case FIELD_LINKS:
	case FIELD_DEPTH:
		return add_number(t, field_word(column.field), op, arg);
	case FIELD_INODE:
		return add_inodes(t, op, arg);
	case FIELD_MTIME:
	case FIELD_CTIME:
		return add_time(t, column, op, arg);
	case FIELD_UID:
		return add_owner_number(t, "user", op, arg);
	case FIELD_GID:
		return add_owner_number(t, "group", op, arg);
	case FIELD_USER:
		return folds ? 0 : add_owner_names(t, s, ACCOUNT_USER, op, arg);
	case FIELD_GROUP:
		return folds ? 0 : add_owner_names(t, s, ACCOUNT_GROUP, op, arg);
	case FIELD_MODE:
		return add_mode(t, op, arg);
	case FIELD_EXT:
		return op == SQL_EQ ? add_list(t, "ext", arg, is_ext_item) : 0;
	case FIELD_TYPE:
		return op == SQL_EQ && !folds ? add_list(t, "type", arg, is_type_item) : 0;
	case FIELD_NAME:
		return add_name(t, op, folds, arg);
	case FIELD_PATH:
	case FIELD_DIR:
		return add_path(t, op, arg);
	case FIELD_ROOT:
		return folds ? 0 : add_root(t, op, arg);
	case FIELD_BLOCKS:
	case FIELD_LANG:
	case N_FIELDS:
		break;
	}
	return 0;
}

int
sql_terms_below(struct sql_terms *t, struct span where)
{
	if (is_full(t, where.len * 2 + 8, 1) || where.len == 0) {
		t->none = true; /* no directory has such a path */
		return 0;
	}
	t->n_terms++;
	return put_quoted(&t->scope, "in", where);
}

/* ---- paths ---- */

static bool
ends_alike(struct span s, struct span end)
{
	if (end.len > s.len)
		return false;
	for (size_t i = 0; i < end.len; i++) {
		if (tolower((unsigned char)s.data[s.len - end.len + i]) !=
			tolower((unsigned char)end.data[i]))
			return false;
	}
	return true;
}

/* Where in `piece` the path below the root begins, when the piece is found across the border:
 * 0: it can only be found below; piece.len: it may be found in the root's own path alone. */
static size_t
border_of(struct span root, struct span piece)
{
	size_t border = 0;

	for (size_t end = 1; end <= root.len; end++) {
		struct span above = {root.data, end};

		if (ends_alike(above, piece))
			return piece.len;
	}
	for (size_t n = 1; n < piece.len && n <= root.len; n++) {
		if (piece.data[n] == '/' && ends_alike(root, (struct span){piece.data, n}))
			border = n;
	}
	return border;
}

int
sql_terms_of_root(const struct sql_terms *t, const struct snap_root *root, struct strbuf *out,
	struct strbuf *scope)
{
	struct span path = span_of(root->path);
	uint32_t from = 0;

	if (path.len == 1) /* "/": paths below begin with their own slash */
		path.len = 0;
	for (uint32_t i = 0; i < t->n_pieces; i++) {
		struct span piece = {t->pieces.data + from, t->piece_end[i] - from};
		size_t border = border_of(path, piece);

		from = t->piece_end[i];
		if (border < piece.len)
			(void)put_quoted(out, "path",
				(struct span){piece.data + border, piece.len - border});
	}
	return put_quoted(scope, "root", span_of(root->name)) < 0 || out->failed ? -ENOMEM : 0;
}
