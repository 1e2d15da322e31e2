/* shapes: C++. Sleeps in a template below a lambda, a virtual call and a std::function; thread "thrower" throws through
 * three frames and catches, a thousand times a second. */
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "target.h"

namespace shapes {

struct shape {
	virtual ~shape() = default;
	virtual double area(int n) const = 0;
};

template <typename T, int N> NOINLINE double rest(std::vector<T> values)
{
	ready();
	for (;;)
		pause();
	return static_cast<double>(values.size() + N);
}

struct square : shape {
	NOINLINE double area(int n) const override
	{
		auto call = [n](const std::string &name) {
			double got = rest<std::string, 3>({ name, std::to_string(n) });

			__asm__ volatile("" ::: "memory");
			return got;
		};
		double got = call("square");

		__asm__ volatile("" ::: "memory");
		return got;
	}
};

NOINLINE void thrower(int level)
{
	std::string held(static_cast<size_t>(level) + 30, 'x');

	if (level == 0)
		throw std::runtime_error(held);
	thrower(level - 1);
	__asm__ volatile("" : : "r"(held.data()) : "memory");
}

NOINLINE void throw_and_catch()
{
	prctl(PR_SET_NAME, "thrower");
	for (;;) {
		try {
			thrower(3);
		} catch (const std::runtime_error &) {
		}
		usleep(1000);
	}
}

}

int main()
{
	die_with_parent();
	std::thread(shapes::throw_and_catch).detach();
	std::unique_ptr<shapes::shape> one = std::make_unique<shapes::square>();
	std::function<double(int)> area = [&one](int n) { return one->area(n); };
	return static_cast<int>(area(1));
}
