/* Names of this process's own functions, also of those that no table for the dynamic linker holds. */
#ifndef RT_SYMBOL_SELF_H
#define RT_SYMBOL_SELF_H

#include <stddef.h>
#include <stdint.h>

/* The function that holds `address` (as the file counts, without where it is loaded) in an ELF file's table
 * of symbols. Reads the file anew each time: it is for the last words of a process. No allocation. -ENOENT
 * and the like: there is none. */
int symbol_self(const char *file, uint64_t address, char *ret_name, size_t size, uint64_t *ret_offset);

#endif
