#include "walk/piece.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Names that take about as long as to wake another worker, many times over. */
#define CUT_MIN 64u

int
piece_init(struct piece_maker *p, size_t batch_bytes)
{
	filler_init(&p->filler, batch_bytes);
	if (p->known) {
		p->was = malloc(KNOWN_STEP * sizeof(*p->was));
		if (!p->was)
			return -ENOMEM;
	}
	return listing_init(&p->listing);
}

void
piece_fini(struct piece_maker *p)
{
	listing_fini(&p->listing);
	filler_fini(&p->filler);
	strbuf_fini(&p->path);
	strbuf_fini(&p->kids);
	free(p->was);
}

int
piece_know(const struct piece_maker *p, struct dir *d)
{
	int r = 0;

	if (d->was.dir != WALK_NOT_KNOWN && !d->knows) {
		r = p->known->open(p->known->ctx, d->was.dir, &d->known);
		d->knows = r == 0;
	}
	return r;
}

static void
begin(struct piece_maker *p, struct dir *d)
{
	p->dir = d;
	p->dir_len = p->path.len;
	p->n_listed = 0;
	p->left_out = false;
	p->was_at = 0;
	p->was_end = d->scope == DIR_NAMED ? d->aim->n_kids : d->known.n;
	p->part = NULL;
	p->whole = true;
	p->listing.at_end = false;
}

static int
node_cmp(const void *a, const void *b)
{
	const struct aim_node *const *x = a, *const *y = b;

	return span_cmp((struct span){(*x)->name, (*x)->len}, (struct span){(*y)->name, (*y)->len});
}

/* The aim's names in the directory, in order. */
static int
take_names(struct dir *d)
{
	uint32_t n = 0;

	d->names = malloc((d->aim->n_kids + 1u) * sizeof(*d->names));
	if (!d->names)
		return -ENOMEM;
	for (const struct aim_node *node = d->aim->kids; node; node = node->next)
		d->names[n++] = node;
	qsort(d->names, n, sizeof(*d->names), node_cmp);
	return 0;
}

int
piece_begin(struct piece_maker *p, struct dir *d)
{
	int r = d->scope == DIR_NAMED ? take_names(d) : piece_know(p, d);

	if (r == 0 && !d->was.trusted && d->known.n > 0) {
		d->found = calloc((size_t)d->known.n / 64 + 1, sizeof(*d->found));
		r = d->found ? 0 : -ENOMEM;
	}
	if (r == 0)
		begin(p, d);
	return r;
}

void
piece_resume(struct piece_maker *p, struct piece_part *part)
{
	begin(p, part->head.dir);
	p->part = part;
	p->whole = false;
	if (!dir_has_names(p->dir))
		return;
	p->was_at = part->was_at;
	p->was_end = part->was_end;
}

/* The names of a trusted directory: they stay where they are. */
static int
read_known(struct piece_maker *p)
{
	struct listing *l = &p->listing;
	uint32_t n = MIN(p->was_end - p->was_at, KNOWN_STEP);

	l->n = n;
	l->names_bytes = 0;
	if (n == 0)
		return 0;
	p->known->read(p->known->ctx, &p->dir->known, p->was_at, n, p->was);
	p->was_at += n;
	for (uint32_t i = 0; i < n; i++) {
		const struct walk_entry *e = &p->was[i].entry;

		if (e->name[0] == '\0') /* a page of the mapped file could not be read */
			return -EBADMSG;
		l->listed[i] = (struct listed){
			.name = e->name,
			.len = e->name_len,
			.type = e->type,
			.ino = e->ino,
		};
		l->names_bytes += e->name_len + 1u;
	}
	return 1;
}

/* The names that the aim has in the directory. */
static int
read_named(struct piece_maker *p)
{
	struct listing *l = &p->listing;
	uint32_t n = MIN(p->was_end - p->was_at, KNOWN_STEP);

	l->n = n;
	l->names_bytes = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct aim_node *node = p->dir->names[p->was_at++];

		l->listed[i] =
			(struct listed){.name = node->name, .len = node->len, .type = DT_UNKNOWN};
		l->names_bytes += node->len + 1u;
	}
	return n > 0;
}

/* The names of a part, which come in one piece. */
static int
read_part(struct piece_maker *p)
{
	struct listing *l = &p->listing;
	const struct piece_part *part = p->part;

	p->part = NULL;
	if (!part)
		return 0;
	l->n = part->n;
	l->names_bytes = part->names_bytes;
	memcpy(l->listed, part->listed, part->n * sizeof(l->listed[0]));
	return 1;
}

/* The next names that the kernel has: it is not asked for what it has said (note: end). */
static int
read_listing(struct piece_maker *p)
{
	return p->listing.at_end && p->dir->tells ? 0 : listing_read(&p->listing, p->dir->fd);
}

int
piece_read(struct piece_maker *p)
{
	if (p->dir->scope == DIR_NAMED)
		return read_named(p);
	if (p->dir->was.trusted)
		return read_known(p);
	return p->whole ? read_listing(p) : read_part(p);
}

static struct piece_part *
cut_known(struct piece_maker *p)
{
	uint32_t n = (p->was_end - p->was_at) / 2;
	struct piece_part *part = n < CUT_MIN ? NULL : calloc(1, sizeof(*part));

	if (!part)
		return NULL;
	part->was_end = p->was_end;
	p->was_end -= n;
	part->was_at = p->was_end;
	return part;
}

static struct piece_part *
cut_listing(struct piece_maker *p)
{
	struct listing *l = &p->listing;
	size_t n = l->n / 2, names_bytes = 0;
	const struct listed *from = l->listed + l->n - n;
	struct piece_part *part;
	char *at;

	for (size_t i = 0; i < n; i++)
		names_bytes += from[i].len + 1u;
	part = n < CUT_MIN ? NULL : malloc(sizeof(*part) + n * sizeof(*from) + names_bytes);
	if (!part)
		return NULL;
	*part = (struct piece_part){.n = n, .names_bytes = names_bytes};
	memcpy(part->listed, from, n * sizeof(*from));
	at = (char *)&part->listed[n];
	for (size_t i = 0; i < n; i++) {
		part->listed[i].name = memcpy(at, from[i].name, from[i].len + 1u);
		at += from[i].len + 1u;
	}
	l->n -= n;
	l->names_bytes -= names_bytes;
	return part;
}

struct piece_part *
piece_cut(struct piece_maker *p)
{
	return dir_has_names(p->dir) ? cut_known(p) : cut_listing(p);
}

void
piece_count_skip(struct piece_maker *p, enum walk_skip skip)
{
	if (skip != SKIP_NONE)
		p->tally.n_skipped[skip]++;
}

static int
leave_out(struct piece_maker *p, enum walk_skip skip)
{
	piece_count_skip(p, skip);
	p->left_out |= skip != SKIP_GONE;
	return 0;
}

static int64_t
stamp_ns(struct statx_timestamp t)
{
	return clock_ns(t.tv_sec, t.tv_nsec);
}

struct walk_class
class_of_stat(const struct statx *st)
{
	return (struct walk_class){
		.dev = statx_dev(st),
		.mode = st->stx_mode,
		.uid = st->stx_uid,
		.gid = st->stx_gid,
	};
}

/* All but name, class and dir. */
void
entry_of_stat(struct walk_entry *e, const struct statx *st)
{
	e->type = (uint8_t)IFTODT(st->stx_mode);
	e->nlink = st->stx_nlink;
	e->ino = st->stx_ino;
	e->size = st->stx_size;
	e->blocks = st->stx_blocks;
	e->mtime_ns = stamp_ns(st->stx_mtime);
	e->ctime_ns = stamp_ns(st->stx_ctime);
}

/* What was known of the i-th name of the piece, or NULL. */
static const struct known_entry *
find_was(struct piece_maker *p, size_t i)
{
	const struct listed *name = &p->listing.listed[i];
	struct span of = {name->name, name->len};
	struct dir *d = p->dir;
	uint64_t id;
	uint32_t at;

	if (d->was.trusted)
		return &p->was[i];
	if (d->scope == DIR_NAMED)
		return p->known->find(p->known->ctx, d->was.dir, of, p->was, &id) ? p->was : NULL;
	if (!d->knows || !known_find(p->known, &d->known, of, &p->was_at))
		return NULL;
	at = p->was_at++;
	(void)or_ar(&d->found[at / 64], (uint64_t)1 << at % 64);
	p->known->read(p->known->ctx, &d->known, at, 1, p->was);
	return p->was;
}

struct dir_was
dir_was_of(const struct walk_known *known, const struct known_entry *was, bool same,
	const struct walk_entry *e, const struct walk_class *cls)
{
	const struct walk_class *had = was ? &was->cls : NULL;

	if (!was)
		return (struct dir_was){.dir = WALK_NOT_KNOWN};
	return (struct dir_was){
		.dir = was->dir,
		.trusted = same && known_trusted(known, was),
		.broken_off = was->broken_off,
		.left_out = was->left_out,
		.replaced = e->ino != was->entry.ino || cls->dev != had->dev,
		/* Rights that the mode does not show change only this time. */
		.regranted =
			cls->mode != had->mode || cls->uid != had->uid || cls->gid != had->gid ||
			(e->ctime_ns != was->entry.ctime_ns && e->mtime_ns == was->entry.mtime_ns),
		.ino = was->entry.ino,
		.ctime_ns = was->entry.ctime_ns,
	};
}

/* Hold the entry against what was known. Whether a directory is entered shows when it is opened. */
static struct dir_was
compare(struct piece_maker *p, size_t i, const struct walk_entry *e, const struct walk_class *cls,
	bool *ret_same)
{
	const struct known_entry *was = p->known ? find_was(p, i) : NULL;

	*ret_same = was && known_same(was, e, cls);
	p->tally.n_changed += p->known && !*ret_same;
	return dir_was_of(p->known, was, *ret_same, e, cls);
}

enum dir_scope
dir_scope_of(enum dir_scope above, const struct aim_node *node, const struct dir_was *was)
{
	if (above == DIR_WHOLE || above == DIR_DEEP)
		return above;
	if (was->dir == WALK_NOT_KNOWN || was->replaced || (node && node->how == AIM_DEEP))
		return DIR_DEEP;
	if (was->regranted || was->broken_off || (node && node->how == AIM_LIST))
		return DIR_LISTED;
	return node && node->n_kids > 0 ? DIR_NAMED : DIR_STAYS;
}

/* What the aim has of the i-th name of the piece. */
static const struct aim_node *
find_node(const struct piece_maker *p, size_t i)
{
	const struct listed *name = &p->listing.listed[i];
	const struct dir *d = p->dir;

	if (d->scope == DIR_NAMED)
		return d->names[p->was_at - (uint32_t)(p->listing.n - i)];
	if (d->scope != DIR_LISTED || !d->aim)
		return NULL;
	return aim_find(p->judge->opts->aim, d->aim, (struct span){name->name, name->len});
}

/* Note a sub-directory to enter; its number within the piece goes to the entry for now. */
static int
add_kid(struct piece_maker *p, struct walk_entry *e, size_t i, bool on_mount, struct dir_was was)
{
	const struct listed *name = &p->listing.listed[i];
	const struct aim_node *node = find_node(p, i);
	enum dir_scope scope = dir_scope_of(p->dir->scope, node, &was);
	struct brood_name head = {
		.was = was,
		.aim = node,
		.ino = e->ino,
		.scope = (uint8_t)scope,
		.len = name->len,
		.on_mount = on_mount,
	};

	if (scope == DIR_STAYS) {
		e->dir = WALK_DIR_STAYS;
		return 1;
	}
	/* A mount may be of another file system. */
	head.was.trusted &= p->dir->tells && !on_mount && scope == DIR_WHOLE;
	e->dir = p->n_kids++;
	(void)strbuf_add(&p->kids, &head, sizeof(head));
	return strbuf_add(&p->kids, name->name, name->len + 1u) < 0 ? -ENOMEM : 1;
}

/* The path of an entry: the directory's, and name. */
static struct span
entry_path(struct piece_maker *p, const struct listed *name)
{
	strbuf_truncate(&p->path, p->dir_len);
	if (p->dir_len > 0)
		(void)strbuf_putc(&p->path, '/');
	(void)strbuf_add(&p->path, name->name, name->len);
	return strbuf_view(&p->path);
}

/* Only name and type are known: a directory that may be listed but not searched. */
static void
fill_from_listing(struct piece_maker *p, struct walk_entry *e, const struct listed *name,
	enum walk_skip skip, struct walk_class *ret)
{
	*ret = (struct walk_class){.dev = p->dir->dev, .mode = DTTOIF(name->type)};
	e->type = name->type;
	e->ino = name->ino;
	e->skip = (uint8_t)skip;
	piece_count_skip(p, skip);
}

/* A directory that has been looked at. */
static int
fill_dir(struct piece_maker *p, struct walk_entry *e, size_t i, struct span path,
	enum walk_skip skip, const struct statx *st, struct dir_was was)
{
	struct judgement v = {.skip = skip};

	if (skip == SKIP_NONE)
		v = judge_dir(p->judge, p->dir, path, st);
	if (v.skip == SKIP_NONE)
		return add_kid(p, e, i, v.on_mount, was);
	e->skip = (uint8_t)v.skip;
	piece_count_skip(p, v.skip);
	p->tally.n_changed += was.dir != WALK_NOT_KNOWN;
	return 1;
}

/* Names that are kept were judged by the walk that kept them; whether a directory is entered is
 * asked again. */
static struct judgement
judge(struct piece_maker *p, const struct listed *name, bool is_dir, struct span *ret_path)
{
	*ret_path = (struct span){0};
	if (!p->judge->needs_path || (p->dir->was.trusted && !is_dir))
		return (struct judgement){0};
	*ret_path = entry_path(p, name);
	return judge_name(p->judge, p->dir, *ret_path, is_dir);
}

/* Need an entry be handed on? In a directory that was known only what is not as it was; and one
 * that is entered and was not, or the other way round, is not. */
static bool
is_news(const struct piece_maker *p, const struct walk_entry *e, const struct dir_was *was,
	bool same)
{
	return !dir_is_known(p->dir) || !same ||
	       (e->dir != WALK_NO_DIR) != (was->dir != WALK_NOT_KNOWN);
}

/* What became of a name. */
enum made {
	LEFT_OUT,
	AS_IT_WAS, /* not handed on */
	HANDED_ON,
};

/* Judge one name and fill its entry: enum made or -ENOMEM. */
static int
make_entry(struct piece_maker *p, size_t i, struct walk_entry *e)
{
	const struct listed *name = &p->listing.listed[i];
	bool is_dir = name->type == DT_DIR;
	bool looked = p->dir->was.trusted || name->type == DT_UNKNOWN;
	bool named = p->dir->scope == DIR_NAMED;
	struct walk_class cls;
	struct dir_was was;
	struct judgement v;
	struct span path;
	struct statx st;
	bool same;
	int r = 0;

	if (name->len > WALK_NAME_MAX_BYTES)
		return leave_out(p, SKIP_NAME_TOO_LONG);
	if (looked) {
		r = entry_stat(p->dir->fd, name->name, &st);
		is_dir = r == 0 && S_ISDIR(st.stx_mode);
	}
	if (named && r < 0) /* it may never have been there, or what it is cannot be told */
		return skip_of_error(r) == SKIP_GONE ? LEFT_OUT : AS_IT_WAS;
	v = judge(p, name, is_dir, &path);
	if (p->path.failed)
		return -ENOMEM;
	if (v.leave_out)
		return leave_out(p, v.skip);
	if (!looked)
		r = entry_stat(p->dir->fd, name->name, &st);
	if (r < 0 && skip_of_error(r) == SKIP_GONE)
		return leave_out(p, SKIP_GONE);
	*e = (struct walk_entry){.name_len = name->len, .dir = WALK_NO_DIR};
	if (r < 0) {
		fill_from_listing(p, e, name, skip_of_error(r), &cls);
	} else {
		cls = class_of_stat(&st);
		entry_of_stat(e, &st);
	}
	was = compare(p, i, e, &cls, &same);
	if (r == 0 && S_ISDIR(st.stx_mode)) {
		if (fill_dir(p, e, i, path, v.skip, &st, was) < 0)
			return -ENOMEM;
	} else {
		p->tally.n_changed += was.dir != WALK_NOT_KNOWN;
		p->tally.n_bytes += r == 0 && S_ISREG(st.stx_mode) ? st.stx_size : 0;
	}
	if (!is_news(p, e, &was, same))
		return AS_IT_WAS;
	return filler_class(&p->filler, &cls, &e->cls) < 0 ? -ENOMEM : HANDED_ON;
}

/* The i-th name of the piece is left out. In a trusted directory it was one of the known. */
static int
note_left_out(struct piece_maker *p, size_t i)
{
	const struct walk_known *known = p->known;
	const struct listed *name = &p->listing.listed[i];
	const struct dir *d = p->dir;
	uint64_t id;

	if (!dir_has_names(d))
		return 0; /* `found` tells */
	if (d->was.trusted)
		id = known->id(known->ctx, &d->known, p->was_at - (uint32_t)(p->listing.n - i));
	else if (!known->find(
			 known->ctx, d->was.dir, (struct span){name->name, name->len}, p->was, &id))
		return 0;
	p->tally.n_changed++;
	return filler_gone(&p->filler, id);
}

/* Number the piece's sub-directories. */
static int
number_kids(struct piece_maker *p, struct walk_entry *entries, uint32_t n)
{
	uint64_t first;

	if (p->n_kids == 0)
		return 0;
	first = add_rlx(p->next_number, p->n_kids);
	if (first + p->n_kids > WALK_DIR_STAYS)
		return -EFBIG;
	p->first_kid = (uint32_t)first;
	for (uint32_t i = 0; i < n; i++)
		if (entries[i].dir < WALK_DIR_STAYS)
			entries[i].dir += p->first_kid;
	return 0;
}

/* The names at hand as entries at `entries`, names at `names`; of those handed on *ret_n, with
 * names of *ret_names_bytes. */
static int
make_entries(struct piece_maker *p, struct walk_entry *entries, char *names, uint32_t *ret_n,
	size_t *ret_names_bytes)
{
	struct listing *l = &p->listing;
	char *at = names;
	uint32_t n = 0;
	int r = 0;

	for (size_t i = 0; i < l->n && r >= 0; i++) {
		const struct listed *name = &l->listed[i];

		/* Each time: it can take a disk's seek, or thousands of patterns. */
		if (stop_requested(p->stop))
			return -ECANCELED;
		r = make_entry(p, i, &entries[n]);
		if (r == LEFT_OUT)
			r = note_left_out(p, i);
		else if (r > 0)
			p->n_listed++;
		if (r != HANDED_ON)
			continue;
		entries[n++].name = memcpy(at, name->name, name->len + 1u);
		at += name->len + 1u;
	}
	*ret_n = n;
	*ret_names_bytes = (size_t)(at - names);
	return MIN(r, 0);
}

int
piece_emit(struct piece_maker *p)
{
	struct listing *l = &p->listing;
	struct filler *f = &p->filler;
	uint64_t before = p->n_listed;
	size_t gone = f->gone.len, names_bytes = 0;
	struct walk_entry *entries;
	char *names;
	uint32_t n = 0;
	int r = filler_room(f, l->n, l->names_bytes, &entries, &names);

	p->n_kids = 0;
	strbuf_reset(&p->kids);
	if (r == 0)
		r = make_entries(p, entries, names, &n, &names_bytes);
	if (r == 0)
		r = number_kids(p, entries, n);
	if (r < 0)
		return r;
	p->tally.n_entries += p->n_listed - before;
	if (n < l->n)
		filler_trim(f, entries, n, names_bytes);
	if (n == 0 && f->gone.len == gone && dir_is_known(p->dir))
		return 0;
	return filler_add(f, (struct walk_list){
				     .dir = p->dir->number,
				     .n_entries = n,
				     .names_bytes = (uint32_t)names_bytes,
				     .left_out = p->left_out && !dir_is_known(p->dir),
				     .entries = entries,
				     .was = p->dir->was.dir,
			     });
}

/* A .gitignore that is there and unknown: was it left out, as it would be now? */
static bool
leaves_out_ignore(struct piece_maker *p, const struct dir *d)
{
	const struct listed name = {.name = ".gitignore", .len = sizeof(".gitignore") - 1};
	struct judgement v;

	p->dir_len = p->path.len;
	v = judge_name(p->judge, d, entry_path(p, &name), false);
	strbuf_truncate(&p->path, p->dir_len);
	return v.leave_out;
}

/* Of a directory that is not listed: events tell of what changes without its times, and when they
 * do, it is aimed at. */
static bool
same_named_ignore(
	struct piece_maker *p, const struct dir *d, const struct known_entry *was, bool there)
{
	if (aim_find(p->judge->opts->aim, d->aim, SPAN_LIT(".gitignore")))
		return false;
	return was || !there || leaves_out_ignore(p, d);
}

bool
piece_same_ignore(struct piece_maker *p, const struct dir *d)
{
	const struct walk_known *known = p->known;
	struct walk_entry now = {0};
	struct known_entry was;
	struct walk_class cls;
	struct statx st;
	uint64_t id;
	bool there, knew;

	if (!dir_is_known(d))
		return true; /* nothing that is known lies below it */
	there = entry_stat(d->fd, ".gitignore", &st) == 0;
	knew = known->find(known->ctx, d->was.dir, SPAN_LIT(".gitignore"), &was, &id);
	if (d->scope == DIR_NAMED && !same_named_ignore(p, d, knew ? &was : NULL, there))
		return false;
	if (!knew)
		return d->scope == DIR_NAMED || (!there && !d->was.left_out);
	if (!there)
		return false;
	cls = class_of_stat(&st);
	entry_of_stat(&now, &st);
	return known_same(&was, &now, &cls) &&
	       (d->scope == DIR_NAMED || known_settled(known, &was.entry));
}
