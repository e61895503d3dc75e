// Command podman is the fake podman of drivertest's scripts. It records each call, and answers
// from files.
//
// It is not the test binary under another name, as the driver's programs are: a small program
// without the race detector starts in a tenth of the time.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"podman-executor/internal/fakepodman"
)

// The fake podman finds its directory by the one thing that the driver hands
// through to it: $HOME/fake-podman. For a call such as `podman image inspect`
// it looks there for
//
//	image-inspect.stdout, .stderr, .exit   what it prints, and ends with; in stderr
//	                                       $TMPDIR is the variable's value
//	image-inspect.hang                     it hangs until a command named in this
//	                                       file ("kill", or "kill.2" for the second
//	                                       call of it) is called; with the word
//	                                       "signalled", until the program has got
//	                                       its signal; with the word "eof", until
//	                                       its input ends; without a word for ever
//
// and before those for image-inspect.2.stdout and so on, which are for the
// second call only. The job's containers are made at the same time: for
// `podman create` and `podman run` that is create.user.stdout, run.runner.2.stdout,
// by the container's role. It writes
//
//	log                                    one call a line, see [fakepodman.Call]
//	stdin                                  what `podman start` got to read, to the
//	                                       end of the script
//	secret                                 the value of the latest `podman secret create`
//	authfile                               the file of --authfile
//	envfile                                the file of --env-file
//
// Without a file it answers like a podman 4.3.1 that has every image and volume
// and no container; more of it by name:
//
//	absent-images, absent-volumes          those that it has not, one a line, until it
//	                                       has pulled or made them
//	unreadable-images                      IDs of those that it has, and cannot read: as long
//	                                       as they are there, it lists no images but by
//	                                       their IDs
//	layers                                 what it downloads in a pull: the size of a layer
//	                                       a line
//	images/NAME                            what `image inspect` says of that image: a
//	                                       JSON object
//
// Lists of objects are in its files as it prints them without a template, JSON; it prints of
// them what the template of --format asks for: see internal/fakepodman. Of
// container-inspect.stdout that is the State, with the container's Id and Labels.
type fake struct {
	dir  string
	verb string
	args []string
	// nth counts the calls of this verb, and for this role, from 1.
	nth int
}

func main() {
	status, err := runFake(filepath.Join(os.Getenv("HOME"), "fake-podman"), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake podman:", err)
		status = 99
	}
	os.Exit(status)
}

func runFake(dir string, args []string) (int, error) {
	f := fake{dir: dir, args: args, verb: fakepodman.VerbOf(args)}
	mode, err := f.copyAuthFile()
	if err != nil {
		return 0, err
	}
	if err := f.copyEnvFile(); err != nil {
		return 0, err
	}
	if err := f.record(mode); err != nil {
		return 0, err
	}
	if f.verb == "start" && slices.Contains(f.args, "--interactive") {
		if err := f.saveStdin(); err != nil {
			return 0, err
		}
	}
	if f.verb == "secret-create" {
		if err := f.saveSecret(); err != nil {
			return 0, err
		}
	}
	if f.verb == "image-pull" {
		if err := f.download(); err != nil {
			return 0, err
		}
	}
	if err := f.hang(); err != nil {
		return 0, err
	}
	return f.answer()
}

// record adds the call to the log, in one write: calls may overlap.
func (f *fake) record(authMode string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	line, err := json.Marshal(fakepodman.Call{Verb: f.verb, Args: f.args, Env: os.Environ(), Dir: dir, AuthMode: authMode})
	if err != nil {
		return err
	}
	line = append(line, '\n')
	// Twice: scripts remove their log, and each call is looked at in the end.
	for _, name := range []string{filepath.Join(f.dir, "log"), filepath.Join(filepath.Dir(f.dir), fakepodman.AllCalls)} {
		if err := appendTo(name, line); err != nil {
			return err
		}
	}
	calls, err := fakepodman.ReadLog(filepath.Join(f.dir, "log"))
	for _, c := range calls {
		if c.Verb == f.verb && fakepodman.RoleIn(c.Args) == fakepodman.RoleIn(f.args) {
			f.nth++
		}
	}
	return err
}

func appendTo(name string, line []byte) error {
	log, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = log.Write(line)
	return errors.Join(err, log.Close())
}

func (f *fake) copyAuthFile() (string, error) {
	i := slices.Index(f.args, "--authfile")
	if i < 0 {
		return "", nil
	}
	name := f.args[i+1]
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	file, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	dir, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return "", err
	}
	mode := fmt.Sprintf("%v in %v", file.Mode(), dir.Mode())
	// A newline, which files in scripts always end with.
	return mode, os.WriteFile(filepath.Join(f.dir, "authfile"), append(text, '\n'), 0o600)
}

func (f *fake) copyEnvFile() error {
	i := slices.Index(f.args, "--env-file")
	if i < 0 {
		return nil
	}
	// They lie in memory that all jobs share.
	if all, err := filepath.Glob(filepath.Join(filepath.Dir(f.args[i+1]), "service-*.env")); err != nil || len(all) > 1 {
		return fmt.Errorf("the variables of other services are still there: %q, %v", all, err)
	}
	text, err := os.ReadFile(f.args[i+1])
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.dir, "envfile"), text, 0o600)
}

// saveSecret keeps the value of a secret. Like podman it takes it from a pipe only.
func (f *fake) saveSecret() error {
	info, err := os.Stdin.Stat()
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeNamedPipe == 0 {
		return errors.New("if `-` is used, data must be passed into stdin")
	}
	value, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.dir, "secret"), value, 0o600)
}

// saveStdin reads what a container's shell reads: a line that begins with a size,
// and as many bytes. The input does not end there.
func (f *fake) saveStdin() error {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the script's size: %w", err)
	}
	var size int
	if _, err := fmt.Sscan(line, &size); err != nil {
		return fmt.Errorf("reading the script's size: %w", err)
	}
	script := make([]byte, size)
	if _, err := io.ReadFull(in, script); err != nil {
		return fmt.Errorf("reading the script: %w", err)
	}
	return os.WriteFile(filepath.Join(f.dir, "stdin"), append([]byte(line), script...), 0o600)
}

// file returns the content of an answer's file for this call.
func (f *fake) file(what string) (string, bool) {
	names := []string{fmt.Sprintf("%s.%d.%s", f.verb, f.nth, what), f.verb + "." + what}
	if role := fakepodman.RoleIn(f.args); role != "" {
		names = []string{fmt.Sprintf("%s.%s.%d.%s", f.verb, role, f.nth, what), f.verb + "." + role + "." + what, f.verb + "." + what}
	}
	for _, name := range names {
		if text, err := os.ReadFile(filepath.Join(f.dir, name)); err == nil {
			return string(text), true
		}
	}
	return "", false
}

func (f *fake) hang() error {
	enders, ok := f.file("hang")
	if !ok {
		return nil
	}
	words := strings.Fields(enders)
	if slices.Contains(words, "eof") {
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}
	for {
		calls, err := fakepodman.ReadLog(filepath.Join(f.dir, "log"))
		if err != nil {
			return err
		}
		times := map[string]int{}
		for _, c := range calls {
			times[c.Verb]++
			if slices.Contains(words, c.Verb) || slices.Contains(words, fmt.Sprintf("%s.%d", c.Verb, times[c.Verb])) {
				return nil
			}
		}
		if _, err := os.Stat(filepath.Join(f.dir, fakepodman.Signalled)); err == nil && slices.Contains(words, fakepodman.Signalled) {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (f *fake) answer() (int, error) {
	status, err := f.status()
	if err != nil {
		return 0, err
	}
	stdout, given := f.file("stdout")
	stderr, _ := f.file("stderr")
	stderr = strings.ReplaceAll(stderr, "$TMPDIR", os.Getenv("TMPDIR"))
	if status == 0 {
		if err := f.make(); err != nil {
			return 0, err
		}
	}
	if !given && status == 0 {
		refusal := ""
		if stdout, refusal, err = f.standard(); err != nil {
			return 0, err
		}
		if refusal != "" {
			stderr, status = refusal, 125
		}
	}
	if id := f.unreadable(); id != "" {
		stderr, status, stdout = fmt.Sprintf("Error: retrieving label for image %q: you may need to remove the image to resolve the error: json: cannot unmarshal\n", id), 125, ""
	}
	stdout, err = fakepodman.Render(f.args, stdout)
	if err != nil {
		stderr, status = stderr+"Error: "+err.Error()+"\n", 125
	}
	fmt.Fprint(os.Stdout, stdout)
	fmt.Fprint(os.Stderr, stderr)
	return status, nil
}

func (f *fake) status() (int, error) {
	text, ok := f.file("exit")
	if !ok {
		return 0, nil
	}
	return strconv.Atoi(strings.TrimSpace(text))
}
