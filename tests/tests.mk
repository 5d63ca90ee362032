# SPDX-License-Identifier: MIT
# The targets of the tests and checks; the Makefile includes this file.

unit_tests := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
# A fuzz target is linked with libFuzzer (VARIANT=fuzz), or with replay.c to run its committed corpus.
fuzz_names   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_shared  := $(patsubst %.c,$(B)/%.o,$(filter-out tests/fuzz/fuzz_% tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)))
fuzz_replays := $(fuzz_names:%=$(B)/tests/fuzz/replay_%)
fuzz_targets := $(fuzz_names:%=$(B)/tests/fuzz/fuzz_%)
# Memory that runs out. test_memory_process replaces malloc for the whole process, which no sanitizer allows.
memory_shared := $(patsubst %.c,$(B)/%.o,\
    $(filter-out tests/memory/wrap.c tests/memory/interpose.c,$(wildcard tests/memory/*.c)))
memory_tests  := $(B)/tests/memory/test_memory \
    $(if $(filter release coverage,$(VARIANT)),$(B)/tests/memory/test_memory_process)
memory_wrapped := malloc calloc realloc strdup free pthread_create inflateInit2_ deflateInit2_ MHD_start_daemon \
                  MHD_create_response_from_callback MHD_create_response_from_iovec MHD_create_response_from_buffer \
                  MHD_add_response_header
# What the tests of a failing disk share.
disk_shared   := $(patsubst %.c,$(B)/%.o,$(filter-out tests/disk/torture_%,$(wildcard tests/disk/*.c)))
disk_archives := $(call archive,storage) $(norm_archives) $(call archive,base)
# The load generator of the integration tests.
load := $(B)/tests/load/load
# Daemons in which something happens late, or not at all.
late_daemons := $(B)/tests/daemons/late_resume $(B)/tests/daemons/late_store $(B)/tests/daemons/hang
test_programs := $(unit_tests) $(fuzz_replays) $(memory_tests) $(load) $(late_daemons) $(B)/bench/commits

### Tests

test: all $(test_programs) $(B)/python/installed | $(B)/packages-test $(B)/packages-test-postgresql
test: ## all tests: unit, fuzz corpora, layers, memory, Python, pages, integration
	@tests/run --build $(B)

unit: $(unit_tests) | $(B)/packages-test-postgresql ## the unit tests alone
	@tests/run --build $(B) unit

pages: all | $(B)/packages-test $(B)/packages-test-pages ## the tests of the pages alone, in a browser
	@tests/run --build $(B) pages

layers: $(archives) | $(B)/packages-test ## prove with the linker which room uses which
	@tests/layers $(B)

asan: ## the whole suite under the address and undefined-behaviour sanitizers
	$(MAKE) VARIANT=asan test

tsan: ## the whole suite under the thread sanitizer
	$(MAKE) VARIANT=tsan test

valgrind: all $(unit_tests) $(fuzz_replays) | $(B)/packages-test
valgrind: | $(B)/packages-valgrind ## the unit tests and some API tests under valgrind
	@tests/run --build $(B) --valgrind

coverage: | $(B)/packages-coverage ## line coverage of the whole suite, in build/coverage/report
	$(MAKE) VARIANT=coverage test
	@scripts/coverage build/coverage

# Warnings are errors, and the unit tests compare the results' bits with the golden vectors.
clang_objects := $(patsubst %.c,build/clang/%.o,$(filter-out bench/kernels_dnnl.c, \
    $(foreach f,bench tests tests/* tests/fuzz/seeds,$(wildcard $f/*.c))))
clang: | $(B)/packages-clang $(B)/packages-build ## build with clang, warnings as errors, and run the unit tests
	@$(MAKE) --no-print-directory VARIANT=clang CC=clang CI=true all $(clang_objects) unit

lint: | $(B)/packages-build $(B)/packages-lint ## long lines, clang-format, clang-tidy, cppcheck
	@scripts/lint

format: | $(B)/packages-lint ## lay out the C sources with clang-format
	@scripts/lint format

fuzz: fuzz-targets ## look for inputs that break the codec (FUZZ_SECONDS= for each target, FUZZ_TARGETS=)
	@scripts/fuzz run $(or $(FUZZ_SECONDS),60) $(or $(FUZZ_TARGETS),$(fuzz_names))

fuzz-merge: fuzz-targets ## reduce what fuzzing found to the smallest corpora, in tests/fuzz/corpus
	@scripts/fuzz merge $(or $(FUZZ_TARGETS),$(fuzz_names))

fuzz-targets: | $(B)/packages-build $(B)/packages-fuzz ## build the fuzz targets
	@$(MAKE) --no-print-directory -s VARIANT=fuzz CC=clang \
	    $(patsubst %,build/fuzz/tests/fuzz/%,$(fuzz_names:%=fuzz_%) make_seeds)

test-deb: | $(B)/packages-test-deb ## install, upgrade and purge the packages on Debian 12 and 13 (root, minutes)
	@tests/packages/run $(SUITES)

torture: ## the long runs, one after the other: faults by the thousand
	@$(foreach t,oom power kill replay drip memory,$(MAKE) --no-print-directory torture-$(t) &&) :

torture-oom: $(memory_tests) | $(B)/packages-test ## fail every allocation of every operation, in every way (minutes)
	@tests/run --build $(B) --full memory

torture-power: $(B)/tests/disk/torture_power ## 10,000 power cuts under the store (SEED=)
	@$< $(SEED)

torture-kill: all $(load) | $(B)/packages-test ## SIGKILL under load, 500 times on one store (NORMD_KILL_ROUNDS=)
	@NORMD_KILL_ROUNDS=$(or $(NORMD_KILL_ROUNDS),500) tests/run --build $(B) integration -k KillUnderLoad

torture-replay: all | $(B)/packages-test $(B)/packages-test-postgresql ## many daemons, one layer (UPDATES=, CLIENTS=)
	@NORMD_REPLAY_UPDATES=$(or $(UPDATES),100000) NORMD_REPLAY_CLIENTS=$(or $(CLIENTS),96) \
	    tests/run --build $(B) integration -k test_replay

torture-drip: all | $(B)/packages-test ## 2,000 clients at a byte a second for a minute (CLIENTS=, SECONDS=)
	@CLIENTS='$(CLIENTS)' SECONDS='$(SECONDS)' tests/torture/drip $(B)

torture-memory: all | $(B)/packages-test ## attacks on the memory at full size: the peak beside --max-memory (minutes)
	@tests/torture/memory $(B)

verify-floats: $(B)/tests/verify_floats ## write and read all 2^32 float32, against an independent printer (minutes)
	@$<

vectors: | $(B)/packages-vectors ## write the golden vectors again, with PyTorch
	tests/make_vectors.py tests/vectors

# The fuzzer follows what the codec does, not the tests that judge it.
ifeq ($(VARIANT),fuzz)
$(B)/tests/%.o: all_cflags += -fno-sanitize=fuzzer-no-link
endif

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/tests/unit/main.o $(link_archives) | $(B)/packages-test
	$(CC) $(all_ldflags) $(unit_wrapped:%=-Wl,--wrap=%) -o $@ $(filter %.o,$^) $(link_archives) \
	    $(shell pkg-config --libs check) $(libs_all)
$(B)/tests/unit/test_history $(B)/tests/unit/test_window_history: unit_wrapped := clock_realtime_s
$(patsubst %.c,$(B)/%.o,$(wildcard tests/unit/*.c)): | $(B)/packages-test
$(B)/tests/unit/test_change $(B)/tests/unit/test_power_cut $(B)/tests/unit/test_storage_faults: $(disk_shared)
$(patsubst %,$(B)/tests/unit/test_%,\
    backup change change_kill freeze history keys layers serving sources source_writes storage_faults store versions \
    versions_kill window window_history window_saving): \
    $(B)/tests/unit/scratch_store.o

$(B)/tests/disk/torture_power: $(B)/tests/disk/torture_power.o $(disk_shared) $(disk_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_storage) $(libs_norm)

$(B)/tests/memory/test_memory: $(B)/tests/memory/wrap.o $(memory_shared) $(link_archives)
	$(CC) $(all_ldflags) $(memory_wrapped:%=-Wl,--wrap=%) -o $@ $^ $(libs_all)
$(B)/tests/memory/test_memory_process: $(B)/tests/memory/interpose.o $(memory_shared) $(link_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_all)

$(fuzz_replays): $(B)/tests/fuzz/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(fuzz_shared) \
    $(codec_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_codec)
$(fuzz_targets): $(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(fuzz_shared) $(codec_archives)
	$(CC) $(all_ldflags) -fsanitize=fuzzer -o $@ $^ $(libs_codec)
$(B)/tests/fuzz/make_seeds: $(patsubst %.c,$(B)/%.o,$(wildcard tests/fuzz/seeds/*.c)) $(B)/tests/fuzz/fuzz.o
	$(CC) $(all_ldflags) -o $@ $^ -lm

$(B)/tests/daemons/late_resume: late_functions := MHD_resume_connection
$(B)/tests/daemons/late_store: late_functions := store_submit
$(B)/tests/daemons/hang: late_functions := clock_monotonic_us request_step
$(late_daemons): $(B)/tests/daemons/%: $(B)/tests/daemons/%.o $(B)/main/main.o $(link_archives)
	$(CC) $(all_ldflags) $(late_functions:%=-Wl,--wrap=%) -o $@ $^ $(libs_all)

$(load): $(patsubst %.c,$(B)/%.o,$(wildcard tests/load/*.c))
	$(CC) $(all_ldflags) -o $@ $^

$(B)/tests/verify_floats: tests/verify_floats.cc $(B)/tests/verify_floats_codec.o $(codec_archives) \
    | $(B)/packages-verify-floats
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -O2 -Wall -Wextra -I. $(CXXFLAGS) $(all_ldflags) -o $@ $^ $(libs_codec)
