package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Objects are queried with a Go template that prints one JSON object per line, with only the
// needed fields. An object also has what its image says about itself (labels, history,
// environment: up to 4 MiB each), and the list may have other people's objects. For 13
// containers of one such image, `podman ps --format json` prints 241 MB; these lines are 15 KB
// (4.3.1 and 5.4.2).
//
// podman replaces `\n` and `\t` anywhere in a template (containers/common
// pkg/report/template.go, NormalizeFormat), so no template has a backslash.

const (
	// maxLine bounds a line that stands for one object, in bytes.
	maxLine = 256 << 10
	// maxField bounds what is printed of one label, path or name, in characters. A longer label
	// is ignored: the driver's own labels, paths among them, are shorter.
	maxField = 4096
)

// text returns a template for a string that may be of any length.
func text(value string) string {
	return fmt.Sprintf("{{json (printf `%%.%ds` %s)}}", maxField, value)
}

// labelsOf returns a template that prints the values of some labels of a map, as a JSON list in
// the order of keys.
func labelsOf(field string, keys []string) string {
	parts := make([]string, len(keys))
	for i, key := range keys {
		parts[i] = text("(index " + field + " " + strconv.Quote(key) + ")")
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// labelValues maps keys to the values that labelsOf printed. podman prints a missing label as
// empty; it is left out, as is one that is too long.
func labelValues(keys, values []string) map[string]string {
	labels := map[string]string{}
	for i, key := range keys {
		if i < len(values) && values[i] != "" && len([]rune(values[i])) < maxField {
			labels[key] = values[i]
		}
	}
	return labels
}

// A list is retried, see [listed], until podman has failed listSame times in a row for the same
// reason: then the cause is not an object that was just made or removed. It is retried for
// listTime at most: on a busy machine `podman image ls` takes seconds, and ten in a row have
// hit images that were just removed.
const (
	listSame = 3
	listTime = 5 * time.Minute
)

// listed runs a command that prints one JSON object per line, and returns the objects. A line
// that is too long, or not JSON, is skipped and reported to [Podman.Observe]. It is an error if
// no line can be read.
//
// podman may inspect an object that another command has just removed, or is just making, and
// fail with one of many messages ("no volume with name … found in database: no such volume",
// "locating image with ID …: image not known", "locating item named "manifest-sha256:…" for
// image with ID …: file does not exist", 4.3.1): then the command is run again.
func listed[T any](ctx context.Context, p *Podman, args ...string) (list []T, err error) {
	last, same := "", 0
	for started := time.Now(); same < listSame && time.Since(started) < listTime; same++ {
		list, err = linesOf[T](ctx, p, args)
		if !isExit(err, ExitPodman) {
			return list, err
		}
		if err.Error() != last {
			last, same = err.Error(), 0
		}
	}
	return nil, err
}

// linesOf is one attempt of listed.
func linesOf[T any](ctx context.Context, p *Podman, args []string) ([]T, error) {
	var list []T
	var problem error
	passed := 0
	out := &lines{max: maxLine, each: func(line []byte, err error) {
		var one T
		if err == nil {
			err = json.Unmarshal(line, &one)
		}
		if err != nil {
			passed, problem = passed+1, err
			return
		}
		list = append(list, one)
	}}
	_, err := unlessLocked(ctx, func() ([]byte, error) {
		list, passed, problem, out.line, out.cut = nil, 0, nil, nil, false
		return nil, p.run(ctx, args, streams{stdout: out})
	})
	if err != nil {
		return nil, err
	}
	out.end()
	if problem == nil {
		return list, nil
	}
	problem = fmt.Errorf("podman %s: reading its output: %w", verb(args), problem)
	if len(list) == 0 {
		return nil, problem
	}
	p.observe(args, time.Now(), fmt.Errorf("%w; %d lines were skipped", problem, passed))
	return list, nil
}

// errLongLine is the error of a line that is too long.
var errLongLine = errors.New("a line is too long")

// lines calls each with every line of what is written to it, except empty ones. It
// buffers one line at most. each gets [errLongLine] for a line of more than max bytes.
type lines struct {
	max  int
	each func(line []byte, err error)
	line []byte
	cut  bool
}

func (l *lines) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part, after, whole := bytes.Cut(rest, []byte("\n"))
		if room := l.max - len(l.line); len(part) > room {
			part, l.cut = part[:room], true
		}
		l.line = append(l.line, part...)
		if whole {
			l.end()
		}
		rest = after
	}
	return len(p), nil
}

// end ends a line.
func (l *lines) end() {
	switch {
	case l.cut:
		l.each(nil, errLongLine)
	case len(bytes.TrimSpace(l.line)) > 0:
		l.each(l.line, nil)
	}
	l.line, l.cut = l.line[:0], false
}

var _ io.Writer = (*lines)(nil)
