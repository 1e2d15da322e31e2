// What a C++ program does in fibers: exceptions, destructors, captures, thread-local objects; also where it parks within a handler of
// an exception, or in a destructor while one is on its way.
#include <atomic>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <osprey/rt.h>

static std::atomic<int> alive, failed, number;

#define CHECK(x)                                                                            \
	do {                                                                                \
		if (!(x)) {                                                                 \
			failed++;                                                           \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x);     \
		}                                                                           \
	} while (0)

struct counted {
	counted() { alive++; }
	~counted() { alive--; }
	counted(const counted &) = delete;
};

static void elsewhere()
{
	for (int i = 0; i < 3; i++) {
		rt_sleep(20000);
		rt_yield();
	}
}

static int throws_deep(int who, int depth)
{
	counted one;
	if (depth == 0) {
		elsewhere();
		throw std::runtime_error("deep " + std::to_string(who));
	}
	return throws_deep(who, depth - 1) + 1;
}

static int catches(void *)
{
	int who = number++;
	std::string expected = "deep " + std::to_string(who);

	for (int i = 0; i < 20; i++) {
		try {
			throws_deep(who, 10);
			CHECK(false);
		} catch (const std::exception &e) {
			CHECK(e.what() == expected);
		}
		elsewhere();
	}
	return 0;
}

// Others throw and catch on this thread meanwhile, and this fiber goes on on another one.
static int parks_in_handler(void *)
{
	int who = number++;
	std::string expected = "deep " + std::to_string(who);

	for (int i = 0; i < 20; i++) {
		try {
			try {
				throws_deep(who, 3);
			} catch (const std::exception &e) {
				elsewhere();
				CHECK(e.what() == expected);
				try {
					throw 7;
				} catch (int seven) {
					elsewhere();
					CHECK(seven == 7);
				}
				elsewhere();
				throw;
			}
		} catch (const std::runtime_error &e) {
			CHECK(e.what() == expected);
			elsewhere();
			CHECK(std::current_exception() != nullptr);
		}
		CHECK(std::current_exception() == nullptr);
	}
	return 0;
}

struct parks {
	~parks()
	{
		CHECK(std::uncaught_exceptions() == 1);
		elsewhere();
		CHECK(std::uncaught_exceptions() == 1);
	}
};

static int parks_while_unwound(void *)
{
	for (int i = 0; i < 20; i++) {
		try {
			parks p;
			throw i;
		} catch (int caught) {
			CHECK(caught == i);
		}
		CHECK(std::uncaught_exceptions() == 0);
	}
	return 0;
}

template <typename F> static rt_fiber spawn(F &f)
{
	rt_fiber started;

	CHECK(rt_spawn([](void *arg) { return (*static_cast<F *>(arg))(); }, &f, nullptr, &started) == 0);
	return started;
}

static int captures(void *)
{
	std::vector<int> squares(50);
	auto owner = std::make_unique<counted>();
	std::vector<std::function<int()>> bodies;
	std::vector<rt_fiber> fibers;

	for (int i = 0; i < 50; i++)
		bodies.emplace_back([&squares, i] { elsewhere(); squares[i] = i * i; return i; });
	for (auto &body : bodies)
		fibers.push_back(spawn(body));
	for (int i = 0; i < 50; i++) {
		int result = -1;
		CHECK(rt_join(fibers[i], &result, RT_FOREVER) == 0 && result == i && squares[i] == i * i);
	}
	return 0;
}

static int all_at_once(void *)
{
	std::vector<rt_fiber> fibers;

	for (int i = 0; i < 6; i++) {
		for (rt_function *function : { catches, parks_in_handler, parks_while_unwound, captures }) {
			rt_fiber f;
			CHECK(rt_spawn(function, nullptr, nullptr, &f) == 0);
			fibers.push_back(f);
		}
	}
	for (auto f : fibers) {
		int result;
		CHECK(rt_join(f, &result, RT_FOREVER) == 0 && result == 0);
	}
	CHECK(alive == 0);
	return 0;
}

int main()
{
	static const struct {
		const char *name;
		rt_function *run;
	} tests[] = {
		{ "exceptions", catches },
		{ "a handler that parks", parks_in_handler },
		{ "a destructor that parks while an exception is on its way", parks_while_unwound },
		{ "functions that capture", captures },
		{ "all at once", all_at_once },
	};

	for (unsigned p = 1; p <= 4; p++) {
		for (const auto &test : tests) {
			rt_options options = { p, 0 };
			int before = failed, r = rt_run(&options, test.run, nullptr);
			if (r != 0 || failed != before)
				fprintf(stderr, "failed: %s, P = %u, result %d\n", test.name, p, r);
			failed += r != 0;
		}
	}
	return failed ? 1 : 0;
}
