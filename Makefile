# SPDX-License-Identifier: MIT
# normd. `make help` lists the targets. Those of the Python client, of tests and of benchmarks are in
# clients/python/python.mk, tests/tests.mk and bench/bench.mk.
#
# Each folder of sources is one archive. Each variant (VARIANTS below) has its own build folder, which is rebuilt when
# the compiler or a flag changes. CFLAGS, CPPFLAGS and LDFLAGS are the user's; normd's own flags are added to them.

# The one place that says the version; a test compares the image and the API document with it.
VERSION  := 0.1.0
VARIANT  ?= release
VARIANTS := release clang asan tsan coverage fuzz
$(if $(filter $(VARIANT),$(VARIANTS)),,$(error VARIANT=$(VARIANT) is not one of: $(VARIANTS)))
B        := $(if $(filter release,$(VARIANT)),build,build/$(VARIANT))

CC       ?= cc
CFLAGS   ?= -O2 -g
PREFIX   ?= /usr/local
DESTDIR  ?=
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR  ?= $(PREFIX)/lib/systemd/system

# Uses all processors, unless the user or a calling make sets the number of jobs. (While GNU Make 4.3 reads this file,
# its own MAKEFLAGS does not show -j, but the environment does. An explicit -j overrides this line.)
ifeq ($(filter -j% --jobserver-%,$(shell echo "$$MAKEFLAGS")),)
MAKEFLAGS += -j$(shell nproc)
endif
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL: # `make clean all` must not build while it removes
endif

# Each room may use those before it, as tests/layers proves.
ROOMS    := base norm/kernels norm codec/decimal codec layer sync storage handlers server

std      := -std=c11 -D_GNU_SOURCE -I.
warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
            -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wconversion -Wno-sign-conversion $(if $(CI),-Werror)
# The same bits on every platform: no contraction of a*b+c, no optimization that changes a value (docs/MATH.md).
# Nothing reads errno or the floating-point flags; gcc vectorizes a choice between values only without those flags.
numbers  := -ffp-contract=off -fno-math-errno -fno-trapping-math
harden   := -fstack-protector-strong -fPIE
sanitize := -fno-sanitize-recover=all -fno-omit-frame-pointer -O1
# INSTRUMENTED: the program reads and writes files of its own, which the sandbox must not deny.
variant_asan     := -fsanitize=address,undefined $(sanitize) -DARENA_EACH_APART -DINSTRUMENTED
variant_tsan     := -fsanitize=thread -fno-omit-frame-pointer -O1 -DINSTRUMENTED
variant_coverage := --coverage -O0 -DINSTRUMENTED
variant_fuzz     := -fsanitize=fuzzer-no-link,address,undefined $(sanitize) -DARENA_EACH_APART -Wno-format-nonliteral
variant_release  := -D_FORTIFY_SOURCE=2
variant_clang    := $(variant_release)

all_cflags  := $(std) $(warnings) $(numbers) $(harden) $(CPPFLAGS) $(CFLAGS) $(variant_$(VARIANT)) -pthread
all_ldflags := -pie -Wl,-z,relro,-z,now $(LDFLAGS) $(filter -f% --coverage,$(variant_$(VARIANT))) -pthread

# What the build folder was built with. Expanded here, before single targets add flags of their own below.
flags_text := $(CC) $(all_cflags) $(all_ldflags) $(VERSION)

libs_norm    := -lm
libs_codec   := -lcjson -lz -lm
libs_storage := -lsqlite3 -lpq
libs_all     := -lmicrohttpd -lgnutls -lsqlite3 -lpq -lcjson -lz -lnettle -lseccomp -lm

sources  = $(wildcard $(1)/*.c)
# Sources that the build writes into its folder.
written_handlers := handlers/openapi_document.c handlers/web_files.c
objects  = $(patsubst %.c,$(B)/%.o,$(call sources,$(1)) $(written_$(1)))
archive  = $(B)/lib$(subst /,_,$(1)).a
archives := $(foreach r,$(ROOMS),$(call archive,$(r)))
# A linker wants the users of an archive before it.
reversed = $(if $(1),$(call reversed,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
link_archives  := $(call reversed,$(archives))
norm_archives  := $(call archive,norm) $(call archive,norm/kernels)
codec_archives := $(call archive,codec) $(call archive,codec/decimal) $(call archive,base)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

### Build, run, install

all: $(B)/normd $(B)/normd.8 $(B)/normd.conf ## build the daemon, its manual page, an example of its settings (build/)

setup: ## install the packages that building, running and testing need (Debian, Ubuntu)
	scripts/setup build run test wheel

run: all | $(B)/packages-run ## build, run the worked example on real data, then keep serving (PORT=, STORE=)
	@PORT='$(PORT)' STORE='$(STORE)' scripts/demo $(B)/normd

# With the Python client of this checkout, of which one half is made of the other.
run_example = /usr/bin/python3 clients/python/hatch_build.py && \
    PYTHONPATH=clients/python/src PYTHONDONTWRITEBYTECODE=1 examples

example: all | $(B)/packages-example ## train a PyTorch network that normalizes in normd (examples/)
	@$(run_example)/train_penguins.py --normd $(B)/normd

example-loop: all | $(B)/packages-example-loop ## run a control loop that normalizes in normd (examples/)
	@$(run_example)/control_loop.py --normd $(B)/normd

# Settings that are there are the operator's: they stay, whatever is installed or removed.
installed_conf := $(DESTDIR)$(SYSCONFDIR)/normd/normd.conf

# The units name the program and the settings where they are installed.
install_unit = sed -e 's|/usr/bin/|$(PREFIX)/bin/|' -e 's|/etc/normd|$(SYSCONFDIR)/normd|' deploy/$(1) | \
    install -D -m 644 /dev/stdin $(DESTDIR)$(UNITDIR)/$(1)

install: all ## install under DESTDIR and PREFIX; settings under SYSCONFDIR
	install -D -m 755 $(B)/normd $(DESTDIR)$(PREFIX)/bin/normd
	install -D -m 644 $(B)/normd.8 $(DESTDIR)$(PREFIX)/share/man/man8/normd.8
	install -D -m 644 $(B)/normd.conf $(DESTDIR)$(PREFIX)/share/doc/normd/normd.conf
	install -D -m 644 deploy/normd.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/normd.conf
	$(call install_unit,normd.service)
	$(call install_unit,normd.socket)
	@[ -e $(installed_conf) ] || (set -x; install -D -m 644 $(B)/normd.conf $(installed_conf))
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/normd/LICENSE
	install -D -m 644 web/vendor/LICENSE $(DESTDIR)$(PREFIX)/share/doc/normd/LICENSE.uPlot

uninstall: ## remove what install has installed, but settings that were changed
	@! cmp -s $(DESTDIR)$(PREFIX)/share/doc/normd/normd.conf $(installed_conf) || \
	    (set -x; rm $(installed_conf); rmdir --ignore-fail-on-non-empty $(dir $(installed_conf)))
	rm -f $(DESTDIR)$(PREFIX)/bin/normd $(DESTDIR)$(PREFIX)/share/man/man8/normd.8 \
	    $(DESTDIR)$(PREFIX)/lib/sysusers.d/normd.conf $(DESTDIR)$(UNITDIR)/normd.service \
	    $(DESTDIR)$(UNITDIR)/normd.socket
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/normd

deb: | $(B)/packages-build $(B)/packages-deb $(if $(filter any,$(DEB)),,$(B)/packages-deb-python)
deb: ## build Debian packages: normd and python3-normd, or with DEB=any normd alone (build/deb)
	@scripts/make_deb $(VERSION) $(B)/deb $(DEB)

clean: ## remove everything built
	rm -rf build

help: ## this list
	@awk -F ':|## ' '/^### / { print (n++ ? "\n" : "") substr($$0, 5) ":" } \
	    /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, substr($$0, index($$0, "## ") + 3) }' $(makefiles)

include $(wildcard clients/python/python.mk tests/tests.mk bench/bench.mk) # the image is built without them
makefiles := $(filter-out %.d,$(MAKEFILE_LIST))

# Each target with a help text (##) is a command, not a file. A command installs the packages that it needs. Those that
# a packager or a user without root runs only say what is missing, and so do targets that are files.
commands     := $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(makefiles))
only_check   := all install uninstall clean help
installs     := $(filter-out $(only_check),$(filter $(commands),$(MAKECMDGOALS)))
.PHONY: $(commands) FORCE

# The packages of a group of scripts/setup. A command that installs looks for them each time, others once.
$(B)/packages-%: scripts/setup $(if $(installs),FORCE)
	@mkdir -p $(@D)
	@scripts/setup $(if $(installs),,--check) $*
	@touch $@

$(B)/normd: $(B)/main/main.o $(link_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_all)

# The manual page and the example of settings come from the tables that the daemon reads.
$(B)/manual: $(B)/main/manual.o $(link_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_all)
$(B)/normd.8: docs/normd.8.in $(B)/manual
	@$(B)/manual page $(VERSION) \
	    "$$(LC_ALL=C date -u -d "@$${SOURCE_DATE_EPOCH:-$$(stat -c %Y $<)}" '+%B %-d, %Y')" <$< >$@
$(B)/normd.conf: $(B)/manual
	@$< example >$@

# One archive for each room; what has a main() is not in the server's, so that tests can link that.
programs := main manual
define room_rules
$(call archive,$(1)): $(filter-out $(programs:%=$(B)/server/%.o),$(call objects,$(1)))
	@rm -f $$@
	@$(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_rules,$(r))))

define compile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(all_cflags) -MMD -MP -c -o $@ $<
endef
$(B)/%.o: %.c $(B)/flags | $(B)/packages-build
	$(compile)
$(programs:%=$(B)/main/%.o): $(B)/main/%.o: server/%.c $(B)/flags | $(B)/packages-build
	$(compile)

$(B)/main/main.o $(B)/handlers/root.o: all_cflags += -DNORMD_VERSION='"$(VERSION)"'
# The kernels and the codec's loops are compiled with -O3, whatever CFLAGS says for the rest.
ifneq ($(filter release clang,$(VARIANT)),)
$(B)/norm/%.o $(B)/codec/%.o $(B)/bench/%.o: all_cflags += -O3
# Where a short loop lies in the cache's lines changes its speed by some percent, whatever else is linked.
$(B)/norm/kernels/%.o: all_cflags += -falign-loops=32
endif

# The API document, which /openapi.json serves.
$(B)/handlers/openapi_document.c: docs/openapi.yaml scripts/make_openapi.py | $(B)/packages-build
	@mkdir -p $(@D)
	@echo "  PAGE  $<"
	@scripts/make_openapi.py $< >$@

# The pages. A folder is newer than what was built when a file in it was added or removed.
$(B)/handlers/web_files.c: $(shell find web) scripts/make_pages.py | $(B)/packages-build
	@mkdir -p $(@D)
	@scripts/make_pages.py web >$@
$(written_handlers:%.c=$(B)/%.o): %.o: %.c $(B)/flags
	$(compile)

# Rewritten only when the flags change; everything that depends on it is then rebuilt.
ifneq ($(file <$(B)/flags),$(flags_text))
$(B)/flags: FORCE
endif
$(B)/flags:
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(flags_text))' >$@

# Not those of packages and of systems that they are tried in, which have folders with such names.
-include $(shell find $(B) \( -path $(B)/deb -o -path $(B)/packages \) -prune -o -type f -name '*.d' -print 2>/dev/null)
