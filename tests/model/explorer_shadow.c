#include "explorer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_CELLS 8192u
#define ARENA_BYTES (1u << 20)
#define GRANULE 8u

struct access {
	uint32_t at; /* the thread's own clock then; 0: none */
	uint32_t pc; /* behind program_base */
};

enum kind { READ, WRITE, ATOMIC_READ, ATOMIC_WRITE, N_KINDS };

/* Eight bytes of memory: the last accesses of each thread, and to which of the bytes. */
struct cell {
	uintptr_t granule;
	uint32_t run;
	uint8_t threads;                  /* that were here */
	uint16_t n_plain_writes[GRANULE]; /* of each byte */
	uint8_t bytes[N_KINDS][MODEL_THREADS];
	struct access last[N_KINDS][MODEL_THREADS];
};

static struct cell cells[N_CELLS];

/* The heap of a run: blocks lie one after the other, apart, and are not used again. */
enum granule_state { GAP, LIVE, FREED };

struct block {
	size_t offset, size;
	bool is_live;
};

static _Alignas(4096) char arena[ARENA_BYTES];
static uint8_t granules[ARENA_BYTES / GRANULE];
static size_t n_arena;
static struct block blocks[1024];
static unsigned n_blocks;

void
shadow_reset(void)
{
	memset(granules, GAP, n_arena / GRANULE + 1);
	n_arena = 0;
	n_blocks = 0;
}

static struct cell *
cell_of(const volatile void *p)
{
	uintptr_t granule = (uintptr_t)p / GRANULE;
	unsigned i = (unsigned)(granule % N_CELLS);

	for (unsigned n = 0; n < N_CELLS; n++, i = (i + 1) % N_CELLS) {
		struct cell *c = &cells[i];

		if (c->run != run.number) {
			*c = (struct cell){.run = run.number, .granule = granule};
			return c;
		}
		if (c->granule == granule)
			return c;
	}
	model_fail("a run touches too much memory");
}

uint32_t
shadow_plain_writes(const volatile void *p, unsigned size)
{
	const struct cell *c = cell_of(p);
	uint32_t n = 0;

	for (unsigned i = (unsigned)((uintptr_t)p % GRANULE); size > 0 && i < GRANULE; i++, size--)
		n += c->n_plain_writes[i];
	return n;
}

static void
count_plain_write(struct cell *c, uint8_t bytes)
{
	for (unsigned i = 0; i < GRANULE; i++)
		c->n_plain_writes[i] = (uint16_t)(c->n_plain_writes[i] + ((bytes >> i) & 1));
}

static void
check_heap(const volatile void *p, const char *what)
{
	size_t offset = (size_t)((const volatile char *)p - arena);

	if (offset >= ARENA_BYTES || granules[offset / GRANULE] == LIVE)
		return;
	model_fail("%s %s memory that %s", sched_name(self), what,
		granules[offset / GRANULE] == FREED ? "was freed" : "belongs to nobody");
}

/* Where in the sources; only for the run that is told. */
static const char *
describe(uint32_t pc)
{
	static char lines[2][256];
	static unsigned turn;
	char command[128], *line = lines[turn++ % ARRAY_LEN(lines)], *end;
	FILE *f;

	(void)snprintf(line, sizeof(lines[0]), "%x", pc);
	if (!run.telling)
		return line;
	/* The call returns behind the access: one byte back is still in its line. */
	(void)snprintf(command, sizeof(command), "addr2line -sfpe /proc/%d/exe %x 2>/dev/null",
		(int)getpid(), pc - 1);
	f = popen(command, "re");
	if (!f)
		return line;
	(void)!fgets(line, sizeof(lines[0]), f);
	(void)pclose(f);
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	return line;
}

static const char *const kinds[] = {"reads", "writes", "reads atomically", "writes atomically"};

static void
check_against(const struct cell *c, enum kind before, enum kind now, uint8_t bytes, uint32_t pc)
{
	const struct clocks *mine = sched_clocks();

	for (int t = 0; t < (int)MODEL_THREADS; t++) {
		const struct access *a = &c->last[before][t];

		if (t == self || !(c->bytes[before][t] & bytes) || a->at <= mine->at[t])
			continue;
		model_fail("data race: %s %s at %s, not ordered behind %s, who %s at %s",
			sched_name(self), kinds[now], describe(pc), sched_name(t), kinds[before],
			describe(a->pc));
	}
}

static void
check_and_note(struct cell *c, enum kind now, uint8_t bytes, uint32_t pc)
{
	uint32_t at = sched_clocks()->at[self];
	struct access *a = &c->last[now][self];

	if (c->threads & ~(1u << self)) {
		for (enum kind before = 0; before < N_KINDS; before++) {
			bool both_read = (before & 1) == 0 && (now & 1) == 0;
			bool both_atomic = before >= ATOMIC_READ && now >= ATOMIC_READ;

			if (!both_read && !both_atomic)
				check_against(c, before, now, bytes, pc);
		}
	}
	c->threads |= (uint8_t)(1u << self);
	c->bytes[now][self] = (uint8_t)(a->at == at ? c->bytes[now][self] | bytes : bytes);
	*a = (struct access){.at = at, .pc = pc};
}

static uint8_t
bytes_of(const volatile void *p, unsigned size)
{
	return (uint8_t)(((1u << size) - 1) << ((uintptr_t)p % GRANULE));
}

static uint32_t
offset_of(const void *pc)
{
	return (uint32_t)((uintptr_t)pc - program_base);
}

void
shadow_plain(const volatile void *p, unsigned size, bool writes, const void *pc)
{
	const volatile char *at = p;

	if (self < 0 || sched_is_private(p))
		return;
	while (size > 0) {
		unsigned n = MIN(size, GRANULE - (unsigned)((uintptr_t)at % GRANULE));

		check_heap(p, kinds[writes ? WRITE : READ]);
		if (!sched_is_alone()) {
			struct cell *c = cell_of(at);

			check_and_note(c, writes ? WRITE : READ, bytes_of(at, n), offset_of(pc));
			if (writes)
				count_plain_write(c, bytes_of(at, n));
		}
		at += n;
		size -= n;
	}
}

void
shadow_atomic(const volatile void *p, unsigned size, bool writes, const void *pc)
{
	enum kind kind = writes ? ATOMIC_WRITE : ATOMIC_READ;

	check_heap(p, kinds[kind]);
	if (!sched_is_alone())
		check_and_note(cell_of(p), kind, bytes_of(p, size), offset_of(pc));
}

bool
shadow_owns(const void *p)
{
	return (const char *)p >= arena && (const char *)p < arena + ARENA_BYTES;
}

void *
shadow_alloc(size_t size, size_t align, int fill)
{
	size_t offset = ALIGN_UP(n_arena + GRANULE, MAX(align, (size_t)16));
	size_t end = offset + ALIGN_UP(MAX(size, (size_t)1), (size_t)GRANULE);

	if (end + GRANULE > ARENA_BYTES || n_blocks == ARRAY_LEN(blocks))
		model_fail("a run allocates too much");
	blocks[n_blocks++] = (struct block){.offset = offset, .size = size, .is_live = true};
	memset(&granules[offset / GRANULE], LIVE, (end - offset) / GRANULE);
	memset(&arena[offset], fill, end - offset);
	n_arena = end;
	return &arena[offset];
}

static struct block *
block_of(const void *p)
{
	size_t offset = (size_t)((const char *)p - arena);

	for (unsigned i = n_blocks; i-- > 0;) {
		if (blocks[i].offset == offset)
			return &blocks[i];
	}
	model_fail("free of %p, which was never allocated", p);
}

size_t
shadow_size(const void *p)
{
	return block_of(p)->size;
}

/* To free is to write: it must come after every use. */
void
shadow_free(void *p)
{
	struct block *b = block_of(p);

	if (!b->is_live)
		model_fail("free of memory that was freed");
	shadow_plain(p, (unsigned)b->size, true, __builtin_return_address(0));
	b->is_live = false;
	memset(&granules[b->offset / GRANULE], FREED,
		ALIGN_UP(MAX(b->size, (size_t)1), (size_t)GRANULE) / GRANULE);
}

void
shadow_check_leaks(void)
{
	for (unsigned i = 0; i < n_blocks; i++) {
		if (blocks[i].is_live)
			model_fail("%zu bytes were never freed", blocks[i].size);
	}
}
