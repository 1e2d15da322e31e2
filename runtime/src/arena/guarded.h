/* Memory of arenas that are debugged: it stays inaccessible for a while after it was given back. */
#ifndef RT_ARENA_GUARDED_H
#define RT_ARENA_GUARDED_H

#include <stddef.h>

/* Whole pages, zeroed. NULL. */
void *guarded_get(size_t bytes);
void guarded_put(void *p, size_t bytes);

#endif
