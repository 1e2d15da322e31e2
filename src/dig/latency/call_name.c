#include "dig/latency/call_name.h"

#include <stddef.h>
#include <sys/syscall.h>

static const struct call {
	const char *name;
	bool waits;
} calls[] = {
#define CALL(name) [SYS_##name] = { #name, false },
#define WAIT(name) [SYS_##name] = { #name, true },
#define NEW_CALL(number, name) [number] = { #name, false },
#define NEW_WAIT(number, name) [number] = { #name, true },
#include "dig/latency/call_names.def"
};

const char *call_name(uint64_t number)
{
	return number < sizeof calls / sizeof calls[0] ? calls[number].name : NULL;
}

bool call_waits(uint64_t number)
{
	return number < sizeof calls / sizeof calls[0] && calls[number].waits;
}
