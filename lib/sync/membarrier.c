#include "sync/membarrier.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#	if __has_feature(thread_sanitizer)
#		define NOT_UNDERSTOOD 1
#	endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(TRAWL_CHAOS)
#	define NOT_UNDERSTOOD 1
#endif
#ifndef NOT_UNDERSTOOD
#	define NOT_UNDERSTOOD 0
#endif

#ifdef TRAWL_MODEL /* the explorer has barriers of its own */

bool
membarrier_offered(void)
{
	return model_has_fence_all();
}

void
membarrier_early(void)
{
}

int
membarrier_all(void)
{
	model_fence_all(MODEL_SITE(every_thread, memory_order_seq_cst));
	return 0;
}

#else

static long
call(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

bool
membarrier_offered(void)
{
	long commands = NOT_UNDERSTOOD ? 0 : call(MEMBARRIER_CMD_QUERY);

	return commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) &&
	       call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

void
membarrier_early(void)
{
	if (__libc_single_threaded)
		(void)membarrier_offered();
}

/* The expedited kind wants memory for a mask of CPUs; the global one, which takes milliseconds,
 * wants none. */
int
membarrier_all(void)
{
	if (call(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0 || call(MEMBARRIER_CMD_GLOBAL) == 0)
		return 0;
	return -errno;
}

#endif
