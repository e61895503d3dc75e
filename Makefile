# podman-executor: `make help` lists the targets. Those of the other tests are in test/suites.mk, those that measure in test/measure.mk.
VERSION ?= 0.1.0-dev
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
PREFIX ?= /usr
DESTDIR ?=
DIST ?= bin/dist
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
FUZZTIME ?= 1m

STAGES := config prepare run cleanup
PROGRAMS := $(STAGES:%=bin/podman-executor-%)
LDFLAGS := -s -w -X podman-executor/internal/driver.version=$(VERSION) -X podman-executor/internal/driver.commit=$(COMMIT)
# A go.work is for a contributor's editor.
export GOWORK := off
# The tools' versions stand in test/tools/go.mod.
TOOL = go tool -modfile=$(CURDIR)/test/tools/go.mod
GOTESTSUM = $(TOOL) gotestsum --format pkgname
# For a machine five times slower than CI's, and with the race detector.
GO_TEST_TIME := -timeout=40m
# The Go modules that `make check` looks at, and the tags of all tests.
MODULES := . test test/harness/gitlab-runner test/harness/s3 test/measure/bench/page test/tools
TAGS := e2e,image,cluster,remote,dist
# Go's proxy lacks modules that the tests of the gitlab-runner's own packages need: go mod tidy fails there.
TIDY_MODULES := $(filter-out test/harness/gitlab-runner,$(MODULES))
SCRIPTS = $(shell git ls-files -z | xargs -0 awk 'FNR == 1 && /^(\#!\/usr\/bin\/env bash|\#!\/bin\/sh|\# shellcheck shell=)/ { print FILENAME } { nextfile }')

.DEFAULT_GOAL := help
.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: $(PROGRAMS) ## build the four programs into bin/

.PHONY: $(PROGRAMS)
$(PROGRAMS): bin/podman-executor-%:
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

.PHONY: install
install: build ## install the programs below DESTDIR (/usr/libexec/podman-executor)
	install -d $(DESTDIR)$(PREFIX)/libexec/podman-executor
	for s in $(STAGES); do install -m 755 bin/podman-executor-$$s $(DESTDIR)$(PREFIX)/libexec/podman-executor/$$s; done

.PHONY: demo
demo: build setup-core bin/test/run-demo ## run the pipeline of examples/demo in real podman, live
	test/scripts/staged bin $(RUNNER) bin/test/run-demo --with examples/demo demo

# LANES=yes runs them side by side, as CI does.
LANES ?=

.PHONY: test
test: $(if $(LANES),test-lanes,test-unit test-core) ## run the unit tests, and a core of real jobs in real podman (15 minutes the first time)

.PHONY: test-unit
test-unit: ## run the tests that need neither podman nor a runner
	@mkdir -p bin/test
	$(GOTESTSUM) --jsonfile bin/test/unit.json -- -race $(GO_TEST_TIME) ./...
	@test/scripts/no-skips bin/test/unit.json

.PHONY: fuzz
fuzz: ## run each fuzz test for FUZZTIME
	@grep -roE '^func Fuzz[A-Za-z]+' --include='*_test.go' cmd internal pkg | sed 's/:func / /' | while read -r file name; do \
		echo "$$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" || exit 1; \
	done

.PHONY: check
check: ## check format, vet, staticcheck, shellcheck, tidiness, lengths and generated files
	@command -v shellcheck >/dev/null || test/harness/host/install check
	@files=$$($(TOOL) gofumpt -l cmd internal pkg test); test -z "$$files" || { echo "not gofumpt-clean, run make format:"; echo "$$files"; exit 1; }
	@for m in $(MODULES); do (set -x; cd $$m && go vet -tags $(TAGS) ./...) || exit; done
	@for m in $(TIDY_MODULES); do (set -x; cd $$m && go mod tidy -diff) || exit; done
	@for m in . test; do (set -x; cd $$m && $(TOOL) staticcheck -tags $(TAGS) ./...) || exit; done
	shellcheck --external-sources $(SCRIPTS)
	cd test && go test -count=1 ./scripts/lengths
	test/scripts/generated
	$(MAKE) lint

# The linters of .golangci.yml, as programs that are quick to build, and the spelling of all text. The
# words that it passes over are typing errors that tests make.
.PHONY: lint
lint: ## run the linters that .golangci.yml names, and check the spelling
	cd test/tools/lint && go mod tidy -diff && go vet . && go test . && go build -o $(CURDIR)/bin/test/lint .
	bin/test/lint
	git ls-files -z -- ':!*.sum' ':!LICENSE' ':!*/testdata/fuzz/*' | xargs -0 go tool -modfile=test/tools/lint/go.mod misspell -error -i levle,onyl,scirpt

.PHONY: format
format: ## format the Go code
	$(TOOL) gofumpt -w cmd internal pkg test

.PHONY: docs
docs: ## make the reference pages from the types
	go generate ./...

.PHONY: dist
dist: ## make archives, their contents (CycloneDX) and checksums in DIST (bin/dist)
	@VERSION='$(VERSION)' LDFLAGS='$(LDFLAGS)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' release/dist '$(DIST)'

.PHONY: audit
audit: ## look for known vulnerabilities (needs vuln.go.dev), and verify the modules
	release/audit

.PHONY: clean
clean: ## remove what was built
	rm -rf bin

# The image is built without test/.
include $(wildcard test/suites.mk) $(wildcard test/measure.mk)
