#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/account.h"
#include "index/text_builder.h"
#include "ini.h"
#include "server/listener.h"
#include "setting.h"

#define CONFIG_MAX_ROOTS 256u
#define MIN_INDEX_BYTES (16ull << 20)
#define MAX_SETTLE_USEC (60 * USEC_PER_SEC)
#define DEFAULT_PRESSURE_PERCENT 20
#define DEFAULT_HASH_CACHE_BYTES (64ull << 20)

/* Every key there is. `at` is an offset into struct config, for roots into struct engine_root. */
struct key {
	const char *section, *name;
	const struct setting_kind *kind;
	size_t at;
};

#define DAEMON(field) offsetof(struct config, field)
#define LIMIT(field) offsetof(struct config, limits.field)
#define ROOT(field) offsetof(struct engine_root, field)

static const struct key keys[] = {
	{"daemon", "state_dir", &setting_path, DAEMON(state_dir)},
	{"daemon", "threads", &setting_u32, DAEMON(threads)},
	{"daemon", "io_threads", &setting_u32, DAEMON(io_threads)},
	{"daemon", "index_memory", &setting_size, DAEMON(index_bytes)},
	{"daemon", "pressure", &setting_u32, DAEMON(pressure_percent)},
	{"daemon", "watch_max_dirs", &setting_u32, DAEMON(watch_max_dirs)},
	{"daemon", "log_level", &setting_level, DAEMON(log_level)},

	{"listen", "tcp", &setting_words, DAEMON(tcp)},
	{"listen", "unix", &setting_text, DAEMON(unix_path)}, /* empty: none */
	{"listen", "unix_mode", &setting_octal, DAEMON(unix_mode)},
	{"listen", "allow", &setting_words, DAEMON(allow)},
	{"listen", "admin", &setting_words, DAEMON(admin)},

	{"limits", "connections", &setting_u32, LIMIT(max_connections)},
	{"limits", "queries_per_user", &setting_u32, LIMIT(max_queries_principal)},
	{"limits", "line", &setting_size32, LIMIT(line_bytes)},
	{"limits", "rows", &setting_u64, LIMIT(rows_default)},
	{"limits", "timeout", &setting_duration, LIMIT(time_default_usec)},
	{"limits", "timeout_max", &setting_duration, LIMIT(time_max_usec)},
	{"limits", "first_line", &setting_duration, LIMIT(first_line_usec)},
	{"limits", "stall", &setting_duration, LIMIT(stall_usec)},
	{"limits", "output", &setting_size32, LIMIT(output_bytes)},
	{"limits", "hash_cache", &setting_size, DAEMON(hash_cache_bytes)},

	{"root", "path", &setting_path, ROOT(path)},
	{"root", "exclude", &setting_words, ROOT(exclude)},
	{"root", "gitignore", &setting_bool, ROOT(gitignore)},
	{"root", "exclude_caches", &setting_bool, ROOT(exclude_caches)},
	{"root", "one_file_system", &setting_bool, ROOT(one_file_system)},
	{"root", "content", &setting_content, ROOT(content)},
	{"root", "gram", &setting_gram, ROOT(n_symbols)},
	{"root", "content_max_size", &setting_size, ROOT(content_max_bytes)},
	{"root", "watch", &setting_watch, ROOT(watch)},
	{"root", "settle", &setting_duration, ROOT(settle_usec)},
	{"root", "poll_min", &setting_duration, ROOT(poll_min_usec)},
	{"root", "poll_max", &setting_duration, ROOT(poll_max_usec)},
	{"root", "verify", &setting_duration, ROOT(verify_usec)},
};

static void
words_free(char **words)
{
	for (char **w = words; w && *w; w++)
		free(*w);
	free(words);
}

static void
config_freep(struct config **c)
{
	config_free(*c);
}

void
config_free(struct config *c)
{
	if (!c)
		return;
	VEC_EACH (&c->roots, root) {
		free(root->name);
		free(root->path);
		words_free(root->exclude);
	}
	VEC_FINI(&c->roots);
	VEC_FINI(&c->allow_uids);
	VEC_FINI(&c->allow_gids);
	VEC_FINI(&c->admin_uids);
	words_free(c->tcp);
	words_free(c->allow);
	words_free(c->admin);
	free(c->unix_path);
	free(c->state_dir);
	free(c);
}

static struct engine_root *
find_root(const struct config *c, struct span name)
{
	VEC_EACH (&c->roots, root) {
		if (span_eq(span_of(root->name), name))
			return root;
	}
	return NULL;
}

static int
open_root(struct config *c, const struct ini_item *item, struct err *err)
{
	struct engine_root root = {
		.one_file_system = true,
		.content = SNAP_CONTENT_INDEX,
		.n_symbols = 4,
		.watch = ENGINE_WATCH_AUTO,
		.settle_usec = ENGINE_SETTLE_USEC,
		.poll_min_usec = ENGINE_POLL_MIN_USEC,
		.poll_max_usec = ENGINE_POLL_MAX_USEC,
		.verify_usec = ENGINE_VERIFY_USEC,
	};

	if (item->label.len == 0)
		return ini_err(err, item, -EINVAL, "the root has no name: write [root NAME]");
	if (find_root(c, item->label))
		return 0; /* a drop-in goes on with it */
	if (c->roots.len >= CONFIG_MAX_ROOTS)
		return ini_err(err, item, -E2BIG, "more than %u roots", CONFIG_MAX_ROOTS);
	root.name = strndup(item->label.data, item->label.len);
	if (!root.name || VEC_PUSH(&c->roots, root) < 0) {
		free(root.name);
		return ini_err(err, item, -ENOMEM, "out of memory");
	}
	return 0;
}

static bool
section_known(struct span section)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (span_eq(section, span_of(keys[i].section)))
			return true;
	}
	return false;
}

static int
on_section(struct config *c, const struct ini_item *item, struct err *err)
{
	if (!section_known(item->section))
		return ini_err(err, item, -EINVAL,
			"there is no section [%.*s]; there are daemon, listen, limits and root",
			(int)MIN(item->section.len, 60u), item->section.data);
	if (span_eq(item->section, SPAN_LIT("root")))
		return open_root(c, item, err);
	if (item->label.len > 0)
		return ini_err(err, item, -EINVAL, "section [%.*s] takes no name",
			(int)item->section.len, item->section.data);
	return 0;
}

/* What one file has said so far: the same key twice in it is a mistake, most often the hope that
 * lists add up. Another file may say otherwise. */
struct given {
	const struct key *key;
	size_t root; /* its number; 0 in other sections */
	unsigned line;
};

struct reading {
	struct config *config;
	VEC(struct given) given;
};

static int
give(struct reading *r, const struct key *key, size_t root, const struct ini_item *item,
	struct err *err)
{
	VEC_EACH (&r->given, before) {
		if (before->key == key && before->root == root)
			return ini_err(err, item, -EEXIST,
				"%s is given in line %u already: a list is one line", key->name,
				before->line);
	}
	if (VEC_PUSH(&r->given, ((struct given){key, root, item->line})) < 0)
		return ini_err(err, item, -ENOMEM, "out of memory");
	return 0;
}

static int
on_item(void *ctx, const struct ini_item *item, struct err *err)
{
	struct reading *reading = ctx;
	struct config *c = reading->config;
	int r;

	if (item->opens)
		return on_section(c, item, err);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct key *k = &keys[i];
		bool of_root = strcmp(k->section, "root") == 0;
		struct engine_root *root = of_root ? find_root(c, item->label) : NULL;
		char *base = of_root ? (char *)root : (char *)c;

		if (!span_eq(item->section, span_of(k->section)) ||
			!span_eq(item->key, span_of(k->name)))
			continue;
		r = give(reading, k, of_root ? (size_t)(root - c->roots.data) : 0, item, err);
		if (r < 0)
			return r;
		r = k->kind->read(item->value, base + k->at);
		if (r < 0)
			return ini_err(err, item, r, "%s = \"%.*s\" is wrong: expected %s", k->name,
				(int)MIN(item->value.len, 80u), item->value.data, k->kind->expects);
		return 0;
	}
	return ini_err(err, item, -EINVAL, "there is no key \"%.*s\" in section [%.*s]",
		(int)MIN(item->key.len, 60u), item->key.data, (int)item->section.len,
		item->section.data);
}

static int
read_file(struct config *c, const char *file, struct err *err)
{
	struct reading reading = {.config = c};
	int r = ini_read(file, on_item, &reading, err);

	VEC_FINI(&reading.given);
	return r;
}

static int
is_conf(const struct dirent *d)
{
	return d->d_name[0] != '.' && span_ends(span_of(d->d_name), SPAN_LIT(".conf"));
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
read_dropins(struct config *c, const char *file, struct err *err)
{
	AUTO(freep) char *dir = NULL;
	struct dirent **found = NULL;
	int n, r = 0;

	if (asprintf(&dir, "%s.d", file) < 0)
		return err_set(err, -ENOMEM, "could not read the configuration: out of memory");
	n = scandir(dir, &found, is_conf, by_bytes);
	if (n < 0)
		return errno == ENOENT ? 0
		                       : err_set(err, -errno, "could not read \"%s\": %s", dir,
						 err_reason(errno));
	for (int i = 0; i < n; i++) {
		AUTO(freep) char *path = NULL;

		if (r == 0 && asprintf(&path, "%s/%s", dir, found[i]->d_name) < 0)
			r = err_set(
				err, -ENOMEM, "could not read the configuration: out of memory");
		if (r == 0)
			r = read_file(c, path, err);
		free(found[i]);
	}
	free(found);
	return r;
}

static int
resolve_account(enum account_kind kind, const char *name, uint32_t *ret, struct err *err)
{
	const char *what = kind == ACCOUNT_USER ? "user" : "group";
	int r = account_number(kind, name, ret);

	if (r < 0)
		return err_set(
			err, r, "could not look up %s \"%s\": %s", what, name, err_reason(r));
	return r > 0 ? 0 : err_set(err, -ENOENT, "there is no %s \"%s\"", what, name);
}

static int
resolve_user(const char *word, uid_t *ret, struct err *err)
{
	uint64_t number;

	if (parse_u64(span_of(word), &number) < 0 || number >= UINT32_MAX)
		return resolve_account(ACCOUNT_USER, word, ret, err);
	*ret = (uid_t)number;
	return 0;
}

static int
resolve_one(struct config *c, const char *word, bool admin, struct err *err)
{
	uid_t uid;
	gid_t gid;
	int r;

	if (word[0] == '@' && admin)
		return err_set(err, -EINVAL, "\"%s\" is a group, [listen] admin takes users", word);
	if (word[0] == '@') {
		r = resolve_account(ACCOUNT_GROUP, word + 1, &gid, err);
		return r < 0 ? r : VEC_PUSH(&c->allow_gids, gid);
	}
	r = resolve_user(word, &uid, err);
	if (r < 0)
		return r;
	return admin ? VEC_PUSH(&c->admin_uids, uid) : VEC_PUSH(&c->allow_uids, uid);
}

static int
resolve_names(struct config *c, struct err *err)
{
	int r = 0;

	for (char **w = c->allow; w && *w && r == 0; w++)
		r = resolve_one(c, *w, false, err);
	if (r < 0)
		(void)err_prefix(err, "[listen] allow");
	for (char **w = c->admin; w && *w && r == 0; w++) {
		r = resolve_one(c, *w, true, err);
		if (r < 0)
			(void)err_prefix(err, "[listen] admin");
	}
	return r;
}

static int
check_limits(const struct server_limits *l, struct err *err)
{
	if (l->max_connections == 0 || l->max_connections > 15000)
		return err_set(err, -ERANGE, "[limits] connections is %u, possible are 1 to 15000",
			l->max_connections);
	if (l->max_queries_principal == 0)
		return err_set(
			err, -ERANGE, "[limits] queries_per_user is 0, at least 1 is needed");
	if (l->line_bytes < 1024 || l->line_bytes > (1u << 20))
		return err_set(
			err, -ERANGE, "[limits] line is %u, possible are 1k to 1M", l->line_bytes);
	if (l->output_bytes < 65536)
		return err_set(err, -ERANGE, "[limits] output is %u, at least 64k is needed",
			l->output_bytes);
	if (l->time_default_usec == 0 || l->time_default_usec > l->time_max_usec)
		return err_set(
			err, -ERANGE, "[limits] timeout must be above 0 and at most timeout_max");
	if (l->first_line_usec == 0 || l->stall_usec == 0)
		return err_set(err, -ERANGE, "[limits] first_line and stall must be above 0");
	return 0;
}

static int
check_pressure(const struct config *c, struct err *err)
{
	if (c->pressure_percent > 100)
		return err_set(err, -ERANGE,
			"[daemon] pressure is %u, possible are 1 to 100 percent, and 0 for never",
			c->pressure_percent);
	return 0;
}

static int
check_memory(const struct config *c, struct err *err)
{
	if (c->index_bytes < MIN_INDEX_BYTES)
		return err_set(err, -ERANGE,
			"[daemon] index_memory is %" PRIu64 ", at least 16M is needed",
			c->index_bytes);
	return 0;
}

static int
check_rules(const struct engine_root *root, struct err *err)
{
	struct rules *rules;
	int r = rules_create((const char *const *)root->exclude, &rules, err);

	if (r < 0) {
		(void)err_prefix(err, "root \"%s\"", root->name);
		return r;
	}
	rules_destroy(rules);
	return 0;
}

static int
check_watch(const struct engine_root *root, struct err *err)
{
	if (root->settle_usec > MAX_SETTLE_USEC)
		return err_set(
			err, -ERANGE, "root \"%s\": settle must be at most 1min", root->name);
	if (root->poll_min_usec < USEC_PER_SEC)
		return err_set(
			err, -ERANGE, "root \"%s\": poll_min must be at least 1s", root->name);
	if (root->poll_max_usec < root->poll_min_usec)
		return err_set(err, -ERANGE, "root \"%s\": poll_max must be at least poll_min",
			root->name);
	if (root->verify_usec > 0 && root->verify_usec < USEC_PER_SEC)
		return err_set(
			err, -ERANGE, "root \"%s\": verify must be at least 1s, or 0", root->name);
	return 0;
}

static int
check_root(struct config *c, struct engine_root *root, struct err *err)
{
	char *real;
	int r;

	if (!root->path)
		return err_set(err, -EINVAL, "root \"%s\" has no path", root->name);
	r = check_rules(root, err);
	if (r == 0)
		r = check_watch(root, err);
	if (r < 0)
		return r;
	real = realpath(root->path, NULL);
	if (real) {
		free(root->path);
		root->path = real;
	}
	VEC_EACH (&c->roots, other) {
		if (other == root)
			break;
		if (other->path && strcmp(other->path, root->path) == 0)
			return err_set(err, -EEXIST,
				"roots \"%s\" and \"%s\" have the same path \"%s\"", other->name,
				root->name, root->path);
	}
	return 0;
}

static int
check_listeners(const struct config *c, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf name = {0};
	int r = 0;

	for (char **w = c->tcp; w && *w && r == 0; w++)
		r = listener_tcp_name(*w, &name, err);
	if (r == 0 && c->unix_path[0] && c->unix_path[0] != '/')
		r = err_set(err, -EINVAL, "[listen] unix is \"%s\", expected an absolute path",
			c->unix_path);
	return r;
}

static int
config_check(struct config *c, struct err *err)
{
	int r = resolve_names(c, err);

	if (r == 0)
		r = check_listeners(c, err);
	if (r == 0)
		r = check_limits(&c->limits, err);
	if (r == 0)
		r = check_memory(c, err);
	if (r == 0)
		r = check_pressure(c, err);
	VEC_EACH (&c->roots, root) {
		if (r == 0)
			r = check_root(c, root, err);
	}
	return r;
}

static int
config_defaults(struct config *c)
{
	c->state_dir = strdup("/var/lib/trawl");
	c->unix_path = strdup("");
	c->unix_mode = 0666;
	c->log_level = LOG_LEVEL_INFO;
	c->limits = server_limits_default;
	c->hash_cache_bytes = DEFAULT_HASH_CACHE_BYTES;
	c->index_bytes = TEXT_BUDGET_BYTES;
	c->pressure_percent = DEFAULT_PRESSURE_PERCENT;
	if (!c->state_dir || !c->unix_path)
		return -ENOMEM;
	return setting_words.read(SPAN_LIT("127.0.0.1:7411"), &c->tcp);
}

int
config_load(const char *file, struct config **ret, struct err *err)
{
	AUTO(config_freep) struct config *c = calloc(1, sizeof(*c));
	int r = c ? config_defaults(c) : -ENOMEM;

	if (r < 0)
		return err_set(err, r, "could not read the configuration: out of memory");
	if (file) {
		r = read_file(c, file, err);
		if (r == 0)
			r = read_dropins(c, file, err);
		if (r == 0) {
			r = config_check(c, err);
			if (r < 0)
				(void)err_prefix(err, "%s", file);
		}
	}
	if (r == 0)
		*ret = TAKE_PTR(c);
	return r;
}

int
config_check_roots(const struct config *c, struct err *err)
{
	VEC_EACH (&c->roots, root) {
		struct stat st;

		if (stat(root->path, &st) < 0)
			return err_set(err, -errno, "root \"%s\": could not open \"%s\": %s",
				root->name, root->path, err_reason(errno));
		if (!S_ISDIR(st.st_mode))
			return err_set(err, -ENOTDIR, "root \"%s\": \"%s\" is not a directory",
				root->name, root->path);
	}
	return 0;
}

static void
print_section(const char *section, const char *label, const void *base, struct strbuf *out)
{
	(void)strbuf_printf(out, "%s[%s%s%s]\n", out->len ? "\n" : "", section, label ? " " : "",
		label ? label : "");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].section, section) != 0)
			continue;
		(void)strbuf_printf(out, "%s = ", keys[i].name);
		keys[i].kind->print((const char *)base + keys[i].at, out);
		(void)strbuf_putc(out, '\n');
	}
}

int
config_print(const struct config *c, struct strbuf *out)
{
	print_section("daemon", NULL, c, out);
	print_section("listen", NULL, c, out);
	print_section("limits", NULL, c, out);
	VEC_EACH (&c->roots, root)
		print_section("root", root->name, root, out);
	return out->failed ? -ENOMEM : 0;
}
