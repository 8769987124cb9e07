#include "text/mapfile.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sync/once.h"

/*
 * The table of guarded mappings. The SIGBUS handler may run at any instruction of any thread, so it
 * takes no lock: it only loads from the table.
 *
 * A slot's life: free -> claimed (cas on `claimed`) -> lo, then hi stored -> hi = 0 -> unmapped ->
 * free. A slot guards [lo, hi) while hi != 0.
 *
 * note: torn slots. The handler loads hi, lo, hi and takes the range only when both loads of hi
 * agree. When lo is of a later life than the first hi, then the acquire load of lo pairs with its
 * release store, which comes after the store of hi = 0; so the second load of hi gives 0 or the
 * later life's value. When that equals the first, the range is the later life's, and whole. The
 * thread that faults reads inside an open mapping, so its own slot does not change meanwhile.
 */
struct guard {
	_Atomic uint32_t claimed; /* cas acquire+release; freed with release */
	_Atomic bool faulted;     /* seq_cst, see note: fault before zeros */
	_Atomic uintptr_t lo, hi; /* release stores, acquire loads: note: torn slots */
};

static struct guard guards[N_GUARDED_MAPS];
/* Where the next search for a free slot starts: a hint, relaxed. */
static _Atomic uint32_t next_guard;

/* Fixed by install_handler(), before the handler can run and before a mapping is made. */
static struct sigaction previous;
static uintptr_t page_bytes;

static bool
guard_holds(struct guard *g, uintptr_t at, uintptr_t *ret_end)
{
	uintptr_t hi = load_acq(&g->hi);
	uintptr_t lo = load_acq(&g->lo);

	if (hi == 0 || at < lo || at >= hi || load_acq(&g->hi) != hi)
		return false;
	*ret_end = hi;
	return true;
}

#ifdef SYS_mmap2 /* where a long has 32 bits */
#	define CALL_MMAP SYS_mmap2
#else
#	define CALL_MMAP SYS_mmap
#endif

/* By the bare call: ThreadSanitizer takes mmap() for a write to the pages, which other threads may
 * be reading. They find the file's bytes, or zeros and the flag. */
static bool
put_zeros(uintptr_t from, uintptr_t end)
{
	return syscall(CALL_MMAP, from, end - from, PROT_READ,
		       MAP_FIXED | MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, -1L, 0L) != -1;
}

/*
 * Zero pages from the fault to the end of the mapping. A cut file lacks all of that, so one fault
 * does instead of one a page; after a disk error the rest may be good, but nobody will believe it.
 *
 * note: fault before zeros. The flag is set before the pages are replaced, so a thread that reads
 * a zero page put there by another thread's fault finds the flag set when it asks.
 */
static bool
guard_fault(uintptr_t at)
{
	for (size_t i = 0; i < N_GUARDED_MAPS; i++) {
		uintptr_t end;

		if (!guard_holds(&guards[i], at, &end))
			continue;
		store_sc(&guards[i].faulted, true);
		return put_zeros(at - at % page_bytes, end);
	}
	return false;
}

/* Not a fault of ours: whoever was there before gets it. The default action is restored and comes
 * at the return: the access faults again, or the raised signal is pending until then. */
static void
pass_on(int signo, siginfo_t *info, void *context)
{
	if (previous.sa_flags & SA_SIGINFO) {
		previous.sa_sigaction(signo, info, context);
	} else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
		previous.sa_handler(signo);
	} else {
		struct sigaction dfl = {.sa_handler = SIG_DFL};

		(void)sigaction(signo, &dfl, NULL);
		if (info->si_code <= 0) /* sent by a process: would not come again by itself */
			(void)raise(signo);
	}
}

static void
on_sigbus(int signo, siginfo_t *info, void *context)
{
	int saved = errno;

	if (info->si_code <= 0 || info->si_code == BUS_ADRALN ||
		!guard_fault((uintptr_t)info->si_addr))
		pass_on(signo, info, context);
	errno = saved;
}

static int
install_handler(void *unused)
{
	struct sigaction act = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,
	};
	long page = sysconf(_SC_PAGESIZE);

	(void)unused;
	if (page <= 0)
		return -EINVAL;
	page_bytes = (uintptr_t)page;
	(void)sigemptyset(&act.sa_mask);
	/* The old action must be known before the new one can run. */
	if (sigaction(SIGBUS, NULL, &previous) < 0 || sigaction(SIGBUS, &act, NULL) < 0)
		return -errno;
	return 0;
}

int
mapfile_setup(void)
{
	static struct once installed;

	return once_run(&installed, install_handler, NULL);
}

static int
guard_claim(uintptr_t lo, uintptr_t hi, unsigned *ret_slot)
{
	uint32_t start = add_rlx(&next_guard, 1);

	for (uint32_t i = 0; i < N_GUARDED_MAPS; i++) {
		uint32_t slot = (start + i) % N_GUARDED_MAPS, is_free = 0;
		struct guard *g = &guards[slot];

		if (load_rlx(&g->claimed) != 0 || !cas_ar(&g->claimed, &is_free, 1))
			continue;
		store_sc(&g->faulted, false);
		store_rel(&g->lo, lo);
		store_rel(&g->hi, hi);
		*ret_slot = slot;
		return 0;
	}
	return -EMFILE;
}

int
mapfile_open(int fd, uint64_t max_bytes, struct mapfile *ret)
{
	struct mapfile m = {.data = ""};
	struct stat st;
	void *data;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENODEV;
	if ((uint64_t)st.st_size > max_bytes || (uint64_t)st.st_size > SIZE_MAX / 2)
		return -EFBIG;
	m.len = (size_t)st.st_size;
	if (m.len > 0) {
		data = mmap(NULL, m.len, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED)
			return -errno;
		m.data = data;
		r = guard_claim((uintptr_t)data, (uintptr_t)data + m.len, &m.slot);
		if (r < 0) {
			(void)munmap(data, m.len);
			return r;
		}
	}
	*ret = m;
	return 0;
}

bool
mapfile_faulted(const struct mapfile *m)
{
	return m->len > 0 && load_sc(&guards[m->slot].faulted);
}

void
mapfile_pass(const struct mapfile *m, size_t end)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): drops const */
	void *at = (void *)(uintptr_t)m->data;

	end -= end % page_bytes;
	if (m->len > 0 && end > 0)
		(void)madvise(at, end, MADV_DONTNEED); /* a file's pages come back when asked */
}

void
mapfile_close(struct mapfile *m)
{
	if (m->len > 0) {
		struct guard *g = &guards[m->slot];

		store_rel(&g->hi, 0); /* before the addresses can belong to someone else */
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): drops const */
		(void)munmap((void *)(uintptr_t)m->data, m->len);
		store_rel(&g->claimed, 0);
	}
	*m = (struct mapfile){0};
}
