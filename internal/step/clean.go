package step

// Clean is what clean.sh removes of what former jobs have left, before a step of the runner's.
// It goes into the first line of the stub's input.
type Clean string

const (
	// CleanNothing removes nothing: this job's steps have already cleaned up, or are about to.
	CleanNothing Clean = ""
	// CleanLinks removes the runner's temporary directory of the project, and what is not a
	// directory on the way to the project.
	CleanLinks Clean = "links"
	// CleanGit also removes everything but data from the project's git directory.
	CleanGit Clean = "git"
	// CleanModules does the same for the git directories of submodules.
	CleanModules Clean = "modules"
	// CleanOwnLinks removes links through which a step on the host would write outside the
	// project: the author's script may have made some since the first step.
	CleanOwnLinks Clean = "own"
)

// Sources is where a job's sources are, and what the runner does with them.
type Sources struct {
	// Root is the directory of builds that the job's containers share, Project the
	// project's below it.
	Root    string `json:"root"`
	Project string `json:"project"`
	// KeepUmask means that steps in the runner container have the container's umask, and not
	// 0000.
	KeepUmask bool `json:"keep_umask,omitempty"`
	// Kept means that the runner leaves them as they are (GIT_STRATEGY "none").
	Kept bool `json:"kept,omitempty"`
	// Submodules means that git updates submodules.
	Submodules bool `json:"submodules,omitempty"`
}

// Before returns what is removed before a step. prepare_script is the first step, and
// get_sources the first in which git runs: until then nothing in the project is this job's.
func (s Sources) Before(name string) Clean {
	switch {
	case s.Project == "": // a plan of an older prepare
		return CleanNothing
	case name == "prepare_script", name == "get_sources" && s.Kept:
		return CleanLinks
	// git also runs in clear_worktree, after a get_sources that has failed.
	case name == "clear_worktree", name == "get_sources" && s.Submodules:
		return CleanModules
	case name == "get_sources":
		return CleanGit
	}
	return CleanNothing
}

// OnHost is [Sources.Before] for a step on the host. All of the runner's steps need a path
// without links there: a link that the author's script made in a container would lead to the
// host's files.
func (s Sources) OnHost(name string) Clean {
	if clean := s.Before(name); clean != CleanNothing || s.Project == "" {
		return clean
	}
	return CleanOwnLinks
}

// words returns the arguments of clean_or_say.
func (s Sources) words(clean Clean) []string { return []string{string(clean), s.Root, s.Project} }
