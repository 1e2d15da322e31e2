/* Memory of the caller's choice, or malloc's. */
#ifndef RT_REFLECT_MEMORY_H
#define RT_REFLECT_MEMORY_H

#include <stdlib.h>

#include "osprey/rt/reflect.h"

static inline void *memory_get(const struct rt_memory *m, size_t bytes)
{
	return m ? m->allocate(m->arg, bytes) : malloc(bytes ? bytes : 1);
}

static inline void memory_put(const struct rt_memory *m, void *p, size_t bytes)
{
	if (!m)
		free(p);
	else if (p && m->release)
		m->release(m->arg, p, bytes);
}

/* For what is gone before the caller sees anything: an arena would keep it. */
static inline const struct rt_memory *memory_passing(const struct rt_memory *m)
{
	return m && m->release ? m : NULL;
}

#endif
