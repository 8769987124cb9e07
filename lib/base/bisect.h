/**
 * bisect: the place in an order where something ends to hold.
 *
 * Not bsearch(3), which finds an equal one or nothing: this finds where one is or would be, without
 * a function to call for each step.
 */
#pragma once

/** The least `i` of 0 .. n for which `holds`, an expression of `i`, is false; n when it is true for
 *  all below n. It must be true up to some place and false from there on; it is asked for about
 *  log2(n) of them.
 *
 *      at = FIRST_NOT(i, list.len, list.data[i] < key); // the first that is not below the key */
#define FIRST_NOT(i, n, holds)                                                       \
	({                                                                           \
		__typeof__((n) + 0) first_not_lo_ = 0, first_not_hi_ = (n);          \
		while (first_not_lo_ < first_not_hi_) {                              \
			__typeof__((n) + 0) i =                                      \
				first_not_lo_ + (first_not_hi_ - first_not_lo_) / 2; \
			if (holds)                                                   \
				first_not_lo_ = i + 1;                               \
			else                                                         \
				first_not_hi_ = i;                                   \
		}                                                                    \
		first_not_lo_;                                                       \
	})
