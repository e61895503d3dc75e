# What measures. The targets of the programs are made as in suites.mk.
$(eval $(call program,load,measure/load))
$(eval $(call program,load-slurm,measure/load/slurm))
$(eval $(call program,bench,measure/bench))
$(eval $(call program,bench-driver,measure/bench/driver))

.PHONY: test-load
test-load: build setup-images bin/test/load ## run 200 jobs of all kinds, 8 at a time (LOADFLAGS="--jobs N --parallel N")
	test/scripts/staged bin $(RUNNER) bin/test/load $(LOADFLAGS)

.PHONY: test-load-slurm
test-load-slurm: build setup-slurm bin/test/slurm-cluster bin/test/load-slurm ## measure what 1,000 waiting jobs cost a real Slurm (LOADFLAGS="--jobs N --launcher srun|sbatch|none --watch=false --for 1m")
	$(in_slurm) bin $(RUNNER) bin/test/load-slurm $(LOADFLAGS)

# What the jobs of the benchmark clone: the files of a module that the tools need anyway.
BENCH_SOURCES := golang.org/x/tools
# Where the page goes.
BENCH_OUT ?= docs

.PHONY: bench
bench: build setup-images bin/test/bench bin/test/bench-driver ## compare with other executors: docs/benchmarks.md (25 minutes; BENCHFLAGS="--kinds hello")
	cd test/measure/bench/page && CGO_ENABLED=0 go build -o ../../../../bin/test/bench-page .
	rm -rf bin/test/sources && mkdir bin/test/sources
	cd test/tools && go mod download $(BENCH_SOURCES) && cp -r --no-preserve=mode "$$(go list -m -f '{{.Dir}}' $(BENCH_SOURCES))" ../../bin/test/sources/
	test/scripts/staged bin $(RUNNER) bin/test/bench --with bin/test/sources/* --sources "$$(ls bin/test/sources)" $(BENCHFLAGS) >bin/test/bench.json
	test/scripts/staged bin $(RUNNER) bin/test/bench-driver --json - >bin/test/bench-driver.json
	bin/test/bench-page --output '$(BENCH_OUT)' --programs bin/test/bench-driver.json bin/test/bench.json

.PHONY: bench-counts
bench-counts: build setup-images bin/test/bench ## compare the podman commands of a job, and allocations of decisions, with what they were
	go test -count=1 -run '^TestAllocationsOfDecisions$$' ./pkg/policy
	test/scripts/staged bin $(RUNNER) bin/test/bench --with test/measure/bench/counts.json --counts counts.json

.PHONY: bench-driver
bench-driver: build setup-images bin/test/bench-driver ## measure what the programs add to the podman commands that they run
	test/scripts/staged bin $(RUNNER) bin/test/bench-driver
