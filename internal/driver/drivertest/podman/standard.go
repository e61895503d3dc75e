package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"podman-executor/internal/fakepodman"
)

// standard returns the answer if there is no file, or what podman says if it fails.
func (f *fake) standard() (answer, refusal string, err error) {
	switch f.verb {
	case "image-inspect":
		return f.inspected(absentImages, "image not known")
	case "volume-inspect":
		return f.inspected(absentVolumes, "no such volume")
	}
	answer, err = f.usual()
	return answer, "", err
}

// usual returns the answer of a command that does not fail.
func (f *fake) usual() (string, error) {
	last := f.args[len(f.args)-1]
	switch f.verb {
	case "version":
		return `{"Client": {"Version": "4.3.1"}}` + "\n", nil
	case "info":
		return `{"host": {"cgroupVersion": "v2", "cgroupControllers": ["cpuset", "cpu", "io", "memory", "pids"], "ociRuntime": {"name": "crun", "version": "crun version 1.8.1"}}, "store": {"graphDriverName": "overlay", "graphRoot": "/"}}` + "\n", nil
	case "unshare":
		if f.args[1] == "--" || f.args[1] == "--rootless-netns" {
			// The driver calls itself, or a script that changes firewall rules, which needs
			// rights that tests do not have.
			return "", nil
		}
		// As on a machine where all files are this user's.
		out, err := exec.Command(f.args[1], f.args[2:]...).Output()
		return string(out), err
	case "ps", "network-ls", "volume-ls":
		return "[]\n", nil
	case "image-pull":
		return fakepodman.ImageID(last) + "\n", nil
	case "run":
		if !slices.Contains(f.args, "--detach") {
			return "end of the probe\n", nil
		}
		fallthrough
	case "create":
		return fakepodman.ImageID(f.args[slices.Index(f.args, "--name")+1]) + "\n", nil
	case "container-inspect":
		if slices.Contains(f.args, "{{.Name}} {{.State.Pid}}") {
			return eachNamed(f.args, "1"), nil
		}
		if slices.Contains(f.args, "{{.Name}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}} {{end}}") {
			return eachNamed(f.args, "10.89.0.2 "), nil
		}
		// The container has run just now, with the code of `podman start`.
		start := fake{dir: f.dir, verb: "start", nth: 1}
		code, err := start.status()
		return fmt.Sprintf(`{"Status": "exited", "ExitCode": %d, "StartedAt": %q}`+"\n", code, time.Now().Format(time.RFC3339Nano)), err
	}
	return "", nil
}

// The files with the names of what does not exist.
const (
	absentImages  = "absent-images"
	absentVolumes = "absent-volumes"
	// unreadableImages are those that exist but cannot be read.
	unreadableImages = "unreadable-images"
)

// inspected returns what podman says about images or volumes, by their names: its output for
// those that exist, and its error for the others.
func (f *fake) inspected(absentFile, unknown string) (answer, refusal string, err error) {
	absent, err := f.absent(absentFile)
	if err != nil {
		return "", "", err
	}
	var there []string
	for _, name := range fakepodman.NamesIn(f.args) {
		switch {
		case slices.Contains(absent, name):
			refusal = fmt.Sprintf("Error: inspecting object: %s: %s\n", name, unknown)
		case absentFile == absentVolumes:
			there = append(there, name)
		default:
			there = append(there, f.image(name))
		}
	}
	if absentFile == absentVolumes {
		return strings.Join(there, "\n") + "\n", refusal, nil
	}
	return "[" + strings.Join(there, ", ") + "]\n", refusal, nil
}

// image returns what podman says about one image.
func (f *fake) image(name string) string {
	if text, err := os.ReadFile(filepath.Join(f.dir, "images", name)); err == nil {
		return string(text)
	}
	digests := "[]"
	if strings.Contains(name, "@") {
		digests = fmt.Sprintf("[%q]", name)
	}
	return fmt.Sprintf(`{"Id": %q, "Digest": %q, "Size": 123456789, "RepoDigests": %s}`, fakepodman.ImageID(name), fakepodman.ImageDigest(name), digests)
}

// unreadable returns the ID of an image because of which podman lists none; `image rm` removes
// it.
func (f *fake) unreadable() string {
	ids, err := f.absent(unreadableImages)
	if err != nil || f.verb != "image-ls" {
		return ""
	}
	for _, id := range ids {
		if one := slices.IndexFunc(f.args, func(arg string) bool { return strings.HasPrefix(arg, "id=") }); one < 0 || f.args[one] == "id="+id {
			return id
		}
	}
	return ""
}

// make creates what was absent, if the command is one that does.
func (f *fake) make() error {
	file, ok := map[string]string{"image-pull": absentImages, "volume-create": absentVolumes, "image-rm": unreadableImages}[f.verb]
	if !ok {
		return nil
	}
	absent, err := f.absent(file)
	if err != nil || len(absent) == 0 {
		return err
	}
	made := fakepodman.NamesIn(f.args)
	absent = slices.DeleteFunc(absent, func(name string) bool { return slices.Contains(made, name) })
	return os.WriteFile(filepath.Join(f.dir, file), []byte(strings.Join(absent, "\n")), 0o600)
}

func (f *fake) absent(file string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(f.dir, file))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(text)), err
}

// eachNamed is a line for each name of a command line, with the same text behind it.
func eachNamed(args []string, text string) string {
	return strings.Join(fakepodman.NamesIn(args), " "+text+"\n") + " " + text + "\n"
}
