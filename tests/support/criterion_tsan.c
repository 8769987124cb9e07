/*
 * Linked into test programs of ThreadSanitizer builds only. Criterion 2.4.1 maps its arena at a
 * fixed address drawn with rand_r(), which nearly always lies in TSan's shadow memory; the program
 * then aborts with "Could not initialize inheritable arena". This rand_r() steers the draw into the
 * range that TSan leaves to position-independent executables; the arena code itself steps over
 * pages that are taken.
 */
#include <stdlib.h>

int
rand_r(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return 0x350000 + (int)((*seed >> 8) % 0x17000u);
}
