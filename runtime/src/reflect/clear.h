/* Freeing by descriptors. */
#ifndef RT_REFLECT_CLEAR_H
#define RT_REFLECT_CLEAR_H

#include "osprey/rt/reflect.h"

/* What one field owns; the field is zero then. */
void clear_field(const struct rt_type *outer, const struct rt_field *f, void *object, const struct rt_memory *m);

/* What n elements own. */
void clear_elements(const struct rt_type *element, void *first, uint64_t n, const struct rt_memory *m);

#endif
