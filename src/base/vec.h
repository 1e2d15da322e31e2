/* Growing arrays without a type zoo: VEC(struct disk) is a struct of v, n and
 * capacity. They keep their storage when emptied (n = 0). */
#ifndef OSPREY_BASE_VEC_H
#define OSPREY_BASE_VEC_H

#include <stddef.h>

#define VEC(type)                \
	struct {                 \
		type *v;         \
		size_t n;        \
		size_t capacity; \
	}

/* Room for one more element; evaluates to 0 or -ENOMEM. */
#define vec_reserve(vec, more) \
	vec_reserve_bytes((void **)&(vec)->v, &(vec)->capacity, (vec)->n, (more), sizeof *(vec)->v)

/* A new zeroed element at the end, or NULL without memory. */
#define vec_push(vec)                                                       \
	((__typeof__((vec)->v))vec_push_bytes((void **)&(vec)->v, &(vec)->n, \
					      &(vec)->capacity, sizeof *(vec)->v))

#define vec_free(vec) vec_free_bytes((void **)&(vec)->v, &(vec)->n, &(vec)->capacity)

/* v + 0 is no lvalue, so the iterator of a const vec is not itself const. An empty vec may
 * have no storage, and NULL + 0 is undefined. */
#define vec_each(item, vec) \
	for (__typeof__((vec)->v + 0) item = (vec)->v; (vec)->n && item < (vec)->v + (vec)->n; item++)

int vec_reserve_bytes(void **v, size_t *capacity, size_t n, size_t more, size_t size)
	__attribute__((warn_unused_result));
void *vec_push_bytes(void **v, size_t *n, size_t *capacity, size_t size);
void vec_free_bytes(void **v, size_t *n, size_t *capacity);

#endif
