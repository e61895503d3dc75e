package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/diff"

	"podman-executor/test/harness/gitlab"
)

// outcome is what became of a job under one executor.
type outcome struct {
	job      string
	state    gitlab.State
	reason   string // the runner's failure reason
	exitCode int
	log      string // as the normaliser makes it
	try      int    // the number of this try, from 1
}

func newOutcome(r gitlab.Result, n normaliser) (outcome, error) {
	o := outcome{job: r.Job, state: r.State}
	if r.Run == nil {
		return o, nil
	}
	o.reason, o.exitCode = r.Run.FailureReason(), r.Run.ExitCode()
	log, err := n.log(r.Run.Trace())
	if err != nil {
		return o, fmt.Errorf("reading the trace of the job %q: %w", r.Job, err)
	}
	o.log = log
	return o, nil
}

// verdict is all but the log, as in differences.yml.
func (o outcome) verdict() string {
	if o.state != gitlab.StateFailed {
		return string(o.state)
	}
	return fmt.Sprintf("%s, %s, %d", o.state, o.reason, o.exitCode)
}

// difference is an entry of differences.yml: in what the driver differs from the
// docker executor for one job, and why that is right or cannot be otherwise.
type difference struct {
	Job string `yaml:"job"`
	// Docker and Driver are the two verdicts, where these differ: the state, or
	// "failed, REASON, EXIT CODE".
	Docker string `yaml:"docker"`
	Driver string `yaml:"driver"`
	// Output has the lines of the log that only the docker executor (-) or only
	// the driver (+) gives, in the order of a diff.
	Output string `yaml:"output"`
	// Why is for the table, docs/migrating-from-docker.md says more.
	Why string `yaml:"why"`
}

func parseDifferences(name string, text []byte) ([]difference, error) {
	var list []difference
	if err := yaml.UnmarshalWithOptions(text, &list, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	seen := map[string]bool{}
	for _, d := range list {
		switch {
		case d.Job == "" || d.Why == "":
			return nil, fmt.Errorf("%s: an entry has no job, or no why: %+v", name, d)
		case (d.Docker == "") != (d.Driver == ""):
			return nil, fmt.Errorf("%s: %s: want both docker and driver, or none", name, d.Job)
		case d.Docker == "" && d.Output == "":
			return nil, fmt.Errorf("%s: %s: nothing differs", name, d.Job)
		case seen[d.Job]:
			return nil, fmt.Errorf("%s: %s stands there twice", name, d.Job)
		}
		seen[d.Job] = true
	}
	return list, nil
}

// row is one job of the report.
type row struct {
	docker, driver outcome
	// diff is the unified diff of the logs, empty if they are the same.
	diff string
	// why explains the difference, if it is expected.
	why string
	// unexpected says what is not as expected; empty: all is.
	unexpected []string
}

type report []row

// compare lines the outcomes up, which are of the same jobs in the same order,
// and holds them against the expected differences.
func compare(docker, driver []outcome, expected []difference) report {
	byJob := map[string]difference{}
	for _, d := range expected {
		byJob[d.Job] = d
	}
	var all report
	for i := range docker {
		all = append(all, newRow(docker[i], driver[i], byJob[docker[i].job]))
	}
	return all
}

// unknownJobs are rows for expected differences of jobs that there are not.
func unknownJobs(known report, expected []difference) (rows report) {
	for _, d := range expected {
		if !slices.ContainsFunc(known, func(r row) bool { return r.docker.job == d.Job }) {
			o := outcome{job: d.Job}
			rows = append(rows, row{docker: o, driver: o, unexpected: []string{"differences.yml has an entry, no pipeline has such a job"}})
		}
	}
	return rows
}

// better puts outcomes of another try, which may have been of some jobs only, in
// the place of those that are not as expected, where the other try is.
func better(docker, again, driver []outcome, expected []difference) []outcome {
	wrong := compare(docker, driver, expected).wrong()
	chosen := slices.Clone(docker)
	for i, o := range chosen {
		at := slices.IndexFunc(again, func(a outcome) bool { return a.job == o.job })
		if at >= 0 && wrong[o.job] && compare(again[at:at+1], driver[i:i+1], expected).same() {
			chosen[i] = again[at]
		}
	}
	return chosen
}

// newRow compares one job; expected is zero where no difference is.
func newRow(docker, driver outcome, expected difference) row {
	r := row{docker: docker, driver: driver, why: expected.Why}
	r.diff = string(diff.Diff("docker", []byte(docker.log), "driver", []byte(driver.log)))
	if docker.state == gitlab.StateSkipped || driver.state == gitlab.StateSkipped {
		r.unexpected = append(r.unexpected, "it did not run by both, as a job before it failed without being allowed to")
	}
	if docker.verdict() == driver.verdict() {
		if expected.Docker != "" {
			r.unexpected = append(r.unexpected, fmt.Sprintf("the verdict is %q of both: differences.yml expects a difference", docker.verdict()))
		}
	} else if docker.verdict() != expected.Docker || driver.verdict() != expected.Driver {
		r.unexpected = append(r.unexpected, fmt.Sprintf("the docker executor's verdict is %q, the driver's %q", docker.verdict(), driver.verdict()))
	}
	if changes := changed(r.diff); changes != expected.Output {
		r.unexpected = append(r.unexpected, "the logs differ in another way than differences.yml says")
	}
	return r
}

// changed returns the lines of a unified diff that begin with - or +.
func changed(unified string) string {
	var b strings.Builder
	inHunk := false
	for line := range strings.Lines(unified) {
		inHunk = inHunk || strings.HasPrefix(line, "@@")
		if inHunk && (line[0] == '-' || line[0] == '+') {
			b.WriteString(line)
		}
	}
	return b.String()
}

// wrong are the jobs that are not as expected.
func (all report) wrong() map[string]bool {
	jobs := map[string]bool{}
	for _, r := range all {
		if len(r.unexpected) > 0 {
			jobs[r.docker.job] = true
		}
	}
	return jobs
}

// same tells whether everything is as expected.
func (all report) same() bool { return len(all.wrong()) == 0 }

// print writes the table, and then what was not expected.
func (all report) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tDOCKER\tEXIT\tDRIVER\tEXIT\tOUTPUT\tWHY")
	different, unexpected := 0, 0
	for _, r := range all {
		output := "same"
		if r.diff != "" {
			output = "differs"
		}
		why := r.why
		if len(r.unexpected) > 0 {
			why = "NOT EXPECTED"
			unexpected++
		}
		if why != "" {
			different++
		}
		if r.docker.try > 1 {
			why = strings.TrimSpace(fmt.Sprintf("%s (docker: try %d)", why, r.docker.try))
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\t%s\n", r.docker.job, r.docker.short(), r.docker.exitCode, r.driver.short(), r.driver.exitCode, output, why)
	}
	_ = w.Flush()
	fmt.Fprintf(out, "\n%d jobs, %d the same, %d different as expected, %d not as expected\n", len(all), len(all)-different, different-unexpected, unexpected)
	for _, r := range all {
		if len(r.unexpected) > 0 {
			fmt.Fprintf(out, "\n%s: %s\n%s", r.docker.job, strings.Join(r.unexpected, "; "), r.diff)
		}
	}
}

// short is the state, with the reason where that is not the script.
func (o outcome) short() string {
	if o.state == gitlab.StateFailed && o.reason != "script_failure" {
		return string(o.state) + " (" + o.reason + ")"
	}
	return string(o.state)
}
