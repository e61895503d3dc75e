package site

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sirupsen/logrus"

	"podman-executor/internal/driver"
	"podman-executor/internal/plan"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
)

// Log is the administrator's own log, separate from the job log. It holds no secrets and
// nothing that a job's script prints.
type Log struct {
	*logrus.Entry
	file io.Closer
}

// OpenLog opens the log that the policy, or the plan, asks for. Without a file, log lines are
// discarded. Every line has the program, the job and its project.
func OpenLog(c *driver.Call, l plan.Log, jobID, projectID int64) (*Log, error) {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	var file io.Closer
	if l.File != "" {
		f, err := trust.Append(l.File, trust.Self())
		var untrusted *trust.Error
		if errors.As(err, &untrusted) {
			return nil, &driver.Fault{Err: fmt.Errorf("general.log_file cannot be trusted: %w", err), Hint: trust.Hint(err)}
		}
		if err != nil {
			return nil, &driver.Fault{
				Err:  fmt.Errorf("opening the log: %w", err),
				Hint: "set general.log_file to a file that gitlab-runner's user can write to",
			}
		}
		logger.SetOutput(f)
		file = f
	}
	if level, err := logrus.ParseLevel(l.Level); err == nil {
		logger.SetLevel(level)
	}
	if l.Format == "json" {
		logger.SetFormatter(&logrus.JSONFormatter{})
	} else {
		logger.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
	}
	entry := logger.WithFields(logrus.Fields{"program": c.Program, "job": jobID, "project": projectID})
	return &Log{Entry: entry, file: file}, nil
}

// Podman records one podman command: its line at the level "debug", a failure
// at "info".
func (l *Log) Podman(c podman.Command) {
	entry := l.WithFields(logrus.Fields{"seconds": c.Duration.Seconds()})
	if c.Err != nil {
		entry = entry.WithField("failure", c.Err.Error())
		entry.Info("podman " + c.Args[0] + " failed")
	}
	entry.Debug("podman " + quoted(c.Args))
}

// quoted returns a command line as a POSIX shell would take it.
func quoted(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a
		if a == "" || strings.ContainsAny(a, " \t\n'\"\\$`!*?[]{}()<>|&;#~") {
			words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// Close closes the log's file.
func (l *Log) Close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}
