# The suites: README.md beside this file says what each proves and needs.
RUNNER := bin/test/gitlab-runner
S3_SERVER := bin/test/s3-server

# What CI runs side by side with LANES=yes: the suites of a lane follow one another, and the second lane has a user, and so a podman,
# of its own. That takes root.
SECOND_LANE := PODMAN_EXECUTOR_TEST_USER=podman-executor-second
REST_1 := test-e2e-rest test-podman5 test-slurm
REST_2 := test-gitlab test-dist test-remote test-image

.PHONY: test-lanes
test-lanes: build
	@test/scripts/lanes/run bin/test/lanes test-core test-unit

.PHONY: test-all
test-all: ## run all tests
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory test-rest

.PHONY: test-rest
test-rest: $(if $(LANES),test-rest-lanes,$(REST_1) $(REST_2)) ## run what test-all runs and test does not

.PHONY: test-rest-lanes
test-rest-lanes: build setup-all
	@test/scripts/lanes/run bin/test/lanes-rest '$(REST_1)' '$(SECOND_LANE) $(REST_2)'

# RETRY is a directory in CI: up to three end-to-end tests that fail run once more, and their logs are kept there (test/scripts/again).
RETRY ?=
export RETRY
AGAIN := $(if $(RETRY),bin/test/again)

# program makes a target for a program of the tests: its name in bin/test, its package below test/, and the build tags of a test.
define program
.PHONY: bin/test/$(1)
bin/test/$(1):
	@mkdir -p bin/test
	cd test && CGO_ENABLED=0 $(if $(3),go test -c -tags $(3),go build -buildvcs=false) -o ../bin/test/$(1) ./$(2)

endef
comma := ,
$(eval $(call program,again,scripts/again))
$(eval $(call program,run-demo,suites/demo))
$(eval $(call program,parity,suites/parity))
$(eval $(call program,slurm-cluster,harness/slurm/cluster))
$(eval $(call program,e2e.test,suites/e2e,e2e))
$(eval $(call program,remote.test,suites/e2e,e2e$(comma)remote))
$(eval $(call program,launch.test,suites/e2e,e2e$(comma)cluster))
$(eval $(call program,cluster.test,suites/cluster,cluster))
$(eval $(call program,image.test,suites/image/bundle,image))

.PHONY: test-setup
test-setup: setup-all ## install and make what all tests need here: podman, a user, a gitlab-runner, images

# What test/scripts/set-up takes, with hyphens between.
setup-%:
	@mkdir -p bin/test
	test/scripts/set-up $(RUNNER) $(subst -, ,$(filter-out core,$*))

$(RUNNER):
	@mkdir -p bin/test
	test/harness/gitlab-runner/build.sh $@

.PHONY: $(S3_SERVER)
$(S3_SERVER):
	@mkdir -p bin/test
	test/harness/s3/build.sh $@

# suite runs a suite of end-to-end tests: what its results are called, the test program, and what follows in test/scripts/suite.
suite = test/scripts/suite $(1) $(RUNNER) bin/test/$(2).test $(3)
# names makes a regular expression of a file with a test a line.
names = ^($(shell sed '/^\#/d; /^$$/d' $(1) | paste -sd '|'))$$
core = $(call names,test/suites/e2e/core.txt)
# With SHORT=yes, as in CI, e2e tests of many cases take fewer, and some are left out: those of long.txt, on the machine's own podman
# all but those of core.txt and podman.txt, which podman 5 has, those by ssh that cases.txt marks more, and the image's test of another
# user's ids.
SHORT ?=
short := $(if $(SHORT),-test.short)

.PHONY: test-core
test-core: build setup-core bin/test/e2e.test $(AGAIN) ## run the end-to-end tests of test/suites/e2e/core.txt
	$(call suite,core,e2e,--with examples -test.timeout=40m -test.parallel=3 -test.run='$(core)')

# What the results are called.
E2E ?= e2e
# Tests at a time: a job keeps a processor busy, and CI has two suites at a time.
E2E_PARALLEL := $(if $(SHORT),2,3)
# buildah builds images in jobs.
buildah := GITLAB_RUNNER=$(RUNNER) test/harness/images/build buildah
run_e2e = $(buildah) && $(call suite,$(1),e2e,--with examples --with docs/building-images.md --with $(S3_SERVER) -test.timeout=80m -test.parallel=$(E2E_PARALLEL) $(short) $(2))

.PHONY: test-e2e
test-e2e: build setup-registry bin/test/e2e.test $(S3_SERVER) $(AGAIN) ## run real jobs in real podman through a real gitlab-runner
	$(call run_e2e,$(E2E),$(if $(SHORT),-test.skip='$(call names,test/suites/e2e/long.txt)') $(E2EFLAGS))

.PHONY: test-e2e-rest
test-e2e-rest: build setup-registry bin/test/e2e.test $(S3_SERVER) $(AGAIN)
	$(call run_e2e,e2e,$(if $(SHORT),-test.run='$(call names,test/suites/e2e/podman.txt)',-test.skip='$(core)'))

.PHONY: test-podman5
test-podman5: $(RUNNER) $(S3_SERVER) ## run the end-to-end tests on podman 5, in a Debian 13 of their own (as root only)
	@if [ "$$(id -u)" != 0 ]; then echo "make test-podman5: left out: it needs root, to enter a Debian 13" >&2; \
	else test/harness/debian13/run $(MAKE) test-e2e E2E=podman5; fi

# -count=1: Go's cache of results does not see that a file outside of test/ has changed, and some run those of image/.
.PHONY: test-gitlab
test-gitlab: $(RUNNER) ## run the tests of the GitLab and the gitlab-runner that the other tests use
	@test/harness/host/install gpg
	cd test && GITLAB_RUNNER=$(CURDIR)/$(RUNNER) $(GOTESTSUM) --jsonfile $(CURDIR)/bin/test/gitlab.json -- -race -count=1 $(GO_TEST_TIME) ./...
	cd test/harness/gitlab-runner && $(GOTESTSUM) -- $(GO_TEST_TIME) . ./standin/...
	cd test/measure/bench/page && $(GOTESTSUM) -- -count=1 $(GO_TEST_TIME) .
	@test/scripts/no-skips bin/test/gitlab.json

.PHONY: test-dist
test-dist: ## run the tests of what `make dist` makes
	cd test && $(GOTESTSUM) --jsonfile $(CURDIR)/bin/test/dist.json -- -count=1 $(GO_TEST_TIME) -tags dist ./suites/dist
	@test/scripts/no-skips bin/test/dist.json

# The end-to-end tests of a kind, as a regular expression: see test/suites/remote/cases.txt.
remote_cases = ^($(shell awk -v kind=$(1) -v short=$(SHORT) '!/^Test/ { next } \
	$$2 == kind || $$2 == "both" && kind != "hosts" || !short && kind == "ssh" && $$2 == "more" { printf "%s%s", bar, $$1; bar = "|" }' test/suites/remote/cases.txt))$$
# run_remote runs them: the kind, and how long they may take.
run_remote = $(call suite,remote-$(1),remote,--by 'test/suites/remote/run $(1)' --with examples --with $(S3_SERVER) \
	-test.timeout=$(2) -test.parallel=$(E2E_PARALLEL) $(short) -test.run='$(call remote_cases,$(1))' $(REMOTEFLAGS))

.PHONY: test-remote
test-remote: build setup-registry-remote bin/test/remote.test $(S3_SERVER) $(AGAIN) ## run jobs in podman of another user, by ssh and by its socket, and on hosts that die
	$(call run_remote,hosts,30m)
	$(call run_remote,ssh,180m)
	$(call run_remote,unix,30m)

.PHONY: test-cluster
test-cluster: test-slurm test-remote ## run jobs on other machines: through Slurm, and in podman of other hosts

in_slurm := bin/test/slurm-cluster --host test/harness/host test/scripts/staged

.PHONY: test-slurm
test-slurm: build setup-slurm bin/test/cluster.test bin/test/launch.test bin/test/slurm-cluster $(AGAIN) ## run jobs through a real Slurm, of two nodes on this machine (as root only)
	$(call suite,cluster,cluster,--by '$(in_slurm)' --with examples -test.timeout=60m $(CLUSTERFLAGS))
	$(call suite,launch,launch,--by '$(in_slurm)' --with examples -test.timeout=60m -test.parallel=4 -test.run='^TestSlurm' $(CLUSTERFLAGS))

# What the image is built from, and its pages.
IMAGE_FILES := docs/image.md docs/migrating-from-pipglr.md .containerignore Containerfile Makefile cmd go.mod go.sum image internal pkg

.PHONY: test-image
test-image: build setup-registry bin/test/image.test $(AGAIN) ## build the bundle image, and run what its page says, and jobs in it
	GITLAB_RUNNER=$(RUNNER) test/harness/images/build go buildah bundle
	$(call suite,image,image,$(IMAGE_FILES:%=--with %) -test.timeout=80m -test.skip='^TestNarrowIDs$$' $(IMAGEFLAGS))
	$(if $(SHORT),,$(call suite,image-65536,image,--by test/suites/image/as-another-user --with image -test.timeout=40m -test.run='^TestNarrowIDs$$'))

.PHONY: test-parity
test-parity: build setup-images bin/test/parity ## run the same jobs by the docker executor and by the driver, and compare
	test/scripts/staged bin $(RUNNER) bin/test/parity $(PARITYFLAGS)
