/* For tests: where another order of things matters, delays by chance (tests/delays.c). Nothing in normal
 * builds. */
#ifndef RT_PERTURB_H
#define RT_PERTURB_H

#ifdef RT_PERTURB
void perturb(void);
#else
static inline void perturb(void)
{
}
#endif

#endif
