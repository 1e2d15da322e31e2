/* Prints a value as C has it, copies it, and frees the copy. Built in two steps, with the descriptors in between:
 *
 *	cc -g -c rt_reflect.c $(pkg-config --cflags osprey-rt) && osprey-rt-types -o types.c rt_reflect.o
 *	cc rt_reflect.o types.c $(pkg-config --cflags --libs osprey-rt)
 */
#include <osprey/rt.h>
#include <stdio.h>

enum state { IDLE, BUSY };

struct worker {
	const char *name;
	const char *token;
	enum state state;
	unsigned short *ports;
	unsigned nports;
	unsigned waited_ms;
};
RT_REFLECT(struct worker, (token, secret), (ports, count = nports), (waited_ms, unit = "ms"));

static int to_stdout(void *arg, const char *bytes, size_t n)
{
	(void)arg;
	return fwrite(bytes, 1, n, stdout) == n ? 0 : 1;
}

int main(void)
{
	unsigned short ports[] = { 80, 443 };
	struct worker w = { "first", "hush", BUSY, ports, 2, 17 }, copy;

	if (rt_copy(RT_TYPE(struct worker), &w, NULL, &copy) < 0)
		return 1;
	int equal = rt_equal(RT_TYPE(struct worker), &w, &copy);
	copy.ports[1] = 8443;
	printf("equal: %d, then %d\n", equal, rt_equal(RT_TYPE(struct worker), &w, &copy));
	rt_clear(RT_TYPE(struct worker), &copy, NULL);
	struct rt_print_options shallow = { .depth = 1 };
	w.ports = NULL;
	w.nports = 0;
	return rt_print(RT_TYPE(struct worker), &w, &shallow, to_stdout, NULL);
}
