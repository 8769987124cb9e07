/* Touching a global without the lock that guards it; reading needs the read lock at least. */
#include "sync/rwlock.h"

static struct rwlock table = RWLOCK_INITIALIZER(RANK_LEAF, "table");
static int n_rows GUARDED_BY(table);

void add_row(void);
void add_row_well(void);
int rows(void);

void
add_row(void)
{
	RDLOCK_SCOPE(&table);

	n_rows++; /* expect: writing variable 'n_rows' requires holding rwlock 'table' */
}

void
add_row_well(void)
{
	WRLOCK_SCOPE(&table);

	n_rows++;
}

int
rows(void)
{
	return n_rows; /* expect: reading variable 'n_rows' requires holding rwlock 'table' */
}
