/* For tests: where another order of things matters, delays by chance (tests/delays.c). Nothing in normal
 * builds. */
#ifndef RT_PERTURB_H
#define RT_PERTURB_H

#ifdef RT_PERTURB
void perturb(void);
/* Where it is believed that nobody else can be inside: others have to wake before the difference shows. */
void perturb_alone(void);
#else
static inline void perturb(void)
{
}

static inline void perturb_alone(void)
{
}
#endif

#endif
