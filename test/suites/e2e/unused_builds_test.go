//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// unusedFor makes all records of the machine's policy as old as that.
func (m *machine) unusedFor(d time.Duration) {
	m.Helper()
	records, err := filepath.Glob(filepath.Join(m.dir, "state", "used", "*"))
	if err != nil || len(records) == 0 {
		m.Fatalf("there are no records of what was used (%v)", err)
	}
	past := time.Now().Add(-d)
	for _, r := range records {
		if err := os.Chtimes(r, past, past); err != nil {
			m.Fatal(err)
		}
	}
}

// Volumes that no job has used for long go, those of a job that runs stay, however
// old their records are, and so do those that no driver made.
func TestFreeVolumes(t *testing.T) {
	t.Parallel()
	m := startConcurrent(t, 2, container(`volumes = ["/kept"]`))
	check := foreign(t, "foreign-"+m.token)
	succeeded(t, m.run(job("ended", "echo built >out; echo kept >/kept/file; head -c 3000000 /dev/urandom >/cache/file")))
	j := job("goes on", "echo still >out; echo there >/kept/file", "echo started", until[1], "cat out /kept/file")
	j.Info.ProjectID = 8
	living := m.server.Submit(j)
	m.waitLog(living, "\nstarted\n")
	m.unusedFor(100 * 24 * time.Hour)
	volumes := m.volumes()
	ended := func(name string) bool { return strings.Contains(name, "-project-7-") }

	byTime := []string{"--builds-older-than", "90d", "--cache-larger-than", "1g"}
	bySize := []string{"--builds-older-than", "90d", "--cache-larger-than", "1m"}
	table, stderr, status := m.byHand(append(bySize, "--dry-run")...)
	if status != 0 || stderr != "" || !slices.Equal(m.volumes(), volumes) {
		t.Errorf("--dry-run ends with %d and says %s; there are %q, there were %q", status, stderr, m.volumes(), volumes)
	}
	for _, v := range volumes {
		if got := row(table, "volume", v); got != ended(v) && !strings.Contains(v, "-volume-") {
			t.Errorf("the table has %s: %v\n%s", v, got, table)
		}
	}
	table, stderr, status = m.byHand(byTime...)
	if status != 0 || stderr != "" || strings.Count(table, "\n") != 2 || !row(table, "project-7-builds", "100d") {
		t.Errorf("it ends with %d and says %s%s", status, stderr, table)
	}
	if _, stderr, status = m.byHand(append(bySize[:3:3], "0")...); status != 0 || stderr != "" {
		t.Errorf("it ends with %d and says %s", status, stderr)
	}
	left := m.volumes()
	if want := slices.DeleteFunc(volumes, ended); !slices.Equal(left, want) {
		t.Errorf("there are %q, want %q", left, want)
	}
	m.unusedFor(0)
	// podman may miss the end of its own command when the job is over before it looks.
	_ = podmanCommand("exec", m.container(living, "user"), "touch", "/tmp/end").Run()
	m.wait(living)
	succeeded(t, living)
	logs(t, living, "still\nthere\n")
	check()
	// A job makes again what is gone.
	succeeded(t, m.run(job("next", "test ! -e /kept/file && test ! -e /cache/file")))
}

// The same for directories below data_dir, which hold files of other users.
func TestFreeDirectories(t *testing.T) {
	t.Parallel()
	policy, dir := dataDir(t)
	m := startConcurrent(t, 2, policy)
	succeeded(t, m.run(in(userImage, job("ended", "mkdir -p deep", "chmod 700 deep", "echo built >deep/out"))))
	j := job("goes on", "echo still >out", "echo started", until[1], "cat out")
	j.Info.ProjectID = 8
	living := m.server.Submit(j)
	m.waitLog(living, "\nstarted\n")
	m.unusedFor(100 * 24 * time.Hour)
	options := []string{"--builds-older-than", "90d", "--cache-larger-than", "0"}
	table, stderr, status := m.byHand(append(options, "--dry-run")...)
	if status != 0 || stderr != "" || !row(table, "directory", dir+"/builds/project-7", "100d") || strings.Contains(table, "project-8") {
		t.Errorf("--dry-run ends with %d and says %s%s", status, stderr, table)
	}
	if _, err := os.Stat(dir + "/builds/project-7"); err != nil {
		t.Errorf("after --dry-run: %v", err)
	}
	if _, stderr, status = m.byHand(options...); status != 0 || stderr != "" {
		t.Errorf("it ends with %d and says %s", status, stderr)
	}
	if _, err := os.Stat(dir + "/builds/project-7"); !os.IsNotExist(err) {
		t.Errorf("the builds that no job uses are there (%v)", err)
	}
	// podman may miss the end of its own command when the job is over before it looks.
	_ = podmanCommand("exec", m.container(living, "user"), "touch", "/tmp/end").Run()
	m.wait(living)
	succeeded(t, living)
	logs(t, living, "\nstill\n")
	succeeded(t, m.run(job("next", "echo ran")))
}

// Volumes are freed again and again while jobs begin: each finds its own, made by
// the driver, and no job fails for it.
func TestFreeWhileJobsBegin(t *testing.T) {
	t.Parallel()
	m := startConcurrent(t, 2, container(`volumes = ["/kept"]`))
	var runs []*gitlab.Run
	begin := func() {
		runs = append(runs, m.server.Submit(job(fmt.Sprintf("begins %d", len(runs)), "echo x >out && echo y >/kept/file && cat out")))
	}
	const enough, most = 8, 100
	freed := 0
	// Jobs follow one another fast. Where they have left no moment in which something
	// could be freed, those to come leave one of the two slots alone.
	for len(runs) < enough || unfinished(runs) > 0 || freed == 0 && len(runs) < most {
		for len(runs) < enough || freed == 0 && unfinished(runs) < 2 && len(runs) < most {
			begin()
		}
		table, stderr, status := m.byHand("--builds-older-than", "0s", "--cache-larger-than", "0")
		if status != 0 || stderr != "" {
			t.Fatalf("it ends with %d and says %s", status, stderr)
		}
		if unfinished(runs) > 0 {
			freed += max(strings.Count(table, "\n")-1, 0)
		}
		// What podman makes by itself for a mount has no labels.
		for _, v := range m.volumes() {
			labels, err := podmanCommand("volume", "inspect", "--format", "{{json .Labels}}", v).Output()
			if err == nil && !strings.Contains(string(labels), "io.podman-executor.managed") {
				t.Fatalf("the volume %s has the labels %s", v, labels)
			}
		}
	}
	for _, run := range runs {
		m.wait(run)
		succeeded(t, run)
	}
	if freed == 0 {
		t.Errorf("nothing was freed while %d jobs began: this test shows nothing", len(runs))
	}
	m.nothingLeft()
}
