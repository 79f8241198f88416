# One Makefile, no recursion for building: make sees the whole tree, so -j and
# "what needs rebuilding" are right. Each MODE has its own build folder, so
# switching between them rebuilds nothing.
#
#   make              build both programs           -> build/release/bin
#   make run          the whole path on this machine: alb and two wsserver nodes
#   make test         unit, system and browser tests
#   make help         every target with its one-line description
#
# Only `make deps` installs anything; `make run` and `make test` call it.

# The packages' changelog has the version.
VERSION := $(shell sed -n '1s/^postern (\([^)+]*\).*/\1/p' debian/changelog)
MODE ?= release
B := build/$(MODE)

ifeq ($(origin CC),default)
CC := gcc
endif
CPPFLAGS += -D_GNU_SOURCE -DPOSTERN_VERSION='"$(VERSION)"' -I. -Ilib
CFLAGS += -std=c11 -g -Wall -Wextra -Wno-missing-field-initializers -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
          -Wmissing-prototypes -Wimplicit-fallthrough -Wvla -pthread
LDFLAGS += -pthread

# Across files: a small request costs 3 % less. What only tests and measures is linked without.
LTO := $(if $(findstring clang,$(CC)),,-flto=auto -ffat-lto-objects)
CFLAGS.release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong $(LTO)
CFLAGS.asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS.tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread
CFLAGS.fuzz := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
               -fno-sanitize-recover=all
# The shared UBSan of gcc forgets log_path when ASan is there too.
LDFLAGS.asan := $(if $(findstring clang,$(CC)),,-static-libubsan)
LDFLAGS += $(LDFLAGS.$(MODE))
CFLAGS += $(or $(CFLAGS.$(MODE)),$(error MODE is release, asan, tsan or fuzz))

# What exists. A new file in one of these folders needs no edit here.
objs = $(patsubst %.c,$B/%.o,$(wildcard $(1)/*.c))
LAYERS := base net http ws
lib = $(foreach l,$(1),$B/lib$l.a)
STICKY := $B/libstickiness.a

# Who may use whom, as link lines: a wrong include fails to link.
LIBS.base := -linih -ljansson -lmbedcrypto
LIBS.net := -lev -lcares -lmbedtls -lmbedx509 -lmbedcrypto
LIBS.http := -lhttp_parser
LIBS.ws := -lmbedcrypto
LIBS.alb := $(LIBS.net) $(LIBS.http) -ljansson -linih -lpcre2-8
LIBS.configure := $(filter-out -lcares,$(LIBS.net)) $(LIBS.http) -ljansson -linih
LIBS.wsserver := $(filter-out -lcares,$(LIBS.net)) $(LIBS.http) -ljansson -linih -lsqlite3
NEEDS.base := $(call lib,base)
NEEDS.net := $(call lib,net base)
NEEDS.http := $(call lib,http base)
NEEDS.ws := $(call lib,ws http base)
NEEDS.stickiness := $(STICKY) $(call lib,base)
NEEDS.alb := $(filter-out %/main.o,$(call objs,alb)) $(STICKY) $(call lib,ws http net base)
NEEDS.wsserver := $(filter-out %/main.o,$(call objs,wsserver)) $(call lib,ws http net base)
NEEDS.configure := $(filter-out %/main.o,$(call objs,image/configure)) $(call lib,ws http net base)

.PHONY: all
all: $B/bin/alb $B/bin/wsserver $B/bin/postern-configure ## build the programs
.DEFAULT_GOAL := all

LINK = @mkdir -p $(@D); echo "  LD  $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^
$B/bin/alb: $B/alb/main.o $(NEEDS.alb)
	$(LINK) $(LIBS.alb)
$B/bin/wsserver: $B/wsserver/main.o $(NEEDS.wsserver)
	$(LINK) $(LIBS.wsserver)
$B/bin/postern-configure: $B/image/configure/main.o $(NEEDS.configure)
	$(LINK) $(LIBS.configure)

.SECONDEXPANSION:
$B/lib%.a: $$(call objs,lib/%)
	@echo "  AR  $@"; rm -f $@; $(AR) rcs $@ $^
$(STICKY): $(call objs,stickiness)
	@echo "  AR  $@"; rm -f $@; $(AR) rcs $@ $^

# A missing compiler or library is one sentence, not a page of errors.
HEADERS := ev.h ares.h mbedtls/ssl.h http_parser.h ini.h jansson.h sqlite3.h uthash.h pcre2posix.h
have = command -v $(firstword $(CC)) >/dev/null || { \
         echo "make: the compiler $(CC) is missing: install it, or choose another: make CC=clang" >&2; exit 1; }; \
       for h in $(1); do \
         echo "\#include <$$h>" | $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 || { \
         echo "make: the header $$h is missing: run \`make deps\`" >&2; exit 1; }; done
need = command -v $(1) >/dev/null || { \
         echo "make: $(1) is missing: run \`make deps-$(2)\`" >&2; exit 1; }
$B/have-libraries:
	@$(call have,$(HEADERS)); mkdir -p $B; touch $@
$B/have-cmocka:
	@$(call have,setjmp.h cmocka.h); mkdir -p $B; touch $@

# -MMD writes each object's headers beside it; -MP keeps a deleted header from
# breaking the build.
$B/%.o: %.c Makefile | $B/have-libraries
	@mkdir -p $(@D); echo "  CC  $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
-include $(shell find $B -name '*.d' 2>/dev/null)
.SECONDARY:

# The page is inside the program: .incbin, which -MMD does not see.
$B/wsserver/page_files.o: $(wildcard wsserver/page/*)

# --- what must be installed, and the whole path by hand ------------------------

PURPOSES := deps-build deps-test deps-fuzz deps-lint deps-valgrind deps-bench deps-deb deps-deb-test deps-man deps-image deps-image-test deps-oci deps-oci-test
.PHONY: deps $(PURPOSES) run
deps: ## install what building and testing need (apt); deps-fuzz, deps-lint, deps-valgrind, deps-bench, deps-deb, deps-deb-test likewise
	@tools/deps.sh build test
$(PURPOSES): deps-%:
	@tools/deps.sh $*

# What builds before it does something else uses all processors, unless -j was said.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# The death of make is the end of what it runs, however it dies.
run: deps-build ## alb and two wsserver nodes on this machine, until Ctrl-C; ARGS=--edge puts a CDN edge's stand-in in front
	+@$(MAKE) --no-print-directory $(JOBS) all
	@exec setpriv --pdeathsig TERM tools/run.sh $B/bin build/run $(ARGS)

# --- tests ---------------------------------------------------------------

UNIT := $(patsubst tests/unit/%.c,$B/tests/unit/%,$(wildcard tests/unit/*/test_*.c))
layer = $(word 3,$(subst /, ,$(patsubst $B/%,%,$(1))))
$(UNIT:=.o): | $B/have-cmocka
$(UNIT) $B/bin/bench-%: LDFLAGS += $(if $(LTO),-fno-lto)
$(UNIT): %: %.o $$(NEEDS.$$(call layer,$$@))
	$(LINK) $(LIBS.$(call layer,$@)) $(LIBS.base) -lcmocka

# A sanitizer's report ends the program that it is about, and stays in a file
# that tools/test.sh looks for: no test can overlook it.
REPORTS := $B/reports
REPORT := halt_on_error=1:log_path=$(CURDIR)/$(REPORTS)/report
ENV := MODE=$(MODE) ASAN_OPTIONS=$(REPORT):detect_stack_use_after_return=1 UBSAN_OPTIONS=$(REPORT):print_stacktrace=1 \
       TSAN_OPTIONS=$(REPORT):second_deadlock_stack=1:suppressions=$(CURDIR)/tests/tsan.supp
# Slow programs need longer: time-outs of the tests are multiplied by this.
PATIENCE.asan := 3
PATIENCE.tsan := 5
PATIENCE ?= $(or $(PATIENCE.$(MODE)),1)
PYTEST = $(ENV) BIN=$(CURDIR)/$B/bin PATIENCE=$(PATIENCE) PYTHONDONTWRITEBYTECODE=1 \
         /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider --confcutdir=tests --timeout=$$((120 * $(PATIENCE)))
SUITES ?= unit system apps browser
# Most system tests wait for a time-out: so many do so at once, on two processors. Applications need one
# each, a browser both.
WORKERS ?= $(if $(PATIENCE.$(MODE)),3,5)

.PHONY: test suites unit system apps browser valgrind ci
test: deps-build deps-test ## all tests; MODE=asan and MODE=tsan likewise; SUITES="unit system" for some
	+@$(MAKE) --no-print-directory $(JOBS) suites
suites: all $(if $(filter unit,$(SUITES)),$(UNIT))
	@tools/test.sh $B "$(MAKE)" $(SUITES)
unit: $(UNIT) ## unit tests (cmocka), each linked with its own layer and those below
	@mkdir -p $(REPORTS); $(ENV) tools/unit.sh "" $(UNIT)
system: all ## the programs over real sockets (pytest)
	@mkdir -p $(REPORTS); $(PYTEST) -n $(WORKERS) tests/system tests/edge $(ARGS)
apps: all tests/apps/node_modules tests/browser/node_modules ## real applications and their clients through alb (Socket.IO, MQTT, FastAPI, ...)
	@mkdir -p $(REPORTS); $(PYTEST) -n 2 tests/apps $(ARGS)
browser: all tests/browser/node_modules ## the page in Chromium (pytest and playwright-core)
	@mkdir -p $(REPORTS); $(PYTEST) tests/browser $(ARGS)
valgrind: all $(UNIT) ## unit tests and one system test under valgrind
	@$(call need,valgrind,valgrind)
	@tools/unit.sh "$(VALGRIND)" $(UNIT)
	@WRAP="$(VALGRIND)" $(PYTEST) tests/system -k "$(ONE)" $(ARGS)
valgrind: PATIENCE := 10
valgrind: ONE ?= test_alb_rules or test_ws_echo or test_wsserver_chat
# One part after the other, each in a make of its own: they build in folders of their own.
PARTS ?= test test-trixie image image-test
# Nobody waits for it: fewer at once keep their clocks better.
ci: export WORKERS := 3
ci: export ONE_BY_ONE := yes
ci: ## what runs for every change (root): test, test-trixie, image, image-test; PARTS="test" for some
	+@for part in $(PARTS); do echo "== make $$part"; $(MAKE) --no-print-directory $$part || exit 1; done

VALGRIND := valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
            --suppressions=$(CURDIR)/tests/valgrind.supp

# Versions are exact in package.json; a lock file would hold download addresses.
tests/%/node_modules: tests/%/package.json
	@cd tests/$* && npm install --no-package-lock --no-audit --no-fund --loglevel=error || { \
	  echo "make: npm could not install what the $* tests need: its reason is above" >&2; exit 1; }
	@touch $@

# --- measuring --------------------------------------------------------------------

.PHONY: bench
bench: all $B/bin/bench-backend $B/bin/bench-ws-backend $B/bin/bench-wsload ## what requests and WebSockets cost, beside nginx and HAProxy (make deps-bench); ARGS="get --rounds 9"
	@$(call need,nginx,bench)
	@$(call need,wrk,bench)
	@$(call need,haproxy,bench)
	@tests/bench/bench.py --bin $B/bin $(ARGS)
.PHONY: bench-cookies
bench-cookies: $B/bin/bench-cookies ## what false sticky cookies cost beside good ones; ARGS=100000 of each
	@$B/bin/bench-cookies $(ARGS)
$B/bin/bench-cookies: $B/tests/bench/cookies.o $(NEEDS.stickiness)
	$(LINK) $(LIBS.base)
$B/bin/bench-backend: $B/tests/bench/backend.o
	$(LINK)
$B/bin/bench-wsload: $B/tests/bench/wsload.o
	$(LINK)
$B/bin/bench-ws-backend: $B/tests/bench/ws_backend.o $(NEEDS.ws)
	$(LINK) $(LIBS.ws)

# --- fuzzing --------------------------------------------------------------

# The folder name of a fuzzer's layer is the word after fuzz_: fuzz_http_head.c.
FUZZ := $(patsubst tests/fuzz/%.c,$B/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_layer = $(word 2,$(subst _, ,$(notdir $(1))))
$B/fuzz/%: $B/tests/fuzz/%.o $$(NEEDS.$$(call fuzz_layer,$$*_))
	@mkdir -p $(@D); echo "  LD  $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS.$(call fuzz_layer,$*_)) $(LIBS.base)

# What a run finds new goes into the build folder, not among the seeds.
.PHONY: fuzz fuzz-run all-fuzz all-fuzz-run
fuzz: ## build the fuzzers (clang: make deps-fuzz)
fuzz-run: ## run each fuzzer for SECONDS (30)
fuzz fuzz-run:
	@$(call need,clang,fuzz)
	+@$(MAKE) --no-print-directory MODE=fuzz CC=clang all-$@
all-fuzz: $(FUZZ)
all-fuzz-run: $(FUZZ)
	@for f in $(FUZZ); do n=$${f##*/}; echo "== $$n"; mkdir -p $B/corpus/$$n tests/fuzz/corpus/$$n; \
	  $$f -max_total_time=$(or $(SECONDS),30) -verbosity=0 -print_final_stats=1 \
	  -artifact_prefix=$B/$$n- $B/corpus/$$n tests/fuzz/corpus/$$n || exit 1; done

# --- keeping the code in shape ----------------------------------------------

# cppcheck knows neither a switch over every value of an enum nor the loops of uthash and jansson.
CPPCHECK_CANNOT := missingReturn uninitvar unknownMacro missingIncludeSystem

.PHONY: lint lint-format lint-tidy lint-cppcheck lint-shell fmt docs
lint: lint-format lint-tidy lint-cppcheck lint-shell ## what the compilers do not find (make deps-lint)
lint-format:
	@$(call need,clang-format,lint)
	clang-format --dry-run -Werror $$(git ls-files '*.[ch]')
# On stderr it only counts what it found in the headers of others.
lint-tidy: $B/have-libraries $B/have-cmocka
	@$(call need,clang-tidy,lint)
	@echo clang-tidy; git ls-files '*.c' | xargs -P 2 -n 4 sh -c \
	  'clang-tidy --quiet "$$@" -- $(subst ','\'',$(CPPFLAGS)) -std=c11 2>/dev/null' tidy
lint-cppcheck:
	@$(call need,cppcheck,lint)
	cppcheck -q -j 2 --std=c11 --enable=warning,performance,portability --error-exitcode=1 -I. -Ilib \
	  $(CPPCHECK_CANNOT:%=--suppress=%) alb wsserver stickiness lib image/configure
lint-shell:
	@$(call need,shellcheck,lint)
	shellcheck $$(git grep -lE '^#!/bin/(ba)?sh' -- ':!tests/fuzz/corpus') .ci/run
fmt: ## lay out the code
	clang-format -i $$(git ls-files '*.[ch]')
docs: all ## print docs/settings*.md and docs/metrics*.md from the tables in the code
	$B/bin/alb settings >docs/settings.md
	$B/bin/wsserver settings >docs/settings-wsserver.md
	$B/bin/alb metrics >docs/metrics.md
	$B/bin/alb upgrades --reasons >docs/upgrades.md
	$B/bin/wsserver metrics >docs/metrics-wsserver.md

# --- packages and the image -----------------------------------------------------------

include image/targets.mk

# --- installing -------------------------------------------------------------------

# What the programs say of themselves, and a text around it.
PAGES := alb.8 alb.ini.5 wsserver.8 wsserver.ini.5
MAN := $(PAGES:%=$B/man/%)
.PHONY: man
man: $(MAN) ## manual pages -> build/release/man (scdoc: make deps-man)
$(MAN): $B/man/%: conf/man/%.scd conf/man/page.sh $(wildcard conf/man/*.awk) $B/bin/alb $B/bin/wsserver
	@$(call need,scdoc,man)
	@mkdir -p $(@D); echo "  MAN $@"; conf/man/page.sh $< $B/bin/$(firstword $(subst ., ,$*)) $(VERSION) >$@.scd
	@scdoc <$@.scd >$@ || { rm -f $@; exit 1; }

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
SAMPLES := $(wildcard conf/*.ini conf/edge.d/*)
UNITS := $(wildcard conf/systemd/*.service)

.PHONY: install clean help
install: all ## programs, units, manual pages if made, and samples where there are none yet (DESTDIR, PREFIX, SYSCONFDIR)
	install -D -t $(DESTDIR)$(PREFIX)/bin $B/bin/alb $B/bin/wsserver
	@for p in $(notdir $(wildcard $(MAN))); do to=$(DESTDIR)$(PREFIX)/share/man/man$${p##*.}/$$p; \
	  echo "install $$to"; install -D -m 644 $B/man/$$p $$to; done
	@for p in alb wsserver; do to=$(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$p; \
	  echo "install $$to"; install -D -m 644 conf/completion/postern.bash $$to; done
	@for f in $(SAMPLES); do to=$(DESTDIR)$(SYSCONFDIR)/postern/$${f#conf/}; \
	  test -e $$to || { echo "install $$to"; install -D -m 644 $$f $$to; }; done
	@for f in $(UNITS); do to=$(DESTDIR)$(PREFIX)/lib/systemd/system/$${f##*/}; echo "install $$to"; \
	  install -D -m 644 $$f $$to; \
	  sed -i 's|/usr/bin/|$(PREFIX)/bin/|; s|/etc/postern|$(SYSCONFDIR)/postern|' $$to; done
clean: ## remove build/
	rm -rf build
help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-10s %s\n", $$1, $$2 }'
