#include "explorer.h"

#include <errno.h>
#include <link.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "sync/park.h"

#define STACK_BYTES (256u * 1024u)
#define TLS_MAX 4096u
#define ROW_MAX 300u

enum state { UNUSED, READY, PARKED, JOINING, ENDED };

struct strand {
	enum state state;
	char name[16];
	int (*fn)(void *arg);
	void *arg;
	int result;

	/* The step that it is about to make. */
	const volatile void *addr;
	bool writes;

	unsigned n_in_row; /* steps since another thread made one */
	bool is_paused;    /* until another thread writes: `seen_writes` changed */
	unsigned seen_writes;
	unsigned n_stale;
	bool saw_stale; /* since it last paused: it may yet see what is written already */

	/* PARKED */
	const volatile void *word;
	usec_t deadline;
	int woken; /* result of park_wait() */
	/* JOINING */
	unsigned awaited;

	void *own;
	bool is_joined;
	struct clocks clocks;
	bool is_begun;
	ucontext_t first;
	jmp_buf rest;
	char tls[TLS_MAX];
	char *stack;
};

static struct strand strands[MODEL_THREADS];
static unsigned n_strands, n_joined; /* those that main has joined */
static unsigned asleep; /* sleep set: threads whose next step was tried before others' */
static unsigned n_writes;
static jmp_buf whole;
static void (*main_body)(void);
int self = -1;
uintptr_t program_base;

/* The checked sources keep things of a thread in thread-local variables, and all threads of a model
 * are one to the system: the program's block of them is exchanged at each switch. So a pointer to
 * a thread-local variable means another thread's in another thread. */
static struct {
	char *block;
	const char *image;
	size_t n_image, n;
} tls;

static int
find_program(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	program_base = info->dlpi_addr;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];

		if (h->p_type != PT_TLS)
			continue;
		tls.block = info->dlpi_tls_data;
		tls.image = (const char *)(info->dlpi_addr + h->p_vaddr);
		tls.n_image = h->p_filesz;
		tls.n = h->p_memsz;
		assert(tls.n <= TLS_MAX);
	}
	return 1; /* the first is the program itself */
}

bool
sched_is_alone(void)
{
	return n_strands == n_joined + 1;
}

bool
sched_is_private(const volatile void *addr)
{
	const volatile char *p = addr;

	return tls.n > 0 && p >= tls.block && p < tls.block + tls.n;
}

const char *
sched_name(int thread)
{
	return thread < 0 ? "-" : strands[thread].name;
}

void **
sched_own(void)
{
	return &strands[self].own;
}

struct clocks *
sched_clocks(void)
{
	return &strands[self].clocks;
}

struct clocks *
sched_clocks_of(unsigned thread)
{
	return &strands[thread].clocks;
}

unsigned
sched_threads(void)
{
	return n_strands;
}

bool
sched_take_stale(bool take)
{
	if (strands[self].n_stale >= run.stale_max)
		return false;
	strands[self].n_stale += take;
	strands[self].saw_stale |= take;
	return true;
}

void
sched_reset(void)
{
	static bool is_ready;

	if (!is_ready) {
		(void)dl_iterate_phdr(find_program, NULL);
		for (unsigned i = 0; i < MODEL_THREADS; i++) {
			strands[i].stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
			assert(strands[i].stack != MAP_FAILED);
		}
		is_ready = true;
	}
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		strands[i].state = UNUSED;
	n_strands = 0;
	n_joined = 0;
	asleep = 0;
	n_writes = 0;
	self = -1;
}

static void
switch_to(unsigned to)
{
	struct strand *next = &strands[to];

	if (self >= 0) {
		if ((unsigned)self == to)
			return;
		memcpy(strands[self].tls, tls.block, tls.n);
		if (_setjmp(strands[self].rest) != 0)
			return;
	}
	memcpy(tls.block, next->tls, tls.n);
	self = (int)to;
	if (next->is_begun)
		_longjmp(next->rest, 1);
	next->is_begun = true;
	(void)setcontext(&next->first);
}

static bool
can_go(const struct strand *s)
{
	switch (s->state) {
	case READY:
		return true;
	case PARKED:
		return s->deadline != USEC_NEVER || run.n_spurious < run.model->n_spurious;
	case JOINING:
		return strands[s->awaited].state == ENDED || s->deadline != USEC_NEVER;
	case UNUSED:
	case ENDED:
		break;
	}
	return false;
}

static bool
is_waiting_in_vain(const struct strand *s)
{
	return s->is_paused && s->seen_writes == n_writes;
}

/* Which threads can make a step. When all of them spin, the one whose turn it is: what a pause is
 * followed by need not be another look. */
static unsigned
find_ready(void)
{
	unsigned ready = 0, first = 0;

	for (unsigned n = n_strands; n > 0; n--) {
		unsigned i = ((unsigned)self + n) % n_strands;

		if (!can_go(&strands[i]))
			continue;
		if (is_waiting_in_vain(&strands[i]))
			first = 1u << i;
		else
			ready |= 1u << i;
	}
	return ready ? ready : first;
}

static bool
depends(const struct strand *a, const struct strand *b)
{
	if (!a->addr || !b->addr)
		return false;
	if (a->addr == ANYTHING || b->addr == ANYTHING)
		return true;
	return a->addr == b->addr && (a->writes || b->writes);
}

/* note: sleep sets. Without a bound on preemptions, a thread whose next step was tried at a point
 * before the others' need not be tried again until a step that depends on it was made. */
static void
update_asleep(const unsigned *options, unsigned chosen)
{
	const struct strand *next = &strands[options[chosen]];

	for (unsigned i = 0; i < chosen; i++)
		asleep |= 1u << options[i];
	for (unsigned i = 0; i < n_strands; i++) {
		if ((asleep & (1u << i)) && depends(&strands[i], next))
			asleep &= ~(1u << i);
	}
	asleep &= ~(1u << options[chosen]);
}

static unsigned
choose_strand(unsigned ready)
{
	unsigned options[MODEL_THREADS], n = 0, chosen;
	bool mine = self >= 0 && (ready & (1u << self)), all = run.preempt_max >= MODEL_ALL;

	if (mine && run.n_preempts >= run.preempt_max)
		return (unsigned)self;
	if (all) {
		ready &= ~asleep;
		if (ready == 0)
			run_prune();
	}
	if (mine && (ready & (1u << self)))
		options[n++] = (unsigned)self;
	for (unsigned i = 0; i < n_strands; i++) {
		if ((int)i != self && (ready & (1u << i)))
			options[n++] = i;
	}
	chosen = n < 2 ? 0 : mine ? model_choose_seldom(n) : model_choose(n);
	if (all)
		update_asleep(options, chosen);
	if (mine && options[chosen] != (unsigned)self)
		run.n_preempts++;
	return options[chosen];
}

/* A parked thread is chosen: its deadline comes, or it wakes for no reason. */
static void
wake_parked(struct strand *s)
{
	bool timeout = s->deadline != USEC_NEVER;

	if (timeout && run.n_spurious < run.model->n_spurious)
		timeout = model_choose(2) == 0;
	if (timeout) {
		run.now = MAX(run.now, s->deadline);
		s->woken = -ETIMEDOUT;
	} else {
		run.n_spurious++;
		s->woken = 0;
	}
	s->state = READY;
}

static void
go_on(void)
{
	unsigned ready = find_ready(), to;

	if (ready == 0)
		model_fail("all threads are asleep for ever");
	to = choose_strand(ready);
	if (strands[to].state == PARKED)
		wake_parked(&strands[to]);
	strands[to].is_paused = false;
	if ((int)to != self)
		strands[to].n_in_row = 0;
	switch_to(to);
}

/* Sleep sets and runs at random do without note: private (explorer_memory.c). */
static bool
is_point(const volatile void *addr, bool writes)
{
	if (run.preempt_max >= MODEL_ALL - 1 || addr == ANYTHING || strands[self].is_paused)
		return true;
	return memory_is_point(addr, writes);
}

void
sched_point(const volatile void *addr, bool writes)
{
	if (++run.n_steps > 20000)
		model_fail("no end after %u steps", run.n_steps - 1);
	strands[self].addr = addr;
	strands[self].writes = writes;
	/* Who goes round and round without a pause meets the end of its time slice. */
	if (++strands[self].n_in_row % ROW_MAX == 0) {
		strands[self].is_paused = true;
		strands[self].seen_writes = n_writes;
	}
	if (!sched_is_alone() && is_point(addr, writes))
		go_on();
	n_writes += writes;
}

void
model_pause(void)
{
	if (self < 0)
		return;
	strands[self].is_paused = true;
	strands[self].seen_writes = n_writes - strands[self].saw_stale;
	strands[self].saw_stale = false;
	sched_point(ANYTHING, false);
}

int
park_wait(_Atomic uint32_t *word, uint32_t expected, usec_t deadline)
{
	struct strand *me;
	uint32_t value;

	sched_point(word, true);
	me = &strands[self];
	value = (uint32_t)memory_latest(word, sizeof(*word));
	if (value != expected) {
		run_tell("park  is %x and not %x", value, expected);
		return -EAGAIN;
	}
	if (deadline <= run.now)
		return -ETIMEDOUT;
	run_tell("park  on %x", value);
	me->state = PARKED;
	me->word = word;
	me->deadline = deadline;
	go_on();
	me = &strands[self];
	run_tell("      %s", me->woken < 0 ? "its deadline has come" : "is awake");
	return me->woken;
}

/* Any of the sleepers may be the one that is woken. */
void
park_wake(_Atomic uint32_t *word, uint32_t n)
{
	unsigned n_woken = 0;

	sched_point(word, true);
	for (; n > 0; n--) {
		unsigned parked[MODEL_THREADS], n_parked = 0;
		struct strand *s;

		for (unsigned i = 0; i < n_strands; i++) {
			if (strands[i].state == PARKED && strands[i].word == word)
				parked[n_parked++] = i;
		}
		if (n_parked == 0)
			break;
		s = &strands[parked[n_parked > 1 && n < n_parked ? model_choose(n_parked) : 0]];
		s->state = READY;
		s->woken = 0;
		s->addr = NULL;
		n_woken++;
		run_tell("wake  %s", s->name);
	}
	if (n_woken == 0)
		run_tell("wake  nobody");
}

static void
strand_main(void)
{
	struct strand *me = &strands[self];

	me->result = me->fn(me->arg);
	thread_ends();
	me = &strands[self];
	run_tell("ends");
	me->state = ENDED;
	if (self == 0)
		_longjmp(whole, 1);
	go_on();
}

unsigned
sched_add(const char *name, int (*fn)(void *), void *arg)
{
	struct strand *s = &strands[n_strands];

	if (n_strands == MODEL_THREADS)
		model_fail("more than %u threads", MODEL_THREADS);
	s->state = READY;
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	s->fn = fn;
	s->arg = arg;
	s->addr = NULL;
	s->writes = false;
	s->is_paused = false;
	s->n_in_row = 0;
	s->n_stale = 0;
	s->saw_stale = false;
	s->is_begun = false;
	memset(&s->clocks, 0, sizeof(s->clocks));
	if (self >= 0) {
		s->clocks = strands[self].clocks;
		strands[self].clocks.at[self]++; /* what follows is not seen by it */
	}
	s->own = NULL;
	s->is_joined = false;
	s->clocks.at[n_strands] = 1;
	memset(s->tls, 0, tls.n);
	memcpy(s->tls, tls.image, tls.n_image);
	(void)getcontext(&s->first);
	s->first.uc_stack.ss_sp = s->stack;
	s->first.uc_stack.ss_size = STACK_BYTES;
	s->first.uc_link = NULL;
	makecontext(&s->first, strand_main, 0);
	return n_strands++;
}

int
sched_join(unsigned thread, usec_t deadline, int *ret_result)
{
	struct strand *me = &strands[self], *other = &strands[thread];

	if (other->state != ENDED) {
		me->state = JOINING;
		me->awaited = thread;
		me->deadline = deadline;
		me->addr = NULL;
		go_on();
		me = &strands[self];
		me->state = READY;
	}
	if (other->state != ENDED) {
		run.now = MAX(run.now, deadline);
		return -ETIMEDOUT;
	}
	clocks_join(&me->clocks, &other->clocks);
	n_joined += !other->is_joined && self == 0;
	other->is_joined = true;
	*ret_result = other->result;
	return 0;
}

static int
run_body(void *arg)
{
	(void)arg;
	main_body();
	return 0;
}

void
sched_run(void (*body)(void))
{
	main_body = body;
	(void)sched_add("main", run_body, NULL);
	if (_setjmp(whole) == 0)
		switch_to(0);
	for (unsigned i = 1; i < n_strands; i++) {
		if (strands[i].state != ENDED)
			model_fail("thread \"%s\" was left behind", strands[i].name);
	}
}

void
sched_tell_ends(void)
{
	static const char *const names[] = {"unused", "could go on", "parked", "joining", "ended"};

	for (unsigned i = 0; i < n_strands; i++)
		printf("    %-14s %s\n", strands[i].name, names[strands[i].state]);
}
