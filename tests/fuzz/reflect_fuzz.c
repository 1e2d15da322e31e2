/* JSON and TOML into structs of every kind: what is taken is written, read again, copied, compared and printed; what is refused leaves
 * no memory behind. The first byte chooses the type, the format and the policies. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <osprey/rt/json.h>
#include <osprey/rt/toml.h>

#include "reflect_types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t live;

static void *counted_get(void *arg, size_t bytes)
{
	(void)arg;
	void *p = malloc(bytes ? bytes : 1);
	live += p != NULL;
	return p;
}

static void counted_put(void *arg, void *p, size_t bytes)
{
	(void)arg;
	(void)bytes;
	live -= p != NULL;
	free(p);
}

static const struct rt_memory memory = { counted_get, counted_put, NULL };

static int nowhere(void *arg, const char *bytes, size_t n)
{
	(void)bytes;
	*(size_t *)arg += n;
	return 0;
}

static void must(bool fine)
{
	if (!fine)
		abort();
}

static void use(const struct rt_type *t, void *object, const struct rt_decode_options *o)
{
	struct rt_problem p;
	void *copy, *again;
	size_t n, printed = 0;
	char *text;

	must(rt_copy_new(t, object, &memory, &copy) == 0 && rt_equal(t, object, copy) == 1);
	rt_object_free(t, copy, &memory);
	must(rt_print(t, object, NULL, nowhere, &printed) == 0 && printed > 0);
	struct rt_encode_options wide = { .depth = RT_DEPTH_MOST, .indent = (unsigned)(printed & 1) };
	int r = rt_json_encode_text(t, object, &wide, &memory, &text, &n, &p);
	/* TOML has numbers that JSON has not. */
	must(r == 0 || r == -EDOM);
	if (r < 0)
		return;
	struct rt_decode_options strict = { .memory = &memory, .depth = RT_DEPTH_MOST, .memory_bytes = o->memory_bytes };
	r = rt_json_decode_new(t, text, n, &strict, &again, &p);
	must(r == 0 && rt_equal(t, object, again) == 1);
	rt_object_free(t, again, &memory);
	counted_put(NULL, text, n + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rt_type *const types[] = { RT_TYPE(struct order), RT_TYPE(struct every), RT_TYPE(struct payment),
						       RT_TYPE(struct tailed), RT_TYPE(struct node), RT_TYPE(struct defaults),
						       RT_TYPE(struct holder), RT_TYPE(point_t) };
	struct rt_decode_options o = { .memory = &memory, .memory_bytes = 64 << 20 };
	struct rt_problem p = { 0 };
	void *object;

	if (size == 0)
		return 0;
	const struct rt_type *t = types[data[0] & 7];
	o.flags = (data[0] & 8 ? RT_DECODE_UNKNOWN : 0) | (data[0] & 16 ? RT_DECODE_LAST : 0);
	char *text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	int r = data[0] & 32 ? rt_toml_decode_new(t, text, size - 1, &o, &object, &p) : rt_json_decode_new(t, text, size - 1, &o, &object, &p);
	if (r == 0) {
		use(t, object, &o);
		rt_object_free(t, object, &memory);
	} else {
		must(p.line > 0 && p.column > 0 && *p.path == '$' && *p.reason && p.offset <= size);
	}
	must(live == 0);
	free(text);
	return 0;
}
