# SPDX-License-Identifier: MIT
# normd. `make help` lists the targets.
#
# One folder is one archive. Each variant (VARIANTS below) has a build folder of its own; a change of compiler or
# flags rebuilds that folder. CFLAGS, CPPFLAGS and LDFLAGS are yours: normd's own flags stand apart from them.

VERSION  := 0.1.0
VARIANT  ?= release
VARIANTS := release clang asan tsan coverage fuzz
$(if $(filter $(VARIANT),$(VARIANTS)),,$(error VARIANT=$(VARIANT) is none of $(VARIANTS)))
B        := $(if $(filter release,$(VARIANT)),build,build/$(VARIANT))

CC       ?= cc
CFLAGS   ?= -O2 -g
PREFIX   ?= /usr/local
DESTDIR  ?=

# All processors, unless the user or a make above this one says how many jobs run at once. (The environment says so, where the variable
# of GNU Make 4.3 does not yet while it reads this; and -j on the command line has the last word.)
ifeq ($(filter -j% --jobserver-%,$(shell echo "$$MAKEFLAGS")),)
MAKEFLAGS += -j$(shell nproc)
endif
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL: # what is cleaned must not be built meanwhile
endif

# Each may use those before it, as tests/layers proves.
ROOMS    := base norm/kernels norm codec/decimal codec layer sync storage handlers server

std      := -std=c11 -D_GNU_SOURCE -I.
warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings \
            -Wundef -Wvla -Wformat=2 -Wconversion -Wno-sign-conversion $(if $(CI),-Werror)
# The same bits everywhere: no contraction of a*b+c, no value-changing optimization. MATH.md says why. Nobody reads errno or the
# floating-point exception flags, and gcc makes vectors of a choice between two results only where it need not keep the flags.
numbers  := -ffp-contract=off -fno-math-errno -fno-trapping-math
harden   := -fstack-protector-strong -fPIE
variant_asan     := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DARENA_EACH_APART -O1
variant_tsan     := -fsanitize=thread -fno-omit-frame-pointer -O1
variant_coverage := --coverage -O0
variant_fuzz     := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
                    -DARENA_EACH_APART -O1 -Wno-format-nonliteral
variant_release  := -D_FORTIFY_SOURCE=2
variant_clang    := $(variant_release)

all_cflags  := $(std) $(warnings) $(numbers) $(harden) $(CPPFLAGS) $(CFLAGS) $(variant_$(VARIANT)) -pthread
all_ldflags := -pie -Wl,-z,relro,-z,now $(LDFLAGS) $(filter -f% --coverage,$(variant_$(VARIANT))) -pthread

# Compared with what a build folder was built with. Expanded here, so that it has none of the flags that single targets add below.
flags_text := $(CC) $(all_cflags) $(all_ldflags) $(VERSION)

libs_base     :=
libs_norm     := -lm
libs_codec    := -lcjson -lz -lm
libs_storage  := -lsqlite3
libs_handlers :=
libs_server   := -lmicrohttpd
libs_all      := -lmicrohttpd -lsqlite3 -lcjson -lz -lm

sources  = $(wildcard $(1)/*.c)
objects  = $(patsubst %.c,$(B)/%.o,$(call sources,$(1)))
archive  = $(B)/lib$(subst /,_,$(1)).a
archives := $(foreach r,$(ROOMS),$(call archive,$(r)))
# Most dependent first, as a linker wants them.
reversed = $(if $(1),$(call reversed,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
link_archives := $(call reversed,$(archives))
norm_archives  := $(call archive,norm) $(call archive,norm/kernels)
codec_archives := $(call archive,codec) $(call archive,codec/decimal) $(call archive,base)

unit_tests := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
# A fuzz target is linked with libFuzzer (VARIANT=fuzz), or with replay.c to run its committed corpus.
fuzz_names   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_shared  := $(patsubst %.c,$(B)/%.o,$(filter-out tests/fuzz/fuzz_% tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)))
fuzz_replays := $(fuzz_names:%=$(B)/tests/fuzz/replay_%)
fuzz_targets := $(fuzz_names:%=$(B)/tests/fuzz/fuzz_%)
# The load generator of the integration tests.
load := $(B)/tests/load/load
# The daemon with something that happens late, each with the functions that its file replaces.
late_daemons := $(B)/tests/daemons/late_resume $(B)/tests/daemons/late_store
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all run test unit layers asan tsan valgrind coverage lint format bench-codec verify-floats install clean help setup vectors FORCE

all: $(B)/normd ## build the daemon (build/normd)

$(B)/normd: $(B)/main/main.o $(link_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_all)

# One archive a room; main() stands apart so that tests can link the server's other parts.
define room_rules
$(call archive,$(1)): $(filter-out $(B)/server/main.o,$(call objects,$(1)))
	@rm -f $$@
	@$(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_rules,$(r))))

$(B)/main/main.o: server/main.c $(B)/flags | $(B)/packages
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(all_cflags) -DNORMD_VERSION='"$(VERSION)"' -MMD -MP -c -o $@ $<

$(B)/server/%.o: all_cflags += -DNORMD_VERSION='"$(VERSION)"'
$(B)/handlers/%.o: all_cflags += -DNORMD_VERSION='"$(VERSION)"'
# The kernels, and the tight loops of the codec, are worth the compiler's best whatever CFLAGS says of the rest.
ifneq ($(filter release clang,$(VARIANT)),)
$(B)/norm/%.o $(B)/codec/%.o $(B)/bench/%.o: all_cflags += -O3
endif
# The fuzzer follows what the codec does, not the tests that judge it.
ifeq ($(VARIANT),fuzz)
$(B)/tests/%.o: all_cflags += -fno-sanitize=fuzzer-no-link
endif

$(B)/%.o: %.c $(B)/flags | $(B)/packages
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(all_cflags) -MMD -MP -c -o $@ $<

# Written anew only when the flags change: what depends on it is then rebuilt.
ifneq ($(file <$(B)/flags),$(flags_text))
$(B)/flags: FORCE
endif
$(B)/flags:
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(flags_text))' >$@

# The libraries that the build needs, installed when they are missing.
$(B)/packages: scripts/setup
	@mkdir -p $(@D)
	@scripts/setup build
	@touch $@

# And those of the tests.
$(B)/packages-test: scripts/setup
	@mkdir -p $(@D)
	@scripts/setup build test
	@touch $@

# What the tests of a disk that fails share.
disk_shared   := $(patsubst %.c,$(B)/%.o,$(filter-out tests/disk/torture_%,$(wildcard tests/disk/*.c)))
disk_archives := $(call archive,storage) $(norm_archives) $(call archive,base)

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/tests/unit/main.o $(link_archives) | $(B)/packages-test
	$(CC) $(all_ldflags) -o $@ $(filter %.o,$^) $(link_archives) $(unit_libs) $(libs_all)
unit_libs = $(shell pkg-config --libs check)
$(patsubst %.c,$(B)/%.o,$(wildcard tests/unit/*.c)): | $(B)/packages-test
$(B)/tests/unit/test_power_cut $(B)/tests/unit/test_storage_faults: $(disk_shared)
$(B)/tests/unit/test_backup $(B)/tests/unit/test_keys $(B)/tests/unit/test_storage_faults $(B)/tests/unit/test_store: \
    $(B)/tests/unit/scratch_store.o

$(B)/tests/disk/torture_power: $(B)/tests/disk/torture_power.o $(disk_shared) $(disk_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_storage) $(libs_norm)

# Memory that runs out. All that test_memory links calls malloc and its like by way of tests/memory/wrap.c; test_memory_process has a
# malloc of its own, as a program under a sanitizer cannot.
memory_wrapped := malloc calloc realloc strdup free pthread_create inflateInit2_ deflateInit2_ MHD_start_daemon \
                 MHD_create_response_from_callback MHD_create_response_from_iovec MHD_create_response_from_buffer MHD_add_response_header
memory_shared  := $(patsubst %.c,$(B)/%.o,$(filter-out tests/memory/wrap.c tests/memory/interpose.c,$(wildcard tests/memory/*.c)))
memory_tests   := $(B)/tests/memory/test_memory $(if $(filter release coverage,$(VARIANT)),$(B)/tests/memory/test_memory_process)
$(B)/tests/memory/test_memory: $(B)/tests/memory/wrap.o $(memory_shared) $(link_archives)
	$(CC) $(all_ldflags) $(memory_wrapped:%=-Wl,--wrap=%) -o $@ $^ $(libs_all)
$(B)/tests/memory/test_memory_process: $(B)/tests/memory/interpose.o $(memory_shared) $(link_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_all)

fuzz_archives := $(codec_archives)
$(fuzz_replays): $(B)/tests/fuzz/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(fuzz_shared) $(fuzz_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_codec)
$(fuzz_targets): $(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(fuzz_shared) $(fuzz_archives)
	$(CC) $(all_ldflags) -fsanitize=fuzzer -o $@ $^ $(libs_codec)
$(B)/tests/fuzz/make_seeds: $(patsubst %.c,$(B)/%.o,$(wildcard tests/fuzz/seeds/*.c)) $(B)/tests/fuzz/fuzz.o
	$(CC) $(all_ldflags) -o $@ $^ -lm

$(B)/tests/daemons/late_resume: late_functions := MHD_resume_connection
$(B)/tests/daemons/late_store: late_functions := store_submit
$(late_daemons): $(B)/tests/daemons/%: $(B)/tests/daemons/%.o $(B)/main/main.o $(link_archives)
	$(CC) $(all_ldflags) $(late_functions:%=-Wl,--wrap=%) -o $@ $^ $(libs_all)

$(load): $(patsubst %.c,$(B)/%.o,$(wildcard tests/load/*.c))
	$(CC) $(all_ldflags) -o $@ $^

setup: ## install what building, running and testing need (Debian, Ubuntu)
	scripts/setup build run test

run: all ## build, run the worked example on real data, then keep serving (PORT=, STORE=)
	@scripts/setup run
	@PORT='$(PORT)' STORE='$(STORE)' scripts/demo $(B)/normd

.PHONY: example
example: all ## train a PyTorch network that normalizes in normd, also from two processes (examples/)
	@scripts/setup example
	@PYTHONDONTWRITEBYTECODE=1 examples/train_penguins.py --normd $(B)/normd

unit: $(unit_tests) ## the unit tests alone
	@tests/run --build $(B) unit

test: test-setup all ## all tests: unit, fuzz corpora, layering, memory that runs out, integration
	@$(MAKE) --no-print-directory VARIANT=$(VARIANT) $(unit_tests) $(fuzz_replays) $(memory_tests) $(load) $(late_daemons)
	@tests/run --build $(B)

.PHONY: test-setup
test-setup:
	@scripts/setup build test

.PHONY: torture torture-oom torture-power torture-kill
torture: ## the long runs, one after the other: faults by the thousand
	@$(MAKE) --no-print-directory torture-oom
	@$(MAKE) --no-print-directory torture-power
	@$(MAKE) --no-print-directory torture-kill
	@$(MAKE) --no-print-directory torture-drip
	@$(MAKE) --no-print-directory torture-memory

torture-oom: test-setup $(memory_tests) ## memory runs out at every allocation of every operation, in every way (minutes)
	@tests/run --build $(B) --full memory

torture-power: $(B)/tests/disk/torture_power ## 10,000 power cuts under the store (SEED=)
	@$< $(SEED)

torture-kill: test-setup all $(load) ## SIGKILL under load, 500 times on one store (NORMD_KILL_ROUNDS=)
	@NORMD_KILL_ROUNDS=$(or $(NORMD_KILL_ROUNDS),500) tests/run --build $(B) integration -k KillUnderLoad

layers: $(archives) ## prove with the linker who may call whom
	@tests/layers $(B)

# Warnings are errors, and the results have the same bits as gcc's: the unit tests compare them with the golden vectors.
clang_objects := $(patsubst %.c,build/clang/%.o,$(filter-out bench/kernels_dnnl.c,$(foreach f,bench tests tests/* tests/fuzz/seeds,$(wildcard $f/*.c))))
.PHONY: clang
clang: ## build everything with clang, warnings as errors, and run the unit tests
	@scripts/setup build test clang
	@$(MAKE) --no-print-directory VARIANT=clang CC=clang CI=true all $(clang_objects) unit

asan: ## the whole suite under address and undefined-behaviour sanitizers
	$(MAKE) VARIANT=asan test

tsan: ## the whole suite under the thread sanitizer
	$(MAKE) VARIANT=tsan test

valgrind: test-setup all ## the unit tests and a round of the daemon under valgrind
	@scripts/setup valgrind
	@$(MAKE) --no-print-directory $(unit_tests) $(fuzz_replays)
	@tests/run --build $(B) --valgrind

coverage: ## line coverage of the whole suite, in build/coverage/report
	@scripts/setup coverage
	$(MAKE) VARIANT=coverage test
	@scripts/coverage build/coverage

.PHONY: fuzz fuzz-merge fuzz-targets
fuzz-targets:
	@scripts/setup build fuzz
	@$(MAKE) --no-print-directory -s VARIANT=fuzz CC=clang $(patsubst %,build/fuzz/tests/fuzz/%,$(fuzz_names:%=fuzz_%) make_seeds)

fuzz: fuzz-targets ## look for inputs that break the codec (FUZZ_SECONDS= for each target, FUZZ_TARGETS=)
	@scripts/fuzz run $(FUZZ_SECONDS) $(or $(FUZZ_TARGETS),$(fuzz_names))

fuzz-merge: fuzz-targets ## the smallest corpora that reach all that was reached, into tests/fuzz/corpus
	@scripts/fuzz merge $(or $(FUZZ_TARGETS),$(fuzz_names))

lint: $(B)/packages ## clang-format, clang-tidy, cppcheck
	@scripts/setup lint
	@scripts/lint

format: ## lay out the sources with clang-format
	@scripts/setup lint
	clang-format -i $(foreach r,$(ROOMS) tests/unit tests/load tests/daemons tests/disk tests/memory tests/fuzz tests/fuzz/seeds,$(wildcard $(r)/*.[ch]))

# The codec as it ships against its peers in C++. (-march=native changes nothing for them: simdjson chooses its code at run time.)
$(B)/bench/codec: bench/codec.cc $(B)/bench/codec_ours.o $(codec_archives)
	@scripts/setup bench-codec
	$(CXX) -std=c++17 -O3 -Wall -Wextra -I. $(CXXFLAGS) $(all_ldflags) -o $@ $^ -lsimdjson $(libs_codec)

bench-codec: $(B)/bench/codec ## the codec's speed beside simdjson, cJSON and the libraries of C and C++
	@$<

$(B)/tests/verify_floats: tests/verify_floats.cc $(B)/tests/verify_floats_codec.o $(codec_archives)
	@mkdir -p $(@D)
	@scripts/setup verify-floats
	$(CXX) -std=c++17 -O2 -Wall -Wextra -I. $(CXXFLAGS) $(all_ldflags) -o $@ $^ $(libs_codec)

verify-floats: $(B)/tests/verify_floats ## write and read all 2^32 float32, against an independent shortest printer (minutes)
	@$<

# By turns with PyTorch, in one run; see docs/PERFORMANCE.md.
.PHONY: bench-kernels
bench-kernels: $(B)/bench/kernels ## the kernels' speed beside PyTorch, oneDNN and a plain copy (ROUNDS=)
	@ROUNDS='$(ROUNDS)' bench/kernels.py $<

$(B)/bench/kernels: $(B)/bench/kernels.o $(B)/bench/kernels_dnnl.o $(norm_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_norm) -ldnnl

$(B)/bench/kernels_dnnl.o: | $(B)/packages-bench-kernels
$(B)/packages-bench-kernels:
	@scripts/setup bench-kernels
	@mkdir -p $(@D) && touch $@

.PHONY: bench-threads
bench-threads: $(B)/bench/threads ## a large tensor by one thread, and with the help of those that are idle (ROUNDS=)
	@$< $(ROUNDS)

$(B)/bench/threads: $(B)/bench/threads.o $(link_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_all)

vectors: ## make the golden vectors anew (needs python3-torch)
	@scripts/setup vectors
	tests/make_vectors.py tests/vectors

# By wrk, beside a service in Python and a bare echo; see docs/PERFORMANCE.md.
.PHONY: bench-http
bench-http: all $(B)/bench/echo ## requests per second beside the peers (ROUNDS=, SECONDS=, CONNECTIONS=)
	@scripts/setup bench-http
	@PYTHONDONTWRITEBYTECODE=1 ROUNDS='$(ROUNDS)' SECONDS='$(SECONDS)' CONNECTIONS='$(CONNECTIONS)' bench/http $(B)

.PHONY: bench-backup
bench-backup: all ## what a backup costs training (ROUNDS=, SECONDS=, STORE_MB=)
	@scripts/setup bench-backup
	@PYTHONDONTWRITEBYTECODE=1 ROUNDS='$(ROUNDS)' SECONDS='$(SECONDS)' STORE_MB='$(STORE_MB)' bench/backup $(B)

$(B)/bench/echo: $(B)/bench/echo.o
	$(CC) $(all_ldflags) -o $@ $< -lmicrohttpd

# The commit engine; likewise.
.PHONY: bench-train
bench-train: all $(B)/bench/commits ## durable training beside the peer and raw SQLite (ROUNDS=, SECONDS=, LAYERS=)
	@scripts/setup bench-http
	@PYTHONDONTWRITEBYTECODE=1 ROUNDS='$(ROUNDS)' SECONDS='$(SECONDS)' LAYERS='$(LAYERS)' bench/train $(B)

test: $(B)/bench/commits # a test runs it
$(B)/bench/commits: $(B)/bench/commits.o
	$(CC) $(all_ldflags) -o $@ $< -lsqlite3

.PHONY: bench-fair
bench-fair: all ## how long small requests wait while others send 4 MB tensors (ROUNDS=, SECONDS=, SENDERS=)
	@scripts/setup bench-http
	@PYTHONDONTWRITEBYTECODE=1 ROUNDS='$(ROUNDS)' SECONDS='$(SECONDS)' SENDERS='$(SENDERS)' bench/fair $(B)

.PHONY: bench-log
bench-log: all ## what the log costs the smallest requests (ROUNDS=, SECONDS=)
	@scripts/setup bench-http
	@PYTHONDONTWRITEBYTECODE=1 ROUNDS='$(ROUNDS)' SECONDS='$(SECONDS)' bench/log $(B)

.PHONY: torture-drip
torture-drip: all ## 2,000 clients that drip a byte a second for a minute (CLIENTS=, SECONDS=)
	@scripts/setup test
	@CLIENTS='$(CLIENTS)' SECONDS='$(SECONDS)' tests/torture/drip $(B)

.PHONY: torture-memory
torture-memory: all ## attacks on the memory at full size: the peak beside --max-memory (minutes)
	@scripts/setup test
	@tests/torture/memory $(B)

install: all ## install under DESTDIR and PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(B)/normd $(DESTDIR)$(PREFIX)/bin/normd

clean: ## remove everything built
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

-include $(shell find $(B) -name '*.d' 2>/dev/null)
