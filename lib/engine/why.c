#include "engine/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "engine/text_reader.h"
#include "text/sniff.h"

#define SNIFF_BYTES 65536u
/* A file is read up to here for the answer: it is asked by people, about one file. */
#define SNIFF_MAX_BYTES (256u << 20)

/* Index of the deepest root at or above `path`, -1 for none. */
static int
root_above(const struct snapshot *s, struct span path, struct span *ret_below)
{
	int best = -1;
	size_t best_len = 0;

	for (uint32_t i = 0; i < s->n_roots; i++) {
		struct span root = span_of(s->roots[i].path);

		if (span_eq(root, SPAN_LIT("/")))
			root.len = 0;
		if (!span_starts(path, root) || (path.len > root.len && path.data[root.len] != '/'))
			continue;
		if (best >= 0 && root.len < best_len)
			continue;
		best = (int)i;
		best_len = root.len;
	}
	if (best >= 0) {
		*ret_below = (struct span){path.data + best_len, path.len - best_len};
		while (ret_below->len > 0 && ret_below->data[0] == '/') {
			ret_below->data++;
			ret_below->len--;
		}
	}
	return best;
}

/* Is there a NUL byte? The same rule as that of searching contents. */
static const char *
content_of_file(int fd)
{
	AUTO(freep) char *buf = malloc(SNIFF_BYTES);
	bool first = true;
	ssize_t n = 1;

	if (!buf)
		return "not known: out of memory";
	for (size_t done = 0; (n = fd_read_full(fd, buf, SNIFF_BYTES)) > 0; done += SNIFF_BYTES) {
		enum sniff kind = sniff_bytes((struct span){buf, (size_t)n});

		if (first && (kind == SNIFF_UTF16LE || kind == SNIFF_UTF16BE))
			return "searched, as UTF-16";
		if (kind == SNIFF_BINARY || memchr(buf, '\0', (size_t)n))
			return "not searched: it is binary (it holds a NUL byte)";
		first = false;
		if (done >= SNIFF_MAX_BYTES)
			return "searched, unless a NUL byte stands after its first 256 MiB";
	}
	return n < 0 ? "not searched: it could not be read" : "searched";
}

/* Of a file that could be searched by reading it: what the index makes of that. */
static const char *
by_index(const struct snapshot *s, uint32_t layer, uint32_t entry, int fd)
{
	const struct text_map *map = s->layers[layer].map;
	const struct text_view *view = snapshot_root(s, layer)->view;
	uint32_t content = map ? map->content[entry] : TEXT_PENDING, ignored;
	struct text_stamp now;

	if (content >= TEXT_CONTENT_END || !view->set)
		return "searched; not indexed yet, so each question reads it";
	if (text_reader_look(fd, &now) < 0 ||
		!text_set_find(view->set, 0, text_file_key(&now), &ignored))
		return "searched as it was when it was indexed: it has changed since";
	return "searched, by the index";
}

static const char *
content_verdict(
	const struct snapshot *s, const struct snap_root *root, struct span path, struct span below)
{
	const char *verdict;
	uint32_t layer, entry;
	AUTO(closep) int dir = fd_open_absolute(span_of(root->path), O_PATH | O_DIRECTORY);
	AUTO(closep) int fd = -1;
	struct stat st;

	if (!root->content)
		return "not searched: its root has content = no";
	if (dir < 0)
		return "not searched: its root could not be opened";
	fd = fd_open_beneath(dir, below, O_RDONLY);
	if (fd == -ELOOP)
		return "not searched: it is a symbolic link";
	if (fd < 0)
		return "not searched: it could not be opened";
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return "not searched: it is no regular file";
	if ((uint64_t)st.st_size > root->content_max_bytes)
		return "not searched: it is larger than its root's content_max_size";
	verdict = content_of_file(fd);
	if (root->content == SNAP_CONTENT_INDEX &&
		span_starts(span_of(verdict), SPAN_LIT("searched")) &&
		snapshot_lookup(s, path, &layer, &entry) == 0)
		return by_index(s, layer, entry, fd);
	return verdict;
}

/* The walk's options of a root, as a copy whose pointers stay valid: a reload may free the root
 * meanwhile. */
struct opts_copy {
	struct walk_opts opts;
	char *root;
	char **exclude, **other_roots, **own_dirs;
	struct rules *rules;
};

static void
opts_copy_fini(struct opts_copy *c)
{
	rules_destroy(c->rules);
	free(c->root);
	strings_free(c->exclude);
	strings_free(c->other_roots);
	strings_free(c->own_dirs);
}

static int
opts_copy_locked(const struct root *r, struct opts_copy *c)
{
	c->opts = root_walk_opts(r);
	c->root = strdup(r->path);
	c->exclude = strings_copy((const char *const *)r->cfg.exclude);
	c->other_roots = strings_copy((const char *const *)r->other_roots);
	c->own_dirs = strings_copy((const char *const *)r->engine->own_dirs);
	if (!c->root || !c->exclude || !c->other_roots || !c->own_dirs)
		return -ENOMEM;
	c->opts.root = c->root;
	c->opts.other_roots = (const char *const *)c->other_roots;
	c->opts.own_dirs = (const char *const *)c->own_dirs;
	return 0;
}

static int
opts_copy(struct engine *e, uint32_t root_id, struct opts_copy *c)
{
	int r = -ENOENT;

	{
		RDLOCK_SCOPE(&e->table); /* many may ask at once; a walk is not kept waiting */
		VEC_EACH (&e->roots, root) {
			if ((*root)->id == root_id)
				r = opts_copy_locked(*root, c);
		}
	}
	if (r == 0)
		r = rules_create((const char *const *)c->exclude, &c->rules, NULL);
	c->opts.rules = c->rules;
	return r;
}

static int
verdict(struct engine *e, const struct snap_root *root, struct span below, struct walk_verdict *ret)
{
	AUTO(opts_copy_fini) struct opts_copy c = {0};
	int r = opts_copy(e, root->id, &c);

	return r < 0 ? r : walk_why(&c.opts, below, ret);
}

static int
explain(struct engine *e, const struct snapshot *s, struct span path, struct engine_why *w,
	struct err *err)
{
	struct span below;
	uint32_t root_at, entry;
	int at = root_above(s, path, &below);
	int r;

	if (at < 0)
		return err_set(err, -ENOENT, "\"%.*s\" is below no root of the configuration",
			(int)MIN(path.len, 150u), path.data);
	w->root_name = strdup(s->roots[at].name);
	w->root_path = strdup(s->roots[at].path);
	if (!w->root_name || !w->root_path)
		return err_set(err, -ENOMEM, "could not explain the path: out of memory");
	r = verdict(e, &s->roots[at], below, &w->verdict);
	if (r < 0)
		return err_set(err, r, "could not look below root \"%s\": %s", w->root_name,
			err_reason(r));
	w->indexed = snapshot_lookup(s, path, &root_at, &entry) == 0;
	w->content = w->verdict.skip == SKIP_NONE && w->verdict.exists
	                     ? content_verdict(s, &s->roots[at], path, below)
	                     : "not searched: it is not indexed";
	return 0;
}

/* Without empty components: what the rules and the index compare with. */
static int
clean_path(struct span path, struct strbuf *out)
{
	for (size_t i = 0; i < path.len; i++) {
		if (path.data[i] != '/' || i + 1 == path.len || path.data[i + 1] != '/')
			(void)strbuf_putc(out, path.data[i]);
	}
	while (out->len > 1 && out->data[out->len - 1] == '/')
		strbuf_truncate(out, out->len - 1);
	return out->failed ? -ENOMEM : 0;
}

int
engine_why(struct engine *e, struct span path, struct engine_why *ret, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf clean = {0};
	struct engine_why w = {0};
	struct snapshot *s;
	int r = clean_path(path, &clean);

	if (r < 0)
		return err_set(err, r, "could not explain the path: out of memory");
	s = engine_snapshot(e);
	r = explain(e, s, strbuf_view(&clean), &w, err);
	snapshot_unref(s);
	if (r < 0) {
		engine_why_fini(&w);
		return r;
	}
	*ret = w;
	return 0;
}

void
engine_why_fini(struct engine_why *w)
{
	free(w->root_name);
	free(w->root_path);
}
