/* The heap's debug mode: RT_HEAP_DEBUG=1 in the environment when the first block is allocated; a larger
 * number is the MiB that are kept in quarantine (16). Not for programs that run with more rights than who
 * started them (secure_getenv).
 *
 * A block lies between bytes that are looked at when it is freed; then it is filled, and kept for a while,
 * and looked at once more before its memory is used again (or at exit). All threads share one heap, under a
 * lock. Costs some hundred ns an operation, 64 bytes a block and the quarantine. */
#ifndef RT_HEAP_DEBUG_H
#define RT_HEAP_DEBUG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern bool heap_debugged;

void heap_debug_begin(void);

/* As heap_take_aligned and so on. */
void *heap_debug_take(size_t alignment, size_t size);
void heap_debug_give(void *block);
size_t heap_debug_usable(const void *block);

/* Of the heap's own block: what its user has of it. False: it is in quarantine. */
bool heap_debug_within(void *base, void **ret_block, size_t *ret_size);

/* What is in quarantine, as the heap counts it. */
void heap_debug_quarantined(uint64_t *ret_bytes, uint64_t *ret_blocks);

#endif
