// Command driver measures what the four programs add to the podman commands that
// they run: the time until a program has started; what podman-executor-run takes
// beside `podman start`, for a short step and for one of 100 MB of output; and what
// podman-executor-prepare takes to decide about large jobs by large policies.
//
// PODMAN_EXECUTOR_BIN names the directory of the four programs.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"
)

// rounds is how often each thing is measured; the table has medians.
const rounds = 20

func main() {
	if err := measure(os.Getenv("PODMAN_EXECUTOR_BIN"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench-driver: error:", err)
		os.Exit(1)
	}
}

func measure(bin string, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "what\tmedian ms\tpeak RSS MiB\t")
	for _, stage := range []string{"config", "prepare", "run", "cleanup"} {
		s, err := series(func() (*exec.Cmd, error) {
			return exec.Command(filepath.Join(bin, "podman-executor-"+stage), "--version"), nil
		})
		if err != nil {
			return err
		}
		line(w, "start of podman-executor-"+stage, s)
	}
	if err := decisions(bin, w); err != nil {
		return err
	}
	if err := stepsAndLog(bin, w); err != nil {
		return err
	}
	return w.Flush()
}

func line(w io.Writer, what string, s samples) {
	fmt.Fprintf(w, "%s\t%.1f\t%.1f\t\n", what, s.milliseconds(), s.mebibytes())
}

// decisions measures how long prepare takes to refuse jobs: it does so before it runs
// any podman command, so that is what it adds for a job that it does not refuse.
func decisions(bin string, w io.Writer) error {
	for _, r := range refusals {
		s, err := r.measure(bin)
		if err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
		line(w, "prepare refuses a job: "+r.what, s)
	}
	return nil
}

func stepsAndLog(bin string, w io.Writer) (err error) {
	c, err := newContainer(bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.remove()) }()
	alone, through, err := c.steps("exit 0", rounds)
	if err != nil {
		return err
	}
	line(w, "podman start alone", alone)
	line(w, "a step by podman-executor-run", through)
	fmt.Fprintf(w, "what podman-executor-run adds\t%.1f\t%.1f\t\n", through.milliseconds()-alone.milliseconds(), through.mebibytes())
	alone, through, err = c.steps(fmt.Sprintf("yes %079d | head -c %d", 7, logBytes), logRounds)
	if err != nil {
		return err
	}
	line(w, "100 MB of output by podman start alone", alone)
	line(w, "by podman-executor-run", through)
	fmt.Fprintf(w, "its throughput, that of podman alone being 1\t%.2f\t\t\n", alone.milliseconds()/through.milliseconds())
	return nil
}
