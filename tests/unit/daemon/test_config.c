#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/config.h"

struct fixture {
	char *dir;
	char file[4096];
};

static struct fixture
setup(const char *text)
{
	struct fixture f = {.dir = test_dir()};

	(void)snprintf(f.file, sizeof(f.file), "%s/trawld.conf", f.dir);
	test_write(f.dir, "trawld.conf", text);
	return f;
}

TEST(config, reads_every_section)
{
	struct fixture f = setup("[daemon]\nstate_dir = /s/\nthreads = 3\nlog_level = debug\n"
				 "[listen]\ntcp = 127.0.0.1:1 [::1]:2\nunix = /run/x\nunix_mode = "
				 "0660\nallow = root 12 @root\n"
				 "[limits]\nline = 8k\ntimeout = 500ms\nhash_cache = 1g\n"
				 "[root a b]\npath = /usr/\nexclude = *.o \"x y\"\ngitignore = "
				 "yes\ncontent_max_size = 2M\n");
	struct config *c;
	struct err err = {0};

	CHECK_SAY(config_load(f.file, &c, &err) == 0, "%s", err.what);
	CHECK_STR(c->state_dir, "/s");
	CHECK_INT(c->threads, 3);
	CHECK_INT(c->log_level, LOG_LEVEL_DEBUG);
	CHECK_STR(c->tcp[1], "[::1]:2");
	CHECK_INT(c->unix_mode, 0660);
	CHECK_INT(c->allow_uids.len, 2);
	CHECK_INT(c->allow_uids.data[1], 12);
	CHECK_INT(c->allow_gids.len, 1);
	CHECK_INT(c->limits.line_bytes, 8192);
	CHECK_INT(c->limits.time_default_usec, 500000);
	CHECK_INT(c->hash_cache_bytes, 1 << 30);
	CHECK_INT(c->roots.len, 1);
	CHECK_STR(c->roots.data[0].name, "a b");
	CHECK_STR(c->roots.data[0].path, "/usr");
	CHECK_STR(c->roots.data[0].exclude[1], "x y");
	CHECK(c->roots.data[0].gitignore && c->roots.data[0].one_file_system &&
		c->roots.data[0].content);
	CHECK_INT(c->roots.data[0].content_max_bytes, 2 << 20);
	config_free(c);
	test_dir_remove(f.dir);
}

TEST(config, later_dropins_replace_single_keys)
{
	struct fixture f = setup("[daemon]\nthreads = 1\nio_threads = 7\n[root a]\npath = /usr\n");
	struct config *c;

	test_write(f.dir, "trawld.conf.d/20-b.conf",
		"[daemon]\nthreads = 3\n[root a]\ncontent = no\n");
	test_write(f.dir, "trawld.conf.d/10-a.conf", "[daemon]\nthreads = 2\n");
	test_write(f.dir, "trawld.conf.d/ignored.txt", "nonsense");
	CHECK_INT(config_load(f.file, &c, NULL), 0);
	CHECK_INT(c->threads, 3);
	CHECK_INT(c->io_threads, 7);
	CHECK_INT(c->roots.len, 1);
	CHECK_STR(c->roots.data[0].path, "/usr");
	CHECK(!c->roots.data[0].content);
	config_free(c);
	test_dir_remove(f.dir);
}

TEST(config, says_file_and_line_of_what_is_wrong)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"[daemon]\nthreds = 1\n",
			"trawld.conf:2: there is no key \"threds\" in section [daemon]"},
		{"[root a]\npath = /usr\nexclude = *.o\nexclude = *.a\n",
			"trawld.conf:4: exclude is given in line 3 already: a list is one line"},
		{"[daemon]\nthreads = 1\n[listen]\n[daemon]\nthreads = 1\n",
			"trawld.conf:5: threads is given in line 2 already"},
		{"[demon]\n", "trawld.conf:1: there is no section [demon]"},
		{"[daemon]\nthreads = many\n",
			"trawld.conf:2: threads = \"many\" is wrong: expected a number"},
		{"[daemon]\nstate_dir = here\n", "expected an absolute path"},
		{"[root]\npath = /\n", "trawld.conf:1: the root has no name"},
		{"[daemon x]\n", "takes no name"},
		{"[root a]\ncontent = yes\n", "root \"a\" has no path"},
		{"[root a]\npath = /usr\n[root b]\npath = /usr/\n",
			"roots \"a\" and \"b\" have the same path"},
		{"[root a]\npath = /usr\nexclude = [abc\n", "root \"a\": exclude rule \"[abc\""},
		{"[listen]\nallow = no_such_user_here\n", "there is no user \"no_such_user_here\""},
		{"[listen]\nallow = @no_such_group_here\n",
			"there is no group \"no_such_group_here\""},
		{"[listen]\ntcp = 0.0.0.0:7411\n", "a listener beyond loopback needs"},
		{"[listen]\nunix = run/x\n", "expected an absolute path"},
		{"[limits]\ntimeout = 2h\n", "[limits] timeout must be"},
		{"[limits]\nfirst_line = 5 weeks\n", "expected a duration"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f = setup(cases[i].text);
		struct err err = {0};
		struct config *c;

		CHECK(config_load(f.file, &c, &err) < 0);
		CHECK_SAY(strstr(err.what, cases[i].says) != NULL, "\"%s\" lacks \"%s\"", err.what,
			cases[i].says);
		test_dir_remove(f.dir);
	}
}

TEST(config, prints_what_it_reads_back_the_same)
{
	struct fixture f = setup("[daemon]\nthreads = 5\n[limits]\nstall = 1500ms\n"
				 "[root a]\npath = /usr\nexclude = \"x \\\"y\" *.o\n");
	AUTO(strbuf_fini) struct strbuf first = {0};
	AUTO(strbuf_fini) struct strbuf second = {0};
	struct config *c;
	struct err err = {0};

	CHECK_INT(config_load(f.file, &c, NULL), 0);
	CHECK_INT(config_print(c, &first), 0);
	config_free(c);
	test_write(f.dir, "trawld.conf", first.data);
	CHECK_SAY(config_load(f.file, &c, &err) == 0, "%s", err.what);
	CHECK_INT(config_print(c, &second), 0);
	CHECK_STR(second.data, first.data);
	config_free(c);
	test_dir_remove(f.dir);
}

TEST(config, names_a_file_that_is_not_there)
{
	struct config *c;
	struct err err = {0};

	CHECK_INT(config_load("/nonexistent/trawld.conf", &c, &err), -ENOENT);
	CHECK_STR(err.what, "could not read the configuration \"/nonexistent/trawld.conf\": no "
			    "such file or directory");
}

TEST(config, tells_a_root_that_is_not_there)
{
	struct fixture f = setup("[root a]\npath = /nonexistent/tree\n");
	struct config *c;
	struct err err = {0};

	CHECK_INT(config_load(f.file, &c, NULL), 0);
	CHECK_INT(config_check_roots(c, &err), -ENOENT);
	CHECK_STR(err.what,
		"root \"a\": could not open \"/nonexistent/tree\": no such file or directory");
	config_free(c);
	test_dir_remove(f.dir);
}
