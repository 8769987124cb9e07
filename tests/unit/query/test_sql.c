#include "forest.h"

#include <grp.h>
#include <pwd.h>

#include "query/sql.h"
#include "sync/stop.h"
#include "sync/thread.h"

static struct forest forest;

static void
plant_forest(void)
{
	CHECK_INT(sql_setup(), 0);
	forest_grow(&forest, 11, 500);
}

static void
fell_forest(void)
{
	forest_fell(&forest);
}

TestSuite(sql, .init = plant_forest, .fini = fell_forest);

static const struct sql_opts plain = {.deadline = USEC_NEVER};

/* ---- what a statement answers, as lines ---- */

static void
put_value(struct strbuf *out, const struct sql_value *v)
{
	char buf[64];

	switch (v->kind) {
	case SQL_NULL:
		return;
	case SQL_INTEGER:
		(void)strbuf_i64(out, v->integer);
		return;
	case SQL_REAL:
		(void)snprintf(buf, sizeof(buf), "%.15g", v->real);
		(void)strbuf_puts(out, buf);
		if (!strpbrk(buf, ".en"))
			(void)strbuf_puts(out, ".0");
		return;
	case SQL_TEXT:
	case SQL_BLOB:
		(void)strbuf_span(out, v->bytes);
	}
}

struct lines {
	char **line;
	size_t n, cap;
};

static void
lines_add(struct lines *l, const char *text)
{
	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 64;
		l->line = realloc(l->line, l->cap * sizeof(*l->line));
	}
	l->line[l->n++] = strdup(text);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
lines_fini(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->line[i]);
	free(l->line);
	*l = (struct lines){0};
}

static struct sql *
open_sql(const char *text, const struct sql_opts *opts)
{
	struct sql *q = NULL;
	struct err err = {0};
	int r = sql_open(forest.snapshot, span_of(text), opts, &q, &err);

	cr_assert(r == 0, "%s: %s (column %u)", text, err.what, err.pos);
	return q;
}

static struct sql_stats
answer(const char *text, struct lines *ret)
{
	struct sql *q = open_sql(text, &plain);
	struct sql_stats stats;
	struct err err = {0};
	int r;

	while ((r = sql_next(q, &err)) == 1) {
		AUTO(strbuf_fini) struct strbuf line = {0};

		for (uint32_t i = 0; i < sql_columns(q); i++) {
			struct sql_value v;

			(void)strbuf_puts(&line, i ? "|" : "");
			sql_get(q, i, &v);
			put_value(&line, &v);
		}
		lines_add(ret, line.data);
	}
	cr_assert(r == 0, "%s: %s", text, err.what);
	sql_get_stats(q, &stats);
	CHECK_INT(stats.n_rows, ret->n);
	sql_close(q);
	return stats;
}

/* ---- the oracle: a real table of the same rows in the sqlite3 shell ---- */

static void
put_text(FILE *f, const char *text)
{
	(void)fputs("CAST(x'", f);
	for (const char *p = text; *p; p++)
		(void)fprintf(f, "%02x", (unsigned char)*p);
	(void)fputs("' AS TEXT),", f);
}

static const char *
ext_of(const struct plant *p)
{
	const char *dot = p->name[0] && !p->dir ? strrchr(p->name + 1, '.') : NULL;

	return dot ? dot + 1 : "";
}

static void
put_owners(FILE *f, const struct plant *p)
{
	char number[16];
	const struct passwd *pw = getpwuid(p->uid);
	const struct group *gr = getgrgid(p->gid);

	(void)snprintf(number, sizeof(number), "%u", p->uid);
	put_text(f, pw ? pw->pw_name : number);
	(void)snprintf(number, sizeof(number), "%u", p->gid);
	put_text(f, gr ? gr->gr_name : number);
}

static int64_t
seconds(int64_t ns)
{
	return ns >= 0 ? ns / NSEC_PER_SEC : -((-ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC);
}

static void
full_path(const struct plant *p, char *out, size_t size)
{
	(void)snprintf(out, size, "%s%s%s", forest_roots[p->root], p->path[0] ? "/" : "", p->path);
}

static const char *
type_of(const struct plant *p)
{
	return S_ISREG(p->mode) ? "f" : S_ISDIR(p->mode) ? "d" : S_ISLNK(p->mode) ? "l" : "p";
}

/* path, name, dir, and what both tables have in this order. */
static void
put_place(FILE *f, const struct plant *p)
{
	char path[2048], dir[2048];

	full_path(p, path, sizeof(path));
	(void)snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = '\0';
	put_text(f, path);
	put_text(f, strrchr(path, '/') + 1);
	put_text(f, dir);
}

static void
put_file(FILE *f, const struct plant *p)
{
	(void)fputs("INSERT INTO files VALUES(", f);
	put_place(f, p);
	put_text(f, ext_of(p));
	put_text(f, type_of(p));
	(void)fprintf(f, "%llu,%llu,%lld,%lld,%u,", (unsigned long long)p->size,
		(unsigned long long)p->size / 512, (long long)seconds(p->mtime_ns),
		(long long)seconds(p->ctime_ns), p->mode & 07777);
	put_owners(f, p);
	(void)fprintf(f, "%u,%u,%llu,%u,%u,", p->uid, p->gid, (unsigned long long)p->ino, p->nlink,
		p->depth);
	put_text(f, strrchr(forest_roots[p->root], '/') + 1);
	(void)fprintf(f, "%lld,%lld);\n", (long long)p->mtime_ns, (long long)p->ctime_ns);
}

static bool
is_below(const struct plant *p, const struct plant *dir)
{
	size_t len = strlen(dir->path);

	return p->root == dir->root && p != dir &&
	       (len == 0 || (strncmp(p->path, dir->path, len) == 0 && p->path[len] == '/'));
}

/* As du counts: of the links to one inode the first. */
static void
put_dir(FILE *f, const struct plant *d)
{
	unsigned long long size = d->size, blocks = d->size / 512;
	uint32_t n = 0, n_dirs = 0, n_children = 0;
	bool seen[4096] = {false};

	for (uint32_t e = 0; e < tree_cols(forest.snapshot->roots[d->root].tree)->n_entries; e++) {
		const struct plant *p = forest_at(&forest, d->root, e);

		if (!is_below(p, d))
			continue;
		n++;
		n_dirs += p->entered;
		n_children += &forest.plant[p->parent] == d;
		if (!p->dir && p->nlink > 1 && seen[p->ino])
			continue;
		seen[p->ino] = seen[p->ino] || (!p->dir && p->nlink > 1);
		size += p->size;
		blocks += p->size / 512;
	}
	(void)fputs("INSERT INTO dirs VALUES(", f);
	put_place(f, d);
	(void)fprintf(f, "%u,%llu,%llu,%u,%u,%u,%lld,%lld,%u,", d->depth, size, blocks, n, n_dirs,
		n_children, (long long)seconds(d->mtime_ns), (long long)seconds(d->ctime_ns),
		d->mode & 07777);
	put_owners(f, d);
	(void)fprintf(f, "%u,%u,%llu,", d->uid, d->gid, (unsigned long long)d->ino);
	put_text(f, strrchr(forest_roots[d->root], '/') + 1);
	(void)fprintf(f, "%lld,%lld);\n", (long long)d->mtime_ns, (long long)d->ctime_ns);
}

static FILE *
oracle_begin(char *path, size_t size)
{
	FILE *f;

	(void)snprintf(path, size, "%s/oracle.sql", forest.dir);
	f = fopen(path, "w");
	(void)fputs(".bail on\n.mode list\n.separator |\nBEGIN;\n"
		    "CREATE TABLE files(path TEXT, name TEXT, dir TEXT, ext TEXT, type TEXT, "
		    "size INTEGER, blocks INTEGER, mtime INTEGER, ctime INTEGER, mode INTEGER, "
		    "user TEXT, \"group\" TEXT, uid INTEGER, gid INTEGER, inode INTEGER, "
		    "links INTEGER, depth INTEGER, root TEXT, mtime_ns INTEGER, "
		    "ctime_ns INTEGER);\n"
		    "CREATE TABLE dirs(path TEXT, name TEXT, dir TEXT, depth INTEGER, "
		    "size INTEGER, blocks INTEGER, n_entries INTEGER, n_dirs INTEGER, "
		    "n_children INTEGER, mtime INTEGER, ctime INTEGER, mode INTEGER, user TEXT, "
		    "\"group\" TEXT, uid INTEGER, gid INTEGER, inode INTEGER, root TEXT, "
		    "mtime_ns INTEGER, ctime_ns INTEGER);\n",
		f);
	for (uint32_t i = 0; i < forest.n; i++)
		put_file(f, &forest.plant[i]);
	for (uint32_t i = 0; i < forest.n; i++)
		if (forest.plant[i].entered)
			put_dir(f, &forest.plant[i]);
	(void)fputs("COMMIT;\n", f);
	return f;
}

static bool
is_ordered(const char *text)
{
	return strstr(text, "order by") != NULL;
}

static void
compare(const char *text, struct lines *ours, struct lines *theirs)
{
	if (!is_ordered(text) && ours->n > 0)
		qsort(ours->line, ours->n, sizeof(char *), by_text);
	if (!is_ordered(text) && theirs->n > 0)
		qsort(theirs->line, theirs->n, sizeof(char *), by_text);
	for (size_t i = 0; i < MIN(ours->n, theirs->n); i++)
		cr_assert(strcmp(ours->line[i], theirs->line[i]) == 0,
			"%s: row %zu is %s, expected %s", text, i, ours->line[i], theirs->line[i]);
	cr_assert(ours->n == theirs->n, "%s: %zu rows, expected %zu", text, ours->n, theirs->n);
}

/* Every statement here and there. */
static void
check_statements(const char *const *texts, size_t n)
{
	char path[512], command[1100], line[65536];
	FILE *f = oracle_begin(path, sizeof(path));

	for (size_t i = 0; i < n; i++)
		(void)fprintf(f, "%s;\nSELECT char(1);\n", texts[i]);
	CHECK_INT(fclose(f), 0);
	(void)snprintf(command, sizeof(command), "sqlite3 :memory: < %s 2>&1", path);
	f = popen(command, "r");
	CHECK(f != NULL);
	for (size_t i = 0; i < n; i++) {
		struct lines ours = {0}, theirs = {0};

		while (fgets(line, sizeof(line), f) && strcmp(line, "\1\n") != 0) {
			line[strcspn(line, "\n")] = '\0';
			lines_add(&theirs, line);
		}
		(void)answer(texts[i], &ours);
		compare(texts[i], &ours, &theirs);
		lines_fini(&ours);
		lines_fini(&theirs);
	}
	CHECK_INT(pclose(f), 0);
}

static const char *const statements[] = {
	"select count(*) from files",
	"select path, name, dir, ext, type, size, blocks, mtime, ctime, mode, user, "
	"\"group\", "
	"uid, gid, inode, links, depth, root, mtime_ns, ctime_ns from files",
	"select * from dirs",
	"select path from files where size > 5000",
	"select path from files where size >= 5000.5 and size < 1e4",
	"select path from files where size between 100 and 9000 and type = 'f'",
	"select path from files where size = 0",
	"select path from files where size = '0'",
	"select path from files where size > 'x'",
	"select path from files where size < 'x'",
	"select path from files where size = null",
	"select path from files where size in (0, 1, 2, 4096)",
	"select path from files where size in (select size from files where name = 'foo')",
	"select path from files where size > -1",
	"select path from files where size < -1",
	"select path from files where size > 9223372036854775807",
	"select path from files where size < 1e300 and size > -1e300",
	"select path from files where name = 'foo'",
	"select path from files where name = 'FOO' collate nocase",
	"select path from files where name = 'foo ' collate rtrim",
	"select path from files where name in ('foo', 'Foo', 'one', '')",
	"select path from files where name = 12",
	"select path from files where name like 'foo'",
	"select path from files where name like 'FOO%'",
	"select path from files where name like '%.c'",
	"select path from files where name like 'f_o%'",
	"select path from files where name like '%'",
	"select path from files where name like ''",
	"select path from files where name like null",
	"select path from files where name like '\xc3\xa9t%'",
	"select path from files where name like '%\xc3\xa9'",
	"select path from files where name like 'k'",
	"select path from files where name like 'one'",
	"select path from files where name like 'a%' escape 'x'",
	"select path from files where name not like '%o%'",
	"select path from files where name glob '*.c'",
	"select path from files where name glob '[fF]oo*'",
	"select path from files where name glob '*[^]a-m]'",
	"select path from files where name glob '[*'",
	"select path from files where name glob 't?o'",
	"select path from files where name glob 'bad*' or size = 3",
	"select path from files where name glob '*-*' and name like '%B%'",
	"select path from files where path = '/r/one'",
	"select path from files where path = '/r/one/'",
	"select path from files where path = '/r/one/nested'",
	"select path from files where path in (select path from files where depth = 2)",
	"select path from files where path like '/r/one/%'",
	"select path from files where path like '/R/TWO/a%'",
	"select path from files where path like '%ne/nes%'",
	"select path from files where path like '%/foo%' and path like '%one%'",
	"select path from files where path like 'r/%'",
	"select path from files where path like '/r%'",
	"select path from files where path glob '/r/one/*'",
	"select path from files where path glob '/r/two/*/foo'",
	"select path from files where path glob '*wo/?'",
	"select path from files where path > '/r/one/a' and path < '/r/one/b'",
	"select path from files where dir = '/r'",
	"select path from files where dir = '/r/one'",
	"select path from files where dir = '/r/one' and name like 'f%'",
	"select path from files where dir = '/r/one/' or dir = 5",
	"select path from files where dir like '/r/one%'",
	"select path from files where ext = 'c'",
	"select path from files where ext = 'C' collate nocase",
	"select path from files where ext in ('c', 'gz', 'PY')",
	"select path from files where ext = ''",
	"select path from files where ext = 'b.c' or ext = 'tar.gz'",
	"select path from files where type in ('d', 'l')",
	"select path from files where type = 'F'",
	"select path from files where type = 'F' collate nocase",
	"select path from files where type != 'f'",
	"select path from files where mtime < 0",
	"select path from files where mtime >= 86400000 and mtime < 200000000",
	"select path from files where mtime = 86400",
	"select path from files where mtime_ns > 100000000000000001",
	"select path from files where mtime_ns <= -1",
	"select path from files where ctime > 1e8",
	"select path from files where datetime(mtime, 'unixepoch') < '1975-01-01'",
	"select path from files where mode = 420",
	"select path from files where mode & 73 and type = 'f'",
	"select path from files where user = 'daemon'",
	"select path from files where user in ('root', 'bin', 'nobody')",
	"select path from files where user = 'ROOT' collate nocase",
	"select path from files where \"group\" = 'root' and uid = 1",
	"select path from files where uid in (0, 2) and gid = 1",
	"select path from files where uid = -1 or uid = 4294967296",
	"select path from files where links > 1 and inode = 1010",
	"select path from files where inode between 1001 and 1003",
	"select path from files where depth < 2",
	"select path from files where depth = 0",
	"select path from files where root = 'two' and ext = 'h'",
	"select path from files where root = 'none'",
	"select path from files where not (size > 10 and type = 'f')",
	"select ext, count(*), sum(size) from files group by ext order by ext",
	"select ext, count(*) from files group by ext having count(*) > 3",
	"select type, avg(size), min(mtime), max(mtime) from files group by type order by "
	"1",
	"select user, \"group\", count(*) from files group by 1, 2",
	"select distinct name from files order by name",
	"select distinct size from files where type = 'f'",
	"select dir, count(*) from files group by dir order by count(*) desc, dir",
	"select path from files order by path",
	"select path from files order by path desc limit 20",
	"select size, path from files order by size desc, path limit 17 offset 3",
	"select name, path from files where name like '%o%' order by name, path",
	"select name from files where name like '%o%' order by name desc",
	"select mtime from files order by mtime desc",
	"select mtime, name, path from files order by mtime, name, path",
	"select ext, name, path from files order by ext desc, name, path",
	"select size from files where path like '%/f%' order by size",
	"select inode, group_concat(path) from (select * from files order by path) "
	"where links > 1 and type = 'f' group by inode having count(*) > 1",
	"select a.path, b.path from files a join files b on a.dir = b.path and b.depth = 1",
	"select d.path, count(f.path), sum(f.size) from dirs d left join files f "
	"on f.dir = d.path group by d.path",
	"select a.name, a.path, b.path from files a join files b on a.name = b.name "
	"where a.root = 'one' and b.root = 'two' and a.size > 15000 and b.size > 15000",
	"select f.path from files f where not exists "
	"(select 1 from files g where g.dir = f.path) and f.type = 'd'",
	"select path from files where size = (select max(size) from files)",
	"select (select count(*) from files f where f.dir = d.path), d.n_children, d.path "
	"from dirs d",
	"select path, size, n_entries from dirs where size > 40000 order by size desc, "
	"path",
	"select path from dirs where path = '/r/two' or path = '/r/one/nested'",
	"select path from dirs where dir = '/r/one'",
	"select path from dirs where dir = '/r'",
	"select path from dirs where name like 'a%' and depth > 1",
	"with recursive up(p) as (values('/r/one/a') union all select dir from up join "
	"files "
	"on path = p) select * from up",
	"with big as (select * from files where size > 10000) select count(*) from big a, "
	"big b "
	"where a.size = b.size",
	"select name, size, rank() over (partition by ext order by size desc, path) r, "
	"path "
	"from files where type = 'f'",
	"select json_group_array(n) from (select distinct name n from files where ext = "
	"'c' "
	"order by 1)",
	"select path from files where size > 100 union select path from dirs",
	"select path from files where size > 100 except select path from files where ext = "
	"'c'",
	"select count(*) from files a, files b where a.inode = b.inode and a.depth < 3 "
	"and b.depth < 3",
	"select max(length(path)), upper(max(name)) from files",
	"values (1, 2.5, 'x', null), (0.1, -3, x'41', 7)",
	"select 1 where 0",
};

TEST(sql, statements_answer_as_they_do_over_a_real_table)
{
	check_statements(statements, ARRAY_LEN(statements));
}

/* ---- statements nobody thought of ---- */

static void
roll_test(struct strbuf *out)
{
	static const char *const numbers[] = {"size", "mtime", "ctime", "inode", "links", "depth",
		"uid", "gid", "mode", "blocks", "mtime_ns"};
	static const char *const texts[] = {"name", "path", "dir", "ext", "type", "user", "root"};
	static const char *const ops[] = {"=", "<", "<=", ">", ">=", "<>"};
	static const char *const words[] = {"foo", "FOO", "a", "b", "c", "f", "d", "/r/one", "one",
		"/r/two/a", "root", "daemon", "gz", "foo.c", "", "/r/one/nested", "two"};
	static const char *const likes[] = {"%o%", "f%", "%.c", "/r/%", "%/a/%", "_", "a%b", "%E/%",
		"/r/one/a%", "%one/n%", "FOO%", "%-%", "%/r/t%"};
	static const char *const globs[] = {"*o*", "f*", "*.[ch]", "/r/*", "*/a/*", "?", "a*b",
		"/r/one/*", "*[A-Z]*", "*\xff*"};
	const char *number = numbers[roll(ARRAY_LEN(numbers))];

	switch (roll(7)) {
	case 0:
	case 1:
		(void)strbuf_printf(out, "%s %s %d", number, ops[roll(6)], (int)roll(2000) - 10);
		break;
	case 2:
		(void)strbuf_printf(out, "%s %s %u", roll(2) ? "mtime" : "size", ops[roll(6)],
			roll(300) * (roll(2) ? 100 : 1000000));
		break;
	case 3:
		(void)strbuf_printf(out, "%s %s '%s'", texts[roll(ARRAY_LEN(texts))], ops[roll(6)],
			words[roll(ARRAY_LEN(words))]);
		break;
	case 4:
		(void)strbuf_printf(out, "%s %slike '%s'", texts[roll(3)], roll(5) ? "" : "not ",
			likes[roll(ARRAY_LEN(likes))]);
		break;
	case 5:
		(void)strbuf_printf(out, "%s %sglob '%s'", texts[roll(3)], roll(5) ? "" : "not ",
			globs[roll(ARRAY_LEN(globs))]);
		break;
	default:
		(void)strbuf_printf(out, "%s in ('%s', '%s', '%s')", texts[roll(ARRAY_LEN(texts))],
			words[roll(ARRAY_LEN(words))], words[roll(ARRAY_LEN(words))],
			words[roll(ARRAY_LEN(words))]);
		break;
	}
}

TEST(sql, random_conditions_answer_as_they_do_over_a_real_table)
{
	size_t n = 60 + test_scale(20000);
	char **texts = calloc(n, sizeof(*texts));

	for (size_t i = 0; i < n; i++) {
		static const char *const sorts[] = {"", "", " order by path",
			" order by size, path", " order by name desc, path",
			" order by mtime_ns, path"};
		struct strbuf text = {0};

		(void)strbuf_puts(&text, "select path, size from files where ");
		for (uint32_t k = 0, terms = 1 + roll(4); k < terms; k++) {
			(void)strbuf_puts(&text, k == 0 ? "" : roll(4) ? " and " : " or ");
			(void)strbuf_puts(&text, roll(8) ? "" : "not ");
			roll_test(&text);
		}
		(void)strbuf_puts(&text, sorts[roll(ARRAY_LEN(sorts))]);
		texts[i] = strbuf_take(&text);
	}
	check_statements((const char *const *)texts, n);
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

/* ---- what is handed down ---- */

static uint64_t
scanned(const char *text, size_t *ret_rows)
{
	struct lines lines = {0};
	struct sql_stats stats = answer(text, &lines);

	*ret_rows = lines.n;
	lines_fini(&lines);
	return stats.n_scanned;
}

TEST(sql, the_index_gives_only_rows_that_the_comparisons_admit)
{
	static const struct {
		const char *text;
		uint32_t more; /* the roots themselves, or what only SQLite can tell apart */
	} rows[] = {
		{"select path from files where size > 15000", 0},
		{"select path from files where size >= 100 and size < 5000 and type = 'f'", 0},
		{"select path from files where ext in ('h', 'gz') and links = 1", 0},
		{"select path from files where mtime >= 86400000 and mtime < 172800000", 0},
		{"select path from files where user = 'bin' and depth > 2", 0},
		{"select path from files where mode = 420", 0},
		{"select path from files where inode = 1010", 0},
		{"select path from files where path = '/r/one'", 0},
		{"select path from files where dir = '/r/two'", 0},
		{"select path from files where name = 'tar.gz'", 200},
		{"select path from files where name like '%.py'", FOREST_ROOTS},
		{"select path from files where path glob '/r/one/nested/*'", 100},
		{"select path from files('/r/one/nested')", 0},
		{"select path from files('/r/one') where type = 'd'", 0},
		{"select path from files where size > 15000 order by size desc", 0},
		{"select path from dirs where dir = '/r/one'", 0},
		{"select path from dirs where path = '/r/one/nested'", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n;
		uint64_t seen = scanned(rows[i].text, &n);

		cr_assert(seen <= n + rows[i].more, "%s: %zu rows of %llu", rows[i].text, n,
			(unsigned long long)seen);
	}
}

static bool
explains(const char *statement, const char *part)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct lines lines = {0};
	bool found = false;

	(void)strbuf_printf(&text, "explain query plan %s", statement);
	(void)answer(text.data, &lines);
	for (size_t i = 0; i < lines.n; i++)
		found = found || strstr(lines.line[i], part);
	lines_fini(&lines);
	return found;
}

TEST(sql, the_plan_shows_what_is_handed_down)
{
	CHECK(explains("select 1 from files where size > 5 and ext = 'c'", ":size>? ext=?"));
	CHECK(explains("select 1 from files where ext in ('c','h')", ":ext in ?"));
	CHECK(explains("select 1 from files where name like 'a%'", ":name like ?"));
	CHECK(explains("select 1 from files('/r/one')", ":below=?"));
	CHECK(explains("select 1 from files order by size desc", ":order by -size"));
	CHECK(!explains("select 1 from files order by size desc", "TEMP B-TREE"));
	CHECK(!explains("select ext, count(*) from files group by ext", "TEMP B-TREE"));
	CHECK(explains("select * from dirs d join files f on f.dir = d.path", ":dir=?"));
	CHECK(explains("select * from files f join dirs d on f.path = d.path", ":path=?"));
}

TEST(sql, an_argument_means_what_in_means)
{
	static const char *const dirs[] = {"/r/one", "/r/one/", "/r//one", "/r/one/nested", "/r",
		"/", "/nowhere", "a", "", "/r/one/a"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		AUTO(strbuf_fini) struct strbuf text = {0}, wanted = {0};
		struct cursor_opts opts = {.deadline = USEC_NEVER};
		struct cursor *c;
		struct hit hit;
		size_t n = 0, rows;

		(void)strbuf_printf(&text, "select path from files('%s')", dirs[i]);
		(void)strbuf_printf(&wanted, "in:\"%s\"", dirs[i]);
		if (dirs[i][0]) {
			c = ask_cursor(forest.snapshot, wanted.data, &opts);
			while (cursor_next(c, &hit) == 1)
				n++;
			cursor_close(c);
		}
		(void)scanned(text.data, &rows);
		cr_assert(rows == n, "%s: %zu rows, expected %zu", text.data, rows, n);
		strbuf_reset(&text);
		(void)strbuf_printf(&text,
			"select count(*) = (select count(*) from files('%s') f join dirs d on "
			"f.path = d.path and f.root = d.root where d.depth = f.depth) "
			"from dirs where below = '%s'",
			dirs[i], dirs[i]);
		{
			struct lines lines = {0};

			(void)answer(text.data, &lines);
			CHECK_STR(lines.line[0], "1");
			lines_fini(&lines);
		}
	}
}

TEST(sql, an_argument_may_come_from_another_table)
{
	size_t n, all;

	(void)scanned(
		"select f.path from dirs d, files(d.path) f where d.depth = 1 and d.root = 'two'",
		&n);
	(void)scanned("select path from files where depth > 1 and root = 'two'", &all);
	CHECK_INT(n, all);
}

/* ---- what is refused ---- */

static void
check_refused(const char *text, int code, const char *part)
{
	struct sql *q = NULL;
	struct err err = {0};
	int r = sql_open(forest.snapshot, span_of(text), &plain, &q, &err);

	while (r >= 0 && (r = sql_next(q, &err)) == 1)
		;
	sql_close(q);
	cr_assert(r == code, "%s: %d, expected %d (%s)", text, r, code, err.what);
	cr_assert(strstr(err.what, part) != NULL, "%s: %s", text, err.what);
	CHECK(strchr(err.what, '\n') == NULL && err.code == code);
}

TEST(sql, everything_but_a_question_over_our_tables_is_refused)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{"insert into files(path) values('x')", ""},
		{"update files set size = 0", ""},
		{"delete from files", ""},
		{"create table t(a)", "only questions"},
		{"create temp table t(a)", "only questions"},
		{"create view v as select 1", "only questions"},
		{"create temp trigger x after insert on files begin select 1; end", ""},
		{"create virtual table t using fts5(a)", ""},
		{"create virtual table temp.t using files", ""},
		{"drop table files", ""},
		{"alter table files rename to x", ""},
		{"attach 'x.db' as x", ""},
		{"attach ':memory:' as x", ""},
		{"detach main", "only questions"},
		{"pragma table_info(files)", "only questions"},
		{"pragma temp_store_directory = '/tmp'", "only questions"},
		{"pragma writable_schema = on", "only questions"},
		{"vacuum", "only questions"},
		{"vacuum into '/tmp/stolen'", "only questions"},
		{"analyze", ""},
		{"reindex", "only questions"},
		{"begin", "only questions"},
		{"commit", "only questions"},
		{"savepoint x", "only questions"},
		{"select load_extension('x')", "load_extension"},
		{"select fts3_tokenizer('x')", "fts3_tokenizer"},
		{"select sqlite_compileoption_get(1)", "not allowed"},
		{"select name from sqlite_master", "no table \"sqlite_master\""},
		{"select name from sqlite_schema", "no table"},
		{"select name from sqlite_temp_schema", "no table"},
		{"select * from pragma_database_list", "no"},
		{"select * from pragma_table_info('files')", "no"},
		{"select * from dbstat", "no such table"},
		{"select * from sqlite_stmt", "no such table"},
		{"select * from json_each('[1]')", "no"},
		{"select * from json_tree('[1]')", "no"},
		{"select * from bytecode('select 1')", "no"},
		{"select * from tables_used('select 1')", "no"},
		{"select * from anything", "no such table"},
		{"select anything from files", "no such column"},
		{"select path from files where name = \"foo\"", "no such column"},
		{"select edit('x')", "no such function"},
		{"select readfile('/etc/passwd')", "no such function"},
		{"select ?1", "parameter"},
		{"select 1; select 2", "more than one"},
		{"select 1; drop table files", "more than one"},
		{"", "no statement"},
		{"-- nothing", "no statement"},
		{"select", "incomplete"},
		{"select * frm files", "syntax error"},
		{"select 'unclosed", "unrecognized token"},
		{"select path from files where size >", "incomplete"},
		{"select * from files('a', 'b')", "too many arguments"},
		{"explain", "incomplete"},
		{"select count(*) from files where name match 'x'", ""},
		{"select count(*) from files where name regexp 'x'", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_refused(rows[i].text, -EINVAL, rows[i].part);
}

TEST(sql, a_refusal_points_at_the_place)
{
	struct sql *q = NULL;
	struct err err = {0};

	CHECK_INT(sql_open(forest.snapshot, SPAN_LIT("select path frm files"), &plain, &q, &err),
		-EINVAL);
	CHECK_INT(err.pos, 17);
	err = (struct err){0};
	CHECK_INT(sql_open(forest.snapshot, SPAN_LIT("select pth from files"), &plain, &q, &err),
		-EINVAL);
	CHECK_INT(err.pos, 8);
	CHECK(strstr(err.hint, "single quotes") != NULL);
	err = (struct err){0};
	CHECK_INT(sql_open(forest.snapshot, SPAN_LIT("select 1; select 2"), &plain, &q, &err),
		-EINVAL);
	CHECK_INT(err.pos, 10);
}

TEST(sql, blanks_and_comments_may_follow_a_statement)
{
	struct lines lines = {0};

	(void)answer("select 1 ; -- done\n /* really */ ; ", &lines);
	CHECK_INT(lines.n, 1);
	lines_fini(&lines);
}

/* ---- limits ---- */

static const char endless[] =
	"with recursive n(i) as (values(1) union all select i + 1 from n) select max(i) from n";

static const char many_rows[] = "with recursive n(i) as (values(1) union all select i + 1 from n) "
				"select i from n";

TEST(sql, an_endless_statement_ends_at_its_deadline)
{
	static const char *const texts[] = {endless,
		"select count(*) from files a, files b, files c, files d, files e where a.size + "
		"b.size + c.size + d.size + e.size < 0",
		"with recursive n(i) as (values(1) union all select i + 1 from n, files where i < "
		"1e15) select sum(i) from n",
		"select count(*) from dirs a, dirs b, dirs c, dirs d where a.size < b.size - "
		"c.size * "
		"d.size"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sql_opts opts = {.deadline = clock_deadline(20 * USEC_PER_MSEC)};
		struct sql *q = open_sql(texts[i], &opts);
		struct err err = {0};
		usec_t began = clock_mono();

		CHECK_INT(sql_next(q, &err), -ETIMEDOUT);
		CHECK_INT(sql_next(q, NULL), -ETIMEDOUT);
		CHECK(clock_mono() - began < 5 * USEC_PER_SEC);
		sql_close(q);
	}
}

static int
stop_soon(void *arg)
{
	stop_request(arg);
	return 0;
}

TEST(sql, a_token_ends_it)
{
	struct stop stop;
	struct thread thread;
	struct sql_opts opts = {.deadline = USEC_NEVER, .stop = &stop};
	struct sql *q;

	stop_init(&stop, NULL);
	q = open_sql(endless, &opts);
	CHECK_INT(thread_start(&thread, "stopper", stop_soon, &stop), 0);
	CHECK_INT(sql_next(q, NULL), -ECANCELED);
	CHECK_INT(thread_join(&thread), 0);
	sql_close(q);
	CHECK_INT(sql_open(forest.snapshot, SPAN_LIT("select 1"), &opts, &q, NULL), -ECANCELED);
	stop_fini(&stop);
}

TEST(sql, a_statement_that_needs_too_much_memory_ends_with_a_sentence)
{
	static const char *const texts[] = {
		"with recursive n(i) as (values(1) union all select i + 1 from n limit 1000000) "
		"select count(*) from (select distinct i, hex(randomblob(50)) from n)",
		"with recursive n(i) as (values(1) union all select i + 1 from n limit 1000000) "
		"select i, hex(randomblob(50)) r from n order by r",
		"select a.path || b.path p from files a, files b order by p",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sql_opts opts = {.deadline = USEC_NEVER, .memory_bytes = 4 << 20};
		struct sql *q = open_sql(texts[i], &opts);
		struct err err = {0};
		struct sql_stats stats;

		CHECK_INT(sql_next(q, &err), -E2BIG);
		cr_assert(strstr(err.what, "more than 4 MiB") != NULL, "%s", err.what);
		sql_get_stats(q, &stats);
		CHECK(stats.most_bytes > 1 << 20 && stats.most_bytes <= 5 << 20);
		sql_close(q);
	}
}

TEST(sql, all_statements_together_have_a_limit)
{
	struct sql *q[8] = {NULL};
	struct err err = {0};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(q) && r != -E2BIG; i++) {
		struct sql_opts opts = {.deadline = USEC_NEVER, .memory_bytes = 200 << 20};

		q[i] = open_sql("with recursive n(i) as (values(1) union all select i + 1 from n "
				"limit 900) select hex(randomblob(100000)) r from n order by r",
			&opts);
		r = sql_next(q[i], &err);
		CHECK(r == 1 || r == -E2BIG);
	}
	CHECK_INT(r, -E2BIG);
	CHECK(strstr(err.what, "all statements together") != NULL);
	for (size_t i = 0; i < ARRAY_LEN(q); i++)
		sql_close(q[i]);
	q[0] = open_sql("select count(*) from files", &plain); /* all was given back */
	CHECK_INT(sql_next(q[0], NULL), 1);
	sql_close(q[0]);
}

TEST(sql, long_values_and_statements_are_refused)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct sql *q = NULL;

	check_refused("select zeroblob(1000000)", -E2BIG, "longer than");
	check_refused("select replace(hex(zeroblob(1000)), '0', hex(zeroblob(1000)))", -E2BIG,
		"longer than");
	check_refused(
		"with recursive n(i, t) as (select 1, 'xxxxxxxx' union all select i + 1, t || "
		"t from n) select max(length(t)) from n",
		-E2BIG, "longer than");
	(void)strbuf_puts(&text, "select '");
	while (text.len < SQL_MAX_BYTES)
		(void)strbuf_putc(&text, 'x');
	(void)strbuf_putc(&text, '\'');
	CHECK_INT(sql_open(forest.snapshot, strbuf_view(&text), &plain, &q, NULL), -E2BIG);
	CHECK_INT(sql_open(forest.snapshot, SPAN_LIT("select 1\0select 2"), &plain, &q, NULL),
		-EINVAL);
}

TEST(sql, bombs_of_syntax_are_refused_soon)
{
	AUTO(strbuf_fini) struct strbuf deep = {0}, wide = {0}, joins = {0}, nested = {0};
	struct sql_opts opts = {.deadline = clock_deadline(5 * USEC_PER_SEC)};
	const struct strbuf *all[] = {&deep, &wide, &joins, &nested};

	(void)strbuf_puts(&deep, "select ");
	for (int i = 0; i < 5000; i++)
		(void)strbuf_putc(&deep, '(');
	(void)strbuf_puts(&wide, "select 1");
	for (int i = 0; i < 200; i++)
		(void)strbuf_puts(&wide, " union select 1");
	(void)strbuf_puts(&joins, "select count(*) from files f0");
	for (int i = 1; i < 64; i++)
		(void)strbuf_printf(&joins, " join files f%d on f%d.size = f%d.inode", i, i, i - 1);
	(void)strbuf_puts(&nested, "with a0 as (select * from files)");
	for (int i = 1; i < 30; i++)
		(void)strbuf_printf(
			&nested, ", a%d as (select x.* from a%d x, a%d y)", i, i - 1, i - 1);
	(void)strbuf_puts(&nested, " select count(*) from a29");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		usec_t began = clock_mono();
		struct sql *q = NULL;
		int r = sql_open(forest.snapshot, strbuf_view(all[i]), &opts, &q, NULL);

		if (r == 0)
			r = sql_next(q, NULL);
		sql_close(q);
		CHECK(r == -EINVAL || r == -E2BIG || r == -ETIMEDOUT || r == 1);
		cr_assert(clock_mono() - began < 20 * USEC_PER_SEC, "%.60s took %llu ms",
			all[i]->data, (unsigned long long)(clock_mono() - began) / 1000);
	}
}

/* ---- resuming ---- */

static int
step_once(void *arg)
{
	return sql_next(arg, NULL);
}

TEST(sql, a_statement_goes_on_where_it_was_on_any_thread)
{
	struct sql *a = open_sql(many_rows, &plain);
	struct sql *b = open_sql("select path from files order by path", &plain);

	for (int64_t i = 1; i <= 20; i++) {
		struct thread t;
		struct sql_value v;

		CHECK_INT(thread_start(&t, "step", step_once, a), 0);
		CHECK_INT(thread_join(&t), 1);
		CHECK_INT(sql_next(b, NULL), 1);
		sql_get(a, 0, &v);
		CHECK_INT(v.integer, i);
		sql_get(b, 0, &v);
		CHECK(v.kind == SQL_TEXT && v.bytes.data[0] == '/');
	}
	sql_close(a);
	sql_close(b);
}

TEST(sql, columns_have_the_names_that_the_statement_gives)
{
	struct sql *q = open_sql("select path, size as bytes, count(*) over () from files", &plain);

	CHECK_INT(sql_columns(q), 3);
	CHECK_STR(sql_column_name(q, 0), "path");
	CHECK_STR(sql_column_name(q, 1), "bytes");
	CHECK_STR(sql_column_name(q, 2), "count(*) over ()");
	sql_close(q);
}
