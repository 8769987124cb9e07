#include "commands.h"

#include <stdio.h>
#include <string.h>

static const struct opt opts[] = {{0}};

static const char query_help[] =
	"Words are ANDed. A plain word matches anywhere in the path below its root, as a glob "
	"when\n"
	"it has * ? [. A capital in a word makes its case matter; case:yes and case:no say so.\n"
	"\n"
	"  a b              both               a | b            either\n"
	"  -a   NOT a       not                ( )              groups\n"
	"  \"two words\"      as one word        /regex/          the path matches\n"
	"\n"
	"  name:WORD        only the name, not the directories above it\n"
	"  path:WORD        the path, as a bare word does\n"
	"  ext:c,h          suffix             lang:c           language, by name and suffix\n"
	"  type:f,d         f file, d directory, l link, p pipe, s socket, b and c devices\n"
	"  in:DIR           below DIR          root:NAME        of that root\n"
	"  depth:<3         components below the root\n"
	"  size:>10k  size:1M..2M  size:0      in bytes, with k m g t\n"
	"  mtime:<7d        changed less than 7 days ago (s m h d w mo y); also ctime:\n"
	"  mtime:2026-01-01..2026-06-30  mtime:2026-11  mtime:today\n"
	"  user:NAME  group:NAME  links:>1  inode:N  empty:yes  dupe:yes\n"
	"  perm:644         exactly these      perm:-022 all of them, perm:/111 any of them\n"
	"\n"
	"  content:word     content:\"a phrase\"  content:/regex/\n"
	"\n"
	"fields to show and sort by: path name dir ext type size blocks mtime ctime mode user "
	"group\n"
	"  uid gid inode links depth root lang\n";

static void
overview(void)
{
	printf("usage: trawl [COMMAND] [OPTION]... [OPERAND]...\n\n"
	       "Asks trawld, the live index of names, metadata and contents of files.\n\n"
	       "  trawl QUERY             names: trawl 'sched ext:c size:>10k'\n"
	       "  trawl grep RE QUERY     lines: trawl grep 'init_\\w+' ext:c\n\ncommands:\n");
	for (const struct command *const *c = commands; *c; c++)
		printf("  %-8s %s\n", (*c)->name, (*c)->summary);
	printf("\n`trawl help COMMAND` shows its options, `trawl help query` the query language.\n"
	       "A query whose first word is a command: trawl search WORD, or trawl -- WORD.\n"
	       "exit codes: 0 found, 1 nothing found, 2 mistake in usage or query, 3 incomplete\n"
	       "  (--strict), 4 daemon not reached, 5 denied\n");
}

static int
help_on(const char *topic)
{
	const struct command *cmd = command_find(topic);

	if (cmd) {
		args_help(cmd);
		return EXIT_FOUND;
	}
	if (strcmp(topic, "query") == 0 || strcmp(topic, "fields") == 0) {
		(void)fputs(query_help, stdout);
		return EXIT_FOUND;
	}
	return usage_error(&cmd_help, "no command or topic is called '%s'", topic);
}

static int
run(char **argv)
{
	AUTO(common_fini) struct common c = {0};
	int exit_code;

	if (args_done(&cmd_help, argv, &c, &exit_code))
		return exit_code;
	if (c.operands.len)
		return help_on(c.operands.data[0]);
	overview();
	return EXIT_FOUND;
}

const struct command cmd_help = {
	.name = "help",
	.operands = "[COMMAND | query]",
	.summary = "this overview, a command's options, or the query language",
	.opts = opts,
	.run = run,
};
