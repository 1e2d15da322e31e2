/* The delays of builds with RT_PERTURB (src/perturb.h): how often, and of which kind, by chance. */
#ifndef RT_TESTS_DELAYS_H
#define RT_TESTS_DELAYS_H

#include <stdint.h>

/* One in `one_in` places is delayed from now on; 0: none. The delays follow from the seed, for each thread by
 * the order of their making. */
void delays_begin(uint64_t seed, unsigned one_in);

/* One in `one_in` places where a thread goes by its being alone is delayed for long; 0: none. */
void delays_alone(unsigned one_in);

#endif
