#include "engine/text_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "gram/gram.h"
#include "text/census.h"
#include "text/window.h"
#include "walk/known.h"

_Static_assert(READ_SMALL_BYTES <= WINDOW_BYTES, "what is read at once is one window");

/* What all binary files have in common: FORMAT-TEXT.md 2.1. */
static const struct hash128 binary_hash = TEXT_BINARY_HASH;

struct text_reader {
	struct text_reader_opts opts;
	struct text_reader_job job;
	struct gram_maker *maker;
	char *small; /* READ_SMALL_BYTES */
	struct strbuf path, decoded;
	/* The directory of the file before; mostly the next one is in it, too. */
	int dir_fd; /* -1 none */
	uint32_t layer, dir;
	int64_t settled_ns;
};

/* A file that is open. */
struct reading_file {
	int fd;
	struct text_stamp stamp;
	uint64_t n_blocks; /* of 512 bytes */
	uint64_t order;
	uint64_t n_read;
};

int
text_reader_create(const struct text_reader_opts *opts, struct text_reader **ret)
{
	struct text_reader *r = calloc(1, sizeof(*r));
	int code = r ? 0 : -ENOMEM;

	if (code < 0)
		return code;
	r->opts = *opts;
	r->dir_fd = -1;
	r->small = malloc(READ_SMALL_BYTES);
	code = r->small ? gram_maker_create(opts->n_symbols, &r->maker) : -ENOMEM;
	if (code < 0) {
		text_reader_destroy(r);
		return code;
	}
	*ret = r;
	return 0;
}

static void
leave_dir(struct text_reader *r)
{
	closep(&r->dir_fd);
	r->dir_fd = -1;
}

void
text_reader_destroy(struct text_reader *r)
{
	if (!r)
		return;
	leave_dir(r);
	gram_maker_destroy(r->maker);
	strbuf_fini(&r->path);
	strbuf_fini(&r->decoded);
	free(r->small);
	free(r);
}

void
text_reader_use(struct text_reader *r, const struct text_reader_job *job)
{
	leave_dir(r);
	r->job = *job;
}

usec_t
text_reader_settled_at(const struct text_reader *r)
{
	return r->settled_ns > 0 ? (usec_t)(r->settled_ns / 1000) + 1 : 0;
}

static int
enter_dir(struct text_reader *r, struct tree_at at)
{
	const struct tree_cols *c = tree_stack_cols(r->job.stack, at.layer);
	uint32_t dir = tree_parent(c, at.entry);
	int code;

	if (r->dir_fd >= 0 && r->layer == at.layer && r->dir == dir)
		return 0;
	leave_dir(r);
	strbuf_reset(&r->path);
	code = tree_path(c, c->dir_entry[dir], &r->path);
	if (code < 0)
		return code;
	r->dir_fd = fd_open_beneath(r->job.root_fd, strbuf_view(&r->path), O_RDONLY | O_DIRECTORY);
	r->layer = at.layer;
	r->dir = dir;
	return MIN(r->dir_fd, 0);
}

/* What an error says of the file: a fate, or -ENOMEM. */
static int
fate_of(int error)
{
	if (error == -ENOMEM)
		return error;
	return fd_is_gone(error) ? READ_GONE : READ_REFUSED;
}

static int
look_at(int fd, struct text_stamp *ret, uint64_t *ret_blocks)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENODEV;
	*ret = (struct text_stamp){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime_ns = clock_ns(st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec),
		.ctime_ns = clock_ns(st.st_ctim.tv_sec, (uint32_t)st.st_ctim.tv_nsec),
	};
	*ret_blocks = (uint64_t)st.st_blocks;
	return 0;
}

int
text_reader_look(int fd, struct text_stamp *ret)
{
	uint64_t ignored;

	return look_at(fd, ret, &ignored);
}

/* When what changes has another time than this one for certain; 0: since ever. A time of the future
 * was set by hand. */
static int64_t
settled_ns(const struct text_stamp *s, int64_t now_ns)
{
	int64_t at = s->ctime_ns + known_granularity(s->ctime_ns);

	if (s->mtime_ns <= now_ns)
		at = MAX(at, s->mtime_ns + known_granularity(s->mtime_ns));
	return at < now_ns ? 0 : at;
}

static bool
is_settled(struct text_reader *r, const struct text_stamp *s)
{
	int64_t now_ns = (int64_t)clock_real() * 1000, at = settled_ns(s, now_ns);

	r->settled_ns = MAX(r->settled_ns, at);
	return at == 0;
}

/* Is it as it was when it was opened? */
static bool
is_same(const struct reading_file *f)
{
	struct text_stamp now;

	return text_reader_look(f->fd, &now) == 0 && memcmp(&now, &f->stamp, sizeof(now)) == 0;
}

/* A content that the set has: 1 and it, or 0. */
static int
find_in_set(const struct text_set *s, const struct hash128 *hash, uint32_t *ret)
{
	for (uint32_t i = s ? s->n : 0; i > 0; i--) {
		const struct text_cols *c = text_cols(s->text[i - 1]);
		uint32_t doc;

		if (text_find_hash(c, hash, &doc)) {
			*ret = c->base + doc;
			return 1;
		}
	}
	return 0;
}

/* Has the file a content that is there already? 1 its row is written, 0, or -ENOMEM. */
static int
add_known(struct text_reader *r, const struct reading_file *f, const struct hash128 *hash)
{
	uint64_t key = text_file_key(&f->stamp);
	uint32_t number;
	int code;

	if (text_builder_find(r->job.builder, hash, &number))
		code = text_add_file(r->job.adder, key, number);
	else if (counter_get(r->job.n_docs) > 0 && find_in_set(r->job.set, hash, &number))
		code = text_add_known_file(r->job.adder, key, number);
	else
		return 0;
	return code < 0 ? code : 1;
}

/* The document of the windows that were added, and its file. */
static int
add_doc(struct text_reader *r, const struct reading_file *f, const struct text_doc_in *in)
{
	uint32_t id;
	int code = text_add_doc(r->job.adder, in, &id);

	if (code > 0)
		counter_add(r->job.n_docs, 1);
	return code < 0 ? code : text_add_file(r->job.adder, text_file_key(&f->stamp), id);
}

static int
add_binary(struct text_reader *r, const struct reading_file *f)
{
	struct text_doc_in in = {.order = f->order, .hash = binary_hash, .flags = TEXT_BINARY};
	int code = add_known(r, f, &binary_hash);

	text_add_cancel(r->job.adder);
	if (code == 0)
		code = add_doc(r, f, &in);
	return code < 0 ? code : READ_BINARY;
}

static uint32_t
flags_of(enum sniff kind, const struct census *c)
{
	uint32_t encoding = c->ascii ? TEXT_ASCII : c->utf8 ? TEXT_UTF8 : TEXT_BYTES;

	if (kind == SNIFF_UTF16LE)
		encoding = TEXT_UTF16LE;
	else if (kind == SNIFF_UTF16BE)
		encoding = TEXT_UTF16BE;
	return encoding | (c->folds ? TEXT_FOLDS : 0);
}

/* Text as it is searched; of one that begins with a mark in UTF-8, what is behind it. */
static int
as_text(struct text_reader *r, enum sniff kind, struct span raw, struct span *ret)
{
	*ret = raw;
	if (kind == SNIFF_TEXT)
		return 0;
	strbuf_reset(&r->decoded);
	if (sniff_decode(kind, raw, &r->decoded) < 0)
		return -ENOMEM;
	*ret = strbuf_view(&r->decoded);
	return 0;
}

/* Of UTF-16 it is not known: where a piece begins, U+FEFF was taken for a mark. */
static uint64_t
marks_of(enum sniff kind, const struct census *c)
{
	return c->marks | (kind == SNIFF_TEXT ? 0 : TEXT_MARKS_BEYOND);
}

static int
count_text(struct text_reader *r, enum sniff kind, struct span raw, struct census *c)
{
	struct span text;
	int code = as_text(r, kind, raw, &text);

	if (code == 0)
		census_add(c, text);
	return code;
}

static int
add_grams(struct text_reader *r, enum sniff kind, struct span raw)
{
	struct span text;
	int code = as_text(r, kind, raw, &text);

	return code < 0 ? code : gram_maker_add(r->maker, text);
}

/* The grams that were made are those of a unit, whose place is in `unit`. */
static int
end_unit(struct text_reader *r, struct text_unit_in *unit)
{
	int code = gram_maker_end(r->maker, &unit->grams, &unit->n_grams);

	return code < 0 ? code : text_add_unit(r->job.adder, unit);
}

static int
add_small_text(struct text_reader *r, const struct reading_file *f, enum sniff kind,
	struct span raw, const struct hash128 *hash)
{
	struct census census = CENSUS_NONE;
	struct text_unit_in unit = {0};
	struct text_doc_in in = {.order = f->order, .hash = *hash, .size_bytes = raw.len};
	int code = count_text(r, kind, sniff_unmarked(raw), &census);

	if (code == 0)
		code = add_grams(r, kind, sniff_unmarked(raw));
	if (code == 0)
		code = end_unit(r, &unit);
	if (code < 0)
		return code;
	in.n_lines = census_lines(&census);
	in.flags = flags_of(kind, &census);
	in.marks = marks_of(kind, &census);
	code = add_doc(r, f, &in);
	return code < 0 ? code : READ_TEXT;
}

static int
read_small(struct text_reader *r, struct reading_file *f)
{
	/* That it has grown is seen in its size afterwards; but files of /proc say 0 and have more.
	 */
	ssize_t n = fd_read_full(f->fd, r->small, MAX((size_t)f->stamp.size, 1u));
	struct span raw = {r->small, (size_t)MAX(n, 0)};
	enum sniff kind = sniff_bytes(raw);
	struct hash128 hash;
	int code;

	if (n < 0)
		return fate_of((int)n);
	f->n_read = raw.len;
	if (raw.len != f->stamp.size || !is_same(f))
		return READ_CHANGED;
	if (kind == SNIFF_BINARY)
		return add_binary(r, f);
	hash = hash128(raw.data, raw.len);
	code = add_known(r, f, &hash);
	if (code == 0)
		return add_small_text(r, f, kind, raw, &hash);
	return code < 0 ? code : READ_TEXT;
}

/* Of a file that is read window by window. */
struct long_text {
	struct span raw; /* behind a mark in UTF-8 */
	size_t n_mark;
	enum sniff kind;
	struct hash_stream *hash;
	struct census census; /* of what is before the window's end */
	struct window window;
	struct text_unit_in unit;
	bool open;    /* the unit goes on with the next window */
	bool squeeze; /* it goes on to the end of the text */
};

static struct span
part(const struct long_text *t, size_t from, size_t to)
{
	return (struct span){t->raw.data + from, to - from};
}

/* Of UTF-16, whose offsets are not those of the text that is searched, it is not told. */
static bool
begins_line(const struct long_text *t, size_t at)
{
	return t->kind == SNIFF_TEXT && (at == 0 || t->raw.data[at - 1] == '\n');
}

/* A unit begins where the window does. */
static int
begin_unit(struct text_reader *r, struct long_text *t)
{
	const struct window *w = &t->window;
	struct census shared = CENSUS_NONE;
	int code = count_text(r, t->kind, part(t, w->from, w->fresh), &shared);

	t->unit = (struct text_unit_in){.offset_bytes = w->from,
		.lines_before = t->census.n_newlines - shared.n_newlines,
		.at_line = begins_line(t, w->from)};
	t->open = true;
	return code;
}

/* 0; READ_BINARY at a NUL; or -errno. Also of a unit that goes on all of the window is added: what
 * it shares with the one before makes the seam sound, at the price of a few grams too many. */
static int
add_window(struct text_reader *r, struct long_text *t)
{
	const struct window *w = &t->window;
	struct span fresh = part(t, w->fresh, w->to);
	int code;

	if (sniff_has_nul(t->kind, fresh))
		return READ_BINARY;
	hash_stream_add(t->hash, fresh.data, fresh.len);
	code = t->open ? 0 : begin_unit(r, t);
	if (code == 0)
		code = count_text(r, t->kind, fresh, &t->census);
	if (code == 0)
		code = add_grams(r, t->kind, part(t, w->from, w->to));
	if (code < 0 || t->squeeze)
		return code;
	t->open = false;
	return end_unit(r, &t->unit);
}

/* After the last window, or when the text is given up: then the maker is to begin anew. */
static int
close_unit(struct text_reader *r, struct long_text *t, int code)
{
	if (t->open && code == 0)
		return end_unit(r, &t->unit);
	if (t->open)
		(void)gram_maker_end(r->maker, &t->unit.grams, &t->unit.n_grams);
	return code;
}

/* A builder that is full takes what is being added, but not gigabytes of it: windows up to a place
 * between where it is full and all of its budget. */
static bool
is_crowded(const struct text_reader *r)
{
	return text_builder_over(r->job.builder, r->job.budget_bytes / 5 * 7);
}

static int
add_windows(struct text_reader *r, struct long_text *t, const struct mapfile *map,
	struct reading_file *f)
{
	while (window_next(t->raw, t->kind, &t->window)) {
		int code = stop_requested(r->opts.stop) ? -ECANCELED : add_window(r, t);

		f->n_read = t->n_mark + t->window.to;
		if (mapfile_faulted(map))
			return READ_CHANGED; /* cut, or the disk gave nothing */
		if (code != 0)
			return code;
		t->squeeze = t->squeeze || is_crowded(r);
		if (t->squeeze && !r->job.squeeze)
			return READ_CROWDED;
		mapfile_pass(map, t->window.to - MIN(t->window.to, WINDOW_BYTES / 2));
	}
	return 0;
}

static int
finish_long(struct text_reader *r, const struct reading_file *f, const struct long_text *t)
{
	struct text_doc_in in = {.order = f->order,
		.hash = hash_stream_sum128(t->hash),
		.size_bytes = t->n_mark + t->raw.len,
		.n_lines = census_lines(&t->census),
		.flags = flags_of(t->kind, &t->census),
		.marks = marks_of(t->kind, &t->census)};
	int code = add_known(r, f, &in.hash);

	if (code == 0)
		code = add_doc(r, f, &in);
	return code < 0 ? code : READ_TEXT;
}

static int
read_windows(struct text_reader *r, struct reading_file *f, const struct mapfile *map)
{
	struct span raw = {map->data, map->len};
	struct long_text t = {.raw = sniff_unmarked(raw), .census = CENSUS_NONE};
	int code;

	t.kind = sniff_mark(raw);
	t.n_mark = raw.len - t.raw.len;
	t.hash = hash_stream_create(0);
	if (t.hash)
		hash_stream_add(t.hash, raw.data, t.n_mark);
	code = t.hash ? add_windows(r, &t, map, f) : -ENOMEM;
	code = close_unit(r, &t, code);
	if (code == 0 && !is_same(f))
		code = READ_CHANGED;
	if (code == READ_BINARY && !is_same(f))
		code = READ_CHANGED;
	if (code == 0 && t.hash)
		code = finish_long(r, f, &t);
	else if (code == READ_BINARY)
		code = add_binary(r, f);
	hash_stream_destroy(t.hash);
	return code;
}

/* A hole is NULs, however large. In UTF-16 they are characters: such a file is left. */
static bool
has_hole(const struct reading_file *f)
{
	bool sparse = f->n_blocks * 512 < f->stamp.size;
	off_t hole = sparse ? lseek(f->fd, 0, SEEK_HOLE) : -1;

	return hole >= 0 && (uint64_t)hole < f->stamp.size;
}

static int
read_large(struct text_reader *r, struct reading_file *f)
{
	char start[2] = {0};
	struct mapfile map;
	int code;

	if (has_hole(f)) {
		ssize_t n = fd_pread_full(f->fd, start, sizeof(start), 0);

		if (n < 0)
			return fate_of((int)n);
		if (sniff_mark((struct span){start, (size_t)n}) != SNIFF_TEXT)
			return READ_REFUSED;
		return is_same(f) ? add_binary(r, f) : READ_CHANGED;
	}
	code = mapfile_open(f->fd, UINT64_MAX, &map);
	if (code < 0)
		return READ_REFUSED; /* larger than the address space, say: its own fault */
	code = read_windows(r, f, &map);
	mapfile_close(&map);
	return code;
}

static int
read_file(struct text_reader *r, struct reading_file *f)
{
	uint32_t content;
	int code = look_at(f->fd, &f->stamp, &f->n_blocks);

	if (code < 0)
		return fate_of(code);
	if (f->stamp.size > r->opts.max_bytes)
		return READ_TOO_LARGE;
	if (!is_settled(r, &f->stamp))
		return READ_FRESH;
	/* Another link was read already. */
	if (r->job.set && text_set_find(r->job.set, 0, text_file_key(&f->stamp), &content))
		return READ_TEXT;
	return f->stamp.size <= READ_SMALL_BYTES ? read_small(r, f) : read_large(r, f);
}

int
text_reader_add(struct text_reader *r, struct tree_at at, uint64_t order, uint64_t *ret_bytes)
{
	AUTO(closep) int fd = -1;
	struct reading_file f = {.order = order};
	int code = enter_dir(r, at);

	*ret_bytes = 0;
	if (code < 0)
		return fate_of(code);
	fd = fd_open_beneath(
		r->dir_fd, tree_name(tree_stack_cols(r->job.stack, at.layer), at.entry), O_RDONLY);
	if (fd < 0)
		return fate_of(fd);
	f.fd = fd;
	code = read_file(r, &f);
	if (code < 0 || code >= READ_TOO_LARGE)
		text_add_cancel(r->job.adder);
	*ret_bytes = f.n_read;
	return code;
}
