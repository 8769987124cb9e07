/**
 * exec_report: what the helper trawl-exec and its caller (child.c) agree on.
 *
 * The helper is called as
 *
 *     trawl-exec [-C DIR] [-l RESOURCE=VALUE]... [-n NICE] [-o OOM] [-p PID] -- PROGRAM [ARG]...
 *
 * with a pipe as descriptor EXEC_REPORT_FD. Either the pipe is closed without a byte by the exec of
 * the program, or one struct exec_report was written: the step that failed. Both sides are of one
 * build, so this is no wire format.
 */
#pragma once

#include <stdint.h>

#define EXEC_REPORT_FD 3

enum exec_step {
	EXEC_STEP_PREPARE,     /* pipes and descriptors, in the caller */
	EXEC_STEP_SPAWN,       /* posix_spawn of the helper, in the caller */
	EXEC_STEP_ARGS,        /* the helper's own arguments */
	EXEC_STEP_FDS,         /* closing other descriptors */
	EXEC_STEP_PRIVILEGES,  /* no_new_privs, ambient capabilities, dying with the parent */
	EXEC_STEP_NICE,        /* */
	EXEC_STEP_OOM,         /* */
	EXEC_STEP_CWD,         /* the working directory */
	EXEC_STEP_LIMIT,       /* a resource limit */
	EXEC_STEP_PROGRAM,     /* executing it: missing, not executable, no memory, ... */
	EXEC_STEP_INTERPRETER, /* the program is there, what its "#!" or ELF header names is not */
	N_EXEC_STEPS
};

struct exec_report {
	uint32_t step; /* enum exec_step */
	int32_t error; /* errno */
};
