# make build   bin/tandem
# make test    everything that is tested on each change (root, Linux; sets itself up)
# make demo    a pair of nodes, shown at work (PEER=keepalived: one of them keepalived)
# make help    the rest

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)

# These need namespaces alone, or IPVS as well. The first run here, the second
# where the kernel has IPVS, which may be in a virtual machine.
UNPRIVILEGED := ./config/... ./vrrp/... ./health/... ./ipvs/...
NAMESPACES   := ./cmd/... ./internal/...
TESTS        := .cache/test

# Many pairs are elected side by side: the tests wait far more than they work.
PAIRS ?= 16

export TANDEM_BIN := $(CURDIR)/bin/tandem
# A test that cannot run is a failure.
export TANDEM_KERNEL_TESTS := 1

.PHONY: conformance docs build setup setup-test test test-unit test-namespaces test-pair ready-ipvs test-ipvs demo bench lint fuzz dist test-package test-web verify clean help

build:
	go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/tandem ./cmd/tandem

# What the tests need beside what the demo needs: a neighbour that speaks VRRP and
# BFD, servers that are checked, Prometheus' judge of rules, man's formatter, and
# the shells whose completion is tried. PROGRAM=PACKAGE where they differ.
TEST_PROGRAMS := /usr/lib/frr/bfdd=frr openssl unbound postfix haproxy nginx=nginx-light promtool=prometheus \
	groff=groff-base zsh fish ping=iputils-ping

setup:
	@integration/setup

setup-test:
	@integration/setup $(TEST_PROGRAMS)

# What test-ipvs boots and runs is made while the pairs wait.
test: test-unit test-namespaces
	$(MAKE) -j2 test-pair ready-ipvs
	$(MAKE) test-ipvs

test-unit:
	go test -count=1 $(UNPRIVILEGED)

test-namespaces: setup-test
	go test -count=1 -tags kernel $(NAMESPACES) ./integration/lab/...

test-pair: build setup-test
	go test -count=1 -tags kernel -timeout 12m -parallel $(PAIRS) -run '^Test(Pair|Example)' ./integration

ready-ipvs: build setup-test
	@mkdir -p $(TESTS)
	nice go test -tags 'kernel vm' -c -o $(TESTS)/host.test ./internal/host
	nice go test -tags kernel -c -o $(TESTS)/ipvs.test ./ipvs
	nice go test -tags kernel -c -o $(TESTS)/integration.test ./integration
	nice integration/vm --prepare

test-ipvs: ready-ipvs
	integration/vm integration/in-vm $(TESTS)

demo: build setup
	@mkdir -p $(TESTS)
	@go build -trimpath -buildvcs=false -o $(TESTS)/demo ./integration/demo
	@TANDEM_COLOUR=$$(test -t 1 && echo yes || echo no) integration/vm $(TESTS)/demo -peer $(or $(PEER),tandem)

# docs/keywords.md is made from the table of keywords, openapi.json from that of routes.
docs:
	go generate ./cmd/tandem ./internal/control

# How many rows of the table of keywords keepalived judges as tandem does.
conformance: setup
	go test -count=1 -v -tags kernel -run '^TestConformance$$' ./config

bench:
	go test -run '^$$' -bench . -benchmem ./...

lint:
	@unformatted=$$(gofmt -s -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt -s:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	go vet -tags 'kernel vm browser' ./...
	go tool staticcheck -checks all ./...
	go tool staticcheck -checks all -tags 'kernel vm browser' ./...

# FUZZTIME is for each target.
FUZZTIME ?= 1m
fuzz:
	@set -e; for file in $$(git grep -lE '^func Fuzz' -- '*_test.go'); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$file); do \
			echo "$$target in $$(dirname $$file)"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file); \
		done; \
	done

# Archive, .deb and .rpm of this commit in dist/; the same commit gives the same bytes.
dist:
	@packaging/build

# The packages on a fresh Debian, beside a keepalived that runs.
test-package: build dist
	@integration/setup debootstrap
	@packaging/root .cache/debian
	TANDEM_DEBIAN_ROOT=$(CURDIR)/.cache/debian go test -count=1 -v -tags kernel -run '^TestPackage' ./integration

# The status page in a browser. TANDEM_ARTIFACTS names a folder for pictures of it.
test-web:
	@integration/setup chromium chromedriver=chromium-driver
	go test -count=1 -timeout 5m -tags browser -run '^TestBrowser' ./internal/web

# What is long: the whole with the race detector, losses measured more often, fuzzing.
verify: lint test conformance
	go test -count=1 -race $(UNPRIVILEGED)
	TANDEM_STEPS=100000000 go test -count=1 -timeout 30m -run "^TestSimulation$$" ./vrrp/sim
	TANDEM_ROUNDS=5 go test -count=1 -v -tags kernel -timeout 30m -parallel 2 -run '^Test(Pair(Cut|Move|Flood|Checks)|VerifyPair)' ./integration
	$(MAKE) test-package test-web
	TANDEM_IPVS_RUN='^TestVerifyIPVS' TANDEM_IPVS_PARALLEL=2 $(MAKE) test-ipvs
	TANDEM_LONG=1 TANDEM_IPVS_RUN='^TestIPVSOperate' $(MAKE) test-ipvs
	$(MAKE) fuzz FUZZTIME=10m

clean:
	rm -rf bin dist .cache

help:
	@sed -n '1,/^$$/s/^# //p' Makefile
	@echo 'make bench   benchmarks'
	@echo 'make docs    docs/keywords.md and openapi.json, from the tables they are made of'
	@echo 'make conformance  how many keyword rows keepalived judges alike'
	@echo 'make lint    gofmt, go vet, staticcheck with every check'
	@echo 'make fuzz    every fuzz target for a minute each (FUZZTIME=10m: longer)'
	@echo 'make dist    .deb, .rpm and an archive in dist/, reproducible'
	@echo 'make test-package  those packages on a fresh Debian'
	@echo 'make test-web  the status page in a browser'
	@echo 'make verify  what takes long: lint, test, race detector, repeated loss measurements, fuzzing'
	@echo 'make clean   forget what was built, the virtual machine included'
