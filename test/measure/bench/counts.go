package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// counts are the driver's programs and podman's commands of one hello job, by
// executor: such as "podman-executor-run: podman start", and their number.
type counts map[string]map[string]int

// counted are the executors that are counted: those of this driver.
var counted = []string{"driver", "step_script_only"}

// countTries is how often is counted until it is as wanted: where another process has
// locked podman's database, the driver runs a command again.
const countTries = 3

// compareCounts counts, prints what it found, and compares it with a file.
func (b *bench) compareCounts(ctx context.Context, file string) (err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	want := counts{}
	if err := json.Unmarshal(text, &want); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var got counts
	var found []byte
	for range countTries {
		if got, err = b.count(ctx); err != nil {
			return err
		}
		if found, err = json.MarshalIndent(got, "", "\t"); err != nil {
			return err
		}
		found = append(found, '\n')
		fmt.Fprintf(b.out, "programs and commands of podman of a hello job:\n%s", found)
		if bytes.Equal(text, found) {
			return nil
		}
	}
	return fmt.Errorf("these are not the counts of %s:\n%sreplace the file by the above where that is meant", file, want.differences(got))
}

// count runs a hello job by each of the driver's modes.
func (b *bench) count(ctx context.Context) (got counts, err error) {
	kinds, executors, err := b.choose([]string{"hello"}, counted, "")
	if err != nil {
		return nil, err
	}
	got = counts{}
	for _, e := range executors {
		r, err := b.newRival(ctx, e)
		if err != nil {
			return nil, err
		}
		failed := 0
		a, err := b.accountOf(ctx, kinds[0], r, &failed)
		if err := errors.Join(err, r.close(context.WithoutCancel(ctx))); err != nil {
			return nil, err
		}
		got[e.Name] = a.Commands
		for program, n := range a.Executed {
			if strings.HasPrefix(program, "podman-executor-") {
				got[e.Name][program] = n
			}
		}
	}
	return got, nil
}

// differences says what another count has more and less.
func (want counts) differences(got counts) string {
	var text strings.Builder
	for _, executor := range counted {
		commands := maps.Clone(got[executor])
		maps.Copy(commands, want[executor])
		for _, command := range slices.Sorted(maps.Keys(commands)) {
			if w, g := want[executor][command], got[executor][command]; w != g {
				fmt.Fprintf(&text, "  %s: %s: %d, want %d\n", executor, command, g, w)
			}
		}
	}
	return text.String()
}
