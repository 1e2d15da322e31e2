/* A program on the runtime whose fibers load libraries. Its arguments: plugin.c and, built with a copy of the runtime of its own,
 * carrier.c. */
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"
#include "plugin.h"

static const char *plugin_file, *twin_file;
static _Atomic int destroyed;
static _Atomic bool parks_in_constructor;
static _Atomic int in_constructors;

int in_constructor(void);
void in_destructor(void);

int in_constructor(void)
{
	in_constructors++;
	if (parks_in_constructor)
		rt_sleep(5 * MS);
	return 1;
}

void in_destructor(void)
{
	destroyed++;
}

static void *load(const char *file)
{
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	CHECK(library != NULL);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return library;
}

#define LOOK_UP(library, function) ((__typeof__(&function))dlsym(library, #function))

static void each(int fibers, rt_function *function)
{
	struct rt_fiber started[32];
	int r;

	for (int i = 0; i < fibers; i++)
		CHECK(rt_spawn(function, NULL, NULL, &started[i]) == 0);
	for (int i = 0; i < fibers; i++)
		CHECK(rt_join(started[i], &r, RT_FOREVER) == 0 && r == 0);
}

/* -- loaded and unloaded by many at a time */

static int goes_elsewhere(void *arg)
{
	for (int i = 0; i < 10; i++) {
		rt_sleep(10000);
		rt_yield();
	}
	return (int)(intptr_t)arg;
}

static int loads_and_calls(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++) {
		void *library = load(plugin_file);
		CHECK(LOOK_UP(library, plugin_constructed)() == 2);
		/* The library's frame lies on the fiber's stack, and goes with it to another thread. */
		CHECK(LOOK_UP(library, plugin_calls_back)(goes_elsewhere, (void *)17) == 17);
		CHECK(dlclose(library) == 0);
	}
	return 0;
}

static int many_load(void *arg)
{
	(void)arg;
	destroyed = in_constructors = 0;
	each(20, loads_and_calls);
	CHECK(in_constructors >= 1 && destroyed == in_constructors);
	return 0;
}

/* -- its thread-local data */

static void *library_of_all;

static int has_own_while_pinned(void *arg)
{
	long *(*own)(void) = LOOK_UP(library_of_all, plugin_own);

	(void)arg;
	rt_pin();
	long *place = own(), before = *place;
	for (int i = 0; i < 10; i++) {
		*place += 2;
		rt_sleep(10000);
		CHECK(own() == place);
	}
	CHECK(before % 2 == 0 && *place % 2 == 0 && *place >= before);
	rt_unpin();
	return 0;
}

static int own_data(void *arg)
{
	(void)arg;
	library_of_all = load(plugin_file);
	each(8, has_own_while_pinned);
	CHECK(dlclose(library_of_all) == 0);
	return 0;
}

/* -- a constructor that parks: the loader's lock is its thread's, so the fiber has to stay there */

static int loads_pinned(void *arg)
{
	(void)arg;
	rt_pin();
	void *library = load(plugin_file);
	CHECK(LOOK_UP(library, plugin_constructed)() == 2);
	CHECK(dlclose(library) == 0);
	rt_unpin();
	return 0;
}

static int constructor_parks(void *arg)
{
	(void)arg;
	parks_in_constructor = true;
	each(4, loads_pinned);
	parks_in_constructor = false;
	return 0;
}

/* -- a library with a runtime of its own, within a fiber of ours */

static int twin(void *arg)
{
	void *library = load(twin_file);
	long (*run)(unsigned, int) = LOOK_UP(library, carrier_run);

	(void)arg;
	for (unsigned p = 1; p <= 2; p++) {
		rt_block_begin();
		long sum = run(p, 100);
		rt_block_end();
		CHECK(sum == 5050);
		rt_sleep(10000);
	}
	CHECK(dlclose(library) == 0);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		{ "many fibers load and unload a library", many_load },
		{ "a library's thread-local data is the thread's", own_data },
		{ "a constructor parks", constructor_parks },
		{ "a runtime within the runtime", twin },
	};

	if (argc != 3)
		return 2;
	plugin_file = argv[1];
	twin_file = argv[2];
	return check_all(tests, sizeof tests / sizeof *tests);
}
