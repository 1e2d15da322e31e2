/* TOML 1.0 into C structs, by their descriptors (osprey/rt/reflect.h).
 *
 * The text is read whole, and then taken as JSON of the same meaning would be (osprey/rt/json.h tells what is
 * what): tables are objects, arrays of tables arrays. Dates and times go into strings, as written; nan and
 * inf into floats. Integers may be as large as uint64_t. TOML has no null.
 *
 * Context: as reflect.h. Memory: some times the size of the text while it runs, of `memory` if that releases,
 * else of malloc. */
#ifndef OSPREY_RT_TOML_H
#define OSPREY_RT_TOML_H

#include <osprey/rt/json.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As rt_json_decode, with its errors; line and column are those of the TOML. Keys that come twice are a
 * problem of the text in any case. The longest text is 16 MiB (0 as text_bytes, or more). */
RT_API __attribute__((warn_unused_result)) int rt_toml_decode(const struct rt_type *type, const char *text, size_t n,
							      const struct rt_decode_options *options, void *ret,
							      struct rt_problem *ret_problem);

RT_API __attribute__((warn_unused_result)) int rt_toml_decode_new(const struct rt_type *type, const char *text, size_t n,
								  const struct rt_decode_options *options, void **ret,
								  struct rt_problem *ret_problem);

#ifdef __cplusplus
}
#endif
#endif
