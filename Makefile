# osprey: one static binary. `make help` tells the targets.
#
# Variants are builds of their own: make BUILD=build/tsan SAN=thread all tests

BUILD ?= build
# BPF programs and their skeletons, the same ones for all variants.
GEN ?= $(BUILD)/gen
# Layers (folders of src) to build; a variant may do with some of the lower ones.
LAYERS ?= *
CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
SAN ?=
BPF_ARCH ?= $(if $(filter aarch64%,$(shell $(CC) -dumpmachine)),arm64,x86)
WERROR ?=
OPT ?= -O2
DEBUG ?= -g

WARN = -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wformat=2 \
       -Wno-missing-field-initializers $(if $(WERROR),-Werror)
# Of the sanitizers' macros clang has none.
CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Isrc -I. -Iruntime/include -I$(GEN) \
            -DOSPREY_VERSION='"$(VERSION)"' $(if $(findstring address,$(SAN)),-D__SANITIZE_ADDRESS__=1)
CFLAGS += -std=gnu17 $(OPT) $(DEBUG) $(WARN) -ffunction-sections -fdata-sections -fno-omit-frame-pointer \
          $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined)
LDFLAGS += -Wl,--gc-sections $(if $(SAN),-fsanitize=$(SAN),-static)
# Tests are linked often and shipped never: by the faster linker, where it can.
TEST_LD := $(if $(SAN),$(if $(findstring clang,$(CC)),$(if $(shell command -v ld.lld),-fuse-ld=lld)),$(if \
             $(shell command -v ld.gold),-fuse-ld=gold))
LDLIBS = -lbpf -ldw -lelf -lz -llzma -lbz2 -lzstd -ldeflate -liberty -lcmark -lncursesw -ltinfo -lm -pthread

VERSION = 0.1.0

# `make V=1` shows the commands whole.
V ?=
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@)

ALL_C := $(sort $(wildcard src/*.c $(foreach layer,$(LAYERS),src/$(layer)/*.c src/$(layer)/*/*.c)))
TEST_C := $(filter %_test.c,$(ALL_C))
BENCH_C := $(wildcard bench/*.c)
FUZZ_C := $(wildcard tests/fuzz/*_fuzz.c)
LIB_C := $(filter-out %_test.c src/main.c,$(ALL_C))
BPF_C := $(wildcard src/*/*/*.bpf.c src/*/*.bpf.c)
LIB_C := $(filter-out $(BPF_C),$(LIB_C))

LIB_O := $(LIB_C:%.c=$(BUILD)/%.o)
SKEL_H := $(patsubst src/%.bpf.c,$(GEN)/%.skel.h,$(BPF_C))
TESTS := $(TEST_C:src/%.c=$(BUILD)/test/%)
BENCHES := $(BENCH_C:%.c=$(BUILD)/%)
FUZZERS := $(FUZZ_C:%.c=$(BUILD)/%)
AGREE := $(BUILD)/tests/agree/figures
LAB := $(BUILD)/tests/lab/killed
TREE := $(BUILD)/tests/cli/run_tree
# Programs to dig into. Those of rustc and go are left out where these are missing: their tests are skipped.
DIG := $(addprefix $(BUILD)/tests/dig/,threads threads_static deadlock contended mallocs nofp shapes fibers \
       $(if $(shell command -v rustc),worker) $(if $(shell command -v go),goroutines goroutines_stripped))

all: $(BUILD)/osprey

# The binary that is shipped carries no debug information; the one beside it does.
$(BUILD)/osprey: $(BUILD)/osprey.debug
	$(Q)strip -s -o $@ $<

$(BUILD)/osprey.debug: $(BUILD)/src/main.o $(BUILD)/libosprey.a
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/libosprey.a: $(LIB_O)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/%.o: %.c | $(SKEL_H)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Guides are embedded by .incbin, which the compiler's dependency output does not know.
$(BUILD)/src/conditions/conditions.o: $(wildcard src/conditions/*/guide.md)
$(BUILD)/src/report/flame_svg.o: src/report/flame.js

# BPF: C -> object (BTF kept, DWARF dropped) -> two skeletons, see src/kernel/bpf_load.h.
$(GEN)/%.bpf.o: src/%.bpf.c $(wildcard src/kernel/*.bpf.h src/source/*/*.bpf.h src/dig/*/*.bpf.h)
	@mkdir -p $(@D)
	$(call say,BPF)
	$(Q)$(CLANG) -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -D__bpf__ -O2 -g -Wall -Isrc -c -o $@ $<
	$(Q)llvm-strip -g $@

# It includes the other.
$(GEN)/source/process/task_walk.bpf.o: src/source/process/task.bpf.c

$(GEN)/%.skel.h: $(GEN)/%.bpf.o Makefile
	$(Q)$(BPFTOOL) gen skeleton -L $< name $(notdir $*)_light > $@.tmp
	$(Q)$(BPFTOOL) gen skeleton $< name $(notdir $*)_full >> $@.tmp
	$(Q)mv $@.tmp $@

$(BUILD)/test/%: $(BUILD)/src/%.o $(BUILD)/libosprey.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) $(TEST_LD) -o $@ $^ $(LDLIBS)

# It reads its own debug information: all of it, also where a variant makes do with less.
$(BUILD)/src/dig/symbol/prototype_test.o: override DEBUG = -g

# They put themselves before the allocator, which a static libc has in one object with the rest.
FAILING_ALLOCATOR := sample/sampler conditions/resilience dig/symbol/symbol dig/unwind/unwind_table
$(FAILING_ALLOCATOR:%=$(BUILD)/test/%_test): LDFLAGS += -Wl,-z,muldefs

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(BUILD)/libosprey.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/agree/%: $(BUILD)/tests/agree/%.o $(BUILD)/libosprey.a
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/lab/%: $(BUILD)/tests/lab/%.o $(BUILD)/libosprey.a
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/dig/%: $(BUILD)/tests/dig/%.o $(BUILD)/libosprey.a
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/cli/%: $(BUILD)/tests/cli/%.o
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^

# Like programs that one meets: linked dynamically, with debug information, some of them without.
DIG_CC = $(CC) -std=gnu17 -D_GNU_SOURCE $(WARN) -g
$(BUILD)/tests/dig/%: tests/dig/targets/%.c tests/dig/targets/target.h
	@mkdir -p $(@D)
	$(Q)$(DIG_CC) -O1 -fno-omit-frame-pointer -o $@ $< -pthread
$(BUILD)/tests/dig/nofp: tests/dig/targets/nofp.c tests/dig/targets/target.h
	@mkdir -p $(@D)
	$(Q)$(DIG_CC) -O2 -fomit-frame-pointer -o $@ $< -pthread
$(BUILD)/tests/dig/threads_static: tests/dig/targets/threads.c tests/dig/targets/target.h
	@mkdir -p $(@D)
	$(Q)$(DIG_CC) -O2 -fomit-frame-pointer -static -s -o $@ $< -pthread
$(BUILD)/tests/dig/fibers: tests/dig/targets/fibers.c $(BUILD)/runtime/libospreyrt.a
	@mkdir -p $(@D)
	$(Q)$(DIG_CC) -O1 -Iruntime/include -o $@ $< $(BUILD)/runtime/libospreyrt.a -pthread
$(BUILD)/runtime/libospreyrt.a: runtime ;
$(BUILD)/tests/dig/%: tests/dig/targets/%.cc tests/dig/targets/target.h
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=gnu++17 -D_GNU_SOURCE -Wall -Wextra $(if $(WERROR),-Werror) -O2 -g -o $@ $< -pthread
$(BUILD)/tests/dig/%: tests/dig/targets/%.rs
	@mkdir -p $(@D)
	$(Q)MAKEFLAGS= rustc -O -g -o $@ $<
$(BUILD)/tests/dig/goroutines_stripped: GO_FLAGS = -ldflags='-s -w'
$(BUILD)/tests/dig/goroutines $(BUILD)/tests/dig/goroutines_stripped: tests/dig/targets/goroutines.go
	@mkdir -p $(@D)
	$(Q)GOCACHE=$(abspath $(BUILD))/go-cache go build $(GO_FLAGS) -o $@ $<

$(BUILD)/tools/capture.d/%: $(BUILD)/tools/capture.d/%.o $(BUILD)/libosprey.a
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# One library with all sanitizers, made by clang: the unit tests of `sanitized` and the fuzzers link it.
SANITIZED = BUILD=$(BUILD)/sanitized GEN=$(GEN) CC=$(CLANG) SAN=fuzzer-no-link,address,undefined OPT=-O1 DEBUG=-g1

$(BUILD)/tests/fuzz/%_fuzz: tests/fuzz/%_fuzz.c $(LIB_C) | sanitized-library
	@mkdir -p $(@D)
	$(call say,FUZZ)
	$(Q)$(CLANG) $(CPPFLAGS) -std=gnu17 -O1 -g1 -fsanitize=fuzzer,address,undefined -o $@ $< \
		$(BUILD)/sanitized/libosprey.a $(LDLIBS)

# This one is of the runtime, by itself, with the descriptors of its own types.
RT_FUZZ = $(CLANG) -std=gnu17 -D_GNU_SOURCE -Iruntime/include -Iruntime/src -Iruntime/tests -O1 -g -fsanitize=fuzzer,address,undefined
$(BUILD)/tests/fuzz/reflect_fuzz: tests/fuzz/reflect_fuzz.c $(wildcard runtime/src/reflect/*.[ch] runtime/include/osprey/rt/*.h) \
		runtime/tests/reflect_types.h | runtime
	@mkdir -p $(@D)
	$(call say,FUZZ)
	$(Q)$(RT_FUZZ) -c -o $@.o $<
	$(Q)$(BUILD)/runtime/tools/osprey-rt-types -o $@.types.c $@.o
	$(Q)$(RT_FUZZ) -o $@ $@.o $@.types.c $(filter runtime/src/reflect/%.c,$^) -pthread

sanitized:
	$(MAKE) $(SANITIZED) unit-tests

sanitized-library:
	$(MAKE) $(SANITIZED) $(BUILD)/sanitized/libosprey.a

unit-tests: $(TESTS)
tests: unit-tests $(AGREE) $(LAB) $(TREE) $(DIG)
benches: $(BENCHES)
fuzzers: $(FUZZERS)

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^#: //p' Makefile

#: make              build build/osprey, one static binary
#: make doctor       install what the build needs, build, diagnose this machine
#: make check        install what the tests need, build, run every test
doctor:
	tools/setup build
	$(MAKE) $(BUILD)/osprey
	$(BUILD)/osprey doctor || test $$? -eq 1

check:
	tools/setup tests
	tests/run

#: make check-fresh  the two commands above on a minimal Debian 12 made for it
check-fresh:
	tools/setup fresh
	tools/check-fresh

#: make check-kernels  under Debian's 5.10, 6.1 and a backports kernel, in QEMU
check-kernels:
	tools/setup kernels
	$(MAKE) all tests runtime-tests
	tests/vm/run --timeout 900 --kernel bullseye --kernel bookworm --kernel backports

#: make bench        every claim about speed, the peer beside osprey
bench: all benches
	tools/setup bench
	bench/run

#: make runtime      build/runtime/libospreyrt.{a,so.0}: fibers for C, a library by itself (docs/runtime.md)
RUNTIME = $(MAKE) -C runtime BUILD=$(abspath $(BUILD))/runtime
runtime:
	+$(RUNTIME) all

# Two makes at once in one folder would write the same files.
runtime-tests: runtime
	+$(RUNTIME) tests benches examples

#: make bench-runtime   the runtime's claims, each beside Go, pthreads and Debian's allocators: ten minutes; LONG=1: more rounds
bench-runtime:
	tools/setup bench
	+$(RUNTIME) all benches examples
	BUILD=$(abspath $(BUILD)) runtime/bench/run $(if $(LONG),--long)

#: make bless        take the output of today's commands as what the tests expect
bless: all
	tests/cli/run --bless

#: make new-condition NAME=x   the folder of a new condition
new-condition:
	@tools/new-condition "$(NAME)"

#: make clean        remove build/
.PHONY: all unit-tests tests benches fuzzers sanitized sanitized-library clean help doctor check check-fresh check-kernels bench \
        runtime runtime-tests bench-runtime bless new-condition
.SECONDARY:

-include $(LIB_O:.o=.d) $(BUILD)/src/main.d $(TESTS:$(BUILD)/test/%=$(BUILD)/src/%.d)
