/*
 * trawld: the daemon that keeps the index and answers.
 *
 * A map of the sources, from here outwards:
 *
 *   daemon/     main.c         the command line (this file)
 *               daemon.c       start order, event loop, stop order, health
 *               reconfigure.c  SIGHUP: a new configuration, all or nothing
 *               config.c       the configuration's keys; setting.c their kinds; ini.c the file
 *               service.c      the service manager: notify, watchdog, passed sockets
 *               api.c          answers that need the whole daemon: status, roots, why, stat
 *               verify_index.c --verify: every saved segment, with all its invariants
 *               memory.c       what the process holds
 *   lib/engine  roots -> walk -> tree segment -> catalog -> snapshot
 *   lib/walk    directories in, batches of entries out, in parallel
 *   lib/index   segments on disk (FORMAT.md) and the snapshot that queries see
 *   lib/catalog what must survive a restart, in SQLite
 *   lib/query   the language (LANGUAGE.md), and the cursor that answers
 *   lib/text    case folding, literals, regular expressions, guarded mappings
 *   lib/server  trawl/1 over TCP and a Unix socket, on libevent
 *   lib/proto   lines and JSON, no I/O
 *   lib/process signals as events; child processes, through helper/ (trawl-exec)
 *   lib/sync    threads, locks, channels, pools, reclamation
 *   lib/base    errors, logs, strings, memory, descriptors
 */
#include "daemon.h"
#include "verify_index.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"

enum mode { MODE_RUN, MODE_CHECK, MODE_DUMP, MODE_VERIFY, MODE_DONE, MODE_USAGE };

static const char usage[] =
	"usage: trawld [-c FILE] [--check-config | --dump-config | --verify]\n"
	"\n"
	"Keeps a live index of directory trees and answers queries over TCP and a Unix socket.\n"
	"\n"
	"  -c, --config FILE   read FILE and FILE.d/*.conf (default " CONFIG_DEFAULT_FILE ")\n"
	"      --check-config  say whether the configuration is right, and exit\n"
	"      --dump-config   print the effective configuration, and exit\n"
	"      --verify        prove the saved index, also beside a running daemon, and exit\n"
	"  -h, --help          this text\n"
	"  -V, --version       the version\n"
	"\n"
	"SIGHUP reads the configuration again; SIGTERM and SIGINT stop.  See trawld(8), "
	"trawld.conf(5).\n";

static enum mode
parse_args(int argc, char **argv, const char **file)
{
	enum { OPT_CHECK = 256, OPT_DUMP, OPT_VERIFY };
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},       /* */
		{"check-config", no_argument, NULL, OPT_CHECK}, /* */
		{"dump-config", no_argument, NULL, OPT_DUMP},   /* */
		{"verify", no_argument, NULL, OPT_VERIFY},      /* */
		{"help", no_argument, NULL, 'h'},               /* */
		{"version", no_argument, NULL, 'V'},            /* */
		{NULL, 0, NULL, 0},
	};
	enum mode mode = MODE_RUN;
	int c;

	while ((c = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			*file = optarg;
			break;
		case OPT_CHECK:
			mode = MODE_CHECK;
			break;
		case OPT_DUMP:
			mode = MODE_DUMP;
			break;
		case OPT_VERIFY:
			mode = MODE_VERIFY;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return MODE_DONE;
		case 'V':
			(void)printf("trawld %s\n", TRAWL_VERSION);
			return MODE_DONE;
		default:
			return MODE_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "trawld: there is no argument \"%s\"\n", argv[optind]);
		return MODE_USAGE;
	}
	return mode;
}

static int
check_config(const char *file, bool dump)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct config *c;
	struct err err = {0};
	int r = config_load(file, &c, &err);

	if (r == 0) {
		if (!dump)
			r = config_check_roots(c, &err);
		else
			r = config_print(c, &text);
		config_free(c);
	}
	if (r < 0) {
		(void)fprintf(stderr, "trawld: %s%s%s\n", err.what[0] ? err.what : err_reason(r),
			err.hint[0] ? "; " : "", err.hint);
		return 1;
	}
	if (dump)
		return fd_write_full(STDOUT_FILENO, text.data, text.len) < 0;
	(void)printf("trawld: the configuration \"%s\" is right\n", file);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *file = CONFIG_DEFAULT_FILE;

	switch (parse_args(argc, argv, &file)) {
	case MODE_RUN:
		return daemon_run(file);
	case MODE_CHECK:
		return check_config(file, false);
	case MODE_DUMP:
		return check_config(file, true);
	case MODE_VERIFY:
		return verify_index(file);
	case MODE_DONE:
		return 0;
	case MODE_USAGE:
		(void)fputs("trawld: see trawld --help\n", stderr);
		return 2;
	}
	return 2;
}
