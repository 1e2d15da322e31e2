#include "heap/heap_fault.h"

#include "misuse.h"

_Noreturn void heap_fault(const void *block, const char *what)
{
	misuse("heap: block %p: %s", block, what);
}

_Noreturn void heap_fault_at(const void *block, size_t size, const char *what, long at)
{
	misuse("heap: block %p of %zu bytes: %s at byte %ld", block, size, what, at);
}

_Noreturn void heap_fault_sized(const void *block, size_t size, const char *what)
{
	misuse("heap: block %p of %zu bytes: %s", block, size, what);
}
