/* trawl: asks trawld. `trawl WORDS` searches; the other commands are in the table below. */
#include <stdio.h>
#include <string.h>

#include "commands.h"

const struct command *const commands[] = {
	&cmd_search,
	&cmd_grep,
	&cmd_du,
	&cmd_top,
	&cmd_stats,
	&cmd_dupes,
	&cmd_sql,
	&cmd_since,
	&cmd_watch,
	&cmd_clock,
	&cmd_stat,
	&cmd_why,
	&cmd_roots,
	&cmd_status,
	&cmd_wait,
	&cmd_rescan,
	&cmd_reload,
	&cmd_help,
	NULL,
};

const struct command *
command_find(const char *name)
{
	for (const struct command *const *c = commands; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

/* The words that are no command are a query: `trawl kmalloc` is `trawl search kmalloc`. */
int
main(int argc, char **argv)
{
	const struct command *cmd = argc > 1 ? command_find(argv[1]) : NULL;

	if (cmd)
		return cmd->run(argv + 2);
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return cmd_help.run(argv + argc);
	if (strcmp(argv[1], "--version") == 0) {
		printf("trawl %s\n", TRAWL_VERSION);
		return EXIT_FOUND;
	}
	return cmd_search.run(argv + 1);
}
