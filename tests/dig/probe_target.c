/* What probe.sh probes: calls that can be counted, and USDT probes whose arguments are printed as they are.
 * Waits for a line on stdin, then calls work() and shapes() N times: N print prints the
 * USDT arguments, N print shapes those of shapes(). -DSEMAPHORES: its probes have semaphores. */
#ifdef SEMAPHORES
#define _SDT_HAS_SEMAPHORES 1
#endif
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sdt.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SEMAPHORES
unsigned short target_sizes_semaphore __attribute__((section(".probes"), used));
unsigned short target_places_semaphore __attribute__((section(".probes"), used));
#define ENABLED() (target_sizes_semaphore != 0)
#else
#define ENABLED() 1
#endif

static int64_t table[8] = { 10, -11, 12, -13, 14, -15, 16, -17 };
static volatile int32_t global = -4242;

__attribute__((noinline)) int work(int i, const char *name, long size)
{
	__asm__ volatile("" : : "r"(name), "r"(size) : "memory");
	return i % 3 ? i : -i;
}

struct pair {
	int a;
	long b;
};

/* Arguments of all classes: integers of each width, by value in two registers, in a vector register, on the stack. */
__attribute__((noinline, noclone)) short shapes(signed char tiny, const char *name, struct pair two, double none, unsigned count,
						_Bool flag, const int *where, uint16_t above, long last)
{
	__asm__ volatile("" : : "r"(name), "r"(&two), "m"(none), "r"(count), "r"(where), "m"(above), "m"(last) : "memory");
	return (short)(-count - flag);
}

static void probes(int i, const char *name, int print)
{
	int8_t i8 = (int8_t)(-i % 100);
	uint8_t u8 = (uint8_t)(200 + i % 50);
	int16_t i16 = (int16_t)(-300 * (i % 100));
	uint16_t u16 = (uint16_t)(40000 + i);
	int32_t i32 = -100000 * i, frame[4] = { i, -i, 3 * i, 4 };
	uint32_t u32 = 4000000000u + (uint32_t)i;
	int64_t i64 = -((int64_t)i << 33) - 1;
	uint64_t u64 = ~(uint64_t)i;

	__asm__ volatile("" : : "r"(frame) : "memory");
	STAP_PROBE8(target, sizes, i8, u8, i16, u16, i32, u32, i64, u64);
	STAP_PROBE5(target, places, table[i & 7], global, -5, name, frame[i & 3]);
	if (print) {
		printf("sizes %d %u %d %u %d %u %lld %llu\n", i8, u8, i16, u16, i32, u32, (long long)i64, (unsigned long long)u64);
		printf("places %lld %d -5 %s %d\n", (long long)table[i & 7], global, name, frame[i & 3]);
	}
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 100, print = argc == 3, enabled = 0;
	static char name[32];

	if (getchar() == EOF)
		return 1;
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "name-%d", i % 4);
		work(i, name, (long)i * 10);
		int before = -7 * i;
		short after = shapes((signed char)(-i % 100), name, (struct pair){ i, -i }, i * .5, 4000000000u + (unsigned)i, i & 1,
				     &before, (uint16_t)(65000 + i), -1 - ((long)i << 40));
		if (argc > 3)
			printf("shapes %d %s %u %d %d %u %ld\nshapes %d\n", (signed char)(-i % 100), name, 4000000000u + (unsigned)i,
			       i & 1, before, (uint16_t)(65000 + i), -1 - ((long)i << 40), after);
		probes(i, name, print);
		enabled += ENABLED();
		syscall(SYS_close, 1000 + i);
	}
	fflush(stdout);
	fprintf(stderr, "enabled %d\n", enabled);
	return 0;
}
