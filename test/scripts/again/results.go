package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// event is a line of test2json.
type event struct {
	Action, Package, Test, Output string
}

// test is one that `-test.run` can name: its subtests are parts of it.
type test struct {
	pkg, name string
	// action is the last one: run, pause and cont, then pass, fail or skip.
	action string
	// log is what it and its subtests have printed; nothing is kept of one that has not failed.
	log strings.Builder
}

func (t *test) fullName() string { return t.pkg + "." + t.name }

// results are what the lines of one run say.
type results struct {
	// tests are in the order in which they began.
	tests  []*test
	byName map[string]*test
	// failedAtItsEnd tells that package testing has printed FAIL, as it does when all tests have ended: not after a
	// panic, a time-out or os.Exit.
	failedAtItsEnd bool
}

func newResults() *results { return &results{byName: map[string]*test{}} }

// read reads all lines. Those that are no JSON are gotestsum's to complain about.
func (r *results) read(lines io.Reader) error {
	buffered := bufio.NewReader(lines)
	for {
		line, err := buffered.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil {
			r.add(e)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the results: %w", err)
		}
	}
}

func (r *results) add(e event) {
	if e.Test == "" {
		r.failedAtItsEnd = r.failedAtItsEnd || e.Action == "output" && e.Output == "FAIL\n"
		return
	}
	name, _, isSubtest := strings.Cut(e.Test, "/")
	t := r.byName[name]
	if t == nil {
		t = &test{pkg: e.Package, name: name}
		r.byName[name] = t
		r.tests = append(r.tests, t)
	}
	if e.Action == "output" {
		t.log.WriteString(e.Output)
	} else if !isSubtest {
		t.action = e.Action
	}
	if t.action == "pass" || t.action == "skip" {
		t.log.Reset()
	}
}

// ranTests fails unless a test ran: a suite that runs nothing shows nothing.
func (r *results) ranTests() error {
	if len(r.tests) == 0 {
		return errors.New("no test ran")
	}
	return nil
}

// ended fails unless the suite failed by tests of its own, and all that began have ended.
func (r *results) ended(failure error) error {
	for _, t := range r.tests {
		if t.action != "pass" && t.action != "fail" && t.action != "skip" {
			return fmt.Errorf("the suite ended before %s did: %w", t.fullName(), failure)
		}
	}
	if !r.failedAtItsEnd || len(r.failed()) == 0 {
		return fmt.Errorf("the suite did not end by itself: %w", failure)
	}
	return nil
}

func (r *results) failed() []*test {
	var failed []*test
	for _, t := range r.tests {
		if t.action == "fail" {
			failed = append(failed, t)
		}
	}
	return failed
}

// passed tells whether a test ran and passed, and none failed.
func (r *results) passed(name string) bool {
	t := r.byName[name]
	return t != nil && t.action == "pass" && len(r.failed()) == 0
}
