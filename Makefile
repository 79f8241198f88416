# One Makefile, no recursion for building: make sees the whole tree, so -j and
# "what needs rebuilding" are right. Each MODE has its own build folder, so
# switching between them rebuilds nothing.
#
#   make              build both programs           -> build/release/bin
#   make run          the whole path on this machine: alb and two wsserver nodes
#   make test         unit, system and browser tests
#   make help         every target with its one-line description

VERSION := 0.1.0
MODE ?= release
B := build/$(MODE)

ifeq ($(origin CC),default)
CC := gcc
endif
CPPFLAGS += -D_GNU_SOURCE -DPOSTERN_VERSION='"$(VERSION)"' -I. -Ilib
CFLAGS += -std=c11 -g -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
          -Wmissing-prototypes -Wimplicit-fallthrough -Wvla -pthread
LDFLAGS += -pthread

CFLAGS.release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CFLAGS.asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS.tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread
CFLAGS.fuzz := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
               -fno-sanitize-recover=all
CFLAGS += $(or $(CFLAGS.$(MODE)),$(error MODE is release, asan, tsan or fuzz))

# What exists. A new file in one of these folders needs no edit here.
objs = $(patsubst %.c,$B/%.o,$(wildcard $(1)/*.c))
LAYERS := base net http ws
lib = $(foreach l,$(1),$B/lib$l.a)
STICKY := $B/libstickiness.a

# Who may use whom, as link lines: a wrong include fails to link.
LIBS.base := -linih -ljansson -lmbedcrypto
LIBS.net := -lev -lmbedtls -lmbedx509 -lmbedcrypto
LIBS.http := -lhttp_parser
LIBS.ws := -lmbedcrypto
LIBS.alb := $(LIBS.net) $(LIBS.http) -ljansson -linih
LIBS.wsserver := $(LIBS.net) $(LIBS.http) -ljansson -linih -lsqlite3
NEEDS.base := $(call lib,base)
NEEDS.net := $(call lib,net base)
NEEDS.http := $(call lib,http base)
NEEDS.ws := $(call lib,ws http base)
NEEDS.stickiness := $(STICKY) $(call lib,base)
NEEDS.alb := $(filter-out %/main.o,$(call objs,alb)) $(STICKY) $(call lib,ws http net base)
NEEDS.wsserver := $(filter-out %/main.o,$(call objs,wsserver)) $(call lib,ws http net base)

.PHONY: all
all: $B/bin/alb $B/bin/wsserver ## build both programs
.DEFAULT_GOAL := all

LINK = @mkdir -p $(@D); echo "  LD  $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^
$B/bin/alb: $B/alb/main.o $(NEEDS.alb)
	$(LINK) $(LIBS.alb)
$B/bin/wsserver: $B/wsserver/main.o $(NEEDS.wsserver)
	$(LINK) $(LIBS.wsserver)

.SECONDEXPANSION:
$B/lib%.a: $$(call objs,lib/%)
	@echo "  AR  $@"; rm -f $@; $(AR) rcs $@ $^
$(STICKY): $(call objs,stickiness)
	@echo "  AR  $@"; rm -f $@; $(AR) rcs $@ $^

# -MMD writes each object's headers beside it; -MP keeps a deleted header from
# breaking the build.
$B/%.o: %.c Makefile
	@mkdir -p $(@D); echo "  CC  $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
-include $(shell find $B -name '*.d' 2>/dev/null)
.SECONDARY:

# --- tests ---------------------------------------------------------------

UNIT := $(patsubst tests/unit/%.c,$B/tests/unit/%,$(wildcard tests/unit/*/test_*.c))
layer = $(word 3,$(subst /, ,$(patsubst $B/%,%,$(1))))
$(UNIT): %: %.o $$(NEEDS.$$(call layer,$$@))
	$(LINK) $(LIBS.$(call layer,$@)) $(LIBS.base) -lcmocka

.PHONY: unit
unit: $(UNIT) ## unit tests (cmocka), each linked with its own layer and those below
	@fail=0; for t in $(UNIT); do echo "== $${t#$B/tests/}"; $$t || fail=1; done; exit $$fail

# --- fuzzing --------------------------------------------------------------

# The folder name of a fuzzer's layer is the word after fuzz_: fuzz_http_head.c.
FUZZ := $(patsubst tests/fuzz/%.c,$B/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_layer = $(word 2,$(subst _, ,$(notdir $(1))))
$B/fuzz/%: $B/tests/fuzz/%.o $$(NEEDS.$$(call fuzz_layer,$$*_))
	@mkdir -p $(@D); echo "  LD  $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS.$(call fuzz_layer,$*_)) $(LIBS.base)

.PHONY: fuzz build-fuzz fuzz-run
fuzz: ## build the fuzzers (clang)
	@$(MAKE) --no-print-directory MODE=fuzz CC=clang build-fuzz
build-fuzz: $(FUZZ)
fuzz-run: fuzz ## run each fuzzer for SECONDS (30)
	@for f in build/fuzz/fuzz/fuzz_*; do mkdir -p tests/fuzz/corpus/$${f##*/}; \
	  $$f -max_total_time=$(or $(SECONDS),30) -print_final_stats=0 \
	  -artifact_prefix=build/fuzz/ build/fuzz/corpus-$${f##*/}/ tests/fuzz/corpus/$${f##*/} || exit 1; done

.PHONY: clean help
clean: ## remove build/
	rm -rf build
help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1 -- /p' $(MAKEFILE_LIST) | column -t -s: -l 2 2>/dev/null || \
	  sed -n 's/^\([a-z-]*\):[^#]*## /\1 -- /p' $(MAKEFILE_LIST)
