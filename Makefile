# Longbow's build: PGXS for the extension, plain rules for the unit tests and benchmarks of the pure floors.
EXTENSION = longbow longbow_compat longbow_pgvector
MODULE_big = longbow
DATA = sql/longbow--0.1.0.sql sql/longbow_compat--0.1.0.sql sql/longbow_pgvector--0.1.0.sql

PURE_FLOORS = base mem simd format stats quant tree wal io prof
GLUE_FLOORS = pg types am
PURE_SRCS = $(sort $(wildcard $(PURE_FLOORS:%=src/%/*.cpp)))
GLUE_SRCS = $(sort $(wildcard $(GLUE_FLOORS:%=src/%/*.cpp))) src/module.cpp
OBJS = $(PURE_SRCS:.cpp=.o) $(GLUE_SRCS:.cpp=.o)

PG_CONFIG ?= pg_config

# What the build needs beyond the compiler, each with the Debian package that has it.
ifeq ($(filter quickstart check check-all fuzz bench clean distclean format lint unit,$(MAKECMDGOALS)),)
ifeq ($(shell command -v $(PG_CONFIG)),)
$(error $(PG_CONFIG) not found: install postgresql-server-dev-all, or name it with PG_CONFIG=)
endif
need = $(if $(wildcard /usr/include/$(1) /usr/include/*/$(1) /usr/local/include/$(1)),,$(error header $(1) not found: install $(2)))
$(call need,liburing.h,liburing-dev)
$(call need,snappy.h,libsnappy-dev)
$(call need,simde/simde-features.h,libsimde-dev)
endif

WARNINGS = -Wall -Wextra -Wshadow=local -Wno-psabi -Wno-missing-format-attribute $(if $(WERROR),-Werror)
PG_CPPFLAGS = -Isrc -Iinclude -isystem $(shell $(PG_CONFIG) --includedir-server) -MMD -MP
PG_CPPFLAGS += '-DPGDLLEXPORT=__attribute__((visibility("default")))'
PG_CXXFLAGS = -std=c++20 -O3 -fopenmp-simd $(WARNINGS) -fvisibility=hidden -fvisibility-inlines-hidden
SHLIB_LINK = -luring -lsnappy -lstdc++ -Wl,--version-script=src/exports.map
EXTRA_CLEAN = $(OBJS:.o=.d) build
override with_llvm = no

ifneq ($(filter-out unit quickstart check check-all fuzz bench format lint distclean,$(or $(MAKECMDGOALS),all)),)
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
endif
-include $(OBJS:.o=.d)

# Unit tests: the pure floors with GoogleTest under ASan and UBSan, without the server's include path, so that an
# include from a floor above cannot compile.
UNIT_FLAGS = -std=c++20 -O1 -g -fopenmp-simd $(WARNINGS) -fsanitize=address,undefined -fno-sanitize-recover=all -Isrc -Iinclude
UNIT_SRCS = $(sort $(wildcard test/*_test.cpp))
UNIT_OBJS = $(patsubst %.cpp,build/unit/%.o,$(PURE_SRCS) $(UNIT_SRCS))
build/unit/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(UNIT_FLAGS) -MMD -MP -c $< -o $@
build/unit/all: $(UNIT_OBJS)
	$(CXX) $(UNIT_FLAGS) $^ -lgtest -lgtest_main -lpthread -luring -lsnappy -o $@
-include $(UNIT_OBJS:.o=.d)
unit: build/unit/all
	./build/unit/all --gtest_brief=1

quickstart:
	scripts/quickstart
# PGXS has a rule of its own for check, which does nothing.
ifneq ($(filter check,$(MAKECMDGOALS)),)
check:
	scripts/check
endif
# All tests, with inputs of the types for five minutes by libFuzzer and 100,000 by SQL, and clients of node by npm.
check-all:
	LONGBOW_FUZZ_SECONDS=300 LONGBOW_FUZZ_INPUTS=100000 LONGBOW_CLIENTS=all scripts/check
# Inputs of the types by libFuzzer alone: make fuzz FUZZ_SECONDS=600
FUZZ_SECONDS = 60
fuzz:
	scripts/check-fuzz $(FUZZ_SECONDS)
# Most benchmarks (bench/all says which) and their report, bench/report.html: make bench BENCH=full BENCH_OPTIONS='--packages DIR'
BENCH = small
bench:
	bench/all $(BENCH) --pg-config $(PG_CONFIG) $(BENCH_OPTIONS)
format:
	clang-format -i $(shell git ls-files '*.cpp' '*.hpp')
lint:
	scripts/lint

.PHONY: unit quickstart check check-all fuzz bench format lint
