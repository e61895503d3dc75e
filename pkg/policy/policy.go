// Package policy reads the administrator's policy file and decides, for one job at a
// time, what the job may have.
//
// The package runs nothing, and reads no file but the one that [Load] is given. It does not
// know the podman program.
//
// # Keys
//
// The file is TOML with the keys of Jacamar CI's podman run mechanism and some more.
// [General], [Podman] and [UserContainer] say what each key means and what its absence
// means. docs/policy.md is made from their comments.
//
// # Parsing
//
// [Parse] is strict. An unknown key, a duplicate, a wrong type or a bad value makes the
// whole file unusable. All [Problems] are reported at once, with their lines. A policy that
// cannot be read allows nothing.
//
// # Deciding
//
// [Policy.Decide] is pure: the same [Request] always gets the same [Grant] or the same
// [Denial]. A Grant has all that the job gets, so that nothing later needs another look at
// the policy or at the request. What depends on the file system, such as where a symbolic
// link leads, is part of the request: see [VolumeRequest].
//
// # Files
//
// The first word of a file's name is its phase: keys, value (what a key or a job's word
// can be), parse, check, decide.
package policy

import "strconv"

//go:generate go run podman-executor/internal/docs policy ../../docs/policy.md

// Policy is one policy file, read and checked. Only [Parse] and [Load] make one.
type Policy struct {
	General General `toml:"general"`

	file  string
	lines map[string]int
}

// File returns the name that the policy was parsed under.
func (p *Policy) File() string { return p.file }

// Line returns the line of a key such as "general.podman.image_allow_list", or
// 0 where the file does not have it.
func (p *Policy) Line(key string) int { return p.lines[key] }

// Where returns the place of a key for a message, as `file:line: key`, or as `file: key`
// where the file does not have the key.
func (p *Policy) Where(key string) string { return where(p.file, p.lines[key], key) }

// where leaves out a line of 0 and an empty key.
func where(file string, line int, key string) string {
	if line > 0 {
		file += ":" + strconv.Itoa(line)
	}
	if key != "" {
		file += ": " + key
	}
	return file
}

// Images are the images that the administrator has chosen himself: those of the
// runner container, of jobs without `image:`, and of the services of every job.
func (p *Policy) Images() []Image {
	pm := p.General.Podman
	names := []string{pm.RunnerImage, pm.DefaultImage}
	for _, s := range pm.Services {
		names = append(names, s.Name)
	}
	var images []Image
	for _, name := range names {
		if name != "" {
			images = append(images, mustParseImage(name))
		}
	}
	return images
}
