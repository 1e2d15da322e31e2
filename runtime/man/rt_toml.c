/* A configuration with values for what it does not say. Built in two steps, with the descriptors in between:
 *
 *	cc -g -c rt_toml.c $(pkg-config --cflags osprey-rt) && osprey-rt-types -o types.c rt_toml.o
 *	cc rt_toml.o types.c $(pkg-config --cflags --libs osprey-rt)
 */
#include <osprey/rt.h>
#include <stdio.h>

struct listener {
	char *address;
	unsigned short port;
};
RT_REFLECT(struct listener, (address, initial = "127.0.0.1"), (port, required, min = 1));

struct config {
	struct listener *listen;
	unsigned nlisten;
	struct {
		unsigned requests;
		double timeout_s;
	} limits;
};
RT_REFLECT(struct config, (listen, count = nlisten), (limits.requests, initial = 100), (limits.timeout_s, max = 60));

int main(void)
{
	static const char text[] = "[limits]\ntimeout_s = 2.5\n\n[[listen]]\nport = 8080\n\n[[listen]]\naddress = '::1'\nport = 0x1f91\n";
	struct rt_problem problem;
	struct config c;

	if (rt_toml_decode(RT_TYPE(struct config), text, sizeof text - 1, NULL, &c, &problem) < 0) {
		fprintf(stderr, "%u:%u: %s: %s\n", problem.line, problem.column, problem.path, problem.reason);
		return 1;
	}
	for (unsigned i = 0; i < c.nlisten; i++)
		printf("%s port %u\n", c.listen[i].address, c.listen[i].port);
	printf("%u requests, %g s\n", c.limits.requests, c.limits.timeout_s);
	rt_clear(RT_TYPE(struct config), &c, NULL);
	return 0;
}
