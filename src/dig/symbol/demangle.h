/* Names of functions as their language writes them: C++ (Itanium ABI), Rust (legacy and v0), D, by libiberty.
 *
 * Names come from files of the target and may be made to hurt: libiberty's limits on recursion stay on, and
 * what is longer than DEMANGLE_MAX or would grow longer than DEMANGLE_OUTPUT_MAX stays as it is (substitutions let a
 * name of 200 bytes grow to gigabytes). Clones keep their suffix: "f() [clone .cold]". */
#ifndef OSPREY_DIG_SYMBOL_DEMANGLE_H
#define OSPREY_DIG_SYMBOL_DEMANGLE_H

#include <stdbool.h>

#include "base/buf.h"

#define DEMANGLE_MAX 16384
#define DEMANGLE_OUTPUT_MAX 65536

/* "_ZN3foo3barEv" -> "foo::bar()", which replaces what is in *ret. False: it is no mangled name (or no memory), and
 * *ret is as it was. */
bool demangle(const char *name, struct buf *ret);

#endif
