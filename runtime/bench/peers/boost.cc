// Rows of core.sh with Boost.Fiber on one thread. usage: boost 1 [ROW…]
#include <boost/fiber/all.hpp>
#include <vector>

#include "../rows.h"

namespace fibers = boost::fibers;
using fibers::fiber;

static volatile long sink;
static fibers::mutex mutex;

static double row_yield()
{
	auto yields = [] { for (int i = 0; i < 500000; i++) boost::this_fiber::yield(); };
	double start = row_clock();
	fiber a(yields), b(yields);
	a.join();
	b.join();
	return (row_clock() - start) / 1e6;
}

static double row_spawn_join()
{
	double start = row_clock();
	for (int i = 0; i < 100000; i++)
		fiber([] {}).join();
	return (row_clock() - start) / 1e5;
}

static double row_batch()
{
	double start = row_clock();
	for (int r = 0; r < 20; r++) {
		std::vector<fiber> f;
		for (int i = 0; i < 1000; i++)
			f.emplace_back([] {});
		for (auto &each : f)
			each.join();
	}
	return (row_clock() - start) / 20000;
}

static double row_unbuffered()
{
	fibers::unbuffered_channel<long> a, b;
	fiber echo([&] { for (long v : a) b.push(v); });
	double start = row_clock();
	for (int i = 0; i < 200000; i++) {
		a.push(i);
		b.value_pop();
	}
	double took = row_clock() - start;
	a.close();
	echo.join();
	return took / 200000;
}

static double row_buffered()
{
	fibers::buffered_channel<long> a(128);
	double start = row_clock();
	fiber sender([&] { for (long i = 0; i < 1000000; i++) a.push(i); a.close(); });
	for (long v : a)
		sink = sink + v;
	sender.join();
	return (row_clock() - start) / 1e6;
}

static void locks(long n)
{
	for (; n > 0; n--) {
		mutex.lock();
		sink = sink + 1;
		mutex.unlock();
	}
}

static double row_mutex()
{
	double start = row_clock();
	locks(5000000);
	return (row_clock() - start) / 5e6;
}

static double row_mutex_100()
{
	double start = row_clock();
	std::vector<fiber> f;
	for (int i = 0; i < 100; i++)
		f.emplace_back(locks, 50000);
	for (auto &each : f)
		each.join();
	return (row_clock() - start) / 5e6;
}

static const struct row rows[] = {
	{ "yield", row_yield }, { "spawn+join", row_spawn_join }, { "batch", row_batch },
	{ "unbuffered", row_unbuffered }, { "buffered-128", row_buffered }, { "mutex", row_mutex },
	{ "mutex-100", row_mutex_100 },
};

int main(int argc, char **argv)
{
	rows_run(rows, sizeof rows / sizeof *rows, argv + (argc > 1 ? 2 : 1));
	return EXIT_SUCCESS;
}
