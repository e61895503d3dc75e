package podman

import (
	"context"
	"strconv"
	"strings"
	"time"

	"podman-executor/internal/process"
)

// Logs returns the last lines of a service's log since a time, both streams together.
func (p *Podman) Logs(ctx context.Context, name string, since time.Time, lines int) ([]string, error) {
	args := []string{"logs", "--tail", strconv.Itoa(lines)}
	if !since.IsZero() {
		args = append(args, "--since", since.UTC().Format(time.RFC3339Nano))
	}
	args = append(args, "--", name)
	var said bounded
	cmd := p.command(ctx, args)
	cmd.Stdout, cmd.Stderr = &said, &said
	started := time.Now()
	err := p.ended(process.Run(cmd), args, &tail{})
	p.observe(args, started, err)
	var list []string
	for line := range strings.Lines(said.buffer.String()) {
		list = append(list, strings.TrimRight(line, "\r\n"))
	}
	return list, err
}
