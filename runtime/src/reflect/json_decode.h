/* What JSON and what is turned into it share. */
#ifndef RT_REFLECT_JSON_DECODE_H
#define RT_REFLECT_JSON_DECODE_H

#include "osprey/rt/json.h"

/* As rt_json_decode and (`ret_new` not NULL) rt_json_decode_new. With `not_finite` nan, inf and -inf are
 * numbers. */
int json_decode(const struct rt_type *type, const char *text, size_t n, const struct rt_decode_options *options, bool not_finite,
		void *ret, void **ret_new, struct rt_problem *ret_problem);

#endif
