#include "progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "out.h"

#define POLL_USEC (100 * USEC_PER_MSEC)

/* Over the roots waited for, at one moment. */
struct tally {
	size_t n, n_ready, n_failed;
	uint64_t entries; /* walked so far, or in the index of roots that are done */
	uint64_t expected;
	bool expect_all;  /* the size of every root is known from a walk before */
	size_t n_reading; /* of those that are not done: walked, and contents are being read */
	/* Contents of all that are walked. */
	uint64_t files, files_done, bytes, bytes_done, bytes_per_s;
	struct strbuf busy; /* names of the roots that are not done */
	/* What others wait for, for the sake of whom one of those rests ("io"); else empty. */
	struct strbuf paused;
};

static void
tally_fini(struct tally *t)
{
	strbuf_fini(&t->busy);
	strbuf_fini(&t->paused);
}

int
progress_roots(struct wire *w, const struct common *c, struct msg **ret_answer,
	const struct msg_val **ret_roots)
{
	AUTO(question_fini) struct question q = {0};
	int exit_code;

	question_begin(&q, "roots", c);
	exit_code = ask(w, &q, c, NULL, NULL, ret_answer);
	if (!exit_code)
		*ret_roots = msg_get(msg_root(*ret_answer), "roots");
	return exit_code;
}

static struct span
name_of(const struct msg_val *root)
{
	struct span name = {"", 0};

	(void)msg_str(root, "name", &name);
	return name;
}

static bool
is_wanted(const struct texts *names, const struct msg_val *root)
{
	for (size_t i = 0; i < names->len; i++)
		if (span_eq(span_of(names->data[i]), name_of(root)))
			return true;
	return names->len == 0;
}

static uint64_t
number(const struct msg_val *root, const char *key)
{
	uint64_t n = 0;

	return msg_u64(root, key, &n) > 0 ? n : 0;
}

/* Was it walked since the roots were `before`? */
static bool
walked_since(const struct msg_val *before, const struct msg_val *root)
{
	for (size_t i = 0; i < msg_len(before); i++) {
		const struct msg_val *old = msg_at(before, i);

		if (number(old, "id") == number(root, "id"))
			return number(old, "walked_us") != number(root, "walked_us");
	}
	return true;
}

static bool
has_state(const struct msg_val *object, const char *word)
{
	struct span state = {"", 0};

	(void)msg_str(object, "state", &state);
	return span_eq(state, span_of(word));
}

static void
count_walk(struct tally *t, const struct msg_val *root)
{
	uint64_t expected = number(root, "expect_entries");

	t->entries += number(root, "walk_entries");
	t->expected += expected;
	t->expect_all = t->expect_all && expected;
}

static void
count_entries(struct tally *t, const struct msg_val *root)
{
	const struct msg_val *content = msg_get(root, "content");

	t->entries += number(root, "entries");
	t->expected += number(root, "entries");
	t->files += number(content, "files");
	t->files_done += number(content, "files_done");
	t->bytes += number(content, "bytes");
	t->bytes_done += number(content, "bytes_done");
	t->bytes_per_s += number(content, "bytes_per_s");
}

static void
name_busy(struct tally *t, const struct msg_val *root)
{
	struct span paused = {"", 0};

	if (msg_str(root, "paused", &paused) > 0 && t->paused.len == 0)
		escape_into(&t->paused, paused, "");
	(void)strbuf_puts(&t->busy, t->busy.len ? ", " : "");
	escape_into(&t->busy, name_of(root), "");
}

static void
count_root(struct tally *t, const struct msg_val *before, const struct msg_val *root)
{
	const struct msg_val *content = msg_get(root, "content");

	t->n++;
	if (has_state(root, "failed")) {
		t->n_failed++;
		return;
	}
	if (!has_state(root, "ready") || !walked_since(before, root)) {
		count_walk(t, root);
		name_busy(t, root);
		return;
	}
	count_entries(t, root);
	if (has_state(content, "reading")) {
		t->n_reading++;
		name_busy(t, root);
	} else if (has_state(content, "failed")) {
		t->n_failed++;
	} else {
		t->n_ready++;
	}
}

static void
count_roots(struct tally *t, const struct progress_opts *opts, const struct msg_val *roots)
{
	strbuf_reset(&t->busy);
	strbuf_reset(&t->paused);
	t->n = t->n_ready = t->n_failed = t->n_reading = 0;
	t->entries = t->expected = 0;
	t->files = t->files_done = t->bytes = t->bytes_done = t->bytes_per_s = 0;
	t->expect_all = true;
	for (size_t i = 0; i < msg_len(roots); i++)
		if (is_wanted(opts->names, msg_at(roots, i)))
			count_root(t, opts->before, msg_at(roots, i));
}

static unsigned
terminal_width(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* "[=====>    ] 43%", when the roots' sizes are known. */
static void
put_bar(struct strbuf *line, uint64_t n, uint64_t all)
{
	enum { WIDTH = 24 };
	uint64_t done = MIN(n, all);
	unsigned filled = (unsigned)(all ? (double)done * WIDTH / (double)all : 0);

	(void)strbuf_puts(line, "[");
	for (unsigned i = 0; i < WIDTH; i++)
		(void)strbuf_putc(line, i < filled ? '=' : i == filled ? '>' : ' ');
	/* A tree may have grown: the last percent is for its end. */
	(void)strbuf_printf(
		line, "] %2u%%  ", (unsigned)MIN(all ? (double)done * 100 / (double)all : 0, 99));
}

/* Files and bytes of contents, how fast, and how long it will take. */
static void
put_contents(struct strbuf *line, const struct tally *t)
{
	uint64_t left = t->bytes - MIN(t->bytes_done, t->bytes);
	char a[32], b[32];

	put_bar(line, t->bytes_done, t->bytes);
	if (t->bytes_per_s)
		(void)strbuf_printf(line, "%s left, %s/s, ",
			duration_text(left * USEC_PER_SEC / t->bytes_per_s, a),
			bytes_text(t->bytes_per_s, b));
	(void)strbuf_printf(
		line, "%s of %s files, ", count_text(t->files_done, a), count_text(t->files, b));
	(void)strbuf_printf(
		line, "%s of %s, ", bytes_text(t->bytes_done, a), bytes_text(t->bytes, b));
	(void)strbuf_printf(line, "reading %s", t->busy.data ? t->busy.data : "");
}

/* Entries a second since the first look, which had `first` of them. */
static void
put_walks(struct strbuf *line, const struct tally *t, uint64_t first, usec_t began)
{
	double seconds = (double)(clock_mono() - began) / (double)USEC_PER_SEC;
	uint64_t seen = t->entries > first ? t->entries - first : 0;
	char count[32], rate[32];

	if (t->expect_all && t->expected)
		put_bar(line, t->entries, t->expected);
	(void)strbuf_printf(line, "%s entries, ", count_text(t->entries, count));
	if (seconds > 0.5)
		(void)strbuf_printf(
			line, "%s/s, ", count_text((uint64_t)((double)seen / seconds), rate));
	(void)strbuf_printf(line, "indexing %s", t->busy.data ? t->busy.data : "");
}

static void
draw(const struct tally *t, uint64_t first, usec_t began)
{
	AUTO(strbuf_fini) struct strbuf line = {0};
	unsigned width = terminal_width();

	if (t->paused.len)
		(void)strbuf_printf(&line, "paused, others wait for %s: ", t->paused.data);
	if (t->n_reading && t->n_reading + t->n_ready + t->n_failed == t->n)
		put_contents(&line, t);
	else
		put_walks(&line, t, first, began);
	if (line.len >= width)
		strbuf_truncate(&line, width - 1);
	if (!line.failed)
		(void)fprintf(stderr, "\r%s\033[K", line.data);
}

static void
say_failed(const struct progress_opts *opts, const struct msg_val *roots)
{
	for (size_t i = 0; i < msg_len(roots); i++) {
		AUTO(strbuf_fini) struct strbuf name = {0}, reason = {0};
		const struct msg_val *root = msg_at(roots, i);
		const struct msg_val *content = msg_get(root, "content");
		bool walk = has_state(root, "failed");
		struct span error = {"", 0};

		if (!(walk || has_state(content, "failed")) || !is_wanted(opts->names, root))
			continue;
		(void)msg_str(walk ? root : content, "error", &error);
		escape_into(&name, name_of(root), "");
		escape_into(&reason, error, "");
		complain("could not index %s%s: %s", walk ? "" : "the contents of ",
			name.data ? name.data : "",
			reason.data ? reason.data : "the daemon's log says why");
	}
}

/* The last line, and what it means. */
static int
finish(const struct progress_opts *opts, const struct msg_val *roots, const struct tally *t,
	usec_t began)
{
	char count[32], bytes[32], took[32];

	if (t->n == 0) {
		complain(opts->names->len ? "no root is called so; `trawl roots` lists them"
					  : "the daemon has no roots");
		return EXIT_NOTHING;
	}
	if (!opts->quiet && t->n_ready)
		(void)fprintf(stderr,
			"%zu of %zu %s indexed: %s entries, %s of contents (waited %s)\n",
			t->n_ready, t->n, t->n == 1 ? "root" : "roots",
			count_text(t->entries, count), bytes_text(t->bytes_done, bytes),
			duration_text(clock_mono() - began, took));
	say_failed(opts, roots);
	return t->n_failed ? EXIT_INCOMPLETE : EXIT_FOUND;
}

static int
out_of_time(const struct tally *t)
{
	complain("gave up waiting: still indexing %s%s%s", t->busy.data ? t->busy.data : "",
		t->paused.len ? ", paused while others wait for " : "",
		t->paused.len ? t->paused.data : "");
	return EXIT_INCOMPLETE;
}

/* Without a terminal: once what is waited for, and once each time that it pauses. */
static void
say(const struct tally *t, bool told, bool *said_paused)
{
	if (!told)
		(void)fprintf(stderr, "indexing %s\n", t->busy.data ? t->busy.data : "");
	if (t->paused.len && !*said_paused)
		(void)fprintf(stderr, "paused: others wait for %s\n", t->paused.data);
	*said_paused = t->paused.len > 0;
}

int
progress_wait(struct wire *w, const struct progress_opts *opts)
{
	AUTO(tally_fini) struct tally t = {0};
	usec_t began = clock_mono();
	usec_t patience = opts->common->timeout_usec;
	usec_t deadline = clock_deadline(patience ? patience : USEC_NEVER);
	bool bar = !opts->quiet && isatty(STDERR_FILENO), told = false, said_paused = false;
	uint64_t first = 0;

	for (;;) {
		AUTO(msg_freep) struct msg *answer = NULL;
		const struct msg_val *roots;
		int exit_code = progress_roots(w, opts->common, &answer, &roots);

		if (exit_code)
			return exit_code;
		count_roots(&t, opts, roots);
		if (t.n_ready + t.n_failed == t.n || clock_mono() >= deadline) {
			if (bar && told)
				(void)fputs("\r\033[K", stderr);
			return t.n_ready + t.n_failed == t.n ? finish(opts, roots, &t, began)
			                                     : out_of_time(&t);
		}
		first = told ? first : t.entries;
		if (bar)
			draw(&t, first, began);
		else if (!opts->quiet)
			say(&t, told, &said_paused);
		told = true;
		(void)usleep(POLL_USEC);
	}
}
