#include "sql_rows.h"

#include <grp.h>
#include <pwd.h>

TestSuite(sql, .init = plant_forest, .fini = fell_forest);

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

	for (uint32_t e = 0; e < snapshot_cols(forest.snapshot, d->root)->n_entries; e++) {
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
		CHECK_SAY(strcmp(ours->line[i], theirs->line[i]) == 0,
			"%s: row %zu is %s, expected %s", text, i, ours->line[i], theirs->line[i]);
	CHECK_SAY(ours->n == theirs->n, "%s: %zu rows, expected %zu", text, ours->n, theirs->n);
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
	"select size, path from files order by size, path limit 5 offset -4",
	"select size, path from files order by size, path limit -1",
	"select size, path from files order by size, path limit 0",
	"select size, path from files order by size, path limit 3 + 4",
	"select size, path from files where type = 'f' order by size, path limit 9",
	"select size, path from files where type = 'f' or size > 9 order by size, path limit 9",
	"select size, path from files where length(name) = 3 order by size, path limit 9",
	"select size, path from files where size is not null order by size, path limit 9",
	"select path from files where path in (select path from files order by size desc, path "
	"limit 4) order by path",
	"select d.path, (select path from files f order by size desc, path limit 1) from dirs d "
	"order by d.path",
	"select size, path, (select path from files f where f.dir = g.dir order by size, path "
	"limit 1) "
	"from files g order by size, path limit 8",
	"select count(*) from (select * from files order by size limit 10)",
	"select sum(size) from files order by size limit 1",
	"select distinct size from files order by size limit 6",
	"select size, count(*) from files group by size order by size limit 6",
	"select size, row_number() over (order by size, path) from files order by size, path limit "
	"6",
	"select size from files union select depth from files order by 1 limit 4",
	"select a.size, b.path from files a, dirs b order by a.size, a.path, b.path limit 5",
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
