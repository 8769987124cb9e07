#include "walk/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "walk/judge.h"
#include "walk/listing.h"

#define SKIP(constant, word, sentence) [constant] = word,
static const char *const words[] = {
#include "walk/skip.def"
};
#undef SKIP

#define SKIP(constant, word, sentence) [constant] = sentence,
static const char *const sentences[] = {
#include "walk/skip.def"
};
#undef SKIP

const char *
walk_skip_word(enum walk_skip skip)
{
	return skip < N_WALK_SKIPS ? words[skip] : "unknown";
}

const char *
walk_skip_sentence(enum walk_skip skip)
{
	return skip < N_WALK_SKIPS ? sentences[skip] : "is left out for an unknown reason";
}

/* The way down to a path, one directory at a time. */
struct descent {
	struct judge judge;
	int root_fd;
	int fd;          /* of dir */
	struct dir *dir; /* the directory that holds the next component */
};

static int
say(struct walk_verdict *v, enum walk_skip skip)
{
	v->skip = skip;
	return 0;
}

static void
name_rule(const struct walk_opts *opts, const struct judgement *j, struct walk_verdict *v)
{
	int base_len = (int)MIN(j->rule_base.len, sizeof(v->source));

	if (!j->rule)
		return;
	(void)snprintf(v->rule, sizeof(v->rule), "%s", j->rule);
	if (j->skip == SKIP_EXCLUDED)
		(void)snprintf(v->source, sizeof(v->source), "exclude");
	else
		(void)snprintf(v->source, sizeof(v->source), "%s/%.*s%s.gitignore", opts->root,
			base_len, base_len > 0 ? j->rule_base.data : "", base_len > 0 ? "/" : "");
}

/* Make `name`, which is a directory and not left out, the one that holds the next component: 0 with
 * *ret_skip, or -errno when that could not be found out. */
static int
enter(struct descent *s, const char *name, struct span path, bool on_mount,
	enum walk_skip *ret_skip)
{
	struct dir *d = dir_create(s->dir, span_of(name), 0);
	int fd;

	if (!d)
		return -ENOMEM;
	dir_unref(s->dir); /* d keeps it */
	s->dir = d;
	d->on_mount = on_mount;
	fd = dir_open(d, s->fd, s->root_fd, path, O_RDONLY);
	closep(&s->fd);
	s->fd = fd;
	if (fd >= 0)
		return judge_inside(&s->judge, d, fd, path, ret_skip);
	*ret_skip = skip_of_error(fd);
	return 0;
}

/* One component; `path` ends with it. 1: go on below it, 0: *ret is the answer. */
static int
judge_component(struct descent *s, const char *name, struct span path, bool is_last,
	struct walk_verdict *ret)
{
	struct statx st;
	int r = entry_stat(s->fd, name, &st);
	bool is_dir = r == 0 && S_ISDIR(st.stx_mode);
	struct judgement v = judge_name(&s->judge, s->dir, path, is_dir);
	enum walk_skip skip = SKIP_NONE;

	ret->exists = r == 0;
	if (v.skip == SKIP_NONE && r < 0)
		return say(ret, skip_of_error(r) == SKIP_GONE ? SKIP_NONE : skip_of_error(r));
	if (v.skip == SKIP_NONE && is_dir)
		v = judge_dir(&s->judge, s->dir, path, &st);
	if (v.leave_out || (v.skip != SKIP_NONE && !is_last)) {
		name_rule(s->judge.opts, &v, ret);
		return say(ret, v.skip);
	}
	if (is_last || !is_dir) {
		ret->exists = is_last; /* below a file there is nothing */
		return say(ret, SKIP_NONE);
	}
	r = enter(s, name, path, v.on_mount, &skip);
	if (r < 0)
		return r;
	return skip == SKIP_NONE ? 1 : say(ret, skip);
}

/* The component at or after `at`, without the slashes before it; empty when there is none. */
static struct span
next_component(struct span path, size_t at)
{
	size_t end;

	while (at < path.len && path.data[at] == '/')
		at++;
	for (end = at; end < path.len && path.data[end] != '/'; end++)
		;
	return (struct span){path.data + at, end - at};
}

static bool
is_name(struct span s)
{
	return !memchr(s.data, '\0', s.len) && !span_eq(s, SPAN_LIT(".")) &&
	       !span_eq(s, SPAN_LIT(".."));
}

/* `clean` becomes the path as the rules see it: without empty components. */
static int
descend(struct descent *s, struct span path, struct strbuf *clean, struct walk_verdict *ret)
{
	struct span name = next_component(path, 0), next;

	for (; name.len > 0; name = next) {
		size_t start;
		int r;

		ret->at = (size_t)(name.data + name.len - path.data);
		ret->exists = false;
		if (name.len > WALK_NAME_MAX_BYTES)
			return say(ret, SKIP_NAME_TOO_LONG);
		if (!is_name(name))
			return -EINVAL;
		if (clean->len > 0)
			(void)strbuf_putc(clean, '/');
		start = clean->len;
		if (strbuf_span(clean, name) < 0)
			return -ENOMEM;
		next = next_component(path, ret->at);
		r = judge_component(s, clean->data + start, strbuf_view(clean), next.len == 0, ret);
		if (r <= 0)
			return r;
	}
	ret->exists = true; /* the root itself */
	return say(ret, SKIP_NONE);
}

int
walk_why(const struct walk_opts *opts, struct span path, struct walk_verdict *ret)
{
	struct descent s = {.root_fd = -1, .fd = -1};
	AUTO(strbuf_fini) struct strbuf clean = {0};
	enum walk_skip skip = SKIP_NONE;
	struct statx st;
	int r = judge_init(&s.judge, opts);

	*ret = (struct walk_verdict){0};
	if (r == 0)
		r = s.root_fd = judge_open_root(&s.judge, &st, NULL);
	if (r >= 0)
		r = s.fd = fd_open_beneath(s.root_fd, (struct span){0}, O_RDONLY | O_DIRECTORY);
	if (r >= 0)
		r = (s.dir = dir_create(NULL, (struct span){0}, 0)) ? 0 : -ENOMEM;
	if (r >= 0)
		r = judge_inside(&s.judge, s.dir, s.fd, (struct span){0}, &skip);
	if (r >= 0 && skip != SKIP_NONE)
		r = -EIO;
	if (r >= 0)
		r = descend(&s, path, &clean, ret);
	dir_unref(s.dir);
	closep(&s.fd);
	closep(&s.root_fd);
	judge_fini(&s.judge);
	return r;
}
