#include "each_run.h"

#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

struct arguments {
	VEC(char *) all; /* of malloc, the last one NULL */
};

static void
arguments_fini(struct arguments *a)
{
	VEC_EACH (&a->all, it)
		free(*it);
	VEC_FINI(&a->all);
}

static int
add_argument(struct arguments *a, struct strbuf *text)
{
	char *copy = strbuf_putc(text, '\0') < 0 ? NULL : strbuf_take(text);

	if (!copy || VEC_PUSH(&a->all, copy) < 0) {
		free(copy);
		return -ENOMEM;
	}
	return 0;
}

/* `word` with the path in place of each {}. */
static int
fill_in(struct arguments *a, const char *word, struct span path, bool *used)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	const char *at;

	while ((at = strstr(word, "{}"))) {
		(void)strbuf_add(&text, word, (size_t)(at - word));
		(void)strbuf_span(&text, path);
		word = at + 2;
		*used = true;
	}
	(void)strbuf_puts(&text, word);
	return add_argument(a, &text);
}

static int
fill_all(struct arguments *a, char *const *command, struct span path)
{
	bool used = false;
	int r = 0;

	for (; *command && r == 0; command++)
		r = fill_in(a, *command, path, &used);
	if (r == 0 && !used)
		r = fill_in(a, "{}", path, &used);
	return r < 0 ? r : VEC_PUSH(&a->all, NULL);
}

static int
set_text(const char *name, struct span value)
{
	AUTO(freep) char *copy = strndup(value.data, value.len);

	if (!copy)
		return -ENOMEM;
	return setenv(name, copy, 1) < 0 ? -errno : 0;
}

static int
spawn_and_wait(char *const *argv)
{
	int status, r;
	pid_t pid;

	r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (r > 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int
run_for(char *const *command, const struct change_row *row)
{
	AUTO(arguments_fini) struct arguments a = {0};
	int r = fill_all(&a, command, row->path);

	if (r == 0)
		r = set_text("TRAWL_CHANGE", row->kind);
	if (r == 0)
		r = set_text("TRAWL_PATH", row->path);
	if (r == 0)
		r = set_text("TRAWL_FROM", row->from);
	if (r == 0)
		r = spawn_and_wait(a.all.data);
	if (r < 0)
		complain("could not run '%s': %s", command[0], strerror(-r));
	return r;
}
