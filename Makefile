# podman-executor: `make help` lists the targets.
VERSION ?= 0.1.0-dev
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
PREFIX ?= /usr
DESTDIR ?=
DIST ?= bin/dist
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
FUZZTIME ?= 1m

STAGES := config prepare run cleanup
PROGRAMS := $(STAGES:%=bin/podman-executor-%)
RUNNER := bin/test/gitlab-runner
S3_SERVER := bin/test/s3-server
LDFLAGS := -s -w -X podman-executor/internal/driver.version=$(VERSION) -X podman-executor/internal/driver.commit=$(COMMIT)
# The tools' versions stand in test/tools/go.mod.
TOOL = go tool -modfile=$(CURDIR)/test/tools/go.mod
GOTESTSUM = $(TOOL) gotestsum --format pkgname
SCRIPTS = $(shell git ls-files -z | xargs -0 awk 'FNR == 1 && /^(\#!\/usr\/bin\/env bash|\#!\/bin\/sh|\# shellcheck shell=)/ { print FILENAME } { nextfile }')

.DEFAULT_GOAL := help
.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: $(PROGRAMS) ## build the four programs into bin/

.PHONY: $(PROGRAMS)
$(PROGRAMS): bin/podman-executor-%:
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

.PHONY: install
install: build ## install the programs below DESTDIR (/usr/libexec/podman-executor)
	install -d $(DESTDIR)$(PREFIX)/libexec/podman-executor
	for s in $(STAGES); do install -m 755 bin/podman-executor-$$s $(DESTDIR)$(PREFIX)/libexec/podman-executor/$$s; done

.PHONY: dist
dist: ## make archives, their contents (CycloneDX) and checksums in DIST (bin/dist)
	@VERSION='$(VERSION)' LDFLAGS='$(LDFLAGS)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' release/dist '$(DIST)'

.PHONY: audit
audit: ## look for known vulnerabilities (needs vuln.go.dev), and verify the modules
	release/audit

.PHONY: demo
demo: build test-setup ## run the pipeline of examples/demo in real podman, live
	cd test && CGO_ENABLED=0 go build -o ../bin/test/run-demo ./demo
	test/staged bin $(RUNNER) bin/test/run-demo --with examples/demo demo

SUITES := test-unit test-gitlab test-dist test-e2e test-podman5 test-slurm test-remote test-image
# What runs side by side with LANES=yes, as CI does: the suites of a lane follow one another, and each lane has
# a user, and so a podman, of its own. That takes root.
LANES ?=
LANE_1 := test-e2e test-podman5
LANE_2 := $(filter-out $(LANE_1),$(SUITES))

.PHONY: test
test: $(if $(LANES),test-lanes,$(SUITES)) ## run all tests

.PHONY: test-lanes
test-lanes: build test-setup
	@test/lanes/run bin/test/lanes '$(LANE_1)' 'PODMAN_EXECUTOR_TEST_USER=podman-executor-second $(LANE_2)'

# RETRY is a directory in CI: up to three end-to-end tests that fail run once more, and their logs are kept there (test/again).
RETRY ?=
AGAIN := $(if $(RETRY),bin/test/again)
# suite runs a suite of end-to-end tests: its name, the command and its arguments, and flags for package testing.
define suite
$(TOOL) gotestsum --format testname --jsonfile bin/test/$(1).json --raw-command -- $(AGAIN:%=% '$(RETRY)') \
	go tool test2json -t -p $(1) $(2) -test.v=test2json $(3)
endef

.PHONY: bin/test/again
bin/test/again:
	@mkdir -p bin/test
	cd test && CGO_ENABLED=0 go build -buildvcs=false -o ../$@ ./again

.PHONY: test-unit
test-unit: ## run the tests that need neither podman nor a runner
	@mkdir -p bin/test
	$(GOTESTSUM) --jsonfile bin/test/unit.json -- -race ./...
	@test/no-skips bin/test/unit.json

# -count=1: Go's cache of results does not see that a file outside of test/ has changed, and some run those of image/.
.PHONY: test-gitlab
test-gitlab: $(RUNNER) ## run the tests of the GitLab and the gitlab-runner that the other tests use
	cd test && GITLAB_RUNNER=$(CURDIR)/$(RUNNER) $(GOTESTSUM) --jsonfile $(CURDIR)/bin/test/gitlab.json -- -race -count=1 ./...
	cd test/gitlab-runner && $(GOTESTSUM) -- . ./standin/...
	cd test/bench/page && $(GOTESTSUM) -- -count=1 .
	@test/no-skips bin/test/gitlab.json

.PHONY: test-dist
test-dist: ## run the tests of what `make dist` makes
	cd test && $(GOTESTSUM) --jsonfile $(CURDIR)/bin/test/dist.json -- -count=1 -tags dist ./dist
	@test/no-skips bin/test/dist.json

# What the results are called.
E2E ?= e2e

.PHONY: test-e2e
test-e2e: build test-setup $(S3_SERVER) $(AGAIN) ## run real jobs in real podman through a real gitlab-runner
	cd test && CGO_ENABLED=0 go test -c -tags e2e -o ../bin/test/e2e.test ./e2e
	$(call suite,$(E2E),test/staged bin $(RUNNER) bin/test/e2e.test --with examples --with $(S3_SERVER),-test.timeout=40m -test.parallel=3 $(E2EFLAGS))
	@test/no-skips bin/test/$(E2E).json

.PHONY: test-podman5
test-podman5: $(RUNNER) $(S3_SERVER) ## run the tests of security on podman 5, in a Debian 13 of their own (as root only)
	test/debian13/security $(MAKE) test-e2e

# The end-to-end tests of a kind, as a regular expression: see test/remote/cases.txt. With REMOTECASES=all those by ssh, too,
# that are left out for their time.
remote_cases = ^($(shell awk -v kind=$(1) -v all=$(REMOTECASES) '!/^Test/ { next } \
	$$2 == kind || $$2 == "both" && kind != "hosts" || all == "all" && kind == "ssh" && /left out for its time/ { printf "%s%s", bar, $$1; bar = "|" }' test/remote/cases.txt))$$
# run_remote runs them: the kind, and how long they may take.
run_remote = $(call suite,remote-$(1),test/remote/run $(1) bin $(RUNNER) bin/test/remote.test --with examples --with $(S3_SERVER),\
	-test.timeout=$(2) -test.parallel=4 -test.run='$(call remote_cases,$(1))' $(REMOTEFLAGS))

.PHONY: test-remote
test-remote: build test-setup $(S3_SERVER) $(AGAIN) ## run jobs in podman of another user, by ssh and by its socket, and on hosts that die (REMOTECASES=all: more)
	cd test && CGO_ENABLED=0 go test -c -tags e2e,remote -o ../bin/test/remote.test ./e2e
	$(call run_remote,hosts,10m)
	$(call run_remote,ssh,30m)
	$(call run_remote,unix,10m)
	@test/no-skips bin/test/remote-hosts.json bin/test/remote-ssh.json bin/test/remote-unix.json
	@sed -n 's/.*figure: \(.*\)\\n"}$$/  \1/p' bin/test/remote-hosts.json

.PHONY: test-cluster
test-cluster: test-slurm test-remote ## run jobs on other machines: through Slurm, and in podman of other hosts

.PHONY: test-slurm
test-slurm: build test-setup $(AGAIN) ## run jobs through a real Slurm, of two nodes on this machine (as root only)
	cd test && CGO_ENABLED=0 go test -c -tags cluster -o ../bin/test/cluster.test ./cluster
	cd test && CGO_ENABLED=0 go test -c -tags e2e,cluster -o ../bin/test/launch.test ./e2e
	cd test && CGO_ENABLED=0 go build -o ../bin/test/slurm-cluster ./slurm/cluster
	$(call suite,cluster,bin/test/slurm-cluster --host test/host test/staged bin $(RUNNER) bin/test/cluster.test --with examples,\
		-test.timeout=30m $(CLUSTERFLAGS))
	$(call suite,launch,bin/test/slurm-cluster --host test/host test/staged bin $(RUNNER) bin/test/launch.test --with examples,\
		-test.timeout=30m -test.parallel=4 -test.run='^TestSlurm' $(CLUSTERFLAGS))
	@test/no-skips bin/test/cluster.json bin/test/launch.json

# What the image is built from, and its pages.
IMAGE_FILES := docs/image.md docs/migrating-from-pipglr.md .containerignore Containerfile Makefile cmd go.mod go.sum image internal pkg

.PHONY: test-image
test-image: build test-setup $(AGAIN) ## build the bundle image, and run what its page says, and jobs in it
	GITLAB_RUNNER=$(RUNNER) test/images/build go buildah bundle
	cd test && CGO_ENABLED=0 go test -c -tags image -o ../bin/test/image.test ./image/bundle
	$(call suite,image,test/staged bin $(RUNNER) bin/test/image.test $(addprefix --with ,$(IMAGE_FILES)),\
		-test.timeout=40m -test.skip='^TestNarrowIDs$$' $(IMAGEFLAGS))
	$(call suite,image-65536,test/image/as-another-user bin $(RUNNER) bin/test/image.test --with image,-test.timeout=20m -test.run='^TestNarrowIDs$$')
	@test/no-skips bin/test/image.json bin/test/image-65536.json
	@sed -n 's/.*figure: \(.*\)\\n"}$$/  \1/p' bin/test/image.json

.PHONY: test-parity
test-parity: build test-setup ## run the same jobs by the docker executor and by the driver, and compare
	cd test && CGO_ENABLED=0 go build -o ../bin/test/parity ./parity
	test/staged bin $(RUNNER) bin/test/parity $(PARITYFLAGS)

.PHONY: test-load
test-load: build test-setup ## run 200 jobs of all kinds, 8 at a time (LOADFLAGS="--jobs N --parallel N")
	cd test && CGO_ENABLED=0 go build -o ../bin/test/load ./load
	test/staged bin $(RUNNER) bin/test/load $(LOADFLAGS)

.PHONY: test-load-slurm
test-load-slurm: build test-setup ## measure what 1,000 waiting jobs cost a real Slurm (LOADFLAGS="--jobs N --launcher srun|sbatch|none --watch=false --for 1m")
	cd test && CGO_ENABLED=0 go build -o ../bin/test/slurm-cluster ./slurm/cluster
	cd test && CGO_ENABLED=0 go build -o ../bin/test/load-slurm ./load/slurm
	bin/test/slurm-cluster --host test/host test/staged bin $(RUNNER) bin/test/load-slurm $(LOADFLAGS)

.PHONY: fuzz
fuzz: ## run each fuzz test for FUZZTIME
	@grep -roE '^func Fuzz[A-Za-z]+' --include='*_test.go' cmd internal pkg | sed 's/:func / /' | while read -r file name; do \
		echo "$$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" || exit 1; \
	done

# What the jobs of the benchmark clone: the files of a module that the tools need anyway.
BENCH_SOURCES := golang.org/x/tools
# Where the page goes.
BENCH_OUT ?= docs

.PHONY: bin/test/bench
bin/test/bench:
	@mkdir -p bin/test
	cd test && CGO_ENABLED=0 go build -o ../$@ ./bench

.PHONY: bin/test/bench-driver
bin/test/bench-driver:
	@mkdir -p bin/test
	cd test && CGO_ENABLED=0 go build -o ../$@ ./bench/driver

.PHONY: bench
bench: build test-setup bin/test/bench bin/test/bench-driver ## compare with other executors: docs/benchmarks.md (25 minutes; BENCHFLAGS="--kinds hello")
	cd test/bench/page && CGO_ENABLED=0 go build -o ../../../bin/test/bench-page .
	rm -rf bin/test/sources && mkdir bin/test/sources
	cd test/tools && go mod download $(BENCH_SOURCES) && cp -r --no-preserve=mode "$$(go list -m -f '{{.Dir}}' $(BENCH_SOURCES))" ../../bin/test/sources/
	test/staged bin $(RUNNER) bin/test/bench --with bin/test/sources/* --sources "$$(ls bin/test/sources)" $(BENCHFLAGS) >bin/test/bench.json
	test/staged bin $(RUNNER) bin/test/bench-driver --json - >bin/test/bench-driver.json
	bin/test/bench-page --output '$(BENCH_OUT)' --programs bin/test/bench-driver.json bin/test/bench.json

.PHONY: bench-counts
bench-counts: build test-setup bin/test/bench ## compare the podman commands of a job, and allocations of decisions, with what they were
	go test -count=1 -run '^TestAllocationsOfDecisions$$' ./pkg/policy
	test/staged bin $(RUNNER) bin/test/bench --with test/bench/counts.json --counts counts.json

.PHONY: bench-driver
bench-driver: build test-setup bin/test/bench-driver ## measure what the programs add to the podman commands that they run
	test/staged bin $(RUNNER) bin/test/bench-driver

.PHONY: test-setup
test-setup: ## install and make what jobs need here: podman, a user, a gitlab-runner, images
	@mkdir -p bin/test
	test/prepare $(RUNNER)

$(RUNNER):
	@mkdir -p bin/test
	test/gitlab-runner/build.sh $@

.PHONY: $(S3_SERVER)
$(S3_SERVER):
	@mkdir -p bin/test
	test/s3/build.sh $@

.PHONY: check
check: ## check format, vet, staticcheck, shellcheck, tidiness and generated files
	@command -v shellcheck >/dev/null || test/host/install
	@files=$$($(TOOL) gofumpt -l cmd internal pkg test); test -z "$$files" || { echo "not gofumpt-clean, run make format:"; echo "$$files"; exit 1; }
	go vet ./...
	cd test && go vet -tags e2e,image,cluster,remote ./...
	cd test/gitlab-runner && go vet .
	cd test && go vet -tags dist ./dist
	cd test/s3 && go vet .
	cd test/bench/page && go vet .
	cd test/tools && go vet ./sbom
	$(TOOL) staticcheck ./...
	cd test && $(TOOL) staticcheck -tags e2e,image,cluster,remote ./...
	shellcheck --external-sources $(SCRIPTS)
	go mod tidy -diff
	cd test && go mod tidy -diff
	cd test/tools && go mod tidy -diff
	cd test/s3 && go mod tidy -diff
	cd test/bench/page && go mod tidy -diff
	test/generated
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

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
