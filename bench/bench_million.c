/*
 * bench_million DIR [N [SEED]]: a tree like those that people have, of exactly N entries below DIR
 * (default: a million, seed 1). DIR is made, or is empty.
 *
 * The same N and SEED give the same names, types, sizes, times, modes and links, whatever the
 * machine and its threads do: each directory is drawn from a seed of its own. Owners are drawn too,
 * and given only by root; inode numbers and ctimes are the file system's.
 *
 * Sizes follow no law but that many are small and few are huge; files are sparse, so a million of
 * them need their inodes and nothing else. Directories are of a kind (sources, documents, pictures,
 * a cache...), which says how names in them look; one in some hundreds is wide. Links: symbolic
 * ones, and hard ones to a file of the same directory or of the one above.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_THREADS 2u
#define MAX_LEVEL 40u
#define MAX_SUBDIRS 64u
#define NAME_BYTES 256u
#define NEWEST 1760000000u /* seconds; the latest mtime */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum kind { SOURCES, DOCUMENTS, PICTURES, PACKAGES, CACHE, LOGS, N_KINDS };

/* A directory that exists and is to be filled. */
struct job {
	struct job *next;
	char *path, *above; /* `above`: a file of the parent to link to, "" when there is none */
	uint64_t seed;
	uint64_t budget; /* entries to make below it, at any depth */
	unsigned level;
	enum kind kind;
	uid_t owner;
};

struct work {
	pthread_mutex_t lock;
	pthread_cond_t more;
	/* Guarded by lock. */
	struct job *jobs;
	unsigned n_busy;
};

/* One directory while it is filled. */
struct filling {
	struct work *work;
	const struct job *job;
	uint64_t random;
	int fd;
	char name[NAME_BYTES];    /* of the newest entry */
	char link_to[NAME_BYTES]; /* a regular file of this directory */
};

static const char *const words[] = {"access", "account", "alpha", "archive", "array", "backup",
	"base", "batch", "block", "buffer", "build", "cache", "channel", "class", "client", "clock",
	"common", "config", "core", "cursor", "daemon", "data", "debug", "device", "driver",
	"engine", "entry", "error", "event", "export", "filter", "format", "frame", "graph",
	"group", "handler", "hash", "header", "helper", "image", "index", "init", "input",
	"invoice", "iter", "kernel", "layer", "letter", "list", "local", "lock", "main", "manual",
	"map", "memory", "merge", "message", "meter", "model", "module", "net", "node", "notes",
	"object", "option", "order", "output", "page", "parser", "patch", "path", "plan", "plugin",
	"pool", "posix", "print", "process", "project", "proto", "query", "queue", "random",
	"reader", "record", "report", "request", "result", "retry", "ring", "route", "sample",
	"scan", "schema", "scope", "search", "server", "session", "shared", "signal", "slot",
	"socket", "sort", "source", "spec", "state", "stream", "string", "summary", "sync",
	"system", "table", "task", "temp", "test", "thread", "timer", "token", "tools", "trace",
	"tree", "unit", "update", "upload", "user", "util", "value", "vector", "version", "video",
	"view", "walk", "window", "worker", "writer", "x86", "zone"};
/* What is not ASCII, and what programs trip over. */
static const char *const odd[] = {"caf\u00e9", "\u65e5\u672c\u8a9e",
	"\u0391\u03b8\u03ae\u03bd\u03b1", "stra\u00dfe", "Za\u017c\u00f3\u0142\u0107",
	"\u041c\u043e\u0441\u043a\u0432\u0430", "a b", "it's", "100%", "[old]", "caf\xe9",
	"\xf0\x9f\x93\xb7", "-r", "#1"};
static const char *const fixed[] = {"README", "README.md", "Makefile", "LICENSE", "index.html",
	"package.json", ".gitignore", "__init__.py", "CMakeLists.txt", "Cargo.toml"};
static const char *const extensions[N_KINDS][8] = {
	[SOURCES] = {"c", "h", "c", "h", "py", "o", "S", "txt"},
	[DOCUMENTS] = {"pdf", "odt", "docx", "txt", "md", "xlsx", "pdf", "tar.gz"},
	[PICTURES] = {"jpg", "JPG", "png", "jpg", "mp4", "xmp", "heic", "jpg"},
	[PACKAGES] = {"js", "js", "map", "json", "ts", "d.ts", "md", "css"},
	[CACHE] = {"", "", "", "idx", "bin", "", "tmp", ""},
	[LOGS] = {"log", "log.1", "log.2.gz", "gz", "json", "csv", "log", "txt"},
};

static uint64_t
draw(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t
below(struct filling *f, uint64_t n)
{
	return draw(&f->random) % n;
}

/* Small numbers are much likelier: between 0 and 2^bits, about as many in each power of two in the
 * middle, fewer at both ends. */
static uint64_t
skewed(struct filling *f, unsigned bits)
{
	uint64_t n = below(f, bits / 2 + 1) + below(f, bits - bits / 2 + 1);

	return below(f, (uint64_t)1 << n);
}

static void
fail(const struct filling *f, const char *what)
{
	(void)fprintf(stderr, "bench_million: could not %s \"%s/%s\": %s\n", what, f->job->path,
		f->name, strerror(errno));
	exit(1);
}

/* Names */

static const char *
word(struct filling *f)
{
	return words[below(f, COUNT(words))];
}

/* Without its extension. All is drawn before it is printed: the order in which a compiler has
 * arguments evaluated would show. */
static int
stem(struct filling *f, char *out, size_t size)
{
	unsigned long long n = below(f, 10000), m = draw(&f->random);
	const char *a = word(f), *b = word(f), *c = word(f);

	if (below(f, 100) == 0)
		return snprintf(out, size, "%s-%llu", odd[below(f, COUNT(odd))], n);
	switch (f->job->kind) {
	case PICTURES:
		return snprintf(out, size, "IMG_%llu%04llu", 20150101 + m % 90000, n);
	case CACHE:
		return snprintf(out, size, "%016llx%04llx", m, n);
	case LOGS:
		return snprintf(out, size, "%s-2025-%02llu-%02llu", a, 1 + m % 12, 1 + n % 28);
	case SOURCES:
	case DOCUMENTS:
	case PACKAGES:
	case N_KINDS:
		break;
	}
	switch (m % 4) {
	case 0:
		return snprintf(out, size, "%s%llu", a, n % 100);
	case 1:
		return snprintf(out, size, "%s", a);
	case 2:
		return snprintf(out, size, "%s-%s-%s", a, b, c);
	default:
		return snprintf(out, size, "%s_%s", a, b);
	}
}

/* The name of a file; the n-th try for it, when others are there already. */
static void
name_file(struct filling *f, unsigned n)
{
	const char *ext = extensions[f->job->kind][below(f, 8)];
	int len;

	if (n == 0 && below(f, 60) == 0) {
		(void)snprintf(f->name, sizeof(f->name), "%s", fixed[below(f, COUNT(fixed))]);
		return;
	}
	len = stem(f, f->name, sizeof(f->name) / 2);
	/* The longer one looks for a free name, the longer the number. */
	if (n > 0)
		len += snprintf(
			f->name + len, 32, "_%llu", (unsigned long long)below(f, 10ull << 3 * n));
	if (*ext)
		(void)snprintf(f->name + len, 32, ".%s", ext);
}

/* Files */

static void
set_owner(struct filling *f, int fd)
{
	if (f->job->owner != 0 && geteuid() == 0)
		(void)!fchown(fd, f->job->owner, f->job->owner);
}

/* Of the newest entry, or of the directory itself. */
static void
set_times(struct filling *f, bool entry)
{
	struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 0}};

	t[1].tv_sec = (time_t)(NEWEST - skewed(f, 28));
	t[1].tv_nsec = (long)below(f, 1000000000);
	if ((entry ? utimensat(f->fd, f->name, t, AT_SYMLINK_NOFOLLOW) : futimens(f->fd, t)) < 0)
		fail(f, "set the time of");
}

static int
make_regular(struct filling *f)
{
	static const mode_t modes[] = {0644, 0644, 0644, 0644, 0644, 0644, 0755, 0664, 0600, 0444};
	int fd = openat(f->fd, f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		modes[below(f, COUNT(modes))]);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, below(f, 20) ? (off_t)skewed(f, 30) : 0) < 0)
		fail(f, "make");
	set_owner(f, fd);
	(void)close(fd);
	set_times(f, true);
	if (!*f->link_to || below(f, 8) == 0)
		(void)strcpy(f->link_to, f->name);
	return 0;
}

static int
make_link(struct filling *f)
{
	char above[NAME_BYTES + 4];

	if (below(f, 2) && *f->job->above) {
		(void)snprintf(above, sizeof(above), "../%s", f->job->above);
		return linkat(f->fd, above, f->fd, f->name, 0);
	}
	if (*f->link_to)
		return linkat(f->fd, f->link_to, f->fd, f->name, 0);
	return make_regular(f);
}

static int
make_special(struct filling *f, uint64_t dice)
{
	int r;

	if (dice < 11)
		r = symlinkat(dice < 7 && *f->link_to ? f->link_to : "../nowhere", f->fd, f->name);
	else
		r = mkfifoat(f->fd, f->name, 0600);
	if (r == 0)
		set_times(f, true);
	return r;
}

static int
make_one(struct filling *f, uint64_t dice)
{
	if (dice < 11 || (dice == 11 && f->job->kind == CACHE))
		return make_special(f, dice);
	return dice < 16 ? make_link(f) : make_regular(f);
}

static void
make_files(struct filling *f, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t dice = below(f, 1000);
		unsigned tries = 0;
		int r;

		do {
			name_file(f, tries++);
			r = make_one(f, dice);
		} while (r < 0 && errno == EEXIST);
		if (r < 0)
			fail(f, "make");
	}
}

/* Directories */

static void
push(struct work *w, struct job *j)
{
	(void)pthread_mutex_lock(&w->lock);
	j->next = w->jobs;
	w->jobs = j;
	(void)pthread_cond_signal(&w->more);
	(void)pthread_mutex_unlock(&w->lock);
}

static void
make_dir(struct filling *f, uint64_t budget)
{
	const struct job *up = f->job;
	struct job *j = calloc(1, sizeof(*j));
	unsigned tries = 0;
	int r;

	if (!j)
		abort();
	do {
		int len = up->kind == CACHE ? snprintf(f->name, 8, "%02x", (unsigned)below(f, 256))
		                            : stem(f, f->name, sizeof(f->name) / 2);

		if (tries++)
			(void)snprintf(f->name + len, 32, "%llu",
				(unsigned long long)below(f, 10ull << 3 * tries));
		r = mkdirat(f->fd, f->name, 0755);
	} while (r < 0 && errno == EEXIST);
	if (r < 0 || asprintf(&j->path, "%s/%s", up->path, f->name) < 0)
		fail(f, "make");
	j->above = strdup(f->link_to);
	j->seed = draw(&f->random);
	j->budget = budget;
	j->level = up->level + 1;
	j->kind = below(f, 8) ? up->kind : (enum kind)below(f, N_KINDS);
	j->owner = up->level == 0 && below(f, 2) ? 1000 + (uid_t)below(f, 5) : up->owner;
	push(f->work, j);
}

/* Some directories that share the budget: most of it goes to few of them. */
static void
make_dirs(struct filling *f, uint64_t budget)
{
	uint64_t weight[MAX_SUBDIRS], sum = 0, n = 2 + skewed(f, 6);

	if (f->job->level == 0)
		n += 12;
	if (n > 1 + budget / 16)
		n = 1 + budget / 16;
	if (n > MAX_SUBDIRS)
		n = MAX_SUBDIRS;
	budget -= n;
	for (uint64_t i = 0; i < n; i++)
		sum += weight[i] = 1 + skewed(f, 10);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t share =
			i + 1 == n ? budget
				   : (uint64_t)((double)budget * (double)weight[i] / (double)sum);

		sum -= weight[i];
		budget -= share;
		make_dir(f, share);
	}
}

static uint64_t
files_here(struct filling *f, uint64_t budget)
{
	uint64_t n = 2 + skewed(f, 9);

	if (below(f, 600) == 0)
		n += 2000 + skewed(f, 15);
	if (n + 3 > budget || f->job->level == MAX_LEVEL)
		return budget;
	return n;
}

static void
fill(struct work *w, const struct job *j)
{
	struct filling f = {.work = w, .job = j, .random = j->seed};
	uint64_t n;

	f.fd = open(j->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f.fd < 0)
		fail(&f, "open");
	n = files_here(&f, j->budget);
	make_files(&f, n);
	if (n < j->budget)
		make_dirs(&f, j->budget - n);
	set_owner(&f, f.fd);
	set_times(&f, false);
	(void)close(f.fd);
}

static struct job *
pop(struct work *w)
{
	struct job *j;

	(void)pthread_mutex_lock(&w->lock);
	w->n_busy--;
	while (!w->jobs && w->n_busy > 0)
		(void)pthread_cond_wait(&w->more, &w->lock);
	j = w->jobs;
	if (j) {
		w->jobs = j->next;
		w->n_busy++;
	} else {
		(void)pthread_cond_broadcast(&w->more);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return j;
}

static void
job_free(struct job *j)
{
	free(j->path);
	free(j->above);
	free(j);
}

static void *
worker(void *arg)
{
	struct work *w = arg;
	struct job *j;

	while ((j = pop(w))) {
		fill(w, j);
		job_free(j);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	struct work w = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.more = PTHREAD_COND_INITIALIZER,
		.n_busy = N_THREADS, /* each thread's first pop() gives its place back */
	};
	pthread_t thread[N_THREADS];
	struct job *top = calloc(1, sizeof(*top));

	if (argc < 2 || argc > 4 || !top) {
		(void)fputs("usage: bench_million DIR [N [SEED]]\n", stderr);
		return 2;
	}
	(void)umask(0);
	if (mkdir(argv[1], 0755) < 0 && errno != EEXIST) {
		perror(argv[1]);
		return 1;
	}
	top->path = strdup(argv[1]);
	top->above = strdup("");
	top->budget = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	top->seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	push(&w, top);
	for (unsigned i = 0; i < N_THREADS; i++) {
		if (pthread_create(&thread[i], NULL, worker, &w) != 0)
			return 1;
	}
	for (unsigned i = 0; i < N_THREADS; i++)
		(void)pthread_join(thread[i], NULL);
	return 0;
}
