//go:build e2e && cluster

package e2e

import (
	"strings"
	"testing"
)

// TestSlurmDirectives: lines of an entry point that are options of a scheduler's are none
// of sbatch's: what scheduler_allow_list allows is all that a job chooses there. The entry
// point is what it was, with its line breaks.
func TestSlurmDirectives(t *testing.T) {
	policy, _ := throughSlurm(t, launchers["sbatch"]...)
	m := startConcurrent(t, 2, policy)
	plain := m.server.Submit(in(busyboxImage, job("plain", untilReleased...)))
	j := in(busyboxImage, job("directives", untilReleased...))
	j.Image.Entrypoint = []string{"sh", "-c", "echo 'entered by\n#PBS -l walltime=00:07:00\n#BSUB -W 0:07\n#SBATCH --time=7'; exec \"$@\"", "sh"}
	run := m.server.Submit(j)
	m.waitLog(plain, "holding")
	m.waitLog(run, "holding")
	want := queue(t, slurmName(plain), "--format=%l")
	if got := queue(t, slurmName(run), "--format=%l"); got != want || strings.Contains(got, "7:00") || got == "" {
		t.Errorf("the job with directives may run for %q, the one without for %q", got, want)
	}
	m.release(plain)
	m.release(run)
	m.wait(plain)
	m.wait(run)
	succeeded(t, run)
	logs(t, run, "\nentered by\n#PBS -l walltime=00:07:00\n#BSUB -W 0:07\n#SBATCH --time=7\n")
}
