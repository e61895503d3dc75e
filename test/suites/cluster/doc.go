// Package cluster tests jobs that go through a real Slurm, which slurm-cluster starts around the tests: `make test-cluster`.
package cluster
