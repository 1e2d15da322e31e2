/* What both sides of kernel_names share.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_SYMBOL_KERNEL_NAMES_BPF_H
#define OSPREY_DIG_SYMBOL_KERNEL_NAMES_BPF_H

#define KERNEL_NAMES_BATCH 64 /* a line has at most 512 bytes: below the 32 KiB that an iterator may write at once */

#endif
