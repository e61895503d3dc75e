// Command driver measures what the four programs add to the podman commands that
// they run: the time until a program has started; what podman-executor-run takes
// beside `podman start`, for a short step and for one of 100 MB of output, and beside
// the hand-over of a step; and what podman-executor-prepare takes to decide about large
// jobs by large policies.
//
//	bench-driver [--json FILE]
//
// It prints a table, and writes the same to FILE for the page of the benchmark. Where
// FILE is "-", that is standard output, and the table goes to standard error.
// PODMAN_EXECUTOR_BIN names the directory of the four programs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"text/tabwriter"

	"podman-executor/test/measure/bench/results"
)

// rounds is how often each thing is measured; the table has medians.
const rounds = 20

// startRounds is how often a step is started: podman's own time varies by more than
// what is looked for.
const startRounds = 60

func main() {
	if err := start(os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench-driver: error:", err)
		os.Exit(1)
	}
}

func start(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench-driver", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("json", "", "write the results to this `file`, too; - is standard output")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errors.New("want no arguments but options")
	}
	m := measurement{bin: os.Getenv("PODMAN_EXECUTOR_BIN")}
	if err := m.all(context.Background()); err != nil {
		return err
	}
	table := stdout
	if *file == "-" {
		table = stderr
	}
	if err := printTable(table, m.found); err != nil || *file == "" {
		return err
	}
	text, err := json.MarshalIndent(m.found, "", "\t")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if *file == "-" {
		_, err = stdout.Write(text)
		return err
	}
	return os.WriteFile(*file, text, 0o644)
}

func printTable(out io.Writer, p results.Programs) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "what\tmedian ms\tpeak RSS MiB\t")
	for _, l := range p.Lines {
		mib := ""
		if l.MiB > 0 {
			mib = strconv.FormatFloat(l.MiB, 'f', 1, 64)
		}
		fmt.Fprintf(w, "%s\t%.1f\t%s\t\n", l.What, l.Milliseconds, mib)
	}
	fmt.Fprintf(w, "what podman-executor-run adds to a start\t%.1f\t%.1f\t\n", p.Start.Milliseconds, p.Start.MiB)
	fmt.Fprintf(w, "what it adds to a hand-over\t%.1f\t%.1f\t\n", p.HandOver.Milliseconds, p.HandOver.MiB)
	fmt.Fprintf(w, "its throughput, that of podman alone being 1\t%.2f\t\t\n", p.LogThroughput)
	return w.Flush()
}

// measurement is one run of the program.
type measurement struct {
	bin   string
	found results.Programs
}

func (m *measurement) all(ctx context.Context) error {
	for _, stage := range []string{"config", "prepare", "run", "cleanup"} {
		s, err := series(func() (*exec.Cmd, error) {
			return exec.Command(filepath.Join(m.bin, "podman-executor-"+stage), "--version"), nil
		})
		if err != nil {
			return err
		}
		m.line("start of podman-executor-"+stage, s)
	}
	for _, r := range refusals {
		// It is before any podman command that prepare refuses jobs: so that is
		// what it adds for a job that it does not refuse.
		s, err := r.measure(m.bin)
		if err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
		m.line("podman-executor-prepare refuses a job: "+r.what, s)
	}
	if err := m.started(); err != nil {
		return err
	}
	return m.handedOver(ctx)
}

func (m *measurement) line(what string, s samples) {
	m.found.Lines = append(m.found.Lines, results.Line{What: what, Milliseconds: s.milliseconds(), MiB: s.mebibytes()})
}

// added is what a program takes more than what it does: the median of what it took more
// than the one just before it, since the machine may be slower now than it was.
func added(alone, through samples) results.Added {
	more := make(samples, len(through))
	for i := range through {
		more[i].wall = through[i].wall - alone[i].wall
	}
	return results.Added{Milliseconds: more.milliseconds(), MiB: through.mebibytes()}
}

func (m *measurement) started() (err error) {
	c, err := newContainer(m.bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.remove()) }()
	alone, through, err := c.steps("exit 0", startRounds)
	if err != nil {
		return err
	}
	m.line("a step by `podman start`, alone", alone)
	m.line("the same by podman-executor-run", through)
	m.found.Start = added(alone, through)
	return nil
}

func (m *measurement) handedOver(ctx context.Context) (err error) {
	c, err := newStaying(m.bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.remove()) }()
	alone, through, err := c.handOver(ctx, rounds)
	if err != nil {
		return err
	}
	m.line("a step that is handed over, alone", alone)
	m.line("the same by podman-executor-run", through)
	m.found.HandOver = added(alone, through)
	starts, err := newContainer(m.bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, starts.remove()) }()
	alone, through, err = c.log(starts)
	if err != nil {
		return err
	}
	m.line("100 MB of output by `podman start`, alone", alone)
	m.line("the same by podman-executor-run, handed over", through)
	m.found.LogThroughput = alone.milliseconds() / through.milliseconds()
	return nil
}
